"""A channel whose rows are read by multipliers, cycle by cycle: what `pim_kernel.py` does, to be read.

Commands come in order through a window. In a cycle at most one column command issues, the oldest before the first
barrier that may, and at most one row command: rows are opened for whatever the window holds, beyond a barrier too.
MACs and moves use different paths, so that each is spaced only from its own kind. A barrier goes when all before it
are gone.

Where the level lets it, a processor reads and writes the last set of banks beside them, bank by bank, through a queue:
row after row, spread over pseudo-channels and bank groups. It shares both buses, refresh and power with the
MACs. The column bus goes to who could have had it first, were there power, MACs first in a draw; the row bus to MACs
first. Moves need no bus then, since they stay on the logic die.

A refresh falls due at multiples of nREFI. From then on no MAC and no activation issues until all rows are closed and
every pseudo-channel is refreshed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from accelsim.memory.model import Integers
from accelsim.memory.pim_kernel import (
    ACT,
    ACT_SLOTS,
    APPEND,
    ARRIVAL,
    BARRIER,
    FETCH,
    GROUP,
    KIND,
    LASTS,
    LONG_AGO,
    MAC,
    NUMBER,
    PRE,
    PREA,
    RANK,
    REF,
    ROW,
    SET,
    SOFTMAX,
    STORE,
    WEIGHTS,
)
from accelsim.memory.pim_model import Stack
from accelsim.memory.pim_requests import arrival, request

LATER = 1 << 60
PROCESSOR_BANKS = ("pseudo_channel", "bank_group", "bank")
Issued = tuple[int, int, int, int]
"""Cycle, command, its number or the set of banks of a row command (-1 for all), row."""
Spacing = tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


@dataclass
class Banks:
    """A set of banks that one command opens, reads and closes."""

    row: int | None = None
    activated: int = LONG_AGO
    closed: int = LONG_AGO
    read: int = LONG_AGO
    written: int = LONG_AGO


@dataclass
class Channel:
    """The state of a channel between two cycles.

    Attributes:
        gaps: of MACs, moves, reads and writes the cycles between two of a channel, a rank, a bank group.
        window: numbers of the commands that wait.
        queue: reads and writes of the processor that wait; `asked` counts them all.
        last: when the last MAC, move, read or write issued, by path, level and place.
        due: pseudo-channels to refresh.
        weighed: when the last softmax ends.
    """

    stack: Stack
    gaps: Spacing
    commands: list[list[int]]
    banks: list[Banks]
    tokens: int
    window: list[int] = field(default_factory=list)
    offered: int = 0
    queue: list[list[int]] = field(default_factory=list)
    asked: int = 0
    last: dict[tuple[int, int, int], int] = field(default_factory=dict)
    due: int = 0
    refreshed: int = LONG_AGO
    row_free: int = 0
    weighed: int = 0


def run(stack: Stack, commands: Integers, gaps: Spacing, until: int = 0) -> tuple[int, list[Issued]]:
    """Issue all commands. Returns the cycles to the last of them, and what was issued.

    Args:
        until: cycles that a processor goes on reading for, if commands are done before.
    """
    banks = [Banks() for _ in range(stack.sets + stack.parts(PROCESSOR_BANKS))]
    channel = Channel(stack, gaps, commands.tolist(), banks, stack.power.most)
    log: list[Issued] = []
    cycle = 0
    while channel.window or channel.offered < len(channel.commands) or cycle < until:
        log += _cycle(channel, cycle)
        cycle += 1
    return cycle, log


def write_to_read(stack: Stack) -> int:
    """Cycles from a write to a MAC of the same banks, or to a read of the same bank group."""
    return stack.timings["nCWL"] + stack.timings["nBL"] + stack.timings["nWTRL"]


def write_to_other_read(stack: Stack) -> int:
    """Cycles from a processor's write to its read of another bank group."""
    return stack.timings["nCWL"] + stack.timings["nBL"] + stack.timings["nWTRS"]


def write_to_close(stack: Stack) -> int:
    """Cycles from a write to the end of its row."""
    return stack.timings["nCWL"] + stack.timings["nBL"] + stack.timings["nWR"]


def _cycle(channel: Channel, cycle: int) -> Iterator[Issued]:
    _fill(channel)
    _ask(channel, cycle)
    if cycle > 0 and cycle % channel.stack.timings["nREFI"] == 0:
        channel.due += channel.stack.sizes["pseudo_channel"]
    number, since = _first_ready(channel, [(n, channel.commands[n]) for n in _column_choices(channel)], cycle)
    place, read_since = _first_ready(channel, list(enumerate(channel.queue)), cycle)
    if place is not None and read_since < since:
        line = channel.queue.pop(place)
        yield cycle, line[KIND], line[NUMBER], line[ROW]
        _note_column(channel, line, cycle)
    if number is not None and (since <= read_since or channel.commands[number][KIND] not in (MAC, APPEND)):
        line = channel.commands[number]
        channel.window.remove(number)
        yield cycle, line[KIND], number, line[ROW]
        _note_column(channel, line, cycle)
    if cycle >= channel.row_free:
        choices = _refresh_choices(channel, cycle) if channel.due else _row_choices(channel, cycle)
        for what, at, row in choices:
            yield cycle, what, at, row
            _note_row(channel, what, at, row, cycle)
            break
    power = channel.stack.power
    channel.tokens = min(power.most, channel.tokens + power.refill)


def _fill(channel: Channel) -> None:
    room = channel.stack.window - len(channel.window)
    end = min(channel.offered + room, len(channel.commands))
    channel.window += range(channel.offered, end)
    channel.offered = end
    while channel.window and channel.commands[channel.window[0]][KIND] == BARRIER:
        channel.window.pop(0)


def _ask(channel: Channel, cycle: int) -> None:
    stack = channel.stack
    while stack.processor_share and len(channel.queue) < (stack.level.queue or 0):
        if arrival(stack, channel.asked) > cycle:
            return
        channel.queue.append(request(stack, channel.asked))
        channel.asked += 1


def _column_choices(channel: Channel) -> Iterator[int]:
    for number in channel.window:
        if channel.commands[number][KIND] == BARRIER:
            return
        yield number


def _places(command: list[int]) -> Iterator[tuple[int, int, int]]:
    path = {MAC: 0, FETCH: 2, STORE: 3}.get(command[KIND], 1)
    yield from ((path, 0, 0), (path, 1, command[RANK]), (path, 2, command[GROUP]))


def _first_ready(channel: Channel, choices: list[tuple[int, list[int]]], cycle: int) -> tuple[int | None, int]:
    """The number of the oldest that may issue, None for none; and since when it or one before could have had the bus.

    That is as if there were tokens; it is LATER for none, and for moves.
    """
    since = LATER
    for number, line in choices:
        ready = _ready_at(channel, line)
        if ready <= cycle and line[KIND] in (MAC, APPEND, FETCH, STORE):
            since = min(since, ready)
        if ready <= cycle and channel.tokens >= _tokens(channel, line[KIND]):
            return number, since
    return None, since


def _ready_at(channel: Channel, line: list[int]) -> int:
    """The cycle from which a column command may issue, if there are tokens; LATER while its row is not open."""
    ready = [channel.last.get(place, LONG_AGO) + channel.gaps[place[0]][place[1]] for place in _places(line)]
    if line[KIND] in (MAC, APPEND, FETCH, STORE):
        banks = channel.banks[line[SET]]
        ready.append(banks.activated + channel.stack.timings["nRCD"] if banks.row == line[ROW] else LATER)
        ready.append(LATER if channel.due else LONG_AGO)
    if line[KIND] == MAC:
        ready.append(channel.banks[line[SET]].written + write_to_read(channel.stack))
    if line[KIND] == WEIGHTS:
        ready.append(channel.weighed)
    if line[KIND] in (FETCH, STORE):
        ready += [line[ARRIVAL], _turned_at(channel, line)]
    return max(ready)


def _turned_at(channel: Channel, line: list[int]) -> int:
    """The cycle from which a processor's bus has turned from writes to a read, or from reads to a write."""
    stack, last = channel.stack, channel.last
    if line[KIND] == STORE:
        return last.get((2, 1, line[RANK]), LONG_AGO) + stack.timings["nRTW"]
    part = last.get((3, 1, line[RANK]), LONG_AGO) + write_to_other_read(stack)
    return max(part, last.get((3, 2, line[GROUP]), LONG_AGO) + write_to_read(stack))


def _tokens(channel: Channel, kind: int) -> int:
    """Of a column command."""
    power = channel.stack.power
    return {MAC: power.mac, FETCH: power.burst, STORE: power.burst}.get(kind, 0)


def _note_column(channel: Channel, line: list[int], cycle: int) -> None:
    channel.last.update(dict.fromkeys(_places(line), cycle))
    channel.tokens -= _tokens(channel, line[KIND])
    if line[KIND] in (MAC, FETCH):
        channel.banks[line[SET]].read = cycle
    if line[KIND] in (APPEND, STORE):
        channel.banks[line[SET]].written = cycle
    if line[KIND] == SOFTMAX:
        channel.weighed = cycle + line[LASTS]


def _row_choices(channel: Channel, cycle: int) -> Iterator[tuple[int, int, int]]:
    """What the oldest MAC or read of each set of banks needs, MACs first and oldest first, where it may issue."""
    timings, seen = channel.stack.timings, set()
    for kind, at, row, *_ in [*(channel.commands[number] for number in channel.window), *channel.queue]:
        if kind not in (MAC, APPEND, FETCH, STORE) or at in seen:
            continue
        seen.add(at)
        banks = channel.banks[at]
        if banks.row is not None and banks.row != row and _may_close(channel, banks, cycle):
            yield PRE, at, row
        refreshed = cycle >= channel.refreshed + timings["nRFC"]
        powered = channel.tokens >= _activation_tokens(channel, at)
        if banks.row is None and refreshed and powered and _is_at_rest(channel, banks, cycle):
            yield ACT, at, row


def _activation_tokens(channel: Channel, at: int) -> int:
    """Of a set of banks that MACs read, or of one bank of the processor."""
    return channel.stack.power.activate if at < channel.stack.sets else channel.stack.power.row


def _refresh_choices(channel: Channel, cycle: int) -> Iterator[tuple[int, int, int]]:
    """PREA when every open row may be closed, REF when all banks are at rest."""
    ready = (_is_at_rest if banks.row is None else _may_close for banks in channel.banks)
    if all(may(channel, banks, cycle) for may, banks in zip(ready, channel.banks, strict=True)):
        yield REF if all(banks.row is None for banks in channel.banks) else PREA, -1, -1


def _may_close(channel: Channel, banks: Banks, cycle: int) -> bool:
    timings = channel.stack.timings
    ready = max(banks.activated + timings["nRAS"], banks.read + timings["nRTP"])
    return cycle >= max(ready, banks.written + write_to_close(channel.stack))


def _is_at_rest(channel: Channel, banks: Banks, cycle: int) -> bool:
    timings = channel.stack.timings
    return cycle >= banks.closed + timings["nRP"] and cycle >= banks.activated + timings["nRC"]


def _note_row(channel: Channel, what: int, at: int, row: int, cycle: int) -> None:
    channel.row_free = cycle + (ACT_SLOTS if what == ACT else 1)
    if what == REF:
        channel.due, channel.refreshed = channel.due - 1, cycle
    if what == ACT:
        channel.banks[at].row, channel.banks[at].activated = row, cycle
        channel.tokens -= _activation_tokens(channel, at)
    for banks in {PRE: channel.banks[at : at + 1], PREA: channel.banks}.get(what, []):
        if banks.row is not None:
            banks.row, banks.closed = None, cycle
