"""What a search has worked out once and needs again: assignments, tiles, and the columns of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from accelsim.mapper.problem import Problem, multiples, useful_tiles
from accelsim.mapper.tensors import Keeping, Scene

MOST_MULTIPLES = 32  # of the array, up to which every one of them is a tile where their number alone does not tell
Floats = NDArray[np.float64]
Tiles = dict[str, NDArray[np.int64]]
Grid = tuple[Nest, tuple[tuple[str, int], ...], frozenset[str]]
"""A nest, what the tiles of each of its coordinates are multiples of, and those that are looped one value at a time."""


@dataclass(frozen=True)
class Way:
    """How some tensors are kept; `loop` is a coordinate that their only Einsum loops over by itself, and its tile."""

    keepings: tuple[Keeping, ...]
    loop: tuple[str, str, int] | None = None


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
            nest, units, steady = grid
            unit = dict(units)
            options = [np.array([unit[c]]) for c in nest.batch]
            for c in nest.order:
                options.append(np.array([1] if c in steady else self.sizes(c, unit[c]), np.int64))
            axes = np.meshgrid(*options, indexing="ij")
            self._tiles[grid] = {c: a.reshape(-1) for c, a in zip((*nest.batch, *nest.order), axes, strict=True)}
        return self._tiles[grid]

    def sizes(self, c: str, unit: int) -> list[int]:
        """Tiles of a coordinate to be tried, smaller than the whole."""
        size = self.problem.sizes[c]
        every = c in self.problem.uneven and -(-size // unit) <= MOST_MULTIPLES
        found = multiples(size, unit) if every else useful_tiles(size, unit)
        return [tile for tile in found[:-1] if not (self.limits.perfect and size % tile)]

    def kept(self, scene: Scene, grid: Grid, parcel: Parcel) -> Kept:
        """The ways to keep a parcel with the tiles of a grid; no way where the grid is empty."""
        faces = tuple(scene.picked[e.name].key for e in parcel.touching)
        key = (parcel.tensors, grid, faces, tuple(map(scene.leaves, parcel.tensors)), parcel.alone)
        if key not in self._kept:
            count = max((len(tile) for tile in scene.tiles.values()), default=1)
            found = list(self._ways(scene, parcel, count)) if count else []
            columns = np.array([columns for _, columns in found])
            if len(parcel.tensors) > 1 and found:
                wanted = np.flatnonzero(needed(columns))
                found, columns = [found[at] for at in wanted], columns[wanted]
            least = tuple(map(float, columns.min(axis=(0, 1)))) if found else ()
            self._kept[key] = Kept(tuple(way for way, _ in found), columns, least)
        return self._kept[key]

    def _ways(self, scene: Scene, parcel: Parcel, count: int) -> Iterator[tuple[Way, Floats]]:
        """Each way to keep a parcel and what it costs [candidate, column]: at shared loops, then at one of its own."""
        shared = [self._each(scene, scene.ways(tensor), count) for tensor in parcel.tensors]
        for chosen in product(*shared):
            yield Way(tuple(k for k, _ in chosen)), np.sum([columns for _, columns in chosen], axis=0)
        for c in parcel.alone:
            (einsum,) = parcel.touching
            picked, depth = scene.picked[einsum.name], len(scene.nest.order) + 1
            inside = replace(scene, nest=replace(scene.nest, own=((einsum.name, c),)))
            offered = [[w for w in inside.ways(t) if any(at == depth for _, at in w.chain)] for t in parcel.tensors]
            if c in picked.streamed or not any(offered):
                continue
            for tile in self.sizes(c, picked.pes.get(c, 1)):
                tiled = replace(inside, tiles={**scene.tiles, c: np.full(count, tile)})
                own = [self._each(tiled, ways, count) for ways in offered]
                for chosen in product(*([*a, *b] for a, b in zip(shared, own, strict=True))):
                    if any(at == depth for keeping, _ in chosen for _, at in keeping.chain):
                        keepings = tuple(k for k, _ in chosen)
                        yield Way(keepings, (einsum.name, c, tile)), np.sum([columns for _, columns in chosen], axis=0)

    def _each(self, scene: Scene, ways: Iterable[Keeping], count: int) -> list[tuple[Keeping, Floats]]:
        """What each way to keep one tensor costs [candidate, column]."""
        table, found = Columns.of(self.problem), []
        for way in ways:
            row = np.empty((count, table.width))
            table.fill(row, scene.moved(way))
            found.append((way, row))
        return found
