"""The channel of `pim_channel.py`, compiled, and what the integers mean that both speak in."""

from __future__ import annotations

import numpy as np

from accelsim.jit import kernel
from accelsim.memory.model import Integers

LONG_AGO, FAR = -(1 << 40), 1 << 60
MAC, MOVE, SOFTMAX, WEIGHTS, APPEND, FETCH, STORE, BARRIER = range(8)
"""Kinds of command. FETCH and STORE are a processor's. Others than MAC are moves: weights wait until softmax is done,
an append writes to an open row."""
KIND, SET, ROW, RANK, GROUP, PURPOSE, LASTS, FIELDS = range(8)
"""What a line of the list of commands says; a softmax lasts so many cycles."""
ARRIVAL, NUMBER = PURPOSE, LASTS  # what those of a processor say there
NRCD, NRP, NRAS, NRC, NRTP, NWTM, NWTP, NREFI, NRFC, NRTW, NWTR = range(11)
"""The rules: timings in cycles, of them NWTM and NWTP from an append to a MAC and to PRE. Of a processor's also NRTW
from a read to a write, NWTR from a write to a read of another bank group, NWTM to one of the same."""
WINDOW, PARTS, SETS, PLACES, REFILL, MOST, MAC_TOKENS, ACT_TOKENS = range(11, 19)
"""And places of the window, parts refreshed one by one, sets of banks, bank groups or ranks of any kind, tokens."""
QUEUE, BURSTS, CYCLES, READS, GROUPS, BANKS, COLUMNS, BURST_TOKENS, ROW_TOKENS, UNTIL, RULES = range(19, 30)
"""Of the processor: places of its queue, requests in so many cycles, how many reads begin a run as long as its queue,
bank groups of a part, its banks in each, columns, tokens; and the first cycle in which it may stop."""
ACT, PRE, PREA, REF = range(BARRIER + 1, BARRIER + 5)
"""Row commands of the log; what it says of a column command is its kind."""
ACT_SLOTS = 2  # cycles for which an activation holds the row bus
OPEN, ACTIVATED, CLOSED, READ, WRITTEN, STATES = range(6)
"""Of a set of banks: the open row or -1, and the cycle of its last ACT, PRE, MAC and append."""


@kernel
def run(commands: Integers, alike: Integers, rules: Integers, gaps: Integers) -> tuple[int, Integers]:
    """Issue all commands of a channel, leaping over cycles in which nothing can issue: its cycles, and a log.

    Row commands are looked for anew when something was issued, asked for or fell due; until then none may issue before
    `rows_from`, and a column command never frees one in its own cycle. A line of the log is a cycle, a command, its
    number in the list or the set of banks of a row command (-1 for all), and a row.

    Args:
        alike: of each command the number of the next that differs in kind or place: where it may not issue, neither do
            those between. gaps: of MACs, moves, reads and writes the cycles between two of a channel, a rank, a bank
            group; to a read and a write its pseudo-channel is a rank.
    """
    log, logged = np.zeros((2 * len(commands) + 64, 4), np.int64), 0
    banks = np.full((rules[SETS] + rules[PARTS] * rules[GROUPS] * rules[BANKS], STATES), LONG_AGO)
    banks[:, OPEN] = -1
    last = np.full((4, 3, rules[PLACES]), LONG_AGO)
    window, waiting, offered = np.zeros(rules[WINDOW], np.int64), 0, 0
    queue, places, queued, asked = np.zeros((rules[QUEUE], FIELDS), np.int64), np.arange(rules[QUEUE]), 0, 0
    now, then, tokens, refreshes, refreshed, row_free, rows_from, weighed = 0, 0, rules[MOST], 0, LONG_AGO, 0, 0, 0
    while waiting > 0 or offered < len(commands) or now < rules[UNTIL]:
        tokens, then = min(rules[MOST], tokens + rules[REFILL] * (now - then)), now
        log = with_room(log, logged + 3)
        waiting, offered, gone = fill(commands, window, waiting, offered)
        due = rules[PARTS] if now > 0 and now % rules[NREFI] == 0 else 0
        refreshes, rows_from = refreshes + due, 0 if due > 0 or rules[QUEUE] > 0 else rows_from
        time = (now, tokens, refreshes, weighed)
        at, following, since = column_command((commands, alike), rules, gaps, (banks, last), window[:waiting], time)
        read, what = -1, -1
        if rules[QUEUE] > 0:
            queued, asked = ask(rules, queue, queued, asked, now)
            read, soon, read_since = column_command((queue, places), rules, gaps, (banks, last), places[:queued], time)
            at, read = first_come(commands, window, (at, since), (read, read_since), now)
            following = max(min(following, soon, arrival(rules, asked) if queued < rules[QUEUE] else FAR), now + 1)
        if read >= 0:
            logged = note_column(queue, read, (banks, last), log, (logged, now, queue[read, NUMBER]))
            tokens, queued = tokens - rules[BURST_TOKENS], serve(queue, queued, read)
        if at >= 0:
            number = window[at]
            logged = note_column(commands, number, (banks, last), log, (logged, now, number))
            tokens -= rules[MAC_TOKENS] if commands[number, KIND] == MAC else 0
            weighed = now + commands[number, LASTS] if commands[number, KIND] == SOFTMAX else weighed
            waiting = remove(window, waiting, at, 1)
        if now >= max(row_free, rows_from):
            time_of_rows = (now, tokens if refreshes == 0 else -1, refreshed)
            what, bank_set, row, rows_from = first_row_command(
                (commands, alike, queue, places), rules, banks, (window[:waiting], places[:queued]), time_of_rows
            )
            if what >= 0:
                log[logged], logged = (now, what, bank_set, row), logged + 1
                row_free = now + (ACT_SLOTS if what == ACT else 1)
                note_row(what, bank_set, row, banks, now)
                tokens -= act_tokens(rules, bank_set) if what == ACT else 0
                if what == REF:
                    refreshes, refreshed = refreshes - 1, now
        if at >= 0 or read >= 0 or what >= 0 or gone > 0 or waiting == 0:
            now, rows_from = now + 1, 0
        else:
            now = min(following, max(row_free, rows_from), (now // rules[NREFI] + 1) * rules[NREFI])
    return now, log[:logged]


@kernel
def with_room(log: Integers, lines: int) -> Integers:
    return np.concatenate((log, np.zeros_like(log))) if lines > len(log) else log


@kernel
def fill(commands: Integers, window: Integers, waiting: int, offered: int) -> tuple[int, int, int]:
    """Take commands into the window as far as it has room, and barriers out that stand before all else.

    Returns how many wait, how many were ever in it, and how many barriers went.
    """
    taken = min(len(window) - waiting, len(commands) - offered)
    for place in range(taken):
        window[waiting + place] = offered + place
    gone = barriers(commands, window, waiting + taken)
    return remove(window, waiting + taken, 0, gone), offered + taken, gone


@kernel
def ask(rules: Integers, queue: Integers, queued: int, asked: int, now: int) -> tuple[int, int]:
    """Take the processor's requests into its queue as far as it has room; returns how many wait and were asked for."""
    while queued < len(queue) and arrival(rules, asked) <= now:
        request(rules, queue[queued], asked)
        queued, asked = queued + 1, asked + 1
    return queued, asked


@kernel
def serve(queue: Integers, queued: int, at: int) -> int:
    """Take a request out of the queue; returns how many stay."""
    for place in range(at, queued - 1):
        queue[place] = queue[place + 1]
    return queued - 1


@kernel
def first_come(
    commands: Integers, window: Integers, pim: tuple[int, int], processor: tuple[int, int], now: int
) -> tuple[int, int]:
    """What the multipliers and the processor may issue: the bus is for who could have had it first, tokens aside.

    What else the multipliers move does not go over the processor's bus.
    """
    at, since = pim
    read, read_since = processor
    if read_since < since:
        return (-1 if at >= 0 and commands[window[at], KIND] in (MAC, APPEND) else at), read
    return at, (-1 if since <= now else read)


@kernel
def arrival(rules: Integers, number: int) -> int:
    """The cycle in which the processor asks for the burst of that number: evenly spread."""
    cycle: int = number * rules[CYCLES] // rules[BURSTS]
    return cycle


@kernel
def request(rules: Integers, line: Integers, number: int) -> None:
    """A read or a write of the processor, in runs: all parts by turns, then bank groups, columns, banks, rows."""
    rest, part = number // rules[PARTS], number % rules[PARTS]
    rest, group = rest // rules[GROUPS], rest % rules[GROUPS]
    rest = rest // rules[COLUMNS]
    group += part * rules[GROUPS]
    line[KIND] = FETCH if number % rules[QUEUE] < rules[READS] else STORE
    line[RANK], line[GROUP] = part, group
    line[SET], line[ROW] = rules[SETS] + group * rules[BANKS] + rest % rules[BANKS], rest // rules[BANKS]
    line[ARRIVAL], line[NUMBER] = arrival(rules, number), number


@kernel
def path(kind: int) -> int:
    return 0 if kind == MAC else kind - FETCH + 2 if kind in (FETCH, STORE) else 1


@kernel
def act_tokens(rules: Integers, bank_set: int) -> int:
    tokens: int = rules[ACT_TOKENS] if bank_set < rules[SETS] else rules[ROW_TOKENS]
    return tokens


@kernel
def barriers(commands: Integers, window: Integers, waiting: int) -> int:
    """Barriers that stand before all else in the window."""
    count = 0
    while count < waiting and commands[window[count], KIND] == BARRIER:
        count += 1
    return count


@kernel
def remove(window: Integers, waiting: int, at: int, count: int) -> int:
    """Take some out of the window; returns how many stay."""
    for place in range(at, waiting - count):
        window[place] = window[place + count]
    return waiting - count


@kernel
def tokens_at(now: int, tokens: int, needed: int, refill: int) -> int:
    """The cycle at which the bucket holds what is needed."""
    return now if tokens >= needed else now - (tokens - needed) // refill


@kernel
def column_command(
    lines: tuple[Integers, Integers],
    rules: Integers,
    gaps: Integers,
    state: tuple[Integers, Integers],
    window: Integers,
    now: tuple[int, int, int, int],
) -> tuple[int, int, int]:
    """The place in the window of the oldest column command before a barrier that may issue, -1 for none.

    With it the first cycle at which one might, were there none now; and since when this one, or one before it that
    lacks only tokens, could have had the bus, FAR for none.
    """
    commands, alike = lines
    banks, last = state
    cycle, tokens, refreshes, weighed = now
    following, since = FAR, FAR
    mac_powered = tokens_at(cycle, tokens, rules[MAC_TOKENS], rules[REFILL])
    burst_powered = tokens_at(cycle, tokens, rules[BURST_TOKENS], rules[REFILL])
    at = 0
    while at < len(window):
        number, here = window[at], at
        kind, bank_set = commands[number, KIND], commands[number, SET]
        if kind == BARRIER:
            break
        at = behind(window, at, alike[number])
        way = path(kind)
        ready = last[way, 0, 0] + gaps[way, 0]
        if ready > cycle:  # nothing of its kind may issue now, and the next look is not missed
            following = min(following, ready)
            continue
        ready = max(ready, last[way, 1, commands[number, RANK]] + gaps[way, 1])
        ready = max(ready, last[way, 2, commands[number, GROUP]] + gaps[way, 2])
        if kind == WEIGHTS:
            ready = max(ready, weighed)
        if kind in (MAC, APPEND, FETCH, STORE):
            if refreshes > 0 or banks[bank_set, OPEN] != commands[number, ROW]:
                continue
            ready = max(ready, banks[bank_set, ACTIVATED] + rules[NRCD])
        if kind == MAC:
            ready = max(ready, banks[bank_set, WRITTEN] + rules[NWTM])
        if kind in (FETCH, STORE):
            ready = max(ready, commands[number, ARRIVAL], turned(rules, last, commands[number]))
        if kind in (MAC, APPEND, FETCH, STORE):
            if ready <= cycle:
                since = min(since, ready)
            ready = max(ready, mac_powered if kind == MAC else burst_powered if kind != APPEND else ready)
        if ready <= cycle:
            return here, cycle, since
        following = min(following, ready)
    return -1, following, since


@kernel
def turned(rules: Integers, last: Integers, line: Integers) -> int:
    """The cycle from which a processor's bus has turned from writes to a read, or from reads to a write."""
    other = 5 - path(line[KIND])
    if line[KIND] == STORE:
        ready: int = last[other, 1, line[RANK]] + rules[NRTW]
        return ready
    ready = max(last[other, 1, line[RANK]] + rules[NWTR], last[other, 2, line[GROUP]] + rules[NWTM])
    return ready


@kernel
def behind(window: Integers, at: int, number: int) -> int:
    """The first place behind `at` of a command that has that number or a higher one: numbers rise along the window."""
    low, high = at + 1, max(at + 1, min(len(window), at + number - window[at]))
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if window[middle] < number else (low, middle)
    return low


@kernel
def note_column(
    commands: Integers, number: int, state: tuple[Integers, Integers], log: Integers, entry: tuple[int, int, int]
) -> int:
    """Note a column command; `entry`: its line in the log, cycle and number there. Returns the next line."""
    (banks, last), (line, cycle, shown) = state, entry
    log[line] = (cycle, commands[number, KIND], shown, commands[number, ROW])
    way = path(commands[number, KIND])
    last[way, 0, 0] = cycle
    last[way, 1, commands[number, RANK]] = cycle
    last[way, 2, commands[number, GROUP]] = cycle
    if commands[number, KIND] in (MAC, FETCH):
        banks[commands[number, SET], READ] = cycle
    if commands[number, KIND] in (APPEND, STORE):
        banks[commands[number, SET], WRITTEN] = cycle
    return line + 1


@kernel
def first_row_command(
    lines: tuple[Integers, Integers, Integers, Integers],
    rules: Integers,
    banks: Integers,
    windows: tuple[Integers, Integers],
    now: tuple[int, int, int],
) -> tuple[int, int, int, int]:
    """That of the multipliers, or of the processor where they have none; as `row_command`."""
    what, bank_set, row, ready = row_command((lines[0], lines[1]), rules, banks, windows[0], now)
    if what >= 0 or now[1] < 0:
        return what, bank_set, row, ready
    what, bank_set, row, other = row_command((lines[2], lines[3]), rules, banks, windows[1], now)
    return what, bank_set, row, min(ready, other)


@kernel
def row_command(
    lines: tuple[Integers, Integers], rules: Integers, banks: Integers, window: Integers, now: tuple[int, int, int]
) -> tuple[int, int, int, int]:
    """The row command that may issue, its set of banks and row, -1 for none; and when one might, were there none.

    Tokens of -1: a refresh is due.
    """
    commands, alike = lines
    cycle, tokens, refreshed = now
    if tokens < 0:
        return refresh_command(rules, banks, cycle)
    seen, following = 0, FAR
    at = 0
    while at < len(window):
        number = window[at]
        at = behind(window, at, alike[number])
        kind, bank_set, row = commands[number, KIND], commands[number, SET], commands[number, ROW]
        if seen >> bank_set & 1 or kind not in (MAC, APPEND, FETCH, STORE):
            continue
        seen |= 1 << bank_set
        if banks[bank_set, OPEN] == row:
            continue
        if banks[bank_set, OPEN] >= 0:
            what, ready = PRE, closable(rules, banks, bank_set)
        else:
            what, ready = ACT, max(rested(rules, banks, bank_set), refreshed + rules[NRFC])
            ready = max(ready, tokens_at(cycle, tokens, act_tokens(rules, bank_set), rules[REFILL]))
        if ready <= cycle:
            return what, bank_set, row, cycle
        following = min(following, ready)
    return -1, -1, -1, following


@kernel
def refresh_command(rules: Integers, banks: Integers, cycle: int) -> tuple[int, int, int, int]:
    """PREA when every open row may be closed, REF when all banks are at rest."""
    what, ready = REF, 0
    for bank_set in range(len(banks)):
        if banks[bank_set, OPEN] >= 0:
            what = PREA
            ready = max(ready, closable(rules, banks, bank_set))
        else:
            ready = max(ready, rested(rules, banks, bank_set))
    return (what if ready <= cycle else -1), -1, -1, ready


@kernel
def closable(rules: Integers, banks: Integers, bank_set: int) -> int:
    """The cycle from which an open row may be closed."""
    ready: int = max(banks[bank_set, ACTIVATED] + rules[NRAS], banks[bank_set, READ] + rules[NRTP])
    ready = max(ready, banks[bank_set, WRITTEN] + rules[NWTP])
    return ready


@kernel
def rested(rules: Integers, banks: Integers, bank_set: int) -> int:
    """The cycle from which closed banks may be opened or refreshed."""
    ready: int = max(banks[bank_set, CLOSED] + rules[NRP], banks[bank_set, ACTIVATED] + rules[NRC])
    return ready


@kernel
def note_row(what: int, bank_set: int, row: int, banks: Integers, cycle: int) -> None:
    if what == ACT:
        banks[bank_set, OPEN], banks[bank_set, ACTIVATED] = row, cycle
    elif what == PRE:
        banks[bank_set, OPEN], banks[bank_set, CLOSED] = -1, cycle
    elif what == PREA:
        for place in range(len(banks)):
            if banks[place, OPEN] >= 0:
                banks[place, OPEN], banks[place, CLOSED] = -1, cycle
