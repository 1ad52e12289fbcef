"""The operators of a line, as SEMANTICS charges them per point, and how a unit's table of patterns covers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from accelsim.einsum.ast import FUNCTIONS, Access, BinaryOp, Call, Compare, Expr, Lowest, Negate, Number
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.text import render_expr
from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.yamlfile import Node

T = TypeVar("T")
Path = tuple[int, ...]
BINARY = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
REDUCING = {"sum": "add", "prod": "mul"}
OPERATORS = ("mac", *BINARY.values(), *FUNCTIONS, "neg", "cmp", "argmax", "argtopk", "argsort")
COMMUTING = ("add", "mul", "max", "min")
MAX_PATTERN = 8


@dataclass(frozen=True)
class Operator:
    """One operator of a line.

    Attributes:
        name: one of `OPERATORS`.
        expr: the expression that it computes; for one that comes from the reduction, the term that it takes in.
        path: way to `expr` in the line's expression, by the numbers of operands.
        reducing: whether it stands for (or, as a mac, holds) a step of the reduction; patterns do not match it.
    """

    name: str
    expr: Expr
    path: Path
    reducing: bool


def operators(einsum: Einsum) -> tuple[Operator, ...]:
    """The operators at one point of a line, those of the reduction first.

    Under a sum each term takes one addition: a product's last multiplication and it are one `mac`, for a bare term it
    is an `add` (a `sub` where the term is subtracted).
    """
    steps = tuple(_reducing(einsum))
    taken = {step.path for step in steps if step.name == "mac"}
    spine = _spine(einsum.expr) if einsum.reduction == "sum" else set()
    inner = (_operator(expr, path) for path, expr in _walk(einsum.expr) if path not in taken | spine)
    return (*steps, *(operator for operator in inner if operator))


def _reducing(einsum: Einsum) -> Iterator[Operator]:
    if einsum.reduction is None:
        return
    if einsum.reduction != "sum":
        yield Operator(REDUCING.get(einsum.reduction, einsum.reduction), einsum.expr, (), True)
        return
    for path, term, negative in _terms(einsum.expr):
        product = isinstance(term, BinaryOp) and term.op == "*"
        yield Operator("mac" if product else "sub" if negative else "add", term, path, True)


def _terms(expr: Expr) -> Iterator[tuple[Path, Expr, bool]]:
    """Path, expression and sign of the terms of a sum."""
    pending: list[tuple[Path, Expr, bool]] = [((), expr, False)]
    while pending:
        path, part, negative = pending.pop()
        if isinstance(part, BinaryOp) and part.op in "+-":
            pending.append(((*path, 1), part.right, negative != (part.op == "-")))
            pending.append(((*path, 0), part.left, negative))
        else:
            yield path, part, negative


def _spine(expr: Expr) -> set[Path]:
    """The paths of the additions between the terms of a sum."""
    return {path[:length] for path, _, _ in _terms(expr) for length in range(len(path))}


def operands(expr: Expr) -> tuple[Expr, ...]:
    """What an operator is applied to."""
    match expr:
        case BinaryOp(_, left, right) | Compare(_, left, right):
            return left, right
        case Negate(inner):
            return (inner,)
        case Call():
            return expr.arguments
    return ()


def _walk(expr: Expr) -> Iterator[tuple[Path, Expr]]:
    pending: list[tuple[Path, Expr]] = [((), expr)]
    while pending:
        path, part = pending.pop()
        yield path, part
        pending += [((*path, at), operand) for at, operand in enumerate(operands(part))][::-1]


def operator_name(expr: Expr) -> str | None:
    """The operator that stands at the root of an expression; a number with its sign has none."""
    match expr:
        case BinaryOp(op, _, _):
            return BINARY[op]
        case Call(function, _, _):
            return function
        case Compare():
            return "cmp"
        case Negate(inner):
            return None if isinstance(inner, Number | Lowest) else "neg"
    return None


def _operator(expr: Expr, path: Path) -> Operator | None:
    name = operator_name(expr)
    return Operator(name, expr, path, False) if name else None


# Tables: an operator's name, or a pattern in which single lower-case letters stand for any expression.


@lru_cache(maxsize=1024)
def parse_pattern(text: str) -> Expr | None:
    """The pattern that a key of a unit's table is, None where it is an operator's name.

    >>> parse_pattern("exp") is None, render_expr(parse_pattern("exp(a - b)"))
    (True, 'exp(a-b)')

    Raises:
        AccelsimError: neither an operator nor an expression of operators over single lower-case letters.
    """
    from accelsim.einsum.parse import parse_cascade

    if text in OPERATORS:
        return None
    if text.isidentifier():
        raise AccelsimError(f'no operator "{text}"{nearest(text, OPERATORS)}')
    line = f"X = {text}"
    try:
        statements = parse_cascade(Node(line, Mark("pattern", 1, 1), line))
    except AccelsimError as error:
        raise AccelsimError(f'not an operator or a pattern such as "exp(a-b)": "{text}": {error.message}') from None
    if len(statements) != 1 or statements[0].reduction or statements[0].where:
        raise AccelsimError(f'a pattern is one expression such as "exp(a-b)", got "{text}"')
    _check_pattern(statements[0].expr, text)
    return statements[0].expr


def _check_pattern(pattern: Expr, text: str) -> None:
    size = 0
    for _, part in _walk(pattern):
        size += operator_name(part) is not None
        if isinstance(part, Access) and not _is_wildcard(part):
            raise AccelsimError(
                f'operands of a pattern are single lower-case letters, got "{render_expr(part)}" in "{text}"'
            )
    if not 1 <= size <= MAX_PATTERN:
        raise AccelsimError(f'a pattern has 1 to {MAX_PATTERN} operators, got {size} in "{text}"')


def _is_wildcard(expr: Expr) -> bool:
    return isinstance(expr, Access) and not expr.indices and len(expr.tensor) == 1 and expr.tensor.islower()


@dataclass(frozen=True)
class _Match:
    """What a pattern's letters stand for, and the paths of the operators that it covers."""

    letters: Mapping[str, str]
    paths: frozenset[Path]


def match_cost(einsum: Einsum, table: Mapping[str, T]) -> list[tuple[T, int]]:
    """The entries of a unit's table that run a point of a line, with how often, in the order of the table.

    The match with the most operators wins, the outer of equal ones; every operator is covered once.

    Raises:
        AccelsimError: an operator without an entry; names the line, the operator and what the table has.
    """
    found = operators(einsum)
    covered: set[Path] = set()
    uses = dict.fromkeys(table, 0)
    for key, paths in _candidates(found, table):
        if not covered & paths:
            covered |= paths
            uses[key] += 1
    for operator in found:
        if operator.reducing or operator.path not in covered:
            if operator.name not in table:
                shown = render_expr(operator.expr)
                known = ", ".join(table) or "nothing"
                raise AccelsimError(
                    f'{einsum.name}: no entry for operator {operator.name} ("{shown}"); the table has {known}',
                    einsum.mark,
                )
            uses[operator.name] += 1
    return [(table[key], times) for key, times in uses.items() if times]


def _candidates(found: tuple[Operator, ...], table: Mapping[str, T]) -> list[tuple[str, frozenset[Path]]]:
    """Every way in which a pattern of the table covers operators, those that cover most first."""
    free = {operator.path: operator for operator in found if not operator.reducing}
    patterns = {key: pattern for key in table if (pattern := parse_pattern(key)) is not None}
    matches = [
        (key, match.paths)
        for operator in free.values()
        for key, pattern in patterns.items()
        for match in _matches(pattern, operator.expr, operator.path, _Match({}, frozenset()))
        if match.paths <= free.keys()
    ]
    return sorted(matches, key=lambda match: -len(match[1]))


def _matches(pattern: Expr, expr: Expr, path: Path, so_far: _Match) -> Iterator[_Match]:
    """The ways in which `pattern` is `expr`; operands of commuting operators are tried in both orders."""
    if isinstance(pattern, Access):
        shown = render_expr(expr)
        if so_far.letters.get(pattern.tensor, shown) == shown:
            yield _Match({**so_far.letters, pattern.tensor: shown}, so_far.paths)
        return
    name = operator_name(pattern)
    if name is None:
        if render_expr(pattern) == render_expr(expr):
            yield so_far
        return
    if name != operator_name(expr) or (isinstance(pattern, Compare) and pattern.op != getattr(expr, "op", None)):
        return
    inner = [(*path, at) for at in range(len(operands(expr)))]
    orders = [(0, 1), (1, 0)] if name in COMMUTING else [tuple(range(len(inner)))]
    for order in orders:
        partial = [_Match(so_far.letters, so_far.paths | {path})]
        for part, at in zip(operands(pattern), order, strict=True):
            partial = [m for known in partial for m in _matches(part, operands(expr)[at], inner[at], known)]
        yield from partial
