"""What a group moves: loads that fill tiles, stores that drain them, and the room that tiles take in buffers.

The cases are those of the byte counts of depth `analytic` (`accelsim.cost.traffic`); here every instance has its bytes.
A tile that no level keeps passes through registers: as many of them as iterations may be open, and one on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, gcd, prod

import numpy as np

from accelsim.arch.model import Level
from accelsim.cost.images import Counter, Visit
from accelsim.cost.traffic import Life, Use, lives
from accelsim.einsum.ast import Coordinate, Int, Or, Predicate, Test
from accelsim.einsum.walk import coordinates
from accelsim.mapping.capacity import loops_to
from accelsim.mapping.extent import row_elements
from accelsim.mapping.model import Group, Kept
from accelsim.program.lower.nest import Nest, Run, edges, ended
from accelsim.program.lower.numbers import Amount, Tables, amount, conjunction_of, tile_total
from accelsim.program.lower.shares import Share, touched
from accelsim.program.model import Buffer, Edge, Hold, Kind, Task, Transfer


@dataclass(frozen=True)
class Setting:
    """What the transfers of a group are made from; `prefix` leads every name of the group."""

    nest: Nest
    counter: Counter
    group: Group
    runs: dict[str, Run]
    tables: Tables
    in_flight: int
    ticks_per_s: Fraction
    prefix: str

    @property
    def off_chip(self) -> Level:
        return self.nest.placement.arch.off_chip

    def task_of(self, use: Use) -> str:
        return f"{self.prefix}{use.einsum.name}"

    def run_of(self, use: Use) -> Run:
        return self.runs[use.einsum.name]

    def size(self, uses: Sequence[Use], along: Sequence[str], bytes_each: Fraction) -> Amount:
        """Bytes of the elements that uses touch in each iteration of some loops."""
        return amount(self.tables, self.nest.existing, touched(self.counter, visits(uses), along), bytes_each)


@dataclass
class Moves:
    """Transfers, buffers and by task the tiles that it writes; filled while the tensors of a group are gone through.

    `before`: by Einsum the transfers that bring its operands from a level.
    """

    tasks: list[Task] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    holds: dict[str, list[Hold]] = field(default_factory=dict)
    before: dict[str, list[str]] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """A name that no other transfer has."""
        taken = {task.name for task in self.tasks} | {buffer.name for buffer in self.buffers}
        return next(n for n in (name, *(f"{name}{i}" for i in range(2, len(taken) + 3))) if n not in taken)

    def hold(self, writer: str, buffer: Buffer, size: Amount, by: tuple[str, ...], readers: Iterable[str]) -> None:
        self.buffers.append(buffer)
        self.holds.setdefault(writer, []).append(Hold(buffer.name, size.expr, by, tuple(readers)))

    def keep(self, writer: str, buffer: Buffer, size: Amount, by: tuple[str, ...], users: Iterable[str]) -> None:
        """A tile that its writer may write repeatedly."""
        self.buffers.append(buffer)
        self.holds.setdefault(writer, []).append(Hold(buffer.name, size.expr, by, users=tuple(users)))


def moves_of(setting: Setting) -> Moves:
    """Every transfer and tile of a group."""
    moves = Moves()
    found = {life.tensor: life for life in lives(setting.nest.placement, setting.group)}
    for life in found.values():
        stores = list(_send_out(setting, moves, life)) if life.writers else []
        if not life.writers or life.through_home:
            _bring_in(setting, moves, life, stores)
        if life.writers:
            _hold_result(setting, moves, life, found, stores)
        _serve(setting, moves, life)
    return moves


def visits(uses: Iterable[Use]) -> list[Visit]:
    return [Visit(use.einsum, access) for use in uses for access in use.accesses]


# towards the units


def _bring_in(setting: Setting, moves: Moves, life: Life, stores: Sequence[Task]) -> None:
    """An input, or what was stored and comes back: one load for all Einsums that use the same tiles."""
    for along, uses in _by_run(setting, [use for use in life.fetching if not use.chain]).items():
        _load(setting, moves, life, Fill(uses, along, setting.off_chip, Fraction(1)), stores)
    for level in dict.fromkeys(level for use in life.fetching for level, _ in use.chain):
        sharing = [use for use in life.fetching if level in dict(use.chain)]
        for (along, source), uses in _fills(setting, sharing, level).items():
            kept = dict(uses[0].chain)[level]
            share = kept.fraction if source is setting.off_chip else Fraction(1)
            to = setting.nest.placement.arch.level(level)
            _load(setting, moves, life, Fill(uses, along, source, share, kept, to), stores)
            for streamed, users in _by_run(setting, uses).items() if share < 1 else ():
                _load(setting, moves, life, Fill(users, streamed, source, 1 - share), stores)


def _by_run(setting: Setting, uses: Sequence[Use]) -> dict[tuple[str, ...], list[Use]]:
    """Uses by the loops that their Einsums run along."""
    found: dict[tuple[str, ...], list[Use]] = {}
    for use in uses:
        found.setdefault(setting.run_of(use).along, []).append(use)
    return found


def _fills(setting: Setting, uses: Sequence[Use], level: str) -> dict[tuple[tuple[str, ...], Level], list[Use]]:
    """Uses of a level by the loops along which its tiles are filled, and by the level that they come from."""
    found: dict[tuple[tuple[str, ...], Level], list[Use]] = {}
    for use in uses:
        names = [name for name, _ in use.chain]
        before = names[: names.index(level)]
        source = setting.nest.placement.arch.level(before[-1]) if before else setting.off_chip
        along = tile_loops(setting, use, dict(use.chain)[level])
        found.setdefault((along, source or setting.off_chip), []).append(use)
    return found


def tile_loops(setting: Setting, use: Use, kept: Kept) -> tuple[str, ...]:
    """The loops along which a kept tile is filled, part by part where its parts have nothing in common."""
    run, nest = setting.run_of(use), setting.nest
    names = set(coordinates(*use.accesses)) - _recurrent(setting, use)
    indexing = {loop for loop in run.along if nest.owner(loop) in names}
    reached = _reached(setting, use, kept)
    while reached and reached[-1] not in indexing:
        reached = reached[:-1]
    parts = tuple(loop for loop in run.along if loop in reached or (loop in indexing and loop not in reached))
    same = setting.counter.images(visits([use]), parts) == setting.counter.images(visits([use]), reached)
    return parts if same or _recurrent(setting, use) else reached


def _reached(setting: Setting, use: Use, kept: Kept) -> tuple[str, ...]:
    """The loops of a use at or outside the one at which it is kept."""
    outside = loops_to(setting.group, use.einsum.name, kept.at) or ()
    return tuple(loop for loop in setting.run_of(use).along if loop in outside)


def _recurrent(setting: Setting, use: Use) -> set[str]:
    """The coordinate along which a tensor recurs: its states share one place."""
    along = setting.nest.placement.step.shapes.cascade.generative.get(use.accesses[0].tensor)
    return {along} if along else set()


@dataclass(frozen=True)
class Fill:
    """`share` of a tensor's bytes for `uses`, from the level `source`: a tile for each iteration of `along`.

    `kept` says how it stays at the level `to`; None: only for the iteration.
    """

    uses: Sequence[Use]
    along: tuple[str, ...]
    source: Level
    share: Fraction
    kept: Kept | None = None
    to: Level | None = None


def _load(setting: Setting, moves: Moves, life: Life, fill: Fill, stores: Sequence[Task]) -> None:
    """A load in the first iteration that uses a tile; its readers wait for it, and the last of them frees the tile.

    What this group stored can only come back at the end of the loops at whose end it was made.
    """
    if fill.source.bytes_per_s is None or not fill.share:
        return
    along, uses = fill.along, fill.uses
    size = setting.size(uses, along, life.word * fill.share)
    if not size.largest:
        return
    nest, name = setting.nest, moves.named(f"{setting.prefix}{life.tensor}.load")
    late = {loop for use in uses for loop in setting.run_of(use).last} if stores else set()
    others = nest.others(along)
    when = [*nest.at_first(set(others) - late), *nest.at_last(late.intersection(others))]
    after = [
        edge
        for store in stores
        for use in uses
        for access in use.accesses
        for edge in edges(nest, setting.run_of(life.writers[0]), setting.run_of(use), access, store.name)
    ]
    row, readers = _row(setting, life, uses[0]), [reader for use in uses for reader in _readers_of(setting, use)]
    moves.tasks.append(_transfer(setting, name, "load", fill.source, size, when=when, after=after, row=row))
    room = _room(setting, name, size, along, uses[0], fill.kept)
    if fill.to is not None and fill.to.bytes_per_s is not None:
        written = moves.named(f"{setting.prefix}{life.tensor}.fill")
        moves.tasks.append(_transfer(setting, written, "load", fill.to, size, when=when, after=[Edge(name)], row=row))
        moves.hold(written, replace(room, name=written), size, along, readers)
    moves.hold(name, room, size, along, readers)


# between a level of limited bandwidth and the units


def _port(setting: Setting, use: Use) -> Level | None:
    """The level that serves a use, where its bandwidth is limited; the off-chip level has its own loads and stores."""
    level = setting.nest.placement.arch.level(use.chain[-1][0]) if use.chain else None
    return level if level is not None and level.bytes_per_s is not None else None


def _readers_of(setting: Setting, use: Use) -> list[str]:
    """The tasks that a use reads its tile with: the Einsum, and the transfer to its unit if there is one."""
    served = _port(setting, use)
    return [setting.task_of(use), *([f"{setting.task_of(use)}.{use.accesses[0].tensor}.read"] if served else [])]


def _serve(setting: Setting, moves: Moves, life: Life) -> None:
    """What units read from and write to the level that keeps a tensor, at every iteration."""
    pairs = [*((use, "read") for use in life.fetching), *((use, "write") for use in life.writers)]
    for use, way in pairs:
        level, run = _port(setting, use), setting.run_of(use)
        size = setting.size([use], run.along, life.word) if level else None
        if level is None or size is None or not size.largest:
            continue
        name = f"{setting.task_of(use)}.{life.tensor}.{way}"
        when = [*setting.nest.at_first(run.first), *setting.nest.at_last(run.last)]
        after = [Edge(setting.task_of(use))] if way == "write" else _made(setting, life, use)
        task = _transfer(setting, name, "task", level, size, when=when, after=after, row=_row(setting, life, use))
        moves.tasks.append(task)
        if way == "read":
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


def _send_out(setting: Setting, moves: Moves, life: Life) -> Iterator[Task]:
    """Stores of what others want, loads of partial results that had to make room, and what does not fit on chip."""
    (use,) = life.writers
    run = setting.run_of(use)
    kept = use.chain[0][1] if use.chain else None
    share = kept.fraction if kept else Fraction(1)
    if life.wanted_outside or life.through_home:
        along = tile_loops(setting, use, kept) if kept else run.along
        yield from _store(setting, moves, life, along, share, kept)
        if share < 1:
            yield from _store(setting, moves, life, run.along, 1 - share, None)
    elif share < 1:
        for store in _store(setting, moves, life, run.along, 1 - share, None):
            for reader in (use for use in life.fetching if use.chain):
                fill = Fill([reader], setting.run_of(reader).along, setting.off_chip, 1 - share)
                _load(setting, moves, life, fill, [store])
            yield store


def _store(
    setting: Setting, moves: Moves, life: Life, along: tuple[str, ...], share: Fraction, kept: Kept | None
) -> Iterator[Task]:
    """A store behind the last iteration that adds to a tile; where the tile comes again, a load of what it was."""
    (use,) = life.writers
    nest, run, level = setting.nest, setting.run_of(use), setting.off_chip
    if level.bytes_per_s is None or not share:
        return
    size = setting.size([use], along, life.word * share)
    if not size.largest:
        return
    name, row = moves.named(f"{setting.prefix}{life.tensor}.store"), _row(setting, life, use)
    others = set(nest.others(along))
    when = [*nest.at_first(others & run.first), *nest.at_last(others - run.first)]
    after = [Edge(setting.task_of(use), distance) for distance in ended(nest, run, others - run.first)]
    task = _transfer(setting, name, "store", level, size, when=when, after=after, row=row)
    moves.tasks.append(task)
    if kept is None:
        moves.hold(setting.task_of(use), _room(setting, name, size, along, use, None), size, along, [name])
    names = set(coordinates(*use.accesses))
    again = [loop for loop in along if nest.owner(loop) not in names]
    if again:
        partial = moves.named(f"{setting.prefix}{life.tensor}.partial")
        stored, later = _again(setting, task, again)
        back = _transfer(setting, partial, "load", level, size, when=nest.at_first(others), after=stored, row=row)
        moves.tasks.append(_also_when(back, later))
        moves.hold(partial, _room(setting, partial, size, along, use, None), size, along, [setting.task_of(use)])
    yield task


def _again(setting: Setting, store: Task, again: Sequence[str]) -> tuple[list[Edge], Predicate]:
    """Where a tile that was stored in an earlier iteration of some loops comes again: behind that store."""
    extents, borrowed, after = setting.nest.existing.extents, list[tuple[str, int]](), []
    for loop in reversed(again):
        after.append(Edge(store.name, ((loop, 1), *borrowed)))
        borrowed.append((loop, 1 - extents[loop]))
    tests = tuple(Test("<", Int(0), Coordinate(loop)) for loop in again)
    return after, tests[0] if len(tests) == 1 else Or(tests)


def _also_when(task: Task, condition: Predicate) -> Task:
    return replace(task, when=conjunction_of([task.when, condition]))


# room


def _hold_result(setting: Setting, moves: Moves, life: Life, found: dict[str, Life], stores: Sequence[Task]) -> None:
    """The place of a kept result: from its first value until its last reader, or its store, has ended."""
    (use,) = life.writers
    if not use.chain or use.chain[-1][1].overwrites is not None:
        return
    level, kept = use.chain[-1]
    readers = [] if life.through_home else [name for name in _readers(life, level, found) if name != use.einsum.name]
    along = setting.run_of(use).along
    shared = set(along).intersection(*(setting.runs[name].along for name in readers))
    by = tuple(loop for loop in tile_loops(setting, use, kept) if loop in shared)
    states = tuple(loop for loop in along if setting.nest.owner(loop) in _recurrent(setting, use))
    inside = [_largest_along(share, states) for share in touched(setting.counter, visits([use]), (*by, *states))]
    size = amount(setting.tables, setting.nest.existing, inside, life.word * kept.fraction)
    if size.largest:
        room = _room(setting, moves.named(f"{setting.prefix}{life.tensor}"), size, by, use, kept)
        names = [*(f"{setting.prefix}{name}" for name in readers), *(store.name for store in stores)]
        moves.keep(setting.task_of(use), room, size, by, names or [setting.task_of(use)])


def _readers(life: Life, level: str, found: dict[str, Life]) -> list[str]:
    """The Einsums that read a tensor or what is written in its place, the writers of the latter included."""
    names = [use.einsum.name for use in life.readers]
    for other in found.values():
        for use in other.writers:
            kept = dict(use.chain).get(level)
            if kept is not None and kept.overwrites == life.tensor:
                names += [use.einsum.name, *_readers(other, level, found)]
    return list(dict.fromkeys(names))


def _largest_along(share: Share, loops: Sequence[str]) -> Share:
    axes = tuple(at for at, loop in enumerate(share.loops) if loop in loops)
    return Share(tuple(loop for loop in share.loops if loop not in loops), share.values.max(axis=axes))


def _room(setting: Setting, name: str, size: Amount, by: Sequence[str], use: Use, kept: Kept | None) -> Buffer:
    """The reservation of a tile: its copies where a level keeps it, registers for every open iteration elsewhere."""
    if kept is None:
        inside = prod(setting.nest.existing.extents[loop] for loop in setting.nest.inside(by))
        return Buffer(name, size.largest * (-(-setting.in_flight // inside) + 1))
    reached = _reached(setting, use, kept)
    parts = [loop for loop in by if loop not in reached]
    return Buffer(name, kept.copies * tile_total(size.share, parts, setting.nest.existing.extents))


def _row(setting: Setting, life: Life, use: Use) -> int:
    """Bytes of a row of a tile: what lies along the tensor's last rank."""
    elements = row_elements(setting.nest.placement, use.einsum, use.accesses[0], setting.run_of(use).along)
    return max(1, ceil(elements * life.word))


def _transfer(
    setting: Setting,
    name: str,
    kind: Kind,
    level: Level,
    size: Amount,
    *,
    when: Iterable[Predicate],
    after: Iterable[Edge],
    row: int,
) -> Task:
    chunk = level.chunk_bytes or row
    moved = np.unique(size.share.values)
    pieces = [chunk, *(moved % chunk).tolist()] if chunk < size.largest else moved.tolist()
    setting.tables.grains[level.name] = gcd(setting.tables.grains.get(level.name, 0), *pieces)
    return Task(
        name,
        ((level.name, 1),),
        latency=Int(ceil(level.latency_s * setting.ticks_per_s)),
        when=conjunction_of([*when, size.present]),
        after=tuple(dict.fromkeys(after)),
        kind=kind,
        transfer=Transfer(size.expr, chunk if chunk < size.largest else None),
    )
