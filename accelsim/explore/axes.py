"""The axes of a sweep: each a list of choices, a choice being one value, or several that move together (`zip:`)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from accelsim.errors import AccelsimError
from accelsim.yamlfile import Node

Choice = dict[str, str]
ZIP = "zip"
REQUIRED = ("arch", "workload")


@dataclass(frozen=True)
class Axis:
    """`choices` are path to value; all choices of an axis have the same paths."""

    choices: tuple[Choice, ...]


Block = tuple[Axis, ...]


def read_block(node: Node) -> Block:
    """The axes of one block in the order written.

    Raises:
        AccelsimError: no arch or no workload, an axis without values, a path on two axes, a zip of unequal lengths.
    """
    entries = node.mapping()
    block = tuple(_zipped(item) if path == ZIP else _axis(path, item) for path, item in entries.items())
    paths = [path for axis in block for path in axis.choices[0]]
    for path in paths:
        if paths.count(path) > 1:
            raise node.error(f'"{path}" is on two axes')
    for path in REQUIRED:
        if path not in paths:
            raise node.error(f'missing axis "{path}"')
    return block


def _axis(path: str, node: Node) -> Axis:
    return Axis(tuple({path: value} for value in _values(path, node)))


def _zipped(node: Node) -> Axis:
    columns = {path: _values(path, item) for path, item in node.mapping().items()}
    if not columns:
        raise node.expected("at least one axis")
    lengths = {path: len(values) for path, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{path} {length}" for path, length in lengths.items())
        raise node.error(f"axes that move together need equally many values, got {shown}")
    return Axis(tuple(dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)))


def _values(path: str, node: Node) -> tuple[str, ...]:
    values = tuple(value_text(path, item) for item in node.sequence())
    if not values:
        raise node.expected("at least one value")
    return values


def value_text(path: str, node: Node) -> str:
    """The text of a value as `--set` takes it."""
    if isinstance(node.value, tuple | dict):
        raise node.expected("one value")
    if path in REQUIRED:
        return node.string()
    if node.value is None:
        return "null"
    if "\n" in node.text:
        raise AccelsimError(f"{node.path}: must be on one line", node.mark)
    return json.dumps(node.text, ensure_ascii=False) if node.quoted else node.text
