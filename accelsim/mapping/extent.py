"""How many elements of a tensor one iteration of some loops may touch: the size of its tile, without masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd, prod
from typing import Protocol

from accelsim.einsum.ast import Access, Coordinate, Index, IndexExpr, IndexOp, Lookup, MapCall
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.sizes import integer_value, size_values
from accelsim.einsum.walk import coordinates, walk
from accelsim.workload import Step


class Tiled(Protocol):
    """A step whose coordinates have parts."""

    @property
    def step(self) -> Step: ...

    @property
    def digits(self) -> Mapping[str, tuple[tuple[str, int], ...]]: ...


@dataclass(frozen=True)
class Extent:
    """At most `count` integers within `hull` neighbours, the first of which is a multiple of `align` (0: it is 0)."""

    count: int
    hull: int
    align: int

    def plus(self, other: Extent, minus: bool = False) -> Extent:
        hull = self.hull + other.hull - 1
        align = 1 if minus and other.hull > 1 else gcd(self.align, other.align)
        return Extent(min(hull, self.count * other.count), hull, align)

    def times(self, other: Extent) -> Extent:
        """A constant, whose value is its `align`, times the other; of two ranges every product may differ."""
        few, many = sorted((self, other), key=lambda e: e.hull)
        if few.hull > 1:
            return Extent(few.count * many.count, few.hull * many.hull, 1)
        return Extent(many.count, (many.hull - 1) * few.align + 1, many.align * few.align)

    def over(self, step: int) -> Extent:
        free = step - gcd(self.align, step)  # how far the first integer may stand behind a multiple of the step
        hull = (free + self.hull - 1) // step + 1
        return Extent(min(self.count, hull), hull, self.align // step if self.align % step == 0 else 1)

    def modulo(self, step: int) -> Extent:
        grid = gcd(self.align, step)
        if self.hull > grid:
            return Extent(min(self.count, step), step, 0)
        return Extent(self.count, self.hull, grid % step)


def tile_elements(placement: Tiled, einsum: Einsum, access: Access, loops: tuple[str, ...]) -> int:
    """Elements of a tensor that one iteration of `loops` touches at most; of a recurrence only the current state."""
    shapes = placement.step.shapes
    inside = {c: _coordinate(placement, c, loops) for c in einsum.coordinates}
    state = shapes.cascade.generative.get(access.tensor)
    dims = shapes.cascade.tensors[access.tensor]
    total = 1
    for name, size, index in zip(dims, shapes.shapes[access.tensor], access.indices, strict=True):
        total *= 1 if name == state else min(size, _values(index, inside, placement))
    return total


def row_elements(placement: Tiled, einsum: Einsum, access: Access, loops: tuple[str, ...]) -> int:
    """Elements of a row of a tile: along the last rank in which one iteration of `loops` may touch more than one."""
    inside = {c: _coordinate(placement, c, loops) for c in einsum.coordinates}
    shape = placement.step.shapes.shapes[access.tensor]
    for size, index in reversed(tuple(zip(shape, access.indices, strict=True))):
        elements = min(size, _values(index, inside, placement))
        if elements > 1:
            return elements
    return 1


def _coordinate(placement: Tiled, name: str, loops: tuple[str, ...]) -> Extent:
    """The values of a coordinate within one iteration: its parts that are no loops run through all of theirs."""
    size = bound = placement.step.shapes.sizes[name]
    count, hull, align = 1, size, 0
    for part, span in placement.digits[name]:
        extent = -(-bound // span)
        bound = min(bound, span)
        if part not in loops:
            count *= extent
        elif count == 1:
            hull, align = bound, span
        else:
            align = span
    return Extent(min(count, hull), hull, align)


def _values(index: Index, inside: Mapping[str, Extent], placement: Tiled) -> int:
    if any(isinstance(item, Lookup) for item in walk(index)):
        return prod(inside[c].count for c in coordinates(index))
    return _extent(index.expr, inside, placement).count


def _extent(expr: IndexExpr, inside: Mapping[str, Extent], placement: Tiled) -> Extent:
    if isinstance(expr, Coordinate):
        return inside[expr.name]
    if isinstance(expr, MapCall):
        table = placement.step.shapes.cascade.maps[expr.name]
        values = _extent(expr.argument, inside, placement).count
        return Extent(min(values, len(set(table))), max(table) - min(table) + 1, 1)
    if not coordinates(expr):
        return Extent(1, 1, abs(integer_value(expr, size_values(placement.step.shapes))))
    if not isinstance(expr, IndexOp):
        return Extent(1, 1, 1)
    left, right = (_extent(side, inside, placement) for side in (expr.left, expr.right))
    if expr.op in ("+", "-"):
        return left.plus(right, minus=expr.op == "-")
    if expr.op == "*":
        return left.times(right)
    step = max(right.align, 1)
    return left.over(step) if expr.op == "//" else left.modulo(step)
