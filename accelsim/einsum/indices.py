"""Indices and conditions of the cascade language at every point of a grid of coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from accelsim.einsum.ast import And, Coordinate, IndexExpr, IndexOp, Int, Lookup, MapCall, Not, Predicate, Test
from accelsim.einsum.grid import COMPARE, INTEGER, Flags, Integers
from accelsim.errors import AccelsimError

Tables = Mapping[str, tuple[int, ...] | Integers]
"""Maps by name, and index tensors whose entries are known."""


def placed_at(value: Integers, edge: str | None, size: int) -> tuple[Integers, Flags]:
    """Where an index reads; what a `zero` edge replaces is not read."""
    if edge == "wrap":
        return value % size, np.ones_like(value, dtype=np.bool_)
    inside = (value >= 0) & (value < size)
    return np.clip(value, 0, size - 1), np.ones_like(inside) if edge == "clamp" else inside


def flags_of(predicate: Predicate, grid: Mapping[str, Integers], maps: Tables) -> Flags:
    """Where a condition holds."""
    match predicate:
        case Test(op, left, right):
            found: Flags = COMPARE[op](evaluated(left, grid, maps), evaluated(right, grid, maps))
            return found
        case Not(inner):
            return ~flags_of(inner, grid, maps)
    flags = [flags_of(part, grid, maps) for part in predicate.parts]
    total = flags[0]
    for other in flags[1:]:
        total = total & other if isinstance(predicate, And) else total | other
    return total


def evaluated(expr: IndexExpr, grid: Mapping[str, Integers], maps: Tables) -> Integers:
    """The values of an index expression. Raises AccelsimError for one that depends on data."""
    match expr:
        case Int(value):
            return np.asarray(value, dtype=np.int64)
        case Coordinate(name):
            return grid[name]
        case IndexOp(op, left, right):
            found: Integers = INTEGER[op](evaluated(left, grid, maps), evaluated(right, grid, maps))
            return found
        case MapCall(name, argument):
            return np.asarray(maps[name], dtype=np.int64)[evaluated(argument, grid, maps)]
        case Lookup(tensor, indices):
            if tensor in maps:
                places = tuple(evaluated(index.expr, grid, maps) for index in indices)
                return np.asarray(maps[tensor], dtype=np.int64)[places]
            raise AccelsimError(f"not supported yet at depth cycle: a mask or index that depends on data of {tensor}")
    raise AccelsimError(f"an index has no value for {type(expr).__name__}")
