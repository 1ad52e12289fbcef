"""Parameters: integers, or expressions over other parameters, bound in the order that their dependencies allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from accelsim.einsum.ast import IndexExpr, IndexOp, Int, Size
from accelsim.errors import AccelsimError, nearest
from accelsim.yamlfile import Node


def bind_parameters(params: Mapping[str, Node], outer: Mapping[str, int], path: str = "") -> dict[str, int]:
    """The value of every parameter, in the order declared.

    Args:
        params: name to an integer or an expression over the names of `params` and of `outer`.
        outer: values that are known already; they also replace expressions of the same name.
        path: what stands before the name of a parameter in `--set`.

    Raises:
        AccelsimError: a parameter without a value, an unknown name, expressions that depend on each other.
    """
    expressions = {name: _expression(f"{path}{name}", node) for name, node in params.items() if name not in outer}
    for name, expression in expressions.items():
        _check_names(params[name], expression, [*params, *outer])
    values = dict(outer)
    for name in _ordered(expressions, params):
        values[name] = _value(params[name], expressions[name], values)
    return {name: values[name] for name in params}


def evaluate_parameter(node: Node, values: Mapping[str, int]) -> int:
    """The value of one expression, such as `B*L` given to a step."""
    expression = _expression(f"workload.{node.path}", node)
    _check_names(node, expression, list(values))
    return _value(node, expression, values)


def _check_names(node: Node, expression: IndexExpr, known: list[str]) -> None:
    for name in _names(expression):
        if name not in known:
            raise AccelsimError(f'{node.path}: no parameter "{name}"{nearest(name, known)}', node.mark)


def _value(node: Node, expression: IndexExpr, values: Mapping[str, int]) -> int:
    from accelsim.einsum.sizes import integer_value

    try:
        return integer_value(expression, values)
    except AccelsimError as error:
        raise node.error(error.message) from None


def _expression(setting: str, node: Node) -> IndexExpr:
    if node.value is None:
        name = setting.rpartition(".")[2]
        raise AccelsimError(f"parameter {name} must be given: --set {setting}=VALUE", node.mark)
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return Int(node.value)
    if not isinstance(node.value, str):
        raise node.expected("an integer or an expression over parameters")
    from accelsim.einsum.parse import parse_index

    return parse_index(node)


def _names(expression: IndexExpr) -> Iterator[str]:
    pending = [expression]
    while pending:
        match pending.pop():
            case Size(name):
                yield name
            case IndexOp(_, left, right):
                pending += [left, right]


def _ordered(expressions: Mapping[str, IndexExpr], params: Mapping[str, Node]) -> list[str]:
    graph = {name: {n for n in _names(e) if n in expressions} for name, e in expressions.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        cycle = error.args[1]
        raise params[cycle[0]].error(f"depends on itself: {' -> '.join(reversed(cycle))}") from None
