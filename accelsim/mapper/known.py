"""What a search has worked out once and needs again: assignments, tiles, and the columns of tensors."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment, assignments
from accelsim.mapper.columns import Columns
from accelsim.mapper.fold import needed
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Amount, Problem, Touch, multiples, useful_tiles
from accelsim.mapper.problem import Tiles as MovingTiles
from accelsim.mapper.tensors import Keeping, Scene

MOST_MULTIPLES = 32  # of the array, up to which every one of them is a tile where their number alone does not tell
Floats = NDArray[np.float64]
Tiles = dict[str, NDArray[np.int64]]
Alive = dict[str, tuple[range, ...]]
Grid = tuple[Nest, tuple[tuple[str, int], ...], frozenset[str]]
"""A nest, what the tiles of each of its coordinates are multiples of, and those that are looped one value at a time."""


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
    """Tensors whose ways to be kept are chosen together, and who touches them.

    One tensor, or all that a single Einsum of a group touches: they share the loop that it alone may have, over a
    coordinate in `alone` that no other Einsum of the group has.
    """

    tensors: tuple[str, ...]
    touching: tuple[Einsum, ...]
    alone: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Kept:
    """The ways to keep a parcel, and what each costs for every candidate of tiles [way, candidate, column].

    Attributes:
        least: of each column the least of any way and candidate.
    """

    ways: tuple[Way, ...]
    columns: Floats
    least: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """The memory of one search; what is in it depends on nothing but the problem and its limits."""

    problem: Problem
    limits: Limits
    _assignments: dict[tuple[object, ...], list[Assignment]] = field(default_factory=dict)
    _tiles: dict[Grid, Tiles] = field(default_factory=dict)
    _kept: dict[tuple[object, ...], Kept] = field(default_factory=dict)
    _rows: dict[Hashable, Floats] = field(default_factory=dict)
    _moving: dict[Hashable, tuple[dict[str, MovingTiles], dict[Touch, Amount]]] = field(default_factory=dict)

    def assignments(self, einsum: Einsum, looped: frozenset[str], alone: frozenset[str]) -> list[Assignment]:
        """Every assignment of an Einsum, some of whose coordinates are looped, or looped one value at a time."""
        own = frozenset(einsum.coordinates)
        key = (einsum.name, looped & own, alone & own)
        if key not in self._assignments:
            self._assignments[key] = assignments(self.problem, einsum, looped, alone, self.limits)
        return self._assignments[key]

    def tiles(self, grid: Grid) -> Tiles:
        """Coordinate of the nest to its tile, an entry for each combination of useful ones."""
        if grid not in self._tiles:
            axes = self._axes(grid)
            found = np.meshgrid(*axes.values(), indexing="ij")
            self._tiles[grid] = {c: axis.reshape(-1) for c, axis in zip(axes, found, strict=True)}
        return self._tiles[grid]

    def _axes(self, grid: Grid) -> Tiles:
        """Coordinate of the nest to its useful tiles; in the same order for nests of the same coordinates."""
        nest, units, steady = grid
        unit = dict(units)
        axes = {c: np.array([unit[c]]) for c in nest.batch}
        for c in sorted(nest.order):
            axes[c] = np.array([1] if c in steady else self.sizes(c, unit[c]), np.int64)
        return axes

    def _places(self, grid: Grid, inner: Grid) -> NDArray[np.int64]:
        """For each combination of tiles the place of its part in a grid of some of its loops."""
        axes, own = self._axes(grid), self._axes(inner)
        at = np.meshgrid(*(np.arange(len(axis)) for axis in axes.values()), indexing="ij")
        places = dict(zip(axes, at, strict=True))
        found = np.zeros([len(axis) for axis in axes.values()], np.int64)
        for c, axis in own.items():
            found = found * len(axis) + places[c]
        return found.reshape(-1)

    def sizes(self, c: str, unit: int) -> list[int]:
        """Tiles of a coordinate to be tried, smaller than the whole."""
        size = self.problem.sizes[c]
        every = c in self.problem.uneven and -(-size // unit) <= MOST_MULTIPLES
        found = multiples(size, unit) if every else useful_tiles(size, unit)
        return [tile for tile in found[:-1] if not (self.limits.perfect and size % tile)]

    def kept(self, group: Scene, grid: Grid, parcel: Parcel, alive: Alive) -> Kept:
        """The ways to keep a parcel with the tiles of a grid; no way where the grid is empty.

        Loops that none of those who touch the parcel run in make no difference: the rest is worked out once.

        Args:
            alive: what `alive_of` says of the parcel in the nest of the grid.
        """
        inner = _narrowed(grid, parcel)
        base = self.kept_within(group, grid, parcel, alive)
        if inner[0] == grid[0] or not base.ways:
            return base
        key = (id(base), grid)
        if key not in self._kept:
            places = self._places(grid, inner)
            depths = (0, *(grid[0].order.index(c) + 1 for c in inner[0].order), len(grid[0].order) + 1)
            ways = tuple(way.moved(depths) for way in base.ways) if len(places) else ()
            self._kept[key] = Kept(ways, base.columns[:, places], base.least)
        return self._kept[key]

    def kept_within(self, group: Scene, grid: Grid, parcel: Parcel, alive: Alive) -> Kept:
        """The same in the loops that those run in who touch the parcel."""
        grid = _narrowed(grid, parcel)
        faces = tuple(group.picked[e.name].key for e in parcel.touching)
        leaves = tuple(map(group.leaves, parcel.tensors))
        key = (parcel.tensors, grid, faces, leaves, parcel.alone, group.moments, *alive.values())
        if key not in self._kept:
            base = (grid[0].batch, frozenset(grid[1]), grid[2], faces, leaves)
            spans, streams = self._moving.setdefault(base, ({}, {}))
            scene = replace(group, nest=grid[0], tiles=self.tiles(grid), spans=spans, streams=streams)
            count = max((len(tile) for tile in scene.tiles.values()), default=1)
            found = list(self._ways(scene, base, parcel, alive)) if count else []
            columns = np.array([columns for _, columns in found])
            if len(parcel.tensors) > 1 and found:
                wanted = np.flatnonzero(needed(columns))
                found, columns = [found[at] for at in wanted], columns[wanted]
            least = tuple(map(float, columns.min(axis=(0, 1)))) if found else ()
            self._kept[key] = Kept(tuple(way for way, _ in found), columns, least)
        return self._kept[key]

    def _ways(self, scene: Scene, base: Hashable, parcel: Parcel, alive: Alive) -> Iterator[tuple[Way, Floats]]:
        """Each way to keep a parcel and what it costs [candidate, column]: at shared loops, then at one of its own.

        Args:
            base: all that costs depend on but for the order of loops and the way.
        """
        shared = [self._each(scene, base, scene.ways(tensor), alive) for tensor in parcel.tensors]
        for chosen in product(*shared):
            yield Way(tuple(k for k, _ in chosen)), _sum(chosen)
        for c in parcel.alone:
            (einsum,) = parcel.touching
            picked, depth = scene.picked[einsum.name], len(scene.nest.order) + 1
            inside = replace(scene, nest=replace(scene.nest, own=((einsum.name, c),)))
            offered = [[w for w in inside.ways(t) if any(at == depth for _, at in w.chain)] for t in parcel.tensors]
            if c in picked.streamed or not any(offered):
                continue
            count = max((len(tile) for tile in scene.tiles.values()), default=1)
            for tile in self.sizes(c, picked.pes.get(c, 1)):
                tiled = replace(inside, tiles={**scene.tiles, c: np.full(count, tile)})
                own = [self._each(tiled, (base, c, tile), ways, alive) for ways in offered]
                for chosen in product(*([*a, *b] for a, b in zip(shared, own, strict=True))):
                    if any(at == depth for keeping, _ in chosen for _, at in keeping.chain):
                        yield Way(tuple(k for k, _ in chosen), (einsum.name, c, tile)), _sum(chosen)

    def _each(
        self, scene: Scene, base: Hashable, ways: Iterable[Keeping], alive: Alive
    ) -> list[tuple[Keeping, Floats]]:
        """What each way to keep one tensor costs [candidate, column].

        In what order loops are nested makes no difference but for which of them are around a tile: ways in nests of the
        same coordinates that differ in nothing else are worked out once.
        """
        table, found = Columns.of(self.problem), []
        count = max((len(tile) for tile in scene.tiles.values()), default=1)
        for way in ways:
            key = (base, way.tensor, way.forwarded, *((level, scene.places(way.tensor, at)) for level, at in way.chain))
            if key not in self._rows:
                row = np.empty((count, table.width))
                table.fill(row, scene.moved(way))
                self._rows[key] = row
            during = [alive[way.tensor][dict(way.chain).get(level, 0)] for level in table.levels]
            found.append((way, table.widened(self._rows[key], during, scene.moments)))
        return found


def _sum(chosen: Sequence[tuple[Keeping, Floats]]) -> Floats:
    total = chosen[0][1]
    for _, columns in chosen[1:]:
        total = total + columns
    return total


def alive_of(group: Scene, parcel: Parcel) -> Alive:
    """Of each tensor when it takes room, for each depth of those loops that make a difference to the parcel."""
    order = group.nest.order
    depths = [0, *(at for at, c in enumerate(order, 1) if any(c in e.coordinates for e in parcel.touching))]
    if group.moments == 1:
        return {tensor: (range(1),) * (len(depths) + 1) for tensor in parcel.tensors}
    return {t: tuple(group.alive(t, depth) for depth in (*depths, len(order) + 1)) for t in parcel.tensors}


def _narrowed(grid: Grid, parcel: Parcel) -> Grid:
    """The loops that some Einsum which touches a parcel runs in."""
    nest, units, steady = grid
    order = tuple(c for c in nest.order if any(c in e.coordinates for e in parcel.touching))
    kept = {*nest.batch, *order}
    return Nest(nest.batch, order), tuple((c, n) for c, n in units if c in kept), steady & kept
