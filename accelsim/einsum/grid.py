"""The points of one line as numpy axes: indices, masks, gathers and expressions, each on only the axes it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.ast import (
    Access,
    And,
    BinaryOp,
    Call,
    Compare,
    Coordinate,
    Expr,
    Index,
    IndexExpr,
    IndexOp,
    Int,
    Lookup,
    Lowest,
    MapCall,
    Negate,
    Not,
    Number,
    Predicate,
    Size,
    Test,
)
from accelsim.einsum.cascade import Einsum, Shapes
from accelsim.einsum.types import DataType
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError, Mark

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Element = TypeVar("Element", bound=np.generic)
COMPARE: dict[str, Callable[..., Flags]] = {
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    ">=": np.greater_equal,
    ">": np.greater,
}
ARITHMETIC: dict[str, Callable[..., Floats]] = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
INTEGER: dict[str, Callable[..., Integers]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "//": np.floor_divide,
    "%": np.remainder,
}


def _sigmoid(x: Floats) -> Floats:
    small = np.exp(-np.abs(x))  # never overflows
    return np.where(x < 0, small, 1.0) / (1.0 + small)


FUNCTION: dict[str, Callable[..., Floats]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "max": np.maximum,
    "min": np.minimum,
}


@dataclass(frozen=True)
class Values:
    """A tensor: doubles, and which elements exist (None: all). Absent elements are 0."""

    array: Floats
    present: Flags | None = None


@dataclass(frozen=True)
class Condition:
    """What must hold for a point to exist: a flag over some of the coordinates, the others being axes of length 1."""

    coordinates: frozenset[str]
    flags: Flags


@dataclass
class Grid:
    """One line's coordinates as the axes of arrays that broadcast with each other.

    Attributes:
        ranges: the values of each coordinate; a single one for the coordinate along which a recurrence steps.
        tensors: what has been evaluated so far.
        conditions: those of the `where` and of split ranks, and one for every access that may be absent.
        outside: for each index that leaves its tensor, where it does so; an error if such a point exists.
    """

    shapes: Shapes
    einsum: Einsum
    ranges: Mapping[str, Integers]
    tensors: Mapping[str, Values]
    kind: DataType
    conditions: list[Condition] = field(default_factory=list)
    outside: list[tuple[Access | Lookup, Condition]] = field(default_factory=list)

    @property
    def axes(self) -> tuple[str, ...]:
        return self.einsum.coordinates

    def shape(self, names: Iterable[str]) -> tuple[int, ...]:
        """The shape of an array over some of the coordinates."""
        kept = set(names)
        return tuple(self.ranges[name].size if name in kept else 1 for name in self.axes)

    def point(self, flags: Flags) -> str:
        """The first point at which a flag is set, in words, without the coordinates over which it is reduced."""
        shown = [name for name, size in zip(self.axes, flags.shape, strict=True) if size == self.ranges[name].size]
        at = dict(zip(self.axes, np.argwhere(flags)[0], strict=True))
        kept = [name for name in shown if self.ranges[name].size > 1 or name not in self.einsum.reduced]
        return ", ".join(f"{name}={self.ranges[name][at[name]]}" for name in kept)

    def coordinate(self, name: str) -> Integers:
        return self.ranges[name].reshape(self.shape([name]))

    # Integers.

    def integers(self, expr: IndexExpr) -> Integers:
        """The value of an index expression at every point of its own coordinates."""
        match expr:
            case Int(value):
                return np.full(self.shape(()), value, dtype=np.int64)
            case Size(name):
                return np.full(self.shape(()), self.size(name), dtype=np.int64)
            case Coordinate(name):
                return self.coordinate(name)
            case IndexOp(op, left, right):
                return self.operation(op, self.integers(left), self.integers(right))
            case MapCall(name, argument, mark):
                return self.mapped(name, self.integers(argument), mark)
            case Lookup():
                return self.looked_up(expr)

    def size(self, name: str) -> int:
        """A parameter, else the size of the rank of that name."""
        return self.shapes.params[name] if name in self.shapes.params else self.shapes.sizes[name.lower()]

    def operation(self, op: str, left: Integers, right: Integers) -> Integers:
        if op in ("//", "%") and not right.all():
            raise AccelsimError(f"{self.einsum.name}: an index is divided by 0", self.einsum.mark)
        return INTEGER[op](left, right)

    def mapped(self, name: str, argument: Integers, mark: Mark) -> Integers:
        table = np.array(self.shapes.cascade.maps[name], dtype=np.int64)
        if argument.size and (argument.min() < 0 or argument.max() >= table.size):
            raise AccelsimError(f'{self.einsum.name}: an argument leaves map "{name}" of {table.size} entries', mark)
        return table[argument]

    def looked_up(self, lookup: Lookup) -> Integers:
        found = self.gathered(lookup)
        whole = np.rint(found)
        if not np.array_equal(whole, found):
            raise AccelsimError(f"{self.einsum.name}: index tensor {lookup.tensor} holds a fraction", lookup.mark)
        return whole.astype(np.int64)

    # Masks.

    def flags(self, predicate: Predicate) -> Flags:
        match predicate:
            case Test(op, left, right):
                return COMPARE[op](self.integers(left), self.integers(right))
            case Not(inner):
                return ~self.flags(inner)
            case And(parts):
                return reduce(np.logical_and, map(self.flags, parts))
        return reduce(np.logical_or, map(self.flags, predicate.parts))

    def where_parts(self) -> Iterator[Condition]:
        """What `where` says, one condition for each part of a conjunction."""
        pending = [self.einsum.where] if self.einsum.where else []
        while pending:
            part = pending.pop()
            if isinstance(part, And):
                pending += part.parts
            else:
                yield Condition(frozenset(coordinates(part)), self.flags(part))

    def split_ends(self) -> Iterator[Condition]:
        """Points past the end of a split rank do not exist."""
        for parent, (value, names) in self.split_values().items():
            flags = value < self.shapes.sizes[parent]
            if not flags.all():
                yield Condition(names, flags)

    def split_values(self) -> dict[str, tuple[Integers, frozenset[str]]]:
        """The coordinate of every split rank of which the line has both parts, which may be split themselves."""
        known = {name: (self.coordinate(name), frozenset([name])) for name in self.axes}
        found: dict[str, tuple[Integers, frozenset[str]]] = {}
        pending = {split.parent: split for split in self.shapes.cascade.splits.values()}
        while ready := [p for p, split in pending.items() if all(part in known for part in split.parts)]:
            for parent in ready:
                split = pending.pop(parent)
                (outer, first), (inner, second) = (known[part] for part in split.parts)
                found[parent] = known[parent] = (outer * self.integers(split.step) + inner, first | second)
        return found

    # Values.

    def floats(self, expr: Expr) -> Floats:
        """The value of an expression at every point of its own coordinates."""
        match expr:
            case Number(value):
                return np.full(self.shape(()), value)
            case Lowest():
                return np.full(self.shape(()), self.kind.lowest)
            case Access():
                return self.gathered(expr)
            case Negate(inner):
                return -self.floats(inner)
            case Call(function, arguments):
                return FUNCTION[function](*map(self.floats, arguments))
            case BinaryOp(op, left, right):
                return ARITHMETIC[op](self.floats(left), self.floats(right))
            case Compare(op, left, right):
                return COMPARE[op](self.floats(left), self.floats(right)).astype(np.float64)

    def gathered(self, access: Access | Lookup) -> Floats:
        """The elements that an access reads, over the coordinates in its indices; absent ones become a condition."""
        values = self.tensors[access.tensor]
        zeros: list[Flags] = []
        places = self.places(access, values.array.shape, zeros)
        if values.present is not None:
            present = self.taken(values.present, access, places)
            present = reduce(np.logical_or, zeros, present)
            self.conditions.append(Condition(frozenset(coordinates(access)), present))
        return reduce(lambda found, zero: np.where(zero, 0.0, found), zeros, self.taken(values.array, access, places))

    def places(
        self, access: Access | Lookup, shape: tuple[int, ...], zeros: list[Flags] | None = None
    ) -> list[Integers]:
        """Every index of an access, brought inside its dimension; `zeros` takes up where 0 is read instead."""
        found = []
        for index, size in zip(access.indices, shape, strict=True):
            at, outside = self.inside(index, size)
            if outside is not None and index.edge == "zero" and zeros is not None:
                zeros.append(outside)
            elif outside is not None:
                self.outside.append((access, Condition(frozenset(coordinates(access)), outside)))
            found.append(at)
        return found

    def inside(self, index: Index, size: int) -> tuple[Integers, Flags | None]:
        """An index brought inside a dimension, and where that needs a reason (None: nowhere)."""
        at = self.integers(index.expr)
        if at.min() >= 0 and at.max() < size:
            return at, None
        if index.edge == "wrap":
            return at % size, None
        clipped = np.clip(at, 0, size - 1)
        return clipped, None if index.edge == "clamp" else clipped != at

    def taken(self, array: NDArray[Element], access: Access | Lookup, places: list[Integers]) -> NDArray[Element]:
        """A view where every index is one number or a coordinate of its own, else a gather onto the indices' axes."""
        named = [
            index.expr.name if isinstance(index.expr, Coordinate) and _contiguous(at) else ""
            for index, at in zip(access.indices, places, strict=True)
        ]
        wide = [name for name, at in zip(named, places, strict=True) if at.size > 1]
        if "" in wide or len(set(wide)) < len(wide):
            return array[tuple(places)]
        inner = array[tuple(slice(at.flat[0], at.flat[-1] + 1) for at in places)]
        inner = inner.reshape([at.size for at in places if at.size > 1])
        return inner.transpose(sorted(range(len(wide)), key=lambda i: self.axes.index(wide[i]))).reshape(
            self.shape(wide)
        )


def _contiguous(at: Integers) -> bool:
    return bool(at.flat[-1] - at.flat[0] + 1 == at.size)
