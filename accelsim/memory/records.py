"""What the kernel reads and writes: records of numbers, which numba passes on as one address."""

from __future__ import annotations

from typing import Annotated, Protocol

from accelsim.memory.model import COMMANDS, LEVELS, TABLED, Integers

BANKS, BUSES, RULES, WINDOWS, COUNT = 256, 8, 256, 8, 8
"""At most: banks of a channel, buses, rules, windows, commands that a window counts."""
ISSUED, WANTED, HELD, PARTS = len(COMMANDS), len(COMMANDS) + 1, len(TABLED), len(LEVELS)
"""Commands, the same with one for nothing, those that a table describes, and levels."""


class Tables(Protocol):
    """A record of what does not change; lists of commands are as in `model.COMMANDS`.

    Attributes:
        latency: ticks from RD and from WR to the end of data.
        places: of the queues of reads and of writes.
        drain_above, drain_below: writes that wait.
        closed, single: 1 for the closed page, for the refresh of single banks.
        wide: 1 for a command that concerns all banks of a part.
        first, rules: the place of each command's first rule, and `tables.Rule`s.
        sizes, start: of every level the banks of a part, and the first bank of that which each bank lies in.
        part_banks: of a part that is refreshed; `part` and `rank` are those of each bank.
        windows: level, ticks and count of each; `counted` and `held` mark the commands that it counts and holds up.
    """

    latency: Annotated[Integers, 2]
    places: Annotated[Integers, 2]
    drain_above: int
    drain_below: int
    closed: int
    single: int
    interval: int
    parts: int
    part_banks: int
    buses: int
    window_count: int
    bus: Annotated[Integers, WANTED]
    ticks: Annotated[Integers, ISSUED]
    rising: Annotated[Integers, WANTED]
    wide: Annotated[Integers, ISSUED]
    first: Annotated[Integers, ISSUED + 1]
    rules: Annotated[Integers, RULES, 4]
    sizes: Annotated[Integers, PARTS]
    start: Annotated[Integers, PARTS, BANKS]
    part: Annotated[Integers, BANKS]
    rank: Annotated[Integers, BANKS]
    windows: Annotated[Integers, WINDOWS, 3]
    counted: Annotated[Integers, WINDOWS, ISSUED]
    held: Annotated[Integers, WINDOWS, HELD]


class State(Protocol):
    """A record of what changes; banks, rows and requests that are not there are -1.

    Attributes:
        offered, accepted, served: requests so far; `waiting` in the queues of reads and writes now.
        draining: 1 where writes go first.
        next_due, dues: tick of the next refresh, and those that are due in all parts; `due` and `turn` of each.
        busy: the first `busy_count` are the banks that a request waits for, `place` where each stands there.
        want, asker: the next command of the request that has opened a bank's row, or of the first that does not hit it.
        earliest: tick of every command and bank, or part for a wide command.
        head, tail, hit: first and last waiting request and the oldest that hits the open row, of reads and of writes.
        free, at: ticks from which a bus is free, and before which nothing can issue on it.
        times, oldest: of every window and part the last ticks that it counts, a ring with its oldest place.
    """

    now: int
    offered: int
    accepted: int
    served: int
    waiting: Annotated[Integers, 2]
    draining: int
    next_due: int
    dues: int
    busy_count: int
    finish: int
    last_accepted: int
    read_latency: int
    open_ticks: int
    logged: int
    issued: Annotated[Integers, ISSUED]
    free: Annotated[Integers, BUSES]
    at: Annotated[Integers, BUSES]
    row: Annotated[Integers, BANKS]
    owner: Annotated[Integers, BANKS]
    head: Annotated[Integers, 2, BANKS]
    tail: Annotated[Integers, 2, BANKS]
    hit: Annotated[Integers, 2, BANKS]
    busy: Annotated[Integers, BANKS]
    place: Annotated[Integers, BANKS]
    want: Annotated[Integers, BANKS]
    asker: Annotated[Integers, BANKS]
    due: Annotated[Integers, BANKS]
    turn: Annotated[Integers, BANKS]
    open_rows: Annotated[Integers, BANKS]
    open_since: Annotated[Integers, BANKS]
    earliest: Annotated[Integers, WANTED, BANKS]
    oldest: Annotated[Integers, WINDOWS, BANKS]
    times: Annotated[Integers, WINDOWS, BANKS, COUNT]
