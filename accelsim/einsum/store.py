"""Writing the results of a line into its tensor: whole, at one step of a recurrence, or scattered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.ast import Coordinate, Lookup
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.collapse import REDUCE
from accelsim.einsum.grid import Element, Flags, Floats, Grid, Integers, Values
from accelsim.einsum.walk import coordinates, walk


def scatters(einsum: Einsum) -> bool:
    """Whether several points may write one element: an index tensor on the left, or a reduced coordinate there."""
    lookup = any(isinstance(item, Lookup) for item in walk(einsum.target))
    return lookup or bool(set(einsum.reduced) & set(coordinates(einsum.target)))


def written(grid: Grid, places: list[Integers], values: Floats, present: Flags | None) -> Values:
    """The tensor with the results of one line in it. Elements that no line writes stay absent."""
    name = grid.einsum.tensor
    held, shape = grid.tensors.get(name), grid.shapes.shapes[name]
    kept = values if present is None else np.where(present, values, 0.0)
    if held is None and _covers(grid, shape):
        return Values(_whole(grid, kept), None if present is None else _whole(grid, present))
    if held is None or held.present is None:
        held = Values(np.zeros(shape), np.zeros(shape, dtype=np.bool_))
    at = tuple(places)
    points = grid.shape(coordinates(grid.einsum.target))
    held.array[at] = np.broadcast_to(kept, points)
    if held.present is not None:
        held.present[at] = np.broadcast_to(True if present is None else present, points)
    return held


def _covers(grid: Grid, shape: tuple[int, ...]) -> bool:
    """Whether the line writes every element, one coordinate per dimension."""
    names = _plain(grid.einsum)
    return len(names) == len(shape) and all(
        grid.ranges[name].size == size for name, size in zip(names, shape, strict=True)
    )


def _plain(einsum: Einsum) -> list[str]:
    return [index.expr.name for index in einsum.target.indices if isinstance(index.expr, Coordinate)]


def _whole(grid: Grid, values: NDArray[Element]) -> NDArray[Element]:
    """An array over the line's axes as one over the tensor's dimensions."""
    names = _plain(grid.einsum)
    axes = [grid.axes.index(name) for name in names]
    others = [axis for axis in range(len(grid.axes)) if axis not in axes]
    full = np.broadcast_to(values, grid.shape(names)).transpose([*axes, *others])
    return np.array(full.reshape(full.shape[: len(axes)]), order="C")


def scattered(grid: Grid, places: list[Integers], values: Floats, present: Flags | None) -> Values:
    """The tensor into which results go by the operator of the line; an element that gets none is an empty reduction."""
    name, operator = grid.einsum.tensor, grid.einsum.reduction or "sum"
    empty = {"sum": 0.0, "prod": 1.0, "max": grid.kind.lowest, "min": grid.kind.highest}[operator]
    array = np.full(grid.shapes.shapes[name], empty)
    held, now = grid.tensors.get(name), _now(grid)
    if held is not None:
        array = np.where(now, array, held.array)
    points = grid.shape(coordinates(grid.einsum.target))
    here = np.broadcast_to(True if present is None else present, points)
    at = tuple(np.broadcast_to(place, points)[here] for place in places)
    REDUCE[operator].at(array, at, np.broadcast_to(values, points)[here])
    known = np.broadcast_to(now, array.shape)
    before = np.zeros(array.shape, dtype=np.bool_) if held is None or held.present is None else held.present
    return Values(array, None if known.all() else before | known)


def _now(grid: Grid) -> Flags:
    """The elements of the present step of a recurrence, as flags that broadcast over the tensor; else all."""
    shape = grid.shapes.shapes[grid.einsum.tensor]
    flags = np.ones((1,) * len(shape), dtype=np.bool_)
    for axis, (index, size) in enumerate(zip(grid.einsum.target.indices, shape, strict=True)):
        if isinstance(index.expr, Coordinate) and grid.ranges[index.expr.name].size < size:
            here = np.isin(np.arange(size), grid.ranges[index.expr.name])
            flags = flags & here.reshape([size if at == axis else 1 for at in range(len(shape))])
    return flags
