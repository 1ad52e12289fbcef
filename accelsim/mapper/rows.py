"""What each way to keep one tensor costs, worked out once for all nests in which it is the same."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.mapper.assign import Assignment
from accelsim.mapper.columns import Columns
from accelsim.mapper.grids import Grid, Grids
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Amount, Tiles, Touch
from accelsim.mapper.tensors import Keeping, Scene

Floats = NDArray[np.float64]
Picked = Mapping[str, Assignment]


@dataclass(frozen=True, eq=False)
class Row:
    """What one way to keep one tensor costs [candidate, column] with the tiles of a grid; of each column the least.

    A last column is 0: what is held while the tensor takes no room.
    """

    grid: Grid
    columns: Floats
    least: tuple[float, ...]


Option = tuple[Keeping, Row]


class _Place(NamedTuple):
    """A way to keep a tensor, the depth of its innermost tile, and which loops are around its tiles."""

    way: Keeping
    depth: int
    around: Hashable


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a problem.

    In what order loops are nested makes no difference but for which of them are around a tile, and loops inside it
    make none unless someone streams their coordinate. So ways that differ in nothing else share a row.
    """

    grids: Grids
    _options: dict[Hashable, tuple[Option, ...]] = field(default_factory=dict)
    _places: dict[Hashable, tuple[_Place, ...]] = field(default_factory=dict)
    _rows: dict[Hashable, Row] = field(default_factory=dict)
    _moving: dict[Hashable, tuple[dict[str, Tiles], dict[Touch, Amount]]] = field(default_factory=dict)

    def options(self, group: Scene, picked: Picked, base: Hashable, grid: Grid, tensor: str) -> tuple[Option, ...]:
        """Every way to keep a tensor at shared loops.

        Args:
            base: all that costs depend on but for loops, tiles and the way.
        """
        key = (base, grid, tensor)
        if key not in self._options:
            scene = replace(group, nest=grid.nest, picked=picked)
            self._options[key] = self._each(scene, base, grid, self._ways(scene, tensor))
        return self._options[key]

    def alone(self, scene: Scene, base: Hashable, grid: Grid, tensor: str, tile: int) -> tuple[Option, ...]:
        """Every way to keep a tensor at the loop that an Einsum of the scene has alone, around a tile."""
        key = (base, grid, tensor, scene.nest.own, tile)
        if key not in self._options:
            depth = len(scene.nest.order) + 1
            found = [place for place in self._ways(scene, tensor) if place.depth == depth]
            self._options[key] = self._each(scene, base, grid, found, tile)
        return self._options[key]

    def _ways(self, scene: Scene, tensor: str) -> tuple[_Place, ...]:
        names = tuple([touch.einsum.name for touch in scene.touches(tensor)])
        key = (tensor, names, scene.nest, scene.direct(tensor) if tensor in scene.made else ())
        if key not in self._places:
            self._places[key] = tuple(
                _Place(
                    way,
                    max([at for _, at in way.chain], default=0),
                    (tensor, way.forwarded, *[(level, scene.places(tensor, at)) for level, at in way.chain]),
                )
                for way in scene.ways(tensor)
            )
        return self._places[key]

    def _each(
        self, scene: Scene, base: Hashable, grid: Grid, places: Sequence[_Place], tile: int = 0
    ) -> tuple[Option, ...]:
        """The row of each way.

        Tiles that make a difference are those of loops around the innermost tile of the tensor, and those of what is
        streamed inside it, for others than each of its elements. Readers that no level serves share what they stream
        where all their loops are the same.
        """
        nest, touches, found = scene.nest, scene.touches(places[0].way.tensor) if places else (), []
        streamed = {
            c for t in touches for c in scene.picked[t.einsum.name].streamed if c not in scene.problem.indifferent(t)
        }
        for place in places:
            depth = place.depth if place.way.chain or len(touches) == 1 else len(nest.order)
            order = (*nest.order[:depth], *[c for c in nest.order[depth:] if c in streamed])
            kept = {*nest.batch, *order}
            face = (base, nest.batch, frozenset([each for each in grid.units if each[0] in kept]), grid.steady & kept)
            key = (face, nest.own, tile, place.around)
            if key not in self._rows:
                inner = grid.within(Nest(nest.batch, order))
                self._rows[key] = self._row(scene, inner, place.way, tile, self._moving.setdefault(face, ({}, {})))
            found.append((place.way, self._rows[key]))
        return tuple(found)

    def _row(
        self, scene: Scene, grid: Grid, way: Keeping, tile: int, moving: tuple[dict[str, Tiles], dict[Touch, Amount]]
    ) -> Row:
        tiles, table = self.grids.tiles(grid), Columns.of(scene.problem)
        columns = np.zeros((max((len(each) for each in tiles.values()), default=1), table.width + 1))
        own = {c: np.full(len(columns), tile) for _, c in scene.nest.own}
        nest = replace(grid.nest, own=scene.nest.own) if own else grid.nest
        felt = replace(scene, nest=nest, tiles={**tiles, **own}, spans=moving[0], streams=moving[1])
        table.fill(columns[:, :-1], felt.moved(way))
        return Row(grid, columns, tuple(columns.min(axis=0).tolist()))
