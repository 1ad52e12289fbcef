"""All channels of a DRAM as one port: transfers enter one after another, and end when their last burst has passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory import burst_kernel, kernel
from accelsim.memory.bursts import Run, steps_of
from accelsim.memory.model import Device, Integers, Outcome, Policy
from accelsim.memory.records import State, Tables
from accelsim.memory.run import check_policy, totals_of
from accelsim.memory.tables import states_of, tables_of

ROOM = 1 << 10  # requests of a channel that are kept at first
MOST = 1 << 24  # bursts of a transfer
LONGEST = 1 << 40  # ticks, minutes of the DRAM: every refresh on the way is gone through
FAR = kernel.FAR


@dataclass
class Port:
    """Channels in use, all at rest at first.

    Attributes:
        queues: of every channel a column for each request that is not forgotten yet.
        kept: of every channel the hits, misses and conflicts among those that are forgotten.
        waiting: the numbers of the transfers with bursts that are not under way; `spans` and `found` are theirs, as
            `kernel.fetch` has them.
    """

    device: Device
    tables: Tables
    states: Sequence[State]
    queues: Integers
    steps: Integers
    kept: Integers
    waiting: list[int]
    spans: Integers
    found: Integers
    begun: int = 0


def open_port(device: Device, policy: Policy) -> Port:
    """All channels of a device at rest.

    Raises:
        AccelsimError: a refresh that the device does not have, or more banks, rules or windows than are supported.
    """
    check_policy(device, policy)
    tables, channels = tables_of(device, policy), device.organisation.channels
    return Port(
        device=device,
        tables=tables,
        states=states_of(tables, channels),
        queues=np.zeros((channels, kernel.LINES, ROOM), np.int64),
        steps=steps_of(device),
        kept=np.zeros((channels, 3), np.int64),
        waiting=[],
        spans=np.zeros((0, channels, 2), np.int64),
        found=np.zeros((0, 2), np.int64),
    )


def begin(port: Port, runs: Sequence[Run], write: bool, now: int) -> tuple[int, int]:
    """Ask for stretches of bytes, burst by burst in their order, behind all that was asked for before.

    Args:
        runs: inside the device, at least a byte.
        now: tick from which they are offered; no earlier than what `begin` gave last.

    Returns:
        The number of the transfer, and the tick from which the next one may enter: when all requests are in queues.

    Raises:
        AccelsimError: more than 2^24 bursts, or later than tick 2^40.
    """
    if now > LONGEST:
        raise AccelsimError(f"asked for bytes at its tick {now}; it is simulated up to tick {LONGEST}")
    table, size = np.array(runs, np.int64), port.device.organisation.burst_bytes
    most = burst_kernel.most_bursts(table, size)
    if most > MOST:
        raise AccelsimError(f"a transfer of {most} bursts; at most {MOST} can be served as one")
    places = np.empty((3, most), np.int64)
    counts = np.zeros(len(port.states), np.int64)
    number = burst_kernel.placed(table, size, port.steps, places, counts)
    _make_room(port, counts)
    ends = _offered(port) + counts
    burst_kernel.offered(places, number, int(write), now, port.states, port.queues)
    port.spans = np.concatenate([port.spans, np.stack([ends - counts, ends], axis=1)[None]])
    port.found = np.concatenate([port.found, np.array([[number, 0]], np.int64)])
    port.waiting.append(port.begun)
    port.begun += 1
    taken = kernel.take_in(port.tables, port.states, port.queues)
    if taken < 0:
        raise RuntimeError("the controller is stuck")
    return port.begun - 1, taken + 1


def ended(port: Port, until: int = FAR) -> list[tuple[int, int]]:
    """The transfers that are the next to end, each with the tick at which its last data have passed.

    Args:
        until: before it nothing else is asked for. What ends later may be found, what ends sooner is found; none is
            found where all channels have come as far.
    """
    if not port.waiting:
        return []
    done = kernel.fetch(port.tables, port.states, port.queues, port.spans, port.found, min(until, FAR))
    if done < 0:
        raise RuntimeError("the controller is stuck")
    if not done:
        return []
    left = port.found[:, 0] > 0
    found = [(port.waiting[k], int(port.found[k, 1])) for k in np.flatnonzero(~left)]
    port.waiting = [port.waiting[k] for k in np.flatnonzero(left)]
    port.spans, port.found = port.spans[left], port.found[left]
    return found


def outcomes(port: Port, cycles: int) -> tuple[Outcome, ...]:
    """What each channel has done by a tick at which all transfers have ended."""
    return tuple(
        totals_of(state, cycles, kept + _kinds(queue[:, : state.offered]))
        for state, queue, kept in zip(port.states, port.queues, port.kept, strict=True)
    )


def _kinds(queue: Integers) -> Integers:
    """How many requests were hits, misses and conflicts."""
    return np.bincount(queue[kernel.KEPT], minlength=3)


def _offered(port: Port) -> Integers:
    return np.array(cast(Any, port.states)["offered"], np.int64)


def _make_room(port: Port, counts: Integers) -> None:
    """Have a column for each of so many more requests: forget what is done, or keep more."""
    most, room = int((_offered(port) + counts).max()), port.queues.shape[2]
    if most <= room:
        return
    first = port.spans[:, :, 0].min(axis=0, initial=1 << 62)
    for channel, count in enumerate(np.minimum(first, _offered(port)).tolist()):
        _forget(port, channel, count)
    most = int((_offered(port) + counts).max())
    if 2 * most > room:
        wider = np.zeros((*port.queues.shape[:2], max(most, 2 * room)), np.int64)
        wider[:, :, :room] = port.queues
        port.queues = wider


def _forget(port: Port, channel: int, count: int) -> None:
    """Drop the first requests of a channel, all of them done, and number the others anew."""
    state, queue = port.states[channel], port.queues[channel]
    port.kept[channel] += _kinds(queue[:, :count])
    queue[:, : queue.shape[1] - count] = queue[:, count:].copy()
    numbers = (state.owner, state.asker, state.head, state.tail, state.hit)
    for held in (*numbers, queue[kernel.BEFORE], queue[kernel.BEHIND]):
        np.subtract(held, count, out=held, where=held >= 0)
    state.offered -= count
    state.accepted -= count
    state.served -= count
    port.spans[:, channel] -= count
