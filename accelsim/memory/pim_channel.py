"""A channel whose rows are read by multipliers, cycle by cycle: what `pim_kernel.py` does, to be read.

Commands come in order through a window. In a cycle at most one column command issues, the oldest before the first
barrier that may, and at most one row command: rows are opened for whatever the window holds, beyond a barrier too.
MACs and moves use different paths, so that each is spaced only from its own kind. A barrier goes when all before it
are gone.

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
    BARRIER,
    GROUP,
    KIND,
    LASTS,
    LONG_AGO,
    MAC,
    PRE,
    PREA,
    RANK,
    REF,
    ROW,
    SET,
    SOFTMAX,
    WEIGHTS,
)
from accelsim.memory.pim_model import Stack

Issued = tuple[int, int, int, int]
"""Cycle, command, its number or the set of banks of a row command (-1 for all), row."""
Spacing = tuple[tuple[int, int, int], tuple[int, int, int]]


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
        gaps: of MACs and of moves the cycles between two of a channel, a rank, a bank group.
        window: numbers of the commands that wait.
        last: when the last MAC or move issued, by path, level and place.
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
    last: dict[tuple[int, int, int], int] = field(default_factory=dict)
    due: int = 0
    refreshed: int = LONG_AGO
    row_free: int = 0
    weighed: int = 0


def run(stack: Stack, commands: Integers, gaps: Spacing) -> tuple[int, list[Issued]]:
    """Issue all commands. Returns the cycles to the last of them, and what was issued."""
    banks = [Banks() for _ in range(stack.sets)]
    channel = Channel(stack, gaps, commands.tolist(), banks, stack.power.most)
    log: list[Issued] = []
    cycle = 0
    while channel.window or channel.offered < len(channel.commands):
        log += _cycle(channel, cycle)
        cycle += 1
    return cycle, log


def write_to_read(stack: Stack) -> int:
    """Cycles from a write to a MAC of the same banks."""
    return stack.timings["nCWL"] + stack.timings["nBL"] + stack.timings["nWTRL"]


def write_to_close(stack: Stack) -> int:
    """Cycles from a write to the end of its row."""
    return stack.timings["nCWL"] + stack.timings["nBL"] + stack.timings["nWR"]


def _cycle(channel: Channel, cycle: int) -> Iterator[Issued]:
    _fill(channel)
    if cycle > 0 and cycle % channel.stack.timings["nREFI"] == 0:
        channel.due += channel.stack.sizes["pseudo_channel"]
    for number in _column_choices(channel):
        if _column_ready(channel, number, cycle):
            yield cycle, channel.commands[number][KIND], number, channel.commands[number][ROW]
            _note_column(channel, number, cycle)
            break
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


def _column_choices(channel: Channel) -> Iterator[int]:
    for number in channel.window:
        if channel.commands[number][KIND] == BARRIER:
            return
        yield number


def _places(command: list[int]) -> Iterator[tuple[int, int, int]]:
    path = 0 if command[KIND] == MAC else 1
    yield from ((path, 0, 0), (path, 1, command[RANK]), (path, 2, command[GROUP]))


def _column_ready(channel: Channel, number: int, cycle: int) -> bool:
    command = channel.commands[number]
    if command[KIND] in (MAC, APPEND) and not _is_open(channel, command, cycle):
        return False
    if command[KIND] == MAC and not _may_read(channel, command, cycle):
        return False
    if command[KIND] == WEIGHTS and cycle < channel.weighed:
        return False
    return all(
        cycle >= channel.last.get(place, LONG_AGO) + channel.gaps[place[0]][place[1]] for place in _places(command)
    )


def _is_open(channel: Channel, command: list[int], cycle: int) -> bool:
    banks = channel.banks[command[SET]]
    opened = banks.row == command[ROW] and cycle >= banks.activated + channel.stack.timings["nRCD"]
    return opened and not channel.due


def _may_read(channel: Channel, command: list[int], cycle: int) -> bool:
    written = channel.banks[command[SET]].written
    return cycle >= written + write_to_read(channel.stack) and channel.tokens >= channel.stack.power.mac


def _note_column(channel: Channel, number: int, cycle: int) -> None:
    command = channel.commands[number]
    channel.window.remove(number)
    channel.last.update(dict.fromkeys(_places(command), cycle))
    if command[KIND] == MAC:
        channel.banks[command[SET]].read = cycle
        channel.tokens -= channel.stack.power.mac
    if command[KIND] == APPEND:
        channel.banks[command[SET]].written = cycle
    if command[KIND] == SOFTMAX:
        channel.weighed = cycle + command[LASTS]


def _row_choices(channel: Channel, cycle: int) -> Iterator[tuple[int, int, int]]:
    """What the oldest MAC of each set of banks needs, oldest first, where it may issue."""
    timings, power, seen = channel.stack.timings, channel.stack.power, set()
    for kind, at, row, *_ in (channel.commands[number] for number in channel.window):
        if kind not in (MAC, APPEND) or at in seen:
            continue
        seen.add(at)
        banks = channel.banks[at]
        if banks.row is not None and banks.row != row and _may_close(channel, banks, cycle):
            yield PRE, at, row
        refreshed = cycle >= channel.refreshed + timings["nRFC"]
        if banks.row is None and refreshed and channel.tokens >= power.activate and _is_at_rest(channel, banks, cycle):
            yield ACT, at, row


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
        channel.tokens -= channel.stack.power.activate
    for banks in {PRE: channel.banks[at : at + 1], PREA: channel.banks}.get(what, []):
        if banks.row is not None:
            banks.row, banks.closed = None, cycle
