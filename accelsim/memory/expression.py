"""Delays and addresses as expressions over named numbers: `nCL + nBL + 2 - nCWL`, `a // 32 % 4`."""

from __future__ import annotations

from collections.abc import Callable

from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Int, Size
from accelsim.einsum.parse import parse_index
from accelsim.yamlfile import Node

LARGEST = 1 << 31  # of a delay in clocks; sums of a few million stay below 2**62


def evaluate(node: Node, value_of: Callable[[str, Node], int]) -> int:
    """The number that an expression stands for, exactly.

    Args:
        value_of: a name's number; it raises for an unknown one, with the place of the expression.

    Raises:
        AccelsimError: not an expression of names and integers with + - * // %, a division by zero, or 2**31 or more.
    """
    value = _value(parse_index(node), node, value_of)
    if abs(value) >= LARGEST:
        raise node.error(f'"{node.text}" is {value}; less than 2**31 is supported')
    return value


def _value(expr: IndexExpr, node: Node, value_of: Callable[[str, Node], int]) -> int:
    match expr:
        case Int(value):
            return value
        case Coordinate(name) | Size(name):
            return value_of(name, node)
        case IndexOp(op, left, right):
            return _operated(op, _value(left, node, value_of), _value(right, node, value_of), node)
    raise node.expected("made of names and integers")


def _operated(op: str, left: int, right: int, node: Node) -> int:
    if op in ("//", "%") and right == 0:
        raise node.error(f'division by zero in "{node.text}"')
    if max(abs(left), abs(right)) >= LARGEST:
        raise node.error(f'a part of "{node.text}" is 2**31 or more')
    return {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "//": lambda: left // right,
        "%": lambda: left % right,
    }[op]()
