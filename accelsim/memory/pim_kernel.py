"""The channel of `pim_channel.py`, compiled, and what the integers mean that both speak in."""

from __future__ import annotations

import numpy as np

from accelsim.jit import kernel
from accelsim.memory.model import Integers

LONG_AGO, FAR = -(1 << 40), 1 << 60
MAC, MOVE, SOFTMAX, WEIGHTS, APPEND, BARRIER = range(6)
"""Kinds of command. All but MAC are moves: weights wait until softmax is done, an append writes to an open row."""
KIND, SET, ROW, RANK, GROUP, PURPOSE, LASTS, FIELDS = range(8)
"""What a line of the list of commands says; a softmax lasts so many cycles."""
NRCD, NRP, NRAS, NRC, NRTP, NWTM, NWTP, NREFI, NRFC = range(9)
"""The rules: timings in cycles, of them NWTM and NWTP from an append to a MAC and to PRE."""
WINDOW, PARTS, SETS, REFILL, MOST, MAC_TOKENS, ACT_TOKENS, RULES = range(9, 17)
"""And places of the window, parts refreshed one by one, sets of banks, tokens."""
ACT, PRE, PREA, REF = range(BARRIER + 1, BARRIER + 5)
"""Row commands of the log; what it says of a column command is its kind."""
ACT_SLOTS = 2  # cycles for which an activation holds the row bus
OPEN, ACTIVATED, CLOSED, READ, WRITTEN, STATES = range(6)
"""Of a set of banks: the open row or -1, and the cycle of its last ACT, PRE, MAC and append."""


@kernel
def run(commands: Integers, rules: Integers, gaps: Integers) -> tuple[int, Integers]:
    """Issue all commands of a channel, leaping over cycles in which nothing can issue.

    Args:
        gaps: of MACs and of moves the cycles between two of a channel, a rank, a bank group.

    Returns the cycles, and a line for each command issued: cycle, command, its number in the list or the set of banks
    of a row command (-1 for all), row.
    """
    log = np.zeros((2 * len(commands) + 64, 4), np.int64)
    banks = np.full((rules[SETS], STATES), LONG_AGO)
    banks[:, OPEN] = -1
    last = np.full((2, 3, commands[:, GROUP].max() + 1), LONG_AGO)
    window = np.zeros(rules[WINDOW], np.int64)
    waiting, offered, logged, now, then = 0, 0, 0, 0, 0
    tokens, refreshes, refreshed, row_free, weighed = rules[MOST], 0, LONG_AGO, 0, 0
    while waiting > 0 or offered < len(commands):
        tokens = min(rules[MOST], tokens + rules[REFILL] * (now - then))
        then = now
        if logged + 2 > len(log):
            log = np.concatenate((log, np.zeros_like(log)))
        taken = min(len(window) - waiting, len(commands) - offered)
        for place in range(taken):
            window[waiting + place] = offered + place
        waiting, offered = waiting + taken, offered + taken
        gone = barriers(commands, window, waiting)
        waiting = remove(window, waiting, 0, gone)
        if now > 0 and now % rules[NREFI] == 0:
            refreshes += rules[PARTS]
        time = (now, tokens, refreshes, weighed)
        at, following = column_command(commands, rules, gaps, (banks, last), window[:waiting], time)
        if at >= 0:
            number = window[at]
            log[logged], logged = (now, commands[number, KIND], number, commands[number, ROW]), logged + 1
            note_column(commands, number, banks, last, now)
            tokens -= rules[MAC_TOKENS] if commands[number, KIND] == MAC else 0
            if commands[number, KIND] == SOFTMAX:
                weighed = now + commands[number, LASTS]
            waiting = remove(window, waiting, at, 1)
        what = -1
        if now >= row_free:
            what, bank_set, row, when = row_command(
                commands, rules, banks, window[:waiting], (now, tokens if refreshes == 0 else -1, refreshed)
            )
            following = min(following, when)
            if what >= 0:
                log[logged], logged = (now, what, bank_set, row), logged + 1
                row_free = now + (ACT_SLOTS if what == ACT else 1)
                note_row(what, bank_set, row, banks, now)
                tokens -= rules[ACT_TOKENS] if what == ACT else 0
                if what == REF:
                    refreshes, refreshed = refreshes - 1, now
        else:
            following = min(following, row_free)
        if at >= 0 or what >= 0 or gone > 0 or waiting == 0:
            now += 1
        else:
            now = min(following, (now // rules[NREFI] + 1) * rules[NREFI])
    return now, log[:logged]


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
    commands: Integers,
    rules: Integers,
    gaps: Integers,
    state: tuple[Integers, Integers],
    window: Integers,
    now: tuple[int, int, int, int],
) -> tuple[int, int]:
    """The place in the window of the oldest column command before a barrier that may issue, -1 for none.

    With it the first cycle at which one might, were there none now.
    """
    banks, last = state
    cycle, tokens, refreshes, weighed = now
    following = FAR
    for at in range(len(window)):
        number = window[at]
        kind, bank_set = commands[number, KIND], commands[number, SET]
        if kind == BARRIER:
            break
        path = min(kind, 1)
        ready = last[path, 0, 0] + gaps[path, 0]
        ready = max(ready, last[path, 1, commands[number, RANK]] + gaps[path, 1])
        ready = max(ready, last[path, 2, commands[number, GROUP]] + gaps[path, 2])
        if kind == WEIGHTS:
            ready = max(ready, weighed)
        if kind in (MAC, APPEND):
            if refreshes > 0 or banks[bank_set, OPEN] != commands[number, ROW]:
                continue
            ready = max(ready, banks[bank_set, ACTIVATED] + rules[NRCD])
        if kind == MAC:
            ready = max(ready, banks[bank_set, WRITTEN] + rules[NWTM])
            ready = max(ready, tokens_at(cycle, tokens, rules[MAC_TOKENS], rules[REFILL]))
        if ready <= cycle:
            return at, cycle
        following = min(following, ready)
    return -1, following


@kernel
def note_column(commands: Integers, number: int, banks: Integers, last: Integers, cycle: int) -> None:
    path = min(commands[number, KIND], 1)
    last[path, 0, 0] = cycle
    last[path, 1, commands[number, RANK]] = cycle
    last[path, 2, commands[number, GROUP]] = cycle
    if commands[number, KIND] == MAC:
        banks[commands[number, SET], READ] = cycle
    if commands[number, KIND] == APPEND:
        banks[commands[number, SET], WRITTEN] = cycle


@kernel
def row_command(
    commands: Integers, rules: Integers, banks: Integers, window: Integers, now: tuple[int, int, int]
) -> tuple[int, int, int, int]:
    """The row command that may issue, its set of banks and row, -1 for none; and when one might, were there none.

    Tokens of -1: a refresh is due.
    """
    cycle, tokens, refreshed = now
    if tokens < 0:
        return refresh_command(rules, banks, cycle)
    seen, following = 0, FAR
    for at in range(len(window)):
        number = window[at]
        bank_set, row = commands[number, SET], commands[number, ROW]
        if commands[number, KIND] not in (MAC, APPEND) or seen >> bank_set & 1:
            continue
        seen |= 1 << bank_set
        if banks[bank_set, OPEN] == row:
            continue
        if banks[bank_set, OPEN] >= 0:
            what, ready = PRE, closable(rules, banks, bank_set)
        else:
            what, ready = ACT, max(rested(rules, banks, bank_set), refreshed + rules[NRFC])
            ready = max(ready, tokens_at(cycle, tokens, rules[ACT_TOKENS], rules[REFILL]))
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
