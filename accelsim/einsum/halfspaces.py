"""A predicate as a tree over half spaces, solved for the coordinate in which all of them are affine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.einsum.affine import Affine, Scope, mentioned, normal
from accelsim.einsum.ast import And, Coordinate, IndexOp, Int, Not, Or, Predicate
from accelsim.einsum.fold import KEEP, Fold

Axis = tuple[str, int, Fold]


@dataclass(frozen=True)
class HalfSpace:
    """`coefficient * v + rest <= 0`, v being the coordinate that is solved for."""

    coefficient: int
    rest: Affine


@dataclass(frozen=True)
class Tree:
    """All or any of the children: places in the list of half spaces, or trees."""

    every: bool
    children: tuple[int | Tree, ...]


def half_space_tree(predicate: Predicate, scope: Scope, forms: list[Affine]) -> Tree:
    """The tree of a predicate without negations; `forms` collects the tests as `form <= 0`."""
    if isinstance(predicate, And | Or):
        parts = tuple(half_space_tree(part, scope, forms) for part in predicate.parts)
        return Tree(isinstance(predicate, And), parts)
    if isinstance(predicate, Not):
        raise TypeError("a simplified predicate has no negation")
    start = len(forms)
    forms += _half_spaces(predicate.op, normal(predicate.left, scope) - normal(predicate.right, scope))
    return Tree(predicate.op != "!=", tuple(range(start, len(forms))))


def _half_spaces(op: str, form: Affine) -> list[Affine]:
    below, above, one = form, form.scaled(-1), Affine(1)
    table = {"<=": [below], "<": [below + one], ">=": [above], ">": [above + one]}
    table |= {"==": [below, above], "!=": [below + one, above + one]}
    return table[op]


def solve(axes: Sequence[Axis], forms: Sequence[Affine], scope: Scope) -> tuple[Axis, tuple[HalfSpace, ...]]:
    """The largest coordinate in which all `forms` are affine and whose fold keeps the order, else a dummy of size 1."""
    for axis in sorted(axes, key=lambda axis: -axis[1]):
        name, size, fold = axis
        halves = [_solve(form, name, scope) for form in forms] if fold.keeps_order(size) else [None]
        solved = [half for half in halves if half is not None]
        if len(solved) == len(halves):
            return axis, tuple(solved)
    return ("", 1, KEEP), tuple(HalfSpace(0, form) for form in forms)


def _solve(form: Affine, name: str, scope: Scope) -> HalfSpace | None:
    """`form <= 0` with `name` apart; `x//k + r <= 0` becomes `x + k*r - (k-1) <= 0`, its opposite `-x + k*r <= 0`."""
    inside = [(atom, c) for atom, c in form.terms if name in mentioned(atom)]
    rest = Affine(form.constant, tuple(term for term in form.terms if term not in inside))
    if not inside:
        return HalfSpace(0, rest)
    (atom, coefficient), *more = inside
    if more:
        return None
    if isinstance(atom, Coordinate):
        return HalfSpace(coefficient, rest)
    if not (isinstance(atom, IndexOp) and atom.op == "//" and isinstance(atom.right, Int) and abs(coefficient) == 1):
        return None
    step = atom.right.value
    slack = Affine(1 - step if coefficient == 1 else 0)
    return _solve(normal(atom.left, scope).scaled(coefficient) + rest.scaled(step) + slack, name, scope)
