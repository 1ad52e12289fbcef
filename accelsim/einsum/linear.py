"""Index expressions and guards as linear forms, with or without sizes: `m1*M0+m0`; `i-1 >= 0` from `where i > 0`."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.einsum.affine import Affine
from accelsim.einsum.ast import And, IndexExpr, IndexOp, Int, Predicate, Size, Test
from accelsim.einsum.walk import walk

ONE = Affine(1)
MAX_GUARDS = 32


def linear(expr: IndexExpr, values: Mapping[str, int]) -> Affine:
    """`expr` as constant + sum(coefficient * atom).

    Args:
        values: upper-case names with their numbers; one that is not here stays an atom, as does all that is not linear.
    """
    constant, sums = 0, dict[IndexExpr, int]()
    stack = [(expr, 1)]
    while stack:
        item, factor = stack.pop()
        match item:
            case IndexOp("+" | "-" as op, left, right):
                stack += [(left, factor), (right, factor if op == "+" else -factor)]
            case _:
                part = _simple(item, values)
                constant += factor * part.constant
                for atom, coefficient in part.terms:
                    sums[atom] = sums.get(atom, 0) + factor * coefficient
    return Affine(constant, tuple((atom, coefficient) for atom, coefficient in sums.items() if coefficient))


def _simple(expr: IndexExpr, values: Mapping[str, int]) -> Affine:
    """The form of what is neither a sum nor a difference."""
    match expr:
        case Int(value):
            return Affine(value)
        case Size(name) if name in values:
            return Affine(values[name])
        case IndexOp("*", left, right):
            return _product(expr, linear(left, values), linear(right, values))
        case IndexOp():
            return _quotient(expr, values)
    return Affine(0, ((expr, 1),))


def _product(expr: IndexExpr, left: Affine, right: Affine) -> Affine:
    if not left.terms:
        return right.scaled(left.constant)
    return Affine(0, ((expr, 1),)) if right.terms else left.scaled(right.constant)


def _quotient(expr: IndexOp, values: Mapping[str, int]) -> Affine:
    """The number that `//` or `%` gives for numbers; anything else stays as it is."""
    if all(isinstance(item, Int | IndexOp) or (isinstance(item, Size) and item.name in values) for item in walk(expr)):
        left, right = linear(expr.left, values), linear(expr.right, values)
        if not left.terms and not right.terms and right.constant:
            whole, rest = divmod(left.constant, right.constant)
            return Affine(whole if expr.op == "//" else rest)
    return Affine(0, ((expr, 1),))


def guards(where: Predicate | None, values: Mapping[str, int]) -> tuple[Affine, ...]:
    """Forms that are >= 0 wherever `where` holds: its tests as far as it is a conjunction, MAX_GUARDS at most."""
    stack, found = [where] if where else [], list[Affine]()
    while stack:
        part = stack.pop()
        if isinstance(part, And):
            stack.extend(reversed(part.parts))
        elif isinstance(part, Test):
            found += _not_negative(part.op, linear(part.right, values) - linear(part.left, values))
    return tuple(found[:MAX_GUARDS])


def _not_negative(op: str, rise: Affine) -> tuple[Affine, ...]:
    """Forms that are >= 0 where `left op right` holds, given `rise` = right - left."""
    fall = rise.scaled(-1)
    return {"<": (rise - ONE,), "<=": (rise,), ">": (fall - ONE,), ">=": (fall,), "==": (rise, fall)}.get(op, ())
