"""Conditions rewritten: other indices in place of coordinates, and tables in place of what depends on data."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.einsum.ast import (
    And,
    Coordinate,
    IndexExpr,
    IndexOp,
    Int,
    Lookup,
    MapCall,
    Not,
    Or,
    Predicate,
    Test,
)
from accelsim.einsum.cascade import Einsum, Shapes
from accelsim.errors import AccelsimError


def rewritten(part: Predicate, values: Mapping[str, IndexExpr], shapes: Shapes) -> Predicate:
    """`part` with the coordinates in `values` replaced, and index tensors replaced by their statistics.

    Raises:
        AccelsimError: coordinates are to be replaced in an index tensor that no statistic describes.
    """
    match part:
        case Test(op, left, right):
            return Test(op, _index(left, values, shapes), _index(right, values, shapes))
        case Not(inner):
            return Not(rewritten(inner, values, shapes))
        case And(parts):
            return And(tuple(rewritten(inner, values, shapes) for inner in parts))
        case Or(parts):
            return Or(tuple(rewritten(inner, values, shapes) for inner in parts))


def _index(expr: IndexExpr, values: Mapping[str, IndexExpr], shapes: Shapes) -> IndexExpr:
    match expr:
        case Coordinate(name):
            return values.get(name, expr)
        case IndexOp(op, left, right):
            return IndexOp(op, _index(left, values, shapes), _index(right, values, shapes))
        case MapCall(name, argument, mark):
            return MapCall(name, _index(argument, values, shapes), mark)
        case Lookup():
            return _looked_up(expr, values, shapes)
    return expr


def _looked_up(lookup: Lookup, values: Mapping[str, IndexExpr], shapes: Shapes) -> IndexExpr:
    by = shapes.statistics.get(lookup.tensor)
    if by is None or any(index.edge for index in lookup.indices):
        if values:
            reason = f"a mask that depends on the data of {lookup.tensor}; statistics may say what it holds"
            raise AccelsimError(f"not supported yet: {reason}", lookup.mark)
        return lookup
    dims = dict(zip(shapes.cascade.tensors[lookup.tensor], lookup.indices, strict=True))
    places = [(rank, _index(dims[rank].expr, values, shapes)) for rank in by]
    return MapCall(lookup.tensor, _entry(places, shapes), lookup.mark)


def _entry(places: list[tuple[str, IndexExpr]], shapes: Shapes) -> IndexExpr:
    """The number of an entry of a table: the last rank counts fastest."""
    number: IndexExpr = Int(0)
    for rank, place in places:
        number = IndexOp("+", IndexOp("*", number, Int(shapes.sizes[rank])), place)
    return number


def size_of(rank: str, line: Einsum, shapes: Shapes) -> IndexExpr | None:
    """How many coordinates a rank of data-dependent size has at a point of a line; None without a statistic.

    Raises:
        AccelsimError: the statistic is by a rank that the line does not have.
    """
    by = shapes.statistics.get(rank)
    if by is None:
        return None
    if missing := [name for name in by if name not in line.coordinates]:
        raise AccelsimError(f"{line.name}: statistics.{rank} is by {missing[0]}, which the line has not", line.mark)
    return MapCall(rank, _entry([(name, Coordinate(name)) for name in by], shapes), line.mark)
