"""What a search has worked out once and needs again: assignments, tiles, and the columns of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment, assignments
from accelsim.mapper.columns import Columns
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Problem, multiples, useful_tiles
from accelsim.mapper.tensors import Keeping, Scene

MOST_MULTIPLES = 32  # of the array, up to which every one of them is a tile where their number alone does not tell
Floats = NDArray[np.float64]
Tiles = dict[str, NDArray[np.int64]]
Grid = tuple[Nest, tuple[tuple[str, int], ...], frozenset[str]]
"""A nest, what the tiles of each of its coordinates are multiples of, and those that are looped one value at a time."""


@dataclass(frozen=True, eq=False)
class Kept:
    """The ways to keep a tensor, and what each costs for every candidate of tiles [way, candidate, column].

    Attributes:
        least: of each column the least of any way and candidate.
    """

    ways: tuple[Keeping, ...]
    columns: Floats
    least: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """The memory of one search; what is in it depends on nothing but the problem and its limits."""

    problem: Problem
    limits: Limits
    _assignments: dict[tuple[object, ...], list[Assignment]] = field(default_factory=dict)
    _tiles: dict[Grid, Tiles] = field(default_factory=dict)
    _columns: dict[tuple[object, ...], Kept] = field(default_factory=dict)

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
                options.append(np.array([1] if c in steady else self._sizes(c, unit[c]), np.int64))
            axes = np.meshgrid(*options, indexing="ij")
            self._tiles[grid] = {c: a.reshape(-1) for c, a in zip((*nest.batch, *nest.order), axes, strict=True)}
        return self._tiles[grid]

    def _sizes(self, c: str, unit: int) -> list[int]:
        """Tiles of a coordinate to be tried, smaller than the whole."""
        size = self.problem.sizes[c]
        every = c in self.problem.uneven and -(-size // unit) <= MOST_MULTIPLES
        found = multiples(size, unit) if every else useful_tiles(size, unit)
        return [tile for tile in found[:-1] if not (self.limits.perfect and size % tile)]

    def kept(self, scene: Scene, grid: Grid, tensor: str, touching: Sequence[Einsum]) -> Kept:
        """The ways to keep a tensor with the tiles of a grid; no way where the grid is empty."""
        faces = tuple(scene.picked[e.name].key for e in touching)
        key = (tensor, grid, faces, scene.leaves(tensor))
        if key not in self._columns:
            table = Columns.of(self.problem)
            count = max((len(tile) for tile in scene.tiles.values()), default=1)
            ways = tuple(scene.ways(tensor)) if count else ()
            columns = np.empty((len(ways), count, table.width))
            for at, way in enumerate(ways):
                table.fill(columns[at], scene.moved(way))
            least = tuple(map(float, columns.min(axis=(0, 1)))) if ways else ()
            self._columns[key] = Kept(ways, columns, least)
        return self._columns[key]
