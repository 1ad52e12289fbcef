"""Numpy evaluation of a cascade: the golden values, in double precision or rounded to data types line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.ast import Access, Number
from accelsim.einsum.cascade import Einsum, Shapes
from accelsim.einsum.collapse import collapse, factors
from accelsim.einsum.grid import Flags, Floats, Grid, Integers, Values
from accelsim.einsum.rounding import round_to
from accelsim.einsum.store import scattered, scatters, written
from accelsim.einsum.types import TYPES, DataType
from accelsim.einsum.walk import coordinates, walk
from accelsim.errors import AccelsimError, nearest

LIMIT_BYTES = 2 << 30
MAX_COORDINATES = 26


def evaluate(
    shapes: Shapes, inputs: Mapping[str, NDArray[Any]], types: Mapping[str, DataType] | None = None
) -> dict[str, Values]:
    """Every tensor of a cascade, inputs included.

    Args:
        inputs: one array per input, of the shape that `shapes` gives it.
        types: data type per tensor (fp64 where none is given). Operands are values of their type; a line is computed in
            double precision and rounded once, half to even, to the type of its tensor.

    Raises:
        AccelsimError: inputs that do not fit; a NaN, an infinity from finite operands, an integer overflow or an index
            outside its tensor, with the line and the coordinate; a line that needs more than 2 GiB at once.
    """
    kinds = dict.fromkeys(shapes.cascade.tensors, TYPES["fp64"]) | dict(types or {})
    cascade = shapes.cascade
    order = list(zip(cascade.components, cascade.iterative, strict=True))
    for component, along in order:
        for line in component:
            _check_memory(shapes, cascade.einsums[line], along)
    tensors = _inputs(shapes, inputs, kinds)
    for component, along in order:
        steps: list[dict[str, Integers]] = [{}]
        if along is not None:
            steps = [{along: np.array([at])} for at in range(shapes.sizes[along])]
            names = (cascade.einsums[line].tensor for line in component)
            tensors |= {name: _nothing(shapes.shapes[name]) for name in names if name not in tensors}
        for step in steps:
            for line in component:
                einsum = cascade.einsums[line]
                tensors[einsum.tensor] = _evaluate_line(shapes, einsum, tensors, kinds[einsum.tensor], step)
    return {name: _settled(values) for name, values in tensors.items()}


def _inputs(shapes: Shapes, inputs: Mapping[str, NDArray[Any]], kinds: Mapping[str, DataType]) -> dict[str, Values]:
    for name in inputs:
        if name not in shapes.cascade.inputs:
            raise AccelsimError(f'no input "{name}"{nearest(name, shapes.cascade.inputs)}')
    return {name: Values(_input(name, shapes, inputs, kinds[name])) for name in shapes.cascade.inputs}


def _input(name: str, shapes: Shapes, inputs: Mapping[str, NDArray[Any]], kind: DataType) -> Floats:
    if name not in inputs:
        raise AccelsimError(f'input "{name}" must be given')
    array = np.asarray(inputs[name], dtype=np.float64)
    if array.shape != shapes.shapes[name]:
        raise AccelsimError(f"input {name} must have shape {list(shapes.shapes[name])}, got {list(array.shape)}")
    with np.errstate(all="ignore"):
        rounded = round_to(array, kind)
    bad = np.isnan(rounded) | (np.isinf(rounded) & ~np.isinf(array))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AccelsimError(f"input {name} holds {array[at]} at {list(at)}, which is no {kind.name}")
    return rounded


def _evaluate_line(
    shapes: Shapes, einsum: Einsum, tensors: Mapping[str, Values], kind: DataType, step: Mapping[str, Integers]
) -> Values:
    """The tensor of one line, with what the line gives at one step of a recurrence if it is in one."""
    ranges = {name: step.get(name, np.arange(shapes.sizes[name])) for name in einsum.coordinates}
    grid = Grid(shapes, einsum, ranges, tensors, kind)
    reduced = frozenset(einsum.reduced) - set(coordinates(einsum.target))
    places = grid.places(einsum.target, shapes.shapes[einsum.tensor])
    with np.errstate(all="ignore"):
        values, present = collapse(grid, reduced)
        if scatters(einsum):
            _check_numbers(grid, values, values, present)
            return _rounded_whole(scattered(grid, places, values, present), grid)
        rounded = round_to(values, kind)
    _check_numbers(grid, values, rounded, present)
    return written(grid, places, rounded, present)


def _rounded_whole(found: Values, grid: Grid) -> Values:
    rounded = round_to(found.array, grid.kind)
    bad = ~np.isfinite(rounded) & np.isfinite(found.array)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        message = f"{grid.einsum.name}: {found.array[at]} does not fit {grid.kind.name} at {list(at)}"
        raise AccelsimError(message, grid.einsum.mark)
    return Values(rounded, found.present)


def _check_numbers(grid: Grid, values: Floats, rounded: Floats, present: Flags | None) -> None:
    """Refuse a NaN, and an infinity unless an operand of the line is infinite already."""
    bad = ~np.isfinite(rounded) if present is None else ~np.isfinite(rounded) & present
    if bad.any() and _has_infinite_operands(grid):
        bad &= np.isnan(rounded)
    if not bad.any():
        return
    found = np.broadcast_to(values, bad.shape)[tuple(np.argwhere(bad)[0])]
    what = f"{found} does not fit {grid.kind.name}" if np.isfinite(found) else "NaN" if np.isnan(found) else "infinity"
    raise AccelsimError(f"{grid.einsum.name}: {what} at {grid.point(bad)}", grid.einsum.mark)


def _has_infinite_operands(grid: Grid) -> bool:
    items = list(walk(grid.einsum.expr, grid.einsum.otherwise))
    literal = any(isinstance(item, Number) and np.isinf(item.value) for item in items)
    read = {item.tensor for item in items if isinstance(item, Access)}
    return literal or any(bool(np.isinf(grid.tensors[name].array).any()) for name in read)


def _nothing(shape: tuple[int, ...]) -> Values:
    """A tensor that a recurrence will fill: so far no element exists."""
    return Values(np.zeros(shape), np.zeros(shape, dtype=np.bool_))


def _settled(values: Values) -> Values:
    return Values(values.array) if values.present is not None and values.present.all() else values


def _check_memory(shapes: Shapes, einsum: Einsum, along: str | None) -> None:
    """Refuse a line whose largest array is beyond the limit, before anything is computed."""
    if len(einsum.coordinates) > MAX_COORDINATES:
        raise AccelsimError(f"{einsum.name}: at most {MAX_COORDINATES} coordinates are evaluated", einsum.mark)
    for names in _extents(einsum):
        sizes = {name: 1 if name == along else shapes.sizes[name] for name in names}
        if prod(sizes.values()) * 8 > LIMIT_BYTES:
            shown = " x ".join(f"{name} ({size})" for name, size in sizes.items())
            raise AccelsimError(
                f"{einsum.name}: evaluation would need {prod(sizes.values()) * 8} bytes at once for {shown}; "
                f"at most {LIMIT_BYTES} are used",
                einsum.mark,
            )


def _extents(einsum: Einsum) -> Iterator[tuple[str, ...]]:
    """The coordinates of each array that evaluating a line makes."""
    yield coordinates(einsum.target)
    if einsum.reduction == "sum":
        yield from (coordinates(factor) for factor in factors(einsum.expr))
        yield coordinates(einsum.where)
    else:
        yield tuple(dict.fromkeys([*coordinates(einsum.expr, einsum.where), *einsum.reduced]))
