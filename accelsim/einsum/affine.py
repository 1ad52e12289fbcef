"""Index expressions in affine normal form: equal ones become equal, and the values they can take are bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import add, floordiv, mul, sub

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
    Size,
    Test,
)
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError, Mark, nearest

UNKNOWN = (-(1 << 80), 1 << 80)
NOWHERE = Mark("", 0, 0)
OPERATORS: dict[str, Callable[[int, int], int]] = {"+": add, "-": sub, "*": mul, "//": floordiv}
NEVER = Test("<", Int(0), Int(0))
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPPOSITE = {"<": ">=", ">=": "<", "<=": ">", ">": "<=", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Scope:
    """What names stand for: `values` of upper-case names, `sizes` of coordinates, tables of `maps`."""

    values: Mapping[str, int]
    sizes: Mapping[str, int]
    maps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Affine:
    """`constant + sum(coefficient * atom)`; an atom is a coordinate or a term that is not affine in coordinates."""

    constant: int
    terms: tuple[tuple[IndexExpr, int], ...] = ()

    def __add__(self, other: Affine) -> Affine:
        sums = dict(self.terms)
        for atom, coefficient in other.terms:
            sums[atom] = sums.get(atom, 0) + coefficient
        return Affine(self.constant + other.constant, _sorted(sums))

    def scaled(self, factor: int) -> Affine:
        if factor == 0:
            return Affine(0)
        return Affine(self.constant * factor, tuple((a, c * factor) for a, c in self.terms))

    def __sub__(self, other: Affine) -> Affine:
        return self + other.scaled(-1)


def _sorted(sums: Mapping[IndexExpr, int]) -> tuple[tuple[IndexExpr, int], ...]:
    return tuple(sorted(((a, c) for a, c in sums.items() if c), key=lambda term: repr(term[0])))


def normal(expr: IndexExpr, scope: Scope) -> Affine:
    """The affine normal form of `expr`; sizes become numbers, `//` and `%` by a number are reduced.

    Raises:
        AccelsimError: an unknown size, a divisor that may be zero or negative, an argument outside its map.
    """
    if isinstance(expr, Int):
        return Affine(expr.value)
    if isinstance(expr, Coordinate):
        return Affine(0) if scope.sizes.get(expr.name) == 1 else Affine(0, ((expr, 1),))
    if isinstance(expr, Size):
        if expr.name not in scope.values:
            raise AccelsimError(f'unknown size "{expr.name}"{nearest(expr.name, scope.values)}')
        return Affine(scope.values[expr.name])
    if isinstance(expr, MapCall):
        return _called(expr, scope)
    if isinstance(expr, Lookup):
        return Affine(0, ((expr, 1),))
    return _combined(expr.op, normal(expr.left, scope), normal(expr.right, scope), scope)


def _called(call: MapCall, scope: Scope) -> Affine:
    table, argument = scope.maps[call.name], normal(call.argument, scope)
    low, high = interval(argument, scope)
    if low < 0 or high >= len(table):
        raise AccelsimError(
            f"map {call.name} has {len(table)} entries; its argument must be from 0 to {len(table) - 1}, "
            f"got {low} to {high}",
            call.mark,
        )
    if not argument.terms:
        return Affine(table[argument.constant])
    return Affine(0, ((MapCall(call.name, expression(argument), NOWHERE), 1),))


def _combined(op: str, left: Affine, right: Affine, scope: Scope) -> Affine:
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        if not left.terms or not right.terms:
            return right.scaled(left.constant) if not left.terms else left.scaled(right.constant)
        factors = sorted((expression(left), expression(right)), key=repr)
        return Affine(0, ((IndexOp("*", *factors), 1),))
    return _divided(op, left, right, scope)


def _divided(op: str, left: Affine, right: Affine, scope: Scope) -> Affine:
    low = interval(right, scope)[0]
    if low < 1:
        raise AccelsimError(f"the right side of {op} must be positive, got {shown(right)} which may be {low}")
    if right.terms:
        return Affine(0, ((IndexOp(op, expression(left), expression(right)), 1),))
    step = right.constant
    whole = Affine(left.constant // step, tuple((a, c // step) for a, c in left.terms if c % step == 0))
    rest = Affine(left.constant % step, tuple((a, c) for a, c in left.terms if c % step))
    first, last = (end // step for end in interval(rest, scope))
    if first == last:
        return whole + Affine(first) if op == "//" else rest - Affine(first * step)
    atom = Affine(0, ((IndexOp(op, expression(rest), Int(step)), 1),))
    return whole + atom if op == "//" else atom


def interval(form: Affine, scope: Scope) -> tuple[int, int]:
    """The least and the greatest value that `form` may take (bounds; exact where each coordinate occurs once)."""
    low = high = form.constant
    for atom, coefficient in form.terms:
        ends = sorted(coefficient * end for end in bounds(atom, scope))
        low, high = low + ends[0], high + ends[1]
    return low, high


def bounds(expr: IndexExpr, scope: Scope) -> tuple[int, int]:
    """The least and the greatest value of an expression in normal form; the time is linear in its depth."""
    if isinstance(expr, Int):
        return expr.value, expr.value
    if isinstance(expr, Coordinate):
        return (0, scope.sizes[expr.name] - 1) if expr.name in scope.sizes else UNKNOWN
    if isinstance(expr, MapCall):
        return min(scope.maps[expr.name]), max(scope.maps[expr.name])
    if isinstance(expr, IndexOp):
        return _corners(expr.op, bounds(expr.left, scope), bounds(expr.right, scope))
    return UNKNOWN


def _corners(op: str, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    if op == "%":
        return 0, min(left[1], right[1] - 1) if left[0] >= 0 else right[1] - 1
    values = [OPERATORS[op](a, b) for a in left for b in right]
    return min(values), max(values)


def expression(form: Affine) -> IndexExpr:
    """The form as an expression again; equal forms give equal expressions."""
    result: IndexExpr | None = None
    for atom, coefficient in form.terms:
        term = atom if abs(coefficient) == 1 else IndexOp("*", Int(abs(coefficient)), atom)
        if result is None:
            result = term if coefficient > 0 else IndexOp("-", Int(0), term)
        else:
            result = IndexOp("+" if coefficient > 0 else "-", result, term)
    if result is None:
        return Int(form.constant)
    if form.constant == 0:
        return result
    return IndexOp("+" if form.constant > 0 else "-", result, Int(abs(form.constant)))


def shown(form: Affine) -> str:
    """The form as text for messages, atoms that are not affine shortened."""
    parts = [f"{c}*{a.name if isinstance(a, Coordinate) else '(..)'}" for a, c in form.terms]
    return " + ".join([*parts, str(form.constant)])


def simplify(predicate: Predicate, scope: Scope) -> Predicate | bool:
    """`predicate` with sizes as numbers, negations in the tests, and without duplicates and foregone tests."""
    return _simplified(predicate, scope, True)


def _simplified(predicate: Predicate, scope: Scope, positive: bool) -> Predicate | bool:
    if isinstance(predicate, Not):
        return _simplified(predicate.inner, scope, not positive)
    if isinstance(predicate, Test):
        return _decided(predicate.op if positive else OPPOSITE[predicate.op], predicate, scope)
    parts = (_simplified(part, scope, positive) for part in predicate.parts)
    return conjunction(parts) if isinstance(predicate, And) == positive else disjunction(parts)


def _decided(op: str, test: Test, scope: Scope) -> Predicate | bool:
    form = normal(test.left, scope) - normal(test.right, scope)
    low, high = interval(form, scope)
    always = {"<": high < 0, "<=": high <= 0, ">": low > 0, ">=": low >= 0, "==": low == high == 0}
    never = {"<": low >= 0, "<=": low > 0, ">": high <= 0, ">=": high < 0, "==": low > 0 or high < 0}
    if op == "!=":
        always, never = {op: never["=="]}, {op: always["=="]}
    if always[op] or never[op]:
        return always[op]
    return _written(op, form)


def _written(op: str, form: Affine) -> Test:
    """`form op 0` in the one way in which it is written: nothing negative, `<` and `<=` before `>` and `>=`."""
    left = Affine(max(form.constant, 0), tuple((a, c) for a, c in form.terms if c > 0))
    right = Affine(max(-form.constant, 0), tuple((a, -c) for a, c in form.terms if c < 0))
    swap = op in (">", ">=") if op in MIRRORED else repr(left) > repr(right)
    if not left.terms or (swap and right.terms):
        left, right, op = right, left, MIRRORED.get(op, op)
    return Test(op, expression(left), expression(right))


def conjunction(parts: Iterable[Predicate | bool]) -> Predicate | bool:
    """All of `parts`: flat, without duplicates and foregone parts."""
    return _joined(parts, And, True)


def disjunction(parts: Iterable[Predicate | bool]) -> Predicate | bool:
    """Any of `parts`: flat, without duplicates and foregone parts."""
    return _joined(parts, Or, False)


def _joined(parts: Iterable[Predicate | bool], kind: type[And] | type[Or], neutral: bool) -> Predicate | bool:
    kept: dict[Predicate, None] = {}
    for part in parts:
        if isinstance(part, bool):
            if part != neutral:
                return part
        else:
            kept.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    if len(kept) > 1:
        return kind(tuple(kept))
    return next(iter(kept), neutral)


def conjuncts(predicate: Predicate | bool) -> tuple[Predicate, ...]:
    """The parts that must all hold; True has none, False one that never does."""
    if isinstance(predicate, bool):
        return () if predicate else (NEVER,)
    pending, found = [predicate], []
    while pending:
        part = pending.pop()
        if isinstance(part, And):
            pending += part.parts[::-1]
        else:
            found.append(part)
    return tuple(found)


def mentioned(*items: Predicate | IndexExpr) -> tuple[str, ...]:
    """The names of the coordinates inside, sorted."""
    return tuple(sorted(coordinates(*items)))
