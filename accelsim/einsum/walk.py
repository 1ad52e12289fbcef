"""Walking over the language's values: what stands inside a line, its coordinates and its reads, without recursion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    Lookup,
    MapCall,
    Negate,
    Not,
    Or,
    Predicate,
    Test,
)

Item = Expr | Index | IndexExpr | Predicate


def children(item: Item) -> tuple[Item, ...]:
    """What stands directly inside, in the order written."""
    match item:
        case BinaryOp() | Compare() | IndexOp() | Test():
            return item.left, item.right
        case Access() | Lookup():
            return item.indices
        case And() | Or():
            return item.parts
        case Not() | Negate():
            return (item.inner,)
        case Call():
            return item.arguments
        case Index():
            return (item.expr,)
        case MapCall():
            return (item.argument,)
    return ()


def walk(*items: Item | None) -> Iterator[Item]:
    """The items and everything inside them, in the order written; None is skipped."""
    stack = [item for item in reversed(items) if item is not None]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(children(item)))


def coordinates(*items: Item | None) -> tuple[str, ...]:
    """The names of the coordinates inside, each once."""
    return unique(item.name for item in walk(*items) if isinstance(item, Coordinate))


def reads(*items: Item | None) -> tuple[Access, ...]:
    """The tensors read inside, index tensors as accesses too, in the order written."""
    return tuple(_access(item) for item in walk(*items) if isinstance(item, Access | Lookup))


def _access(item: Access | Lookup) -> Access:
    return item if isinstance(item, Access) else Access(item.tensor, item.indices, item.mark)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
