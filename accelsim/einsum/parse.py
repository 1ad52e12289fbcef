"""From the text of a cascade to statements, every place exact and every refusal one line in human words."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from accelsim.einsum.ast import (
    REDUCTIONS,
    Access,
    And,
    BinaryOp,
    Call,
    Compare,
    Coordinate,
    Edge,
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
    Reduction,
    Size,
    Statement,
    Test,
)
from accelsim.einsum.syntax import Refusal, branches, syntax_tree
from accelsim.errors import AccelsimError, Mark
from accelsim.yamlfile import Node

if TYPE_CHECKING:
    from accelsim.einsum.syntax import Branch


def parse_cascade(node: Node) -> tuple[Statement, ...]:
    """The lines of a cascade.

    Args:
        node: a scalar; a literal block keeps every place exact, other scalars those of their first line.

    Raises:
        AccelsimError: not the language of SEMANTICS section 1, empty, too long or too deeply nested.
    """
    node.string()
    return _statements(node)


@lru_cache(maxsize=256)
def _statements(node: Node) -> tuple[Statement, ...]:
    tree, place = _parse(node, "cascade")
    if not tree.children:
        raise node.expected("the lines of a cascade")
    return tuple(_Reader(place).statement(branch) for branch in branches(tree))


def parse_index(node: Node) -> IndexExpr:
    """A size expression such as `B*L`, `(L + 255) // 256` or `64`. Raises AccelsimError as `parse_cascade` does."""
    if isinstance(node.value, int) and not isinstance(node.value, bool) and node.value >= 0:
        return Int(node.value)
    if node.value is None or isinstance(node.value, bool | tuple | dict) or not node.text.strip():
        raise node.expected("a size such as 64 or B*L")
    return _index(node)


@lru_cache(maxsize=1024)
def _index(node: Node) -> IndexExpr:
    tree, place = _parse(node, "affine")
    return _Reader(place).index_expr(tree)


class _Place:
    """Where lines and columns of a node's text lie in its file."""

    def __init__(self, node: Node) -> None:
        self.source, self.first, self.indent = node.mark.source, node.mark.line, node.indent
        if node.literal:
            self.first, self.start = node.mark.line + 1, node.indent
        else:
            self.start = node.mark.column - 1 + int(node.quoted)

    def mark(self, line: int, column: int) -> Mark:
        offset = self.start if line == 1 else self.indent
        return Mark(self.source, self.first + line - 1, offset + column)


def _parse(node: Node, start: str) -> tuple[Branch, _Place]:
    place = _Place(node)
    try:
        return syntax_tree(node.text, start), place
    except Refusal as refusal:
        raise AccelsimError(refusal.message, place.mark(refusal.line, refusal.column)) from None


class _Reader:
    """Turns the parser's tree into the language's own values; `place` gives them their marks."""

    def __init__(self, place: _Place) -> None:
        self.place = place

    def mark(self, tree: Branch) -> Mark:
        return self.place.mark(tree.meta.line, tree.meta.column)

    def statement(self, tree: Branch) -> Statement:
        target, expr, *rest = branches(tree)
        clauses = {branch.data: branch for branch in rest}
        over = tuple(str(name) for name in clauses["over"].children) if "over" in clauses else ()
        where, otherwise = None, None
        if "where" in clauses:
            condition, *last = branches(clauses["where"])
            where = self.predicate(condition)
            otherwise = self.expr(branches(last[0])[0]) if last else None
        value = self.expr(expr)
        reduction, value = _reduction(value, self.mark(expr)) if over else (None, value)
        return Statement(self.access(target), value, reduction, over, where, otherwise, self.mark(target))

    def access(self, tree: Branch) -> Access:
        return Access(str(tree.children[0]), self.indices(tree), self.mark(tree))

    def indices(self, tree: Branch) -> tuple[Index, ...]:
        return tuple(self.index(branch) for branch in branches(tree))

    def index(self, tree: Branch) -> Index:
        edge = cast("Edge", str(tree.children[1])) if len(tree.children) > 1 else None
        return Index(self.index_expr(branches(tree)[0]), edge, self.mark(tree))

    def expr(self, tree: Branch) -> Expr:
        inner, first = branches(tree), str(tree.children[0]) if tree.children else ""
        match tree.data:
            case "number":
                return Number(float(first))
            case "infinity":
                return Number(float("inf"))
            case "lowest":
                return Lowest()
            case "negate":
                return Negate(self.expr(inner[0]))
            case "call":
                return Call(first, tuple(self.expr(branch) for branch in inner), self.mark(tree))
            case "access":
                return self.access(tree)
        left, right = self.expr(inner[0]), self.expr(inner[1])
        op = str(tree.children[1])
        return Compare(op, left, right) if tree.data == "compare" else BinaryOp(op, left, right)

    def index_expr(self, tree: Branch) -> IndexExpr:
        inner, first = branches(tree), str(tree.children[0])
        match tree.data:
            case "integer":
                return Int(int(first))
            case "name":
                return Coordinate(first) if first[0].islower() else Size(first)
            case "negate":
                return IndexOp("-", Int(0), self.index_expr(inner[0]))
            case "map":
                return MapCall(first, self.index_expr(inner[0]), self.mark(tree))
            case "lookup":
                return Lookup(first, self.indices(tree), self.mark(tree))
        return IndexOp(str(tree.children[1]), self.index_expr(inner[0]), self.index_expr(inner[1]))

    def predicate(self, tree: Branch) -> Predicate:
        inner = branches(tree)
        match tree.data:
            case "comparison":
                return Test(str(tree.children[1]), self.index_expr(inner[0]), self.index_expr(inner[1]))
            case "complement":
                return Not(self.predicate(inner[0]))
        parts = tuple(self.predicate(branch) for branch in inner)
        return And(parts) if tree.data == "conjunction" else Or(parts)


def _reduction(value: Expr, mark: Mark) -> tuple[Reduction, Expr]:
    """The reduction that `over` asks for: the outermost call, with exactly one argument."""
    if not isinstance(value, Call) or value.function not in REDUCTIONS:
        found = f'"{value.function}"' if isinstance(value, Call) else "none"
        raise AccelsimError(
            f'"over" needs a reduction around the right side ({", ".join(REDUCTIONS)}), got {found}', mark
        )
    if len(value.arguments) != 1:
        raise AccelsimError(f'{value.function} with "over" takes one argument, got {len(value.arguments)}', mark)
    return value.function, value.arguments[0]
