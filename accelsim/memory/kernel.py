"""The controller of `controller.py`, compiled: it leaps from one tick at which something can happen to the next.

A bank keeps its waiting requests in two lists, reads and writes, oldest first, and of each the oldest that hits the
open row. A bus knows a tick before which no command can issue on it: constraints only ever move commands back, so that
the tick holds until a bank changes, which moves it forward again. `take_in` and `fetch` carry on several channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.jit import kernel
from accelsim.memory.model import Integers
from accelsim.memory.records import State, Tables

FAR = 1 << 61
ACT, PRE, RD, WR, PREA, REFAB, REFPB, RDA, WRA, NOTHING = range(10)
BANK, ROW, KIND, ARRIVAL, BEFORE, BEHIND, KEPT, ENTERED, DONE, LINES = range(10)
"""The rows of a queue, a column for each request: what it is, its neighbours in its bank's list, what became of it."""
Choice = tuple[int, int, int, int]
"""Command (-1: none may issue), bank, request, and the tick before which nothing else can issue."""


@kernel
def advance(tables: Tables, state: State, queue: Integers, log: Integers, until: int, taking: bool) -> bool:
    """Carry a channel on until all that was offered is served, the tick is reached or the log is full.

    Args:
        taking: stop already when all that was offered is in its queues. What is offered later does not come before it,
            so that this tick, `last_accepted`, does not depend on it.

    Returns whether it can go on at all: False is a deadlock, which the rules exclude.
    """
    while state.served < state.offered and state.now < until:
        if 0 < log.shape[0] < state.logged + tables.buses:
            return True
        tick = state.now
        accept(tables, state, queue, tick)
        if turns(tables, state):
            state.draining = 1 - state.draining
            for k in range(state.busy_count):
                wake(tables, state, queue, state.busy[k])
        if tick == state.next_due:
            state.next_due += tables.interval
            state.dues += tables.parts
            for part in range(tables.parts):
                state.due[part] += 1
            wake_all(state, tick)
        for bus in range(tables.buses):
            if state.free[bus] <= tick and state.at[bus] <= tick:
                use(tables, state, queue, log, bus)
        following = tick + 1 if state.served == state.offered else next_tick(tables, state, queue, tick)
        if following == FAR:
            return False
        state.now = min(following, until)  # what is offered until then may come before the next command
        if taking and state.accepted == state.offered:
            state.now = tick + 1
            return True
    return True


@kernel
def take_in(tables: Tables, states: Sequence[State], queues: Integers) -> int:
    """Carry channels on until what was offered to them is in their queues; the last tick at which a request entered."""
    latest, log = -1, np.zeros((0, 4), np.int64)
    for c in range(len(states)):
        if states[c].accepted < states[c].offered:
            if not advance(tables, states[c], queues[c], log, FAR, True):
                return -1
            latest = max(latest, states[c].last_accepted)
    return latest


@kernel
def fetch(
    tables: Tables, states: Sequence[State], queues: Integers, spans: Integers, found: Integers, until: int
) -> int:
    """Carry all channels on until the bursts of a transfer are all under way, or to a tick.

    A window after the other: data come at least that much behind their command, so that no channel is past the end of
    what a window finds.

    Args:
        spans: of every transfer and channel the first column that is not done, and the one behind the last.
        found: of every transfer the bursts that are left and the latest end of data.

    Returns:
        How many transfers have no bursts left; -1 where a channel cannot go on.
    """
    window, log = min(tables.latency[0], tables.latency[1]), np.zeros((0, 4), np.int64)
    while True:
        ended = look(queues, spans, found)
        if ended > 0:
            return ended
        start = FAR
        for c in range(len(states)):
            if states[c].served < states[c].offered:
                start = min(start, states[c].now)
        if start >= until:
            return 0
        for c in range(len(states)):
            if not advance(tables, states[c], queues[c], log, min(start + window, until), False):
                return -1


@kernel
def look(queues: Integers, spans: Integers, found: Integers) -> int:
    """Go on from the bursts of transfers that are done to those that are not; how many transfers have none left."""
    ended = 0
    for k in range(spans.shape[0]):
        for c in range(spans.shape[1]):
            at, end = spans[k, c, 0], spans[k, c, 1]
            while at < end and queues[c, DONE, at] > 0:
                found[k, 1] = max(found[k, 1], queues[c, DONE, at])
                at += 1
            found[k, 0] -= at - spans[k, c, 0]
            spans[k, c, 0] = at
        ended += found[k, 0] == 0
    return ended


@kernel
def next_tick(tables: Tables, state: State, queue: Integers, tick: int) -> int:
    """The next tick at which something can happen."""
    if turns(tables, state):
        return tick + 1
    following = state.next_due
    for bus in range(tables.buses):
        following = min(following, max(state.at[bus], state.free[bus]))
    request = state.accepted
    if request < state.offered:
        kind = queue[KIND, request]
        if state.waiting[kind] < tables.places[kind]:
            following = min(following, queue[ARRIVAL, request])
    return max(following, tick + 1)


@kernel
def accept(tables: Tables, state: State, queue: Integers, tick: int) -> None:
    request = state.accepted
    if request == state.offered or queue[ARRIVAL, request] > tick:
        return
    bank, kind = queue[BANK, request], queue[KIND, request]
    if state.waiting[kind] == tables.places[kind]:
        return
    last = state.tail[kind, bank]
    queue[BEFORE, request], queue[BEHIND, request], queue[ENTERED, request] = last, -1, tick
    if last < 0:
        state.head[kind, bank] = request
    else:
        queue[BEHIND, last] = request
    state.tail[kind, bank] = request
    if state.hit[kind, bank] < 0 and state.row[bank] == queue[ROW, request]:
        state.hit[kind, bank] = request
    if state.place[bank] < 0:
        state.place[bank] = state.busy_count
        state.busy[state.busy_count] = bank
        state.busy_count += 1
    state.waiting[kind] += 1
    state.accepted += 1
    state.last_accepted = tick
    if kind == state.draining:
        wake(tables, state, queue, bank)


@kernel
def turns(tables: Tables, state: State) -> bool:
    """Whether the other queue is to go first from now on."""
    reads, writes = state.waiting[0], state.waiting[1]
    if state.draining == 0:
        return bool(writes > tables.drain_above or (reads == 0 and writes > 0))
    return bool(writes == 0 or (writes < tables.drain_below and reads > 0))


@kernel
def is_due(tables: Tables, state: State, bank: int) -> bool:
    part = tables.part[bank]
    if state.due[part] == 0:
        return False
    return bool(tables.single == 0 or bank == part * tables.part_banks + state.turn[part])


@kernel
def wake_all(state: State, tick: int) -> None:
    """Have every bus look for commands."""
    state.at[:] = tick


@kernel
def wake_for(tables: Tables, state: State, command: int, bank: int) -> None:
    """Have the bus of a command look once that may go."""
    bus = tables.bus[command]
    state.at[bus] = min(state.at[bus], state.earliest[command, bank])


@kernel
def wake(tables: Tables, state: State, queue: Integers, bank: int) -> None:
    """See what a bank that has changed wants next, and tell the buses."""
    owner, first, hit = state.owner[bank], state.head[state.draining, bank], state.hit[state.draining, bank]
    if owner >= 0:
        state.want[bank], state.asker[bank] = RD + queue[KIND, owner], owner
    elif first >= 0 and first != hit:
        state.want[bank], state.asker[bank] = ACT if state.row[bank] < 0 else PRE, first
    else:
        state.want[bank] = NOTHING
    if state.dues > 0:
        wake_all(state, state.now)
        return
    if state.want[bank] != NOTHING:
        wake_for(tables, state, state.want[bank], bank)
    if hit >= 0:
        wake_for(tables, state, RD + state.draining, bank)


@kernel
def use(tables: Tables, state: State, queue: Integers, log: Integers, bus: int) -> None:
    """Issue the first command for a bus that may issue, or note when one can."""
    choice, bound = (-1, -1, -1, FAR), FAR
    if state.dues > 0:
        choice = refresh(tables, state, bus, state.now)
        bound = choice[3]
    if choice[0] < 0:
        choice = choose(tables, state, bus, state.now)
    state.at[bus] = min(bound, choice[3])
    if choice[0] >= 0:
        issue(tables, state, queue, log, choice)


@kernel
def ready(tick: int, earliest: int, rising: int) -> int:
    """The first tick from this one on at which a command may issue, as far as constraints and clock edges go."""
    tick = max(tick, earliest)
    return tick + (tick & rising)


@kernel
def refresh(tables: Tables, state: State, bus: int, tick: int) -> Choice:
    """The first refresh that is due and may go on, with what it needs first: the bank, or all of a part, closed."""
    bound, banks = FAR, 1 if tables.single == 1 else tables.part_banks
    for part in range(tables.parts):
        if state.due[part] == 0:
            continue
        start = part * tables.part_banks + (state.turn[part] if tables.single == 1 else 0)
        owned, is_open = False, False
        for bank in range(start, start + banks):
            owned |= state.owner[bank] >= 0
            is_open |= state.row[bank] >= 0
        if tables.single == 1:
            command, at = PRE if is_open else REFPB, start
        else:
            command, at = PREA if is_open else REFAB, part
        if owned or tables.bus[command] != bus:
            continue
        when = ready(tick, state.earliest[command, at], tables.rising[command])
        if when <= tick:
            return command, start, -1, tick
        bound = min(bound, when)
    return -1, -1, -1, bound


@kernel
def choose(tables: Tables, state: State, bus: int, tick: int) -> Choice:
    """The best command for a bus among requests: those that opened their row first, then the oldest of the queue."""
    access, due = RD + state.draining, state.dues > 0
    columns = tables.bus[access] == bus
    best, best_bank, best_key, bound, number = -1, -1, FAR, FAR, 0
    for k in range(state.busy_count):
        bank = state.busy[k]
        command, key = state.want[bank], state.asker[bank]
        when = ready(tick, state.earliest[command, bank], tables.rising[command])
        when = when if tables.bus[command] == bus else FAR  # no branch, since nobody can foretell it
        key = key - FAR if command >= RD else key
        if due and is_due(tables, state, bank):
            when = when if command >= RD else FAR
        elif columns and state.hit[state.draining, bank] >= 0 and when > tick:
            bound, command, key = min(bound, when), access, state.hit[state.draining, bank]
            when = ready(tick, state.earliest[command, bank], tables.rising[command])
        if when > tick:
            bound = min(bound, when)
            continue
        number += 1
        if key < best_key:
            best, best_bank, best_key = command, bank, key
    return best, best_bank, best_key + FAR if best_key < 0 else best_key, tick if number > 1 else bound


@kernel
def issue(tables: Tables, state: State, queue: Integers, log: Integers, choice: Choice) -> None:
    command, bank, request, _ = choice
    tick = state.now
    if command in (ACT, RD, WR):
        leave(state, queue, bank, request)
    if command in (RD, WR):
        finish(tables, state, queue, request, command)
        if tables.closed == 1 and state.owner[bank] < 0 and state.hit[0, bank] < 0 and state.hit[1, bank] < 0:
            command += RDA - RD
            close_row(tables, state, bank)
    elif command == ACT:
        queue[KEPT, request] = max(queue[KEPT, request], 1)
        open_row(tables, state, queue, bank, request)
    elif command == PRE:
        if request >= 0:
            queue[KEPT, request] = 2
        close_row(tables, state, bank)
    elif command == PREA:
        for at in range(bank, bank + tables.part_banks):
            if state.row[at] >= 0:
                close_row(tables, state, at)
                wake(tables, state, queue, at)
    else:
        refreshed(tables, state, tables.part[bank])
    state.issued[command] += 1
    state.free[tables.bus[command]] = tick + tables.ticks[command]
    if log.shape[0] > 0:
        log[state.logged, 0], log[state.logged, 1], log[state.logged, 2] = tick, command, bank
        log[state.logged, 3] = request
        state.logged += 1
    constrain(tables, state, command, bank)
    count(tables, state, command, bank)
    wake(tables, state, queue, bank)


@kernel
def refreshed(tables: Tables, state: State, part: int) -> None:
    state.due[part] -= 1
    state.turn[part] = (state.turn[part] + 1) % tables.part_banks
    state.dues -= 1
    wake_all(state, state.now)


@kernel
def leave(state: State, queue: Integers, bank: int, request: int) -> None:
    """Take a request out of its queue, or from the bank that it had opened."""
    kind = queue[KIND, request]
    if state.owner[bank] == request:
        state.owner[bank] = -1
    else:
        before, behind = queue[BEFORE, request], queue[BEHIND, request]
        if before < 0:
            state.head[kind, bank] = behind
        else:
            queue[BEHIND, before] = behind
        if behind < 0:
            state.tail[kind, bank] = before
        else:
            queue[BEFORE, behind] = before
        if state.hit[kind, bank] == request:
            state.hit[kind, bank] = next_hit(queue, behind, state.row[bank])
        state.waiting[kind] -= 1
    opens = state.row[bank] < 0  # it is not gone yet: its row is being opened
    if not opens and state.owner[bank] < 0 and state.head[0, bank] < 0 and state.head[1, bank] < 0:
        last = state.busy[state.busy_count - 1]
        state.busy[state.place[bank]] = last
        state.place[last] = state.place[bank]
        state.place[bank] = -1
        state.busy_count -= 1


@kernel
def next_hit(queue: Integers, request: int, row: int) -> int:
    """The first request from this one on that is for a row."""
    while request >= 0 and queue[ROW, request] != row:
        request = queue[BEHIND, request]
    return request


@kernel
def open_row(tables: Tables, state: State, queue: Integers, bank: int, request: int) -> None:
    row, rank = queue[ROW, request], tables.rank[bank]
    state.owner[bank], state.row[bank] = request, row
    for kind in range(2):
        state.hit[kind, bank] = next_hit(queue, state.head[kind, bank], row)
    if state.open_rows[rank] == 0:
        state.open_since[rank] = state.now
    state.open_rows[rank] += 1


@kernel
def close_row(tables: Tables, state: State, bank: int) -> None:
    rank = tables.rank[bank]
    state.row[bank], state.hit[0, bank], state.hit[1, bank] = -1, -1, -1
    state.open_rows[rank] -= 1
    if state.open_rows[rank] == 0:
        state.open_ticks += state.now - state.open_since[rank]


@kernel
def finish(tables: Tables, state: State, queue: Integers, request: int, command: int) -> None:
    done = state.now + tables.latency[command - RD]
    queue[DONE, request] = done
    state.served += 1
    state.finish = max(state.finish, done)
    if command == RD:
        state.read_latency += done - queue[ENTERED, request]


@kernel
def constrain(tables: Tables, state: State, command: int, bank: int) -> None:
    """Move the earliest ticks of what must wait for a command."""
    for at in range(tables.first[command], tables.first[command + 1]):
        following, level, spared = tables.rules[at, 0], tables.rules[at, 1], tables.rules[at, 2]
        tick = state.now + tables.rules[at, 3]
        if tables.sizes[level] == 1 and tables.wide[following] == 0:
            state.earliest[following, bank] = max(state.earliest[following, bank], tick)
            continue
        start = tables.start[level, bank]
        stop = start + tables.sizes[level]
        if tables.wide[following] == 1:
            start, stop = tables.part[start], tables.part[stop - 1] + 1
        if spared < 0:
            hold(state, following, start, stop, tick)
        else:
            inner = tables.start[spared, bank]
            hold(state, following, start, inner, tick)
            hold(state, following, inner + tables.sizes[spared], stop, tick)


@kernel
def count(tables: Tables, state: State, command: int, bank: int) -> None:
    """Enter a command into the windows that count it."""
    for at in range(tables.window_count):
        if tables.counted[at, command] == 0:
            continue
        level = tables.windows[at, 0]
        start = tables.start[level, bank]
        place = state.oldest[at, start]
        state.times[at, start, place] = state.now
        place = 0 if place + 1 == tables.windows[at, 2] else place + 1
        state.oldest[at, start] = place
        tick = state.times[at, start, place] + tables.windows[at, 1]
        for following in range(tables.held.shape[1]):
            if tables.held[at, following] == 1:
                hold(state, following, start, start + tables.sizes[level], tick)


@kernel
def hold(state: State, following: int, start: int, stop: int, tick: int) -> None:
    """Nothing of this kind before a tick in these banks."""
    earliest = state.earliest[following][start:stop]
    for at in range(earliest.shape[0]):
        earliest[at] = max(earliest[at], tick)
