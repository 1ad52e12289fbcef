"""Selections (`argmax`, `argtopk`, `argsort`): which coordinate counts what is selected, and where a result exists."""

from __future__ import annotations

from accelsim.einsum.ast import And, Coordinate, IndexExpr, IndexOp, Int, Or, Predicate, Test
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.linear import linear
from accelsim.einsum.walk import coordinates


def counting(einsum: Einsum) -> list[str]:
    """The coordinates that may count what is selected: on the left, not in the expression; one is right.

    A `where` may say how many there are (`where k < kept(l)`), so a coordinate that stands there counts only if no
    other can.
    """
    over = set(einsum.reduced)
    free = [name for name in coordinates(einsum.target) if name not in over.union(coordinates(einsum.expr))]
    outside = [name for name in free if name not in coordinates(einsum.where)]
    return outside or free


def searched(einsum: Einsum) -> tuple[str, ...]:
    """The coordinates over which a line works: of a selection those of its candidates, at each of which it looks once.

    How many it selects is not among them: an engine that finds the k largest of n costs what n ask for.
    """
    ranked = einsum.reduction in ("argtopk", "argsort") and counting(einsum)
    return tuple(name for name in einsum.coordinates if not ranked or name not in ranked)


def prefix(part: Predicate, over: str) -> bool:
    """Whether a condition holds at 0 .. n-1 of a coordinate and nowhere behind, whatever the others are.

    Then the k-th of the points that it leaves exists exactly if it holds at `k` in place of the coordinate.
    """
    if over not in coordinates(part):
        return True
    if isinstance(part, And | Or):
        return all(prefix(inner, over) for inner in part.parts)
    return isinstance(part, Test) and _falls(part, over)


def _falls(test: Test, over: str) -> bool:
    """Whether `left op right` can only cease to hold as the coordinate grows."""
    if test.op in ("<", "<="):
        return _slope(test.left, over) == 1 and _slope(test.right, over) == 0
    return test.op in (">", ">=") and _slope(test.left, over) == 0 and _slope(test.right, over) == 1


def _slope(expr: IndexExpr, over: str) -> int | None:
    """0: without the coordinate; 1: it only adds to the value; None: anything else."""
    if over not in coordinates(expr):
        return 0
    for atom, coefficient in linear(expr, {}).terms:
        if over in coordinates(atom) and (coefficient < 0 or not _rises(atom, over)):
            return None
    return 1


def _rises(atom: IndexExpr, over: str) -> bool:
    """Whether an atom of a linear form never falls as the coordinate grows."""
    if isinstance(atom, IndexOp) and atom.op == "//" and isinstance(atom.right, Int):
        return atom.right.value > 0 and _slope(atom.left, over) == 1
    return atom == Coordinate(over)
