"""Requests served by the compiled controller: all at once, or one by one as something else asks for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory import kernel
from accelsim.memory.kernel import FAR
from accelsim.memory.model import COMMANDS, Device, Integers, Outcome, Policy, Requests
from accelsim.memory.records import State, Tables
from accelsim.memory.tables import queue_of, state_of, tables_of

LOGGED = 1 << 16  # commands that are logged before they are fetched
LONGEST = 1 << 60


@dataclass(frozen=True)
class Channel:
    """A channel in use: its record and its queue change, which has a column for each request that may be offered."""

    device: Device
    tables: Tables
    state: State
    queue: Integers


def serve_all(device: Device, policy: Policy, requests: Requests, log: bool = False) -> Outcome:
    """What a channel does with all requests, from rest until the last one is served.

    Args:
        log: whether every command is wanted, with its tick.

    Raises:
        AccelsimError: per-bank refresh where the standard has none, a bank or row that does not exist, an arrival out
            of range.
    """
    check_policy(device, policy)
    check_requests(device, requests)
    tables = tables_of(device, policy)
    channel = Channel(device, tables, state_of(tables), queue_of(requests))
    channel.state.offered = len(requests.bank)
    room = np.zeros((LOGGED if log else 0, 4), np.int64)
    entries: list[tuple[int, int, int, int]] = []
    while channel.state.served < channel.state.offered:
        _advance(channel, FAR, room)
        entries += [(row[0], row[1], row[2], row[3]) for row in room[: channel.state.logged].tolist()]
        channel.state.logged = 0
    return outcome_of(channel, tuple(entries))


def _advance(channel: Channel, until: int, log: Integers) -> None:
    if not kernel.advance(channel.tables, channel.state, channel.queue, log, until, False):
        raise RuntimeError(f"the controller is stuck after {channel.state.served} requests")


def check_policy(device: Device, policy: Policy) -> None:
    if policy.refresh == "per-bank" and not device.refresh.per_bank:
        raise AccelsimError(f"refresh: {device.standard} has no command that refreshes a single bank")
    if policy.drain_below >= policy.drain_above:
        raise AccelsimError(f"drain_below: must be less than drain_above, got {policy.drain_below}")


def check_requests(device: Device, requests: Requests) -> None:
    """Raise AccelsimError for requests that the device has no place for."""
    shape = device.organisation
    limits = {"bank": shape.banks_in["channel"], "row": shape.rows, "write": 2, "arrival": LONGEST}
    for name, limit in limits.items():
        values = getattr(requests, name)
        if len(values) != len(requests.bank):
            raise AccelsimError(f"{name}: {len(values)} values for {len(requests.bank)} requests")
        if len(values) and not 0 <= values.min() <= values.max() < limit:
            wrong = int(np.flatnonzero((values < 0) | (values >= limit))[0])
            raise AccelsimError(f"request {wrong}: {name} must be from 0 to {limit - 1}, got {values[wrong]}")


def outcome_of(channel: Channel, log: tuple[tuple[int, int, int, int], ...] = ()) -> Outcome:
    """What a channel has done so far."""
    offered = channel.queue[:, : channel.state.offered]
    kept = np.bincount(offered[kernel.KEPT], minlength=3)
    found = totals_of(channel.state, int(channel.state.finish), kept)
    return replace(found, log=log, done=offered[kernel.DONE].copy())


def totals_of(state: State, cycles: int, kept: Integers) -> Outcome:
    """What a channel has done by a tick, request by request left out; `kept` are its hits, misses and conflicts."""
    still = sum(cycles - since for since, rows in zip(state.open_since, state.open_rows, strict=True) if rows)
    hits, misses, conflicts = kept.tolist()
    return Outcome(
        cycles=cycles,
        accepted_cycles=int(state.last_accepted),
        hits=hits,
        misses=misses,
        conflicts=conflicts,
        commands=dict(zip(COMMANDS, state.issued.tolist(), strict=True)),
        read_latency=int(state.read_latency),
        open_ticks=int(state.open_ticks + still),
        log=(),
        done=np.zeros(0, np.int64),
    )


def open_channel(device: Device, policy: Policy, most: int) -> Channel:
    """A channel at rest with room for `most` requests."""
    check_policy(device, policy)
    tables = tables_of(device, policy)
    return Channel(device, tables, state_of(tables), np.zeros((kernel.LINES, most), np.int64))


def offer(channel: Channel, request: tuple[int, int, int], now: int) -> int:
    """Put a request (bank, row, 1 for a write) behind those offered before; it is not taken before tick `now`.

    Returns its number, the column of the channel's queue. Raises AccelsimError for a place that does not exist.
    """
    number = int(channel.state.offered)
    if number == channel.queue.shape[1]:
        raise AccelsimError(f"the channel was opened for {number} requests")
    one = Requests(*(np.array([value], np.int64) for value in (*request, now)))
    check_requests(channel.device, one)
    channel.queue[:, number] = queue_of(one)[:, 0]
    channel.state.offered = number + 1
    return number


def advance_to(channel: Channel, tick: int) -> None:
    """Let time pass until all that was offered is served: at most to `tick`."""
    _advance(channel, tick, np.zeros((0, 4), np.int64))


def serve(channel: Channel, request: tuple[int, int, int], now: int) -> int:
    """The tick at which the data of a request has passed when it is offered at `now` and nothing comes after it."""
    number = offer(channel, request, now)
    advance_to(channel, FAR)
    return int(channel.queue[kernel.DONE, number])
