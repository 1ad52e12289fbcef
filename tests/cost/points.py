"""The points of every line of a cascade that exist, by enumeration, as columns of numbers with one row each.

Written from SEMANTICS section 1 alone: predicates and indices are evaluated at every point, absent operands are passed
on line by line, a recurrence is gone through coordinate by coordinate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum import ast
from accelsim.einsum.cascade import Einsum, Shapes

Columns = dict[str, NDArray[np.int64]]
Key = tuple[int, ...]
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    ">=": np.greater_equal,
    ">": np.greater,
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "//": np.floor_divide,
    "%": np.remainder,
}


def names_in(item: Any) -> set[str]:
    if isinstance(item, ast.Coordinate):
        return {item.name}
    values = getattr(item, "__dict__", {}).values()
    inner = [part for value in values for part in (value if isinstance(value, tuple) else [value])]
    return {name for part in inner if type(part).__module__ == ast.__name__ for name in names_in(part)}


def accesses_in(item: Any) -> list[ast.Access]:
    """The reads of an expression, in the order written."""
    if isinstance(item, ast.Access):
        return [item]
    values = getattr(item, "__dict__", {}).values()
    inner = [part for value in values for part in (value if isinstance(value, tuple) else [value])]
    return [access for part in inner if type(part).__module__ == ast.__name__ for access in accesses_in(part)]


def conjuncts(predicate: ast.Predicate | None) -> list[ast.Predicate]:
    if isinstance(predicate, ast.And):
        return [part for inner in predicate.parts for part in conjuncts(inner)]
    return [predicate] if predicate else []


@dataclass(frozen=True)
class Lines:
    """The points of every line of a cascade that exist, and the elements of every tensor."""

    shapes: Shapes
    points: Mapping[str, Columns]
    exists: Mapping[str, NDArray[np.bool_]]

    def index(self, expr: ast.IndexExpr, at: Columns) -> NDArray[np.int64]:
        return value_of(self.shapes, expr, at)

    def elements(self, access: ast.Access, at: Columns) -> list[Key | None]:
        """What an access touches at each point; None where it reads the zero outside."""
        columns, outside = places(self.shapes, access, at)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return [None if out else row for row, out in zip(rows, outside.tolist(), strict=True)]


def value_of(shapes: Shapes, expr: ast.IndexExpr, at: Columns) -> NDArray[np.int64]:
    zero = np.zeros_like(next(iter(at.values())))
    match expr:
        case ast.Int(value):
            return zero + value
        case ast.Coordinate(name):
            return at[name]
        case ast.Size(name):
            return zero + (shapes.params[name] if name in shapes.params else shapes.sizes[name.lower()])
        case ast.MapCall(name, argument):
            return np.asarray(shapes.cascade.maps[name])[value_of(shapes, argument, at)]
        case ast.IndexOp(op, left, right):
            return np.asarray(COMPARE[op](value_of(shapes, left, at), value_of(shapes, right, at)))
    raise TypeError(str(expr))


def holds(shapes: Shapes, predicate: ast.Predicate, at: Columns) -> NDArray[np.bool_]:
    match predicate:
        case ast.Test(op, left, right):
            return np.asarray(COMPARE[op](value_of(shapes, left, at), value_of(shapes, right, at)))
        case ast.Not(inner):
            return ~holds(shapes, inner, at)
        case ast.And(parts):
            return np.asarray(np.logical_and.reduce([holds(shapes, part, at) for part in parts]))
        case ast.Or(parts):
            return np.asarray(np.logical_or.reduce([holds(shapes, part, at) for part in parts]))


def places(shapes: Shapes, access: ast.Access, at: Columns) -> tuple[list[NDArray[np.int64]], NDArray[np.bool_]]:
    """Where an access reads or writes in each dimension, edges applied, and where it stays outside."""
    outside = np.zeros(len(next(iter(at.values()))), dtype=bool)
    columns = []
    for index, size in zip(access.indices, shapes.shapes[access.tensor], strict=True):
        value = value_of(shapes, index.expr, at)
        if index.edge == "wrap":
            value = value % size
        if index.edge != "clamp":
            outside = outside | (value < 0) | (value >= size)
        columns.append(np.clip(value, 0, size - 1))
    return columns, outside


def enumerate_lines(shapes: Shapes) -> Lines:
    """Go through the lines in order, a recurrence coordinate by coordinate, and see what exists."""
    cascade = shapes.cascade
    exists = {t: np.full(shapes.shapes[t], t in cascade.inputs, dtype=bool) for t in cascade.tensors}
    points: dict[str, list[Columns]] = {}
    for component, along in zip(cascade.components, cascade.iterative, strict=True):
        for step in range(shapes.sizes[along]) if along else [0]:
            for line in component:
                einsum = cascade.einsums[line]
                here = _box(shapes, einsum, {along: step} if along else {})
                points.setdefault(einsum.name, []).append(_line(shapes, einsum, here, exists))
    joined = {name: {c: np.concatenate([p[c] for p in parts]) for c in parts[0]} for name, parts in points.items()}
    return Lines(shapes, joined, exists)


def _box(shapes: Shapes, einsum: Einsum, fixed: Mapping[str, int]) -> Columns:
    sizes = [1 if c in fixed else shapes.sizes[c] for c in einsum.coordinates]
    grid = np.indices(sizes).reshape(len(sizes), prod(sizes))
    found = {c: grid[at] + fixed.get(c, 0) for at, c in enumerate(einsum.coordinates)}
    return found or {"": np.zeros(1, dtype=np.int64)}


def _line(shapes: Shapes, einsum: Einsum, at: Columns, exists: dict[str, NDArray[np.bool_]]) -> Columns:
    """The points of a line that exist; its results are marked as existing."""
    conditions = list(_conditions(shapes, einsum, at, exists))
    every = np.logical_and.reduce([held for _, held in conditions] or [np.ones(len(next(iter(at.values()))), bool)])
    outer = [held for names, held in conditions if not names & set(einsum.reduced)]
    given = np.logical_and.reduce(outer) if outer else np.ones_like(every)
    if einsum.otherwise is not None:
        given = given | np.logical_and.reduce([held for _, held in _ends(shapes, einsum, at)] or [np.ones_like(every)])
    columns, _ = places(shapes, einsum.target, {c: v[given] for c, v in at.items()})
    exists[einsum.tensor][tuple(columns)] = True
    return {c: v[every] for c, v in at.items()}


def _conditions(
    shapes: Shapes, einsum: Einsum, at: Columns, exists: Mapping[str, NDArray[np.bool_]]
) -> Iterator[tuple[set[str], NDArray[np.bool_]]]:
    """What must hold for a point to exist, with the coordinates that it depends on."""
    for part in conjuncts(einsum.where):
        yield names_in(part), holds(shapes, part, at)
    yield from _ends(shapes, einsum, at)
    for access in accesses_in(einsum.expr):
        columns, outside = places(shapes, access, at)
        reads_zero = outside if any(index.edge == "zero" for index in access.indices) else np.zeros_like(outside)
        yield names_in(access), exists[access.tensor][tuple(columns)] | reads_zero


def _ends(shapes: Shapes, einsum: Einsum, at: Columns) -> Iterator[tuple[set[str], NDArray[np.bool_]]]:
    for split in dict.fromkeys(shapes.cascade.splits.values()):
        if set(split.parts) <= set(at):
            outer, inner = (at[part] for part in split.parts)
            yield set(split.parts), outer * value_of(shapes, split.step, at) + inner < shapes.sizes[split.parent]
