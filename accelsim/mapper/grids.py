"""The candidates of tiles: of each loop the useful sizes, and every combination of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Problem, multiples, useful_tiles

MOST_MULTIPLES = 32  # of the array, up to which every one of them is a tile where their number alone does not tell
Ints = NDArray[np.int64]


class Grid(NamedTuple):
    """Every combination of tiles of a nest.

    Attributes:
        units: what the tiles of each coordinate are multiples of.
        steady: coordinates that are looped one value at a time.
    """

    nest: Nest
    units: tuple[tuple[str, int], ...]
    steady: frozenset[str]

    def within(self, nest: Nest) -> Grid:
        """The same with some of the loops."""
        if nest == self.nest:
            return self
        kept = {*nest.batch, *nest.order}
        return Grid(nest, tuple([unit for unit in self.units if unit[0] in kept]), self.steady & kept)


@dataclass(frozen=True, eq=False)
class Grids:
    """The tiles of grids, each worked out once."""

    problem: Problem
    limits: Limits
    _sizes: dict[tuple[str, int], Ints] = field(default_factory=dict)
    _tiles: dict[Grid, dict[str, Ints]] = field(default_factory=dict)
    _places: dict[tuple[Grid, Grid], Ints] = field(default_factory=dict)

    def sizes(self, c: str, unit: int) -> Ints:
        """Tiles of a coordinate to be tried, smaller than the whole."""
        if (c, unit) not in self._sizes:
            size = self.problem.sizes[c]
            every = c in self.problem.uneven and -(-size // unit) <= MOST_MULTIPLES
            found = multiples(size, unit) if every else useful_tiles(size, unit)
            tiles = [tile for tile in found[:-1] if not (self.limits.perfect and size % tile)]
            self._sizes[c, unit] = np.array(tiles, np.int64)
        return self._sizes[c, unit]

    def axes(self, grid: Grid) -> dict[str, Ints]:
        """Coordinate of the nest to its useful tiles; in the same order for nests of the same coordinates."""
        unit, one = dict(grid.units), np.ones(1, np.int64)
        axes = {c: np.array([unit[c]]) for c in grid.nest.batch}
        for c in sorted(grid.nest.order):
            axes[c] = one if c in grid.steady else self.sizes(c, unit[c])
        return axes

    def count(self, grid: Grid) -> int:
        """How many combinations there are."""
        unit = dict(grid.units)
        return prod([len(self.sizes(c, unit[c])) for c in grid.nest.order if c not in grid.steady])

    def tiles(self, grid: Grid) -> dict[str, Ints]:
        """Coordinate of the nest to its tile, an entry for each combination."""
        if grid not in self._tiles:
            self._tiles[grid] = _combined(self.axes(grid))
        return self._tiles[grid]

    def places(self, grid: Grid, inner: Grid) -> Ints:
        """For each combination the place of its part in a grid of some of its loops."""
        if (grid, inner) not in self._places:
            at = _combined({c: np.arange(len(axis)) for c, axis in self.axes(grid).items()})
            found = np.zeros(self.count(grid), np.int64)
            for c, axis in self.axes(inner).items():
                found = found * len(axis) + at[c]
            self._places[grid, inner] = found
        return self._places[grid, inner]


def _combined(axes: dict[str, Ints]) -> dict[str, Ints]:
    """Every combination of an entry of each axis, the last one running fastest."""
    count, found, times = prod(map(len, axes.values())), {}, 1
    for c, axis in axes.items():
        times *= len(axis)
        each = axis.repeat(count // times if times else 0)
        found[c] = each.reshape(1, -1).repeat(times // max(len(axis), 1), axis=0).reshape(-1)
    return found
