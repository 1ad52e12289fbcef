"""The numbers and conditions of a program: their value at coordinates, and what they can be over a box of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from math import prod

from accelsim.einsum.affine import Affine
from accelsim.einsum.ast import And, Coordinate, IndexExpr, IndexOp, Int, Lookup, Not, Predicate, Test
from accelsim.einsum.linear import linear
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.program.model import Draw, Table

Env = Mapping[str, int]
Ranges = Mapping[str, tuple[int, int]]
FAR = 1 << 80
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Values:
    """Evaluates with the tables of a program; `stretches` remembers where entries of a table stay the same."""

    tables: Mapping[str, Table | Draw]
    stretches: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict, compare=False)

    def at(self, expr: IndexExpr, env: Env) -> int:
        """The value at coordinates.

        Raises:
            AccelsimError: an index outside its table, a division by zero.
        """
        match expr:
            case Int(value):
                return value
            case Coordinate(name):
                return env[name]
            case IndexOp(op, left, right):
                return _applied(op, self.at(left, env), self.at(right, env))
            case Lookup():
                return self._looked_up(expr, tuple(self.at(index.expr, env) for index in expr.indices))
        raise AccelsimError(f"a program has no value for {type(expr).__name__}")

    def _looked_up(self, item: Lookup, key: tuple[int, ...]) -> int:
        table = self.tables[item.tensor]
        return drawn(table, key) if isinstance(table, Draw) else _entry(table, key)

    def holds(self, predicate: Predicate | None, env: Env) -> bool:
        """Whether a condition is true at coordinates; no condition is."""
        match predicate:
            case None:
                return True
            case Test(op, left, right):
                return _compared(op, self.at(left, env) - self.at(right, env))
            case Not(inner):
                return not self.holds(inner, env)
            case And(parts):
                return all(self.holds(part, env) for part in parts)
        return any(self.holds(part, env) for part in predicate.parts)

    def span(self, expr: IndexExpr, ranges: Ranges) -> tuple[int, int]:
        """Bounds of the values over a box; exact where each coordinate occurs once and nothing is looked up."""
        return self._form_span(form(expr), ranges)

    def _form_span(self, shape: Affine, ranges: Ranges) -> tuple[int, int]:
        low = high = shape.constant
        for atom, factor in shape.terms:
            a, b = self._atom_span(atom, ranges)
            low, high = low + min(factor * a, factor * b), high + max(factor * a, factor * b)
        return low, high

    def _atom_span(self, atom: IndexExpr, ranges: Ranges) -> tuple[int, int]:
        match atom:
            case Coordinate(name):
                return ranges.get(name, (0, FAR))
            case Lookup():
                return self._table_span(atom, ranges)
            case IndexOp(op, left, right):
                return _combined(op, self.span(left, ranges), self.span(right, ranges))
        return -FAR, FAR

    def _table_span(self, item: Lookup, ranges: Ranges) -> tuple[int, int]:
        spans = [self.span(index.expr, ranges) for index in item.indices]
        if all(low == high for low, high in spans):
            value = self._looked_up(item, tuple(low for low, _ in spans))
            return value, value
        table = self.tables[item.tensor]
        values = table.choices if isinstance(table, Draw) else table.values
        return min(values), max(values)

    def decide(self, predicate: Predicate | None, ranges: Ranges) -> bool | None:
        """Whether a condition is true or false all over a box; None where that is not certain."""
        match predicate:
            case None:
                return True
            case Test(op, left, right):
                return _decided(op, *self._form_span(difference(left, right), ranges))
            case Not(inner):
                found = self.decide(inner, ranges)
                return None if found is None else not found
        parts = [self.decide(part, ranges) for part in predicate.parts]
        neutral = isinstance(predicate, And)
        if any(part is not None and part != neutral for part in parts):
            return not neutral
        return None if None in parts else neutral

    def settled(self, predicate: Predicate | None, rank: str, ranges: Ranges) -> bool:
        """Whether moving along `rank` inside a box changes none of the tests of a condition."""
        match predicate:
            case None:
                return True
            case Test(op, left, right):
                shape = difference(left, right)
                if not depends(shape, rank) or _decided(op, *self._form_span(shape, ranges)) is not None:
                    return True
                return self.constant(left, rank, ranges) and self.constant(right, rank, ranges)
            case Not(inner):
                return self.settled(inner, rank, ranges)
        return all(self.settled(part, rank, ranges) for part in predicate.parts)

    def constant(self, expr: IndexExpr, rank: str, ranges: Ranges) -> bool:
        """Whether moving along `rank` inside a box certainly does not change a value."""
        match expr:
            case Int():
                return True
            case Coordinate(name):
                return name != rank or self.span(expr, ranges)[0] == self.span(expr, ranges)[1]
            case IndexOp(_, left, right):
                if self.constant(left, rank, ranges) and self.constant(right, rank, ranges):
                    return True
                low, high = self.span(expr, ranges)
                return low == high
            case Lookup():
                still = all(self.constant(index.expr, rank, ranges) for index in expr.indices)
                return still or self._is_level(expr, rank, ranges)
        return False

    def _is_level(self, item: Lookup, rank: str, ranges: Ranges) -> bool:
        """Whether the entries of a table that a box reaches stay the same along one of its coordinates."""
        table = self.tables[item.tensor]
        names = [index.expr.name if isinstance(index.expr, Coordinate) else "" for index in item.indices]
        if isinstance(table, Draw) or not all(names) or names.count(rank) != 1:
            return False
        axis = names.index(rank)
        spans = [ranges.get(name, (0, FAR)) for name in names]
        cut = [(max(0, low), min(high, size - 1)) for (low, high), size in zip(spans, table.shape, strict=True)]
        low, high = cut[axis]
        others = [range(a, b + 1) for at, (a, b) in enumerate(cut) if at != axis]
        if prod(map(len, others)) > MOST_ROWS:
            return False
        if (table.name, axis) not in self.stretches:
            self.stretches[table.name, axis] = _stretches(table, axis)
        ends = self.stretches[table.name, axis]
        strides = [prod(table.shape[at + 1 :]) for at in range(len(table.shape))]
        apart = [stride for at, stride in enumerate(strides) if at != axis]
        start = low * strides[axis]
        return all(
            ends[start + sum(c * stride for c, stride in zip(place, apart, strict=True))] >= high
            for place in product(*others)
        )


@lru_cache(maxsize=4096)
def form(expr: IndexExpr) -> Affine:
    """constant + sum(factor * atom), what is not affine being an atom."""
    return linear(expr, {})


@lru_cache(maxsize=4096)
def difference(left: IndexExpr, right: IndexExpr) -> Affine:
    """left - right in that form."""
    return form(left) - form(right)


def depends(shape: Affine, rank: str) -> bool:
    """Whether a form changes, or may change, along `rank`."""
    return any(rank in coordinates(atom) for atom, _ in shape.terms)


def _stretches(table: Table, axis: int) -> tuple[int, ...]:
    """For every entry the last coordinate along an axis up to which all entries equal it."""
    size, stride = table.shape[axis], prod(table.shape[axis + 1 :])
    ends = [0] * len(table.values)
    for at in reversed(range(len(table.values))):
        here = at // stride % size
        same = here + 1 < size and table.values[at + stride] == table.values[at]
        ends[at] = ends[at + stride] if same else here
    return tuple(ends)


def drawn(draw: Draw, key: tuple[int, ...]) -> int:
    """The draw at coordinates: the same whatever is executed before it."""
    text = f"{draw.seed}/{draw.name}/{','.join(map(str, key))}".encode()
    return draw.choices[int.from_bytes(blake2b(text, digest_size=8).digest(), "little") % len(draw.choices)]


def _entry(table: Table, key: tuple[int, ...]) -> int:
    if len(key) != len(table.shape) or any(not 0 <= k < n for k, n in zip(key, table.shape, strict=True)):
        raise AccelsimError(f"table {table.name} has the shape {list(table.shape)}; it has no entry {list(key)}")
    return table.values[sum(k * prod(table.shape[i + 1 :]) for i, k in enumerate(key))]


def _applied(op: str, left: int, right: int) -> int:
    if op in ("//", "%"):
        if right == 0:
            raise AccelsimError(f"division by zero: {left} {op} 0")
        return left // right if op == "//" else left % right
    return left * right if op == "*" else left + right if op == "+" else left - right


def _combined(op: str, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """Bounds of `left op right`; a divisor that may be below 1 tells nothing."""
    if op in ("//", "%") and right[0] < 1:
        return -FAR * FAR, FAR * FAR
    if op == "%":
        return (left[0], left[1]) if left[0] >= 0 and left[1] < right[0] else (0, right[1] - 1)
    corners = [_applied(op, a, b) for a in left for b in right]
    return min(corners), max(corners)


def _compared(op: str, rise: int) -> bool:
    return {"<": rise < 0, "<=": rise <= 0, "==": rise == 0, "!=": rise != 0, ">=": rise >= 0, ">": rise > 0}[op]


def _decided(op: str, low: int, high: int) -> bool | None:
    """What `rise op 0` is for every rise from low to high."""
    if op in ("==", "!="):
        same = True if low == high == 0 else False if low > 0 or high < 0 else None
        return same if op == "==" or same is None else not same
    ends = _compared(op, low), _compared(op, high)
    return ends[0] if ends[0] == ends[1] else None
