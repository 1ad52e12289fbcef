"""What a search has worked out once and needs again: assignments, tiles, and the ways to keep tensors."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment, assignments
from accelsim.mapper.columns import Columns, sources
from accelsim.mapper.fold import needed
from accelsim.mapper.grids import Grid, Grids
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Problem
from accelsim.mapper.rows import Option, Picked, Row, Rows
from accelsim.mapper.tensors import Keeping, Scene

Floats = NDArray[np.float64]
Alive = tuple[tuple[range, ...], ...]
"""Of each tensor when it takes room, for each depth at which it may be kept."""


@dataclass(frozen=True)
class Way:
    """How some tensors are kept; `loop` is a coordinate that their only Einsum loops over by itself, and its tile."""

    keepings: tuple[Keeping, ...]
    loop: tuple[str, str, int] | None = None

    def moved(self, depths: Sequence[int]) -> Way:
        """The same among other loops, where each depth is another one."""
        keepings = [replace(k, chain=tuple((level, depths[at]) for level, at in k.chain)) for k in self.keepings]
        return replace(self, keepings=tuple(keepings))


@dataclass(frozen=True)
class Parcel:
    """Tensors whose ways to be kept are chosen together, who touches them, and which of them others want.

    One tensor, or all that a single Einsum of a group touches: they share the loop that it alone may have, over a
    coordinate in `alone` that no other Einsum of the group has.
    """

    tensors: tuple[str, ...]
    touching: tuple[Einsum, ...]
    leaves: tuple[bool, ...]
    alone: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spot:
    """Where a parcel is in a nest: the loops that some Einsum which touches it runs in, and when it takes room."""

    nest: Nest
    alive: Alive


@dataclass(frozen=True, eq=False)
class Kept:
    """The ways to keep a parcel.

    Attributes:
        ways: in the loops that those run in who touch the parcel.
        least: of each column the least of any way and candidate.
        make: works out `columns`.
        depths: of those loops in the nest; None where they are all of it.
    """

    ways: tuple[Way, ...]
    least: tuple[float, ...]
    make: Callable[[], Floats]
    depths: tuple[int, ...] | None = None

    def way(self, at: int) -> Way:
        return self.ways[at].moved(self.depths) if self.depths else self.ways[at]

    @cached_property
    def columns(self) -> Floats:
        """What each way costs for every candidate of tiles [way, candidate, column]."""
        return self.make()


NONE = Kept((), (), lambda: np.empty((0, 0, 0)))


@dataclass(frozen=True, eq=False)
class Known:
    """The memory of one search; what is in it depends on nothing but the problem and its limits.

    Attributes:
        streamed: elements of a touch that pass between the array and the level next to it, by what that depends on.
    """

    problem: Problem
    limits: Limits
    streamed: dict[Hashable, float] = field(default_factory=dict)
    _assignments: dict[tuple[object, ...], list[Assignment]] = field(default_factory=dict)
    _kept: dict[tuple[object, ...], Kept] = field(default_factory=dict)

    @cached_property
    def grids(self) -> Grids:
        return Grids(self.problem, self.limits)

    @cached_property
    def _rows(self) -> Rows:
        return Rows(self.grids)

    def assignments(self, einsum: Einsum, looped: frozenset[str], alone: frozenset[str]) -> list[Assignment]:
        """Every assignment of an Einsum, some of whose coordinates are looped, or looped one value at a time."""
        own = frozenset(einsum.coordinates)
        key = (einsum.name, looped & own, alone & own)
        if key not in self._assignments:
            self._assignments[key] = assignments(self.problem, einsum, looped, alone, self.limits)
        return self._assignments[key]

    def kept(self, group: Scene, picked: Picked, grid: Grid, parcel: Parcel, spot: Spot) -> Kept:
        """The ways to keep a parcel with the tiles of a grid; no way where the grid is empty.

        Loops that none of those who touch the parcel run in make no difference: the rest is worked out once.

        Args:
            group: without loops and assignments.
        """
        base = self.kept_within(group, picked, grid, parcel, spot)
        if spot.nest == grid.nest or not base.ways:
            return base
        if not self.grids.count(grid):
            return NONE
        key = (id(base), grid)
        if key not in self._kept:
            inner = grid.within(spot.nest)
            depths = (0, *(grid.nest.order.index(c) + 1 for c in spot.nest.order), len(grid.nest.order) + 1)
            grids = self.grids
            self._kept[key] = Kept(base.ways, base.least, lambda: base.columns[:, grids.places(grid, inner)], depths)
        return self._kept[key]

    def kept_within(self, group: Scene, picked: Picked, grid: Grid, parcel: Parcel, spot: Spot) -> Kept:
        """The same in the loops that those run in who touch the parcel."""
        inner = grid.within(spot.nest)
        faces = tuple([picked[e.name].key for e in parcel.touching])
        key = (parcel.tensors, inner, faces, parcel.leaves, parcel.alone, group.moments, spot.alive)
        if key not in self._kept:
            found = NONE
            if self.grids.count(inner):
                base = (faces, parcel.leaves)
                if parcel.alone:
                    scene = replace(group, nest=spot.nest, picked=picked)
                    found = self._with_own_loops(scene, base, inner, parcel, spot.alive)
                else:
                    options = self._rows.options(group, picked, base, inner, parcel.tensors[0])
                    found = self._single(options, inner, spot.alive[0], group.moments)
            self._kept[key] = found
        return self._kept[key]

    def _single(self, options: Sequence[Option], grid: Grid, alive: tuple[range, ...], moments: int) -> Kept:
        """The ways to keep one tensor."""
        where = [self._sources(keeping, alive, moments) for keeping, _ in options]
        rows, grids = [(row, columns) for (_, row), columns in zip(options, where, strict=True)], self.grids
        each = [[row.least[at] for at in columns] for row, columns in rows]
        return Kept(
            tuple([Way((keeping,)) for keeping, _ in options]),
            tuple(map(min, zip(*each, strict=True))),
            lambda: np.array([_costs(grids, row, grid, columns) for row, columns in rows]),
        )

    def _sources(self, keeping: Keeping, alive: tuple[range, ...], moments: int) -> tuple[int, ...]:
        """What of a row stands in each column at each moment."""
        table, depths = Columns.of(self.problem), dict(keeping.chain)
        return sources(table.width, tuple([alive[depths.get(level, 0)] for level in table.levels]), moments)

    def _with_own_loops(self, scene: Scene, base: Hashable, grid: Grid, parcel: Parcel, alive: Alive) -> Kept:
        """The ways to keep all that only one Einsum touches, together.

        Args:
            base: all that costs depend on but for loops, tiles and the way.
        """
        found = list(self._together(scene, base, grid, parcel, alive))
        columns = np.array([columns for _, columns in found])
        if len(parcel.tensors) > 1 and found:
            wanted = np.flatnonzero(needed(columns))
            found, columns = [found[at] for at in wanted], columns[wanted]
        least = tuple(columns.min(axis=(0, 1)).tolist()) if found else ()
        return Kept(tuple(way for way, _ in found), least, lambda: columns)

    def _together(
        self, scene: Scene, base: Hashable, grid: Grid, parcel: Parcel, alive: Alive
    ) -> Iterator[tuple[Way, Floats]]:
        """Each way to keep a parcel and what it costs [candidate, column]: at shared loops, then at one of its own."""

        def costs(
            options: Sequence[tuple[Option, ...]],
        ) -> list[list[tuple[Keeping, Floats]]]:
            return [
                [(k, _costs(self.grids, row, grid, self._sources(k, when, scene.moments))) for k, row in each]
                for each, when in zip(options, alive, strict=True)
            ]

        shared = costs([self._rows.options(scene, scene.picked, base, grid, tensor) for tensor in parcel.tensors])
        for chosen in product(*shared):
            yield Way(tuple(k for k, _ in chosen)), _sum(chosen)
        (einsum,) = parcel.touching
        picked, depth = scene.picked[einsum.name], len(scene.nest.order) + 1
        for c in parcel.alone:
            inside = replace(scene, nest=replace(scene.nest, own=((einsum.name, c),)))
            if c in picked.streamed:
                continue
            for tile in self.grids.sizes(c, picked.pes.get(c, 1)).tolist():
                own = costs([self._rows.alone(inside, base, grid, tensor, tile) for tensor in parcel.tensors])
                for chosen in product(*([*a, *b] for a, b in zip(shared, own, strict=True))):
                    if any(at == depth for keeping, _ in chosen for _, at in keeping.chain):
                        yield Way(tuple(k for k, _ in chosen), (einsum.name, c, tile)), _sum(chosen)


def _costs(grids: Grids, row: Row, grid: Grid, columns: tuple[int, ...]) -> Floats:
    """What a way costs for every candidate of a grid [candidate, column]."""
    return row.columns[grids.places(grid, row.grid)[:, None], columns]


def _sum(chosen: Sequence[tuple[Keeping, Floats]]) -> Floats:
    total = chosen[0][1]
    for _, columns in chosen[1:]:
        total = total + columns
    return total


def spot_of(group: Scene, nest: Nest, parcel: Parcel) -> Spot:
    """A parcel in a nest of a group."""
    depths = [at for at, c in enumerate(nest.order, 1) if any(c in e.coordinates for e in parcel.touching)]
    inner = nest if len(depths) == len(nest.order) else Nest(nest.batch, tuple(nest.order[at - 1] for at in depths))
    every = (0, *depths, len(nest.order) + 1)
    if group.moments == 1:
        return Spot(inner, ((range(1),) * len(every),) * len(parcel.tensors))
    scene = replace(group, nest=nest)
    return Spot(inner, tuple(tuple([scene.alive(t, depth) for depth in every]) for t in parcel.tensors))
