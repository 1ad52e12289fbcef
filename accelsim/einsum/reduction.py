"""What a line reduces: the ranks that `over` names, or the sum that is implied where only one reading makes sense."""

from __future__ import annotations

from accelsim.einsum.ast import Access, BinaryOp, Call, Expr, Negate, Reduction, Statement
from accelsim.einsum.text import render_expr
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError, nearest


def reduction_of(statement: Statement, kept: tuple[str, ...], reduced: tuple[str, ...]) -> Reduction | None:
    """The operator of a line.

    Args:
        kept: the coordinates of the left side.
        reduced: the other coordinates of the line.

    Raises:
        AccelsimError: `over` names other ranks, or a sum is implied that has two readings.
    """
    if statement.over:
        _check_over(statement, kept, reduced)
        return statement.reduction
    if not reduced:
        return None
    terms = [term for _, term in _terms(statement.expr)]
    if not all(_is_product(term, reduced) and set(coordinates(term)).issuperset(reduced) for term in terms):
        names = ", ".join(reduced)
        whole = f"sum({render_expr(statement.expr)}) over {names}"
        raise AccelsimError(
            f'the sum over {names} has two readings: "{whole}" and "{_apart(statement.expr, reduced)}"; '
            'say "over", or use a line for each',
            statement.mark,
        )
    return "sum"


def _check_over(statement: Statement, kept: tuple[str, ...], reduced: tuple[str, ...]) -> None:
    over, mark = statement.over, statement.mark
    for name in over:
        if name not in kept and name not in reduced:
            raise AccelsimError(f'"over" names "{name}", which is not in the line{nearest(name, reduced)}', mark)
    if sorted(over) != sorted(reduced):
        missing = ", ".join(reduced) or "none"
        raise AccelsimError(f'"over" names {", ".join(over)}; the ranks missing on the left are {missing}', mark)
    if statement.reduction in ("argmax", "argtopk", "argsort") and len(over) != 1:
        raise AccelsimError(f"{statement.reduction} goes over one rank, got {', '.join(over)}", mark)


def _terms(expr: Expr) -> list[tuple[str, Expr]]:
    """The signs and terms of a sum, in the order written."""
    found: list[tuple[str, Expr]] = []
    while isinstance(expr, BinaryOp) and expr.op in "+-":
        found.append((expr.op, expr.right))
        expr = expr.left
    return [("+", expr), *reversed(found)]


def _is_product(term: Expr, reduced: tuple[str, ...]) -> bool:
    """Is the term a product, or a quotient by what stays? Then its sum has one reading."""
    match term:
        case Access() | BinaryOp("*", _, _):
            return True
        case Negate(inner):
            return _is_product(inner, reduced)
        case BinaryOp("/", left, right):
            return _is_product(left, reduced) and not set(coordinates(right)) & set(reduced)
    return False


def _apart(expr: Expr, reduced: tuple[str, ...]) -> str:
    """The reading in which each term is summed by itself."""
    shown = [f"{sign} {_inside(term, reduced)}" for sign, term in _terms(expr)]
    return " ".join(shown).removeprefix("+ ")


def _inside(term: Expr, reduced: tuple[str, ...]) -> str:
    if isinstance(term, Call):
        return f"{term.function}({', '.join(_summed(argument, reduced) for argument in term.arguments)})"
    if isinstance(term, BinaryOp) and term.op == "/":
        return f"{_summed(term.left, reduced)}/{_summed(term.right, reduced)}"
    return _summed(term, reduced)


def _summed(expr: Expr, reduced: tuple[str, ...]) -> str:
    inside = [name for name in reduced if name in coordinates(expr)]
    return f"(sum({render_expr(expr)}) over {', '.join(inside)})" if inside else render_expr(expr)
