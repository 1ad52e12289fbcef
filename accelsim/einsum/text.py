"""From the language's values back to its text, with as few brackets as it needs: parsing gives the same value."""

from __future__ import annotations

from collections.abc import Iterable
from math import isinf

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
    Or,
    Predicate,
    Size,
    Statement,
    Test,
)
from accelsim.einsum.cascade import Einsum

STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2}


def render_einsum(line: Einsum | Statement) -> str:
    """A line of the language; an implied sum is written out.

    >>> from accelsim.einsum.parse import parse_cascade
    >>> from accelsim.yamlfile import load_text
    >>> render_einsum(parse_cascade(load_text("Z[p] = sum(A[p,k] * B[k]) over k where k<=p", "example"))[0])
    'Z[p] = sum(A[p,k]*B[k]) over k where k <= p'
    """
    over = line.over if isinstance(line, Statement) else line.reduced
    value = render_expr(line.expr)
    if line.reduction and over:
        value = f"{line.reduction}({value}) over {', '.join(over)}"
    where = f" where {render_predicate(line.where)}" if line.where else ""
    otherwise = f" else {render_expr(line.otherwise)}" if line.otherwise else ""
    return f"{render_expr(line.target)} = {value}{where}{otherwise}"


def render_expr(expr: Expr) -> str:
    """A value: `exp(QK[b,m,p]-GM[b,p])`."""
    match expr:
        case Number(value):
            return "inf" if isinf(value) else repr(value).removesuffix(".0")
        case Lowest():
            return "lowest"
        case Access():
            return f"{expr.tensor}{_indices(expr.indices)}" if expr.indices else expr.tensor
        case Call():
            return f"{expr.function}({','.join(render_expr(argument) for argument in expr.arguments)})"
        case Negate(inner):
            return f"-{_enclosed(render_expr(inner), isinstance(inner, BinaryOp))}"
        case Compare(op, left, right):
            return f"({render_expr(left)}{op}{render_expr(right)})"
        case BinaryOp(op, left, right):
            before = _enclosed(render_expr(left), _strength(left) < STRENGTH[op])
            return f"{before}{op}{_enclosed(render_expr(right), _strength(right) <= STRENGTH[op])}"


def render_index(expr: IndexExpr) -> str:
    """An index or a size: `m1*M0+m0`."""
    match expr:
        case Int(value):
            return str(value)
        case Coordinate(name) | Size(name):
            return name
        case MapCall():
            return f"{expr.name}({render_index(expr.argument)})"
        case Lookup():
            return f"{expr.tensor}{_indices(expr.indices)}"
        case IndexOp(op, left, right):
            before = _enclosed(render_index(left), _strength(left) < STRENGTH[op])
            return f"{before}{op}{_enclosed(render_index(right), _strength(right) <= STRENGTH[op])}"


def render_predicate(predicate: Predicate) -> str:
    """A condition: `m1*M0+m0 <= p and m > 0`."""
    match predicate:
        case Test(op, left, right):
            return f"{render_index(left)} {op} {render_index(right)}"
        case Not(inner):
            return f"not {_enclosed(render_predicate(inner), isinstance(inner, And | Or))}"
        case And(parts):
            return " and ".join(_enclosed(render_predicate(part), isinstance(part, And | Or)) for part in parts)
        case Or(parts):
            return " or ".join(_enclosed(render_predicate(part), isinstance(part, Or)) for part in parts)


def _indices(indices: Iterable[Index]) -> str:
    shown = (
        f"{render_index(index.expr)} {index.edge}" if index.edge else render_index(index.expr) for index in indices
    )
    return f"[{','.join(shown)}]"


def _strength(expr: Expr | IndexExpr) -> int:
    return STRENGTH[expr.op] if isinstance(expr, BinaryOp | IndexOp) else 3


def _enclosed(text: str, needed: bool) -> str:
    return f"({text})" if needed else text
