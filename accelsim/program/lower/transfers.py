"""What a group moves: loads that fill tiles, stores that drain them, and the transfers between a level and the units.

The cases are those of the byte counts of depth `analytic` (`accelsim.cost.traffic`); here every instance has its bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, gcd

import numpy as np

from accelsim.arch.model import AccessKind, Level
from accelsim.cost.traffic import Life, Use, lives
from accelsim.einsum.ast import Int, Predicate
from accelsim.mapping.extent import row_elements
from accelsim.mapping.model import Kept
from accelsim.program.check import is_here
from accelsim.program.lower.engine import is_moved_by_engine, transfer_span
from accelsim.program.lower.flows import Channel, Flow, Setting, channel_of, fills, streams
from accelsim.program.lower.nest import edges, ended, in_turn
from accelsim.program.lower.numbers import Amount, amount, conjunction_of
from accelsim.program.lower.places import Moved, place_of
from accelsim.program.lower.room import Moves, hold_result, placed, room
from accelsim.program.lower.shares import Share
from accelsim.program.model import Edge, Kind, Task, Transfer

WHOLE = Fraction(1)


def moves_of(setting: Setting) -> Moves:
    """Every transfer and tile of a group."""
    moves = Moves()
    found = {life.tensor: life for life in lives(setting.nest.placement, setting.group)}
    for life in found.values():
        stores = _send_out(setting, moves, life) if life.writers else []
        if not life.writers or life.through_home:
            _bring_in(setting, moves, life, stores)
        else:
            _read_back(setting, moves, life, stores)
        if life.writers:
            hold_result(setting, moves, life, found, stores)
        _serve(setting, moves, life)
    return moves


# towards the units


def _bring_in(setting: Setting, moves: Moves, life: Life, stores: Sequence[Task]) -> None:
    """An input, or what was stored and comes back: one load for all Einsums that use the same tiles."""
    for flow in streams(setting, [use for use in life.fetching if not use.chain]):
        _load(setting, moves, life, Fill(flow, setting.off_chip, WHOLE), stores)
    for level in dict.fromkeys(level for use in life.fetching for level, _ in use.chain):
        for source, uses in _by_source(setting, life, level).items():
            kept = dict(uses[0].chain)[level]
            share = kept.fraction if source is setting.off_chip else WHOLE
            to = setting.nest.placement.arch.level(level)
            for flow in fills(setting, uses, kept):
                _load(setting, moves, life, Fill(flow, source, share, kept, to), stores)
            for flow in streams(setting, uses) if share < 1 else ():
                _load(setting, moves, life, Fill(flow, source, 1 - share), stores)


def _by_source(setting: Setting, life: Life, level: str) -> dict[Level, list[Use]]:
    """Uses of a level by the level that its tiles come from."""
    found: dict[Level, list[Use]] = {}
    for use in life.fetching:
        names = [name for name, _ in use.chain]
        if level in names:
            before = names[: names.index(level)]
            source = setting.nest.placement.arch.level(before[-1]) if before else setting.off_chip
            found.setdefault(source or setting.off_chip, []).append(use)
    return found


def _read_back(setting: Setting, moves: Moves, life: Life, stores: Sequence[Task]) -> None:
    """The part of a result that does not stay on chip, read by every Einsum of the group that uses it."""
    for use in life.fetching:
        if use.chain:
            for flow in streams(setting, [use]):
                _load(setting, moves, life, Fill(flow, setting.off_chip, 1 - use.chain[0][1].fraction), stores)


@dataclass(frozen=True)
class Fill:
    """`share` of a tensor's bytes from the level `source`.

    `kept` says how it stays at the level `to`, which is written whole; None: only for the iteration.
    """

    flow: Flow
    source: Level
    share: Fraction
    kept: Kept | None = None
    to: Level | None = None


def _load(setting: Setting, moves: Moves, life: Life, fill: Fill, stores: Sequence[Task]) -> None:
    """A load in the first iteration that uses a tile; its readers wait for it, and the last of them frees the tile.

    Of loops at whose end all readers run that is the last; what this group stored cannot come back before either. Where
    it comes back in the iteration that made it, who reads only what came before does not wait for it.
    """
    flow, nest = fill.flow, setting.nest
    size, written = setting.size(flow, life.word * fill.share), setting.size(flow, life.word)
    ends, others = [setting.run_of(use).last for use in flow.uses], nest.others(flow.along)
    late = frozenset[str]().union(*ends) if stores else ends[0].intersection(*ends)
    _check_ready(setting, life, flow, late)
    when = [*nest.at_first(set(others) - late), *nest.at_last(late.intersection(others))]
    waits = {use.einsum.name: _stored(setting, life, use, stores) for use in flow.uses}
    waiting = [use for use in flow.uses if any(map(is_here, waits[use.einsum.name]))] or flow.uses
    after = [edge for found in waits.values() for edge in found]
    hops = ((channel_of(fill.source, "read"), "load", size), (channel_of(fill.to, "write"), "fill", written))
    for channel, what, moved in hops:
        if channel is not None and moved.largest:
            name = moves.named(f"{setting.prefix}{life.tensor}.{what}")
            tile = Moved(life, flow, fill.share)
            moves.tasks.append(_transfer(setting, name, "load", channel, moved, when=when, after=after, tile=tile))
            held = size if size.largest else written
            readers = [reader for use in waiting for reader in _readers_of(setting, use)]
            moves.hold(name, room(setting, name, held, flow, fill.kept), placed(held, fill.to), flow.along, readers)
            after = [Edge(name)]


def _stored(setting: Setting, life: Life, use: Use, stores: Sequence[Task]) -> list[Edge]:
    """The stores behind which a use reads; none for a recurrence that goes on inside a task."""
    runs = [(setting.run_of(maker), store) for maker in life.writers for store in stores]
    return [
        edge
        for maker, store in runs
        for access in use.accesses
        for edge in edges(setting.nest, maker, setting.run_of(use), access, store.name)
    ]


def _check_ready(setting: Setting, life: Life, flow: Flow, late: Collection[str]) -> None:
    """What comes at the end of a loop cannot be used in the loop."""
    for use in flow.uses:
        early = [loop for loop in setting.run_of(use).along if loop in late]
        if early:
            raise setting.group.node.error(
                f"{life.tensor} is moved once for all that use it in the same loops, when {early[0]} has ended, but "
                f"{use.einsum.name} uses it in every {early[0]}: let {use.einsum.name} loop on its own (at)"
            )


# between a level of limited bandwidth and the units


def _channel(setting: Setting, use: Use, kind: AccessKind) -> Channel | None:
    """The channel of the level that serves a use; the off-chip level has its own loads and stores."""
    return channel_of(setting.nest.placement.arch.level(use.chain[-1][0]), kind) if use.chain else None


def _readers_of(setting: Setting, use: Use) -> list[str]:
    """The tasks that a use reads its tile with: the Einsum, and the transfer to its unit if there is one."""
    served = _channel(setting, use, "read")
    return [setting.task_of(use), *([f"{setting.task_of(use)}.{use.accesses[0].tensor}.read"] if served else [])]


def _serve(setting: Setting, moves: Moves, life: Life) -> None:
    """What units read from and write to the level that keeps a tensor, at every iteration.

    A result that is not finished is read before it is written again.
    """
    for use in life.fetching:
        read = setting.stream_size(use, life.word)
        _pass(setting, moves, life, use, what="read", size=read, after=_made(setting, life, use))
    for use in life.writers:
        again = setting.again(setting.stream(use), life.word)
        turns = in_turn(setting.nest, setting.run_of(use), setting.run_of(use).along)
        after = [replace(edge, source=setting.task_of(use)) for edge in turns]
        _pass(setting, moves, life, use, what="partial", size=again, after=after)
        written = setting.stream_size(use, life.word)
        _pass(setting, moves, life, use, what="write", size=written, after=[Edge(setting.task_of(use))])


def _pass(
    setting: Setting, moves: Moves, life: Life, use: Use, *, what: str, size: Amount | None, after: Sequence[Edge]
) -> None:
    """A transfer between a unit and the level that serves it, beside the Einsum in the same iterations."""
    channel, run = _channel(setting, use, "write" if what == "write" else "read"), setting.run_of(use)
    if channel is None or size is None or not size.largest:
        return
    name = f"{setting.task_of(use)}.{life.tensor}.{what}"
    when = [*setting.nest.at_first(run.first), *setting.nest.at_last(run.last)]
    tile = Moved(life, setting.stream(use))
    moves.tasks.append(_transfer(setting, name, "task", channel, size, when=when, after=after, tile=tile))
    if what != "write":
        moves.before.setdefault(setting.task_of(use), []).append(name)


def _made(setting: Setting, life: Life, use: Use) -> list[Edge]:
    """What must have been done before a use can read what its group makes."""
    return [
        edge
        for maker in life.writers
        for access in use.accesses
        for edge in edges(setting.nest, setting.run_of(maker), setting.run_of(use), access, setting.task_of(maker))
    ]


# away from the units


def _send_out(setting: Setting, moves: Moves, life: Life) -> list[Task]:
    """Drains from level to level, and off chip what others want or what does not fit; the stores off chip."""
    (use,) = life.writers
    flow, inner, held = setting.stream(use), None, None
    for name, kept in reversed(use.chain):
        level = setting.nest.placement.arch.level(name)
        if inner is not None and level is not None:
            _drain(setting, moves, life, Drain(flow, level, WHOLE, inner, held))
        (flow,), inner, held = fills(setting, [use], kept), level, kept
    share = use.chain[0][1].fraction if use.chain else WHOLE
    found = []
    if life.wanted_outside or life.through_home:
        found += _drain(setting, moves, life, Drain(flow, setting.off_chip, share, inner, held))
        _store_empty(setting, moves, life)
    if share < 1:
        found += _drain(setting, moves, life, Drain(setting.stream(use), setting.off_chip, 1 - share))
    return found


@dataclass(frozen=True)
class Drain:
    """`share` of a result's bytes to the level `to`; `inner` is the level that kept its tiles, None: registers."""

    flow: Flow
    to: Level
    share: Fraction
    inner: Level | None = None
    kept: Kept | None = None


def _drain(setting: Setting, moves: Moves, life: Life, drain: Drain) -> list[Task]:
    """A store behind the last iteration that adds to a tile; where the tile comes again, a load of what it was.

    The level that the tile leaves is read first, where it counts that.
    """
    flow, nest, stores = drain.flow, setting.nest, list[Task]()
    (use,) = flow.uses
    run, others = setting.run_of(use), set(nest.others(flow.along))
    left = drain.inner if drain.inner is not None and drain.inner.read_out else None
    for channel, what, share in (
        (channel_of(left, "read"), "drain", WHOLE),
        (channel_of(drain.to, "write"), "store", drain.share),
    ):
        size = setting.size(flow, life.word * share) if channel is not None else None
        if channel is not None and size is not None and size.largest:
            name, tile = moves.named(f"{setting.prefix}{life.tensor}.{what}"), Moved(life, flow, share)
            when = [*nest.at_first(others & run.first), *nest.at_last(others - run.first)]
            made = [Edge(setting.task_of(use), distance) for distance in ended(nest, run, others - run.first)]
            after = [Edge(store.name) for store in stores] or made
            stores = [_transfer(setting, name, "store", channel, size, when=when, after=after, tile=tile)]
            moves.tasks += stores
            if drain.inner is None:
                moves.hold(setting.task_of(use), room(setting, name, size, flow, None), size, flow.along, [name])
    _fetch_again(setting, moves, life, drain, stores)
    return stores


def _fetch_again(setting: Setting, moves: Moves, life: Life, drain: Drain, stores: Sequence[Task]) -> None:
    """A load of what a tile was when it left, where it comes again: behind its last store, before it is added to."""
    flow = drain.flow
    (use,) = flow.uses
    hops = (
        (channel_of(drain.to, "read"), "partial", drain.share),
        (channel_of(drain.inner, "write"), "fill", WHOLE),
    )
    after = [edge for store in stores for edge in _last_turn(setting, flow, store)]
    for channel, what, share in hops:
        size = setting.again(flow, life.word * share) if channel is not None else None
        if channel is not None and size is not None and size.largest:
            name, tile = moves.named(f"{setting.prefix}{life.tensor}.{what}"), Moved(life, flow, share, "again")
            ends, others = setting.run_of(use).last, set(setting.nest.others(flow.along))
            when = [*setting.nest.at_first(others - ends), *setting.nest.at_last(others & ends)]
            moves.tasks.append(_transfer(setting, name, "load", channel, size, when=when, after=after, tile=tile))
            place = room(setting, name, size, flow, drain.kept)
            moves.hold(name, place, placed(size, drain.inner), flow.along, [setting.task_of(use)])
            after = [Edge(name)]


def _last_turn(setting: Setting, flow: Flow, store: Task) -> list[Edge]:
    """From a tile's first iteration to the store of the same elements in its turn before, at the end of the loops
    inside."""
    nest, names = setting.nest, flow.names
    extents = nest.existing.extents
    inside = set(setting.run_of(flow.uses[0]).along).difference(flow.along)
    borrowed, found = [(loop, 1 - extents[loop]) for loop in inside], []
    for loop in reversed([loop for loop in flow.along if nest.owner(loop) not in names]):
        distance = sorted([(loop, 1), *borrowed], key=lambda step: nest.loops.index(step[0]))
        if distance[0][1] > 0:
            found.append(Edge(store.name, tuple(distance)))
        borrowed.append((loop, 1 - extents[loop]))
    return found


def _store_empty(setting: Setting, moves: Moves, life: Life) -> None:
    """Results that no point makes have a value all the same, the sum of nothing, and are stored once."""
    (use,), counter, channel = life.writers, setting.counter, channel_of(setting.off_chip, "write")
    if life.tensor in counter.shapes.cascade.generative or channel is None:
        return
    elements = counter.results(life.tensor) - counter.images(setting.stream(use).visits, ())
    if elements:
        size, name = setting.constant(elements, life.word), moves.named(f"{setting.prefix}{life.tensor}.empty")
        when = setting.nest.at_first(setting.nest.loops)
        tile = Moved(life, setting.stream(use), kind="nothing")
        moves.tasks.append(_transfer(setting, name, "store", channel, size, when=when, after=(), tile=tile))


def _row(setting: Setting, tile: Moved) -> int:
    """Bytes of a row of a tile: what lies along the tensor's last rank."""
    use = tile.flow.uses[0]
    elements = row_elements(setting.nest.placement, use.einsum, use.accesses[0], setting.run_of(use).along)
    return max(1, ceil(elements * tile.life.word))


def _transfer(
    setting: Setting,
    name: str,
    kind: Kind,
    channel: Channel,
    size: Amount,
    *,
    when: Iterable[Predicate],
    after: Iterable[Edge],
    tile: Moved,
) -> Task:
    level, port = channel.level, channel.port.name
    if is_moved_by_engine(level):
        return _moved(setting, name, kind, channel, size, when=when, after=after)
    task = Task(
        name,
        ((port, 1),),
        latency=Int(ceil(level.latency_s * setting.ticks_per_s)),
        when=conjunction_of([*when, size.present]),
        after=tuple(dict.fromkeys(after)),
        kind=kind,
    )
    if level.dram:
        return replace(task, transfer=Transfer(size.expr, at=place_of(setting, tile)))
    size = _in_bursts(setting, level, size)
    chunk = level.chunk_bytes or _row(setting, tile)
    moved = np.unique(size.share.values)
    pieces = [chunk, *(moved % chunk).tolist()] if chunk < size.largest else moved.tolist()
    setting.tables.grains[port] = gcd(setting.tables.grains.get(port, 0), *pieces)
    return replace(task, transfer=Transfer(size.expr, chunk if chunk < size.largest else None))


def _in_bursts(setting: Setting, level: Level, size: Amount) -> Amount:
    """Bytes that a transfer takes the time of: whole bursts of its level."""
    if not (burst := level.burst_bytes):
        return size
    whole = Share(size.share.loops, -(-size.share.values // burst) * burst)
    return replace(amount(setting.tables, setting.nest.existing, [whole]), present=size.present)


def _moved(
    setting: Setting,
    name: str,
    kind: Kind,
    channel: Channel,
    size: Amount,
    *,
    when: Iterable[Predicate],
    after: Iterable[Edge],
) -> Task:
    """A transfer of a DMA engine, which does nothing else until it has the whole tile."""
    arch = setting.nest.placement.arch
    per_cycle = setting.ticks_per_s / arch.clock_hz
    span = transfer_span(arch, channel.level, kind, size.share, int(per_cycle))
    busy, latency = (amount(setting.tables, setting.nest.existing, [share]) for share in (span.busy, span.latency))
    return Task(
        name,
        ((channel.port.name, 1),),
        busy.expr,
        latency.expr if latency.largest else Int(0),
        conjunction_of([*when, size.present]),
        tuple(dict.fromkeys(after)),
        kind,
    )
