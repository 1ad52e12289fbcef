"""TeAAL files, loaded unchanged: a file with a top-level `einsum:` becomes a document of our own schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from accelsim.errors import AccelsimError
from accelsim.schema import VERSION
from accelsim.workload.function import PARAMETER
from accelsim.yamlfile import Node

TOP = ("einsum", "mapping", "format", "architecture", "bindings")
ACCESS = re.compile(r"([A-Za-z_]\w*)\s*(?:\[([^\]]*)\])?")
UNSUPPORTED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
TYPE = "fp32"


def is_teaal(document: Node) -> bool:
    return isinstance(document.value, dict) and "einsum" in document.value and "schema" not in document.value


def from_teaal(document: Node, name: str) -> Node:
    """The same Einsums under our schema, named after the file.

    Ranks become lower case and every rank's size a parameter that must be given. What no expression defines is an
    input; what is defined and never read is an output. The format names no data types: elements are fp32 unless
    `--set workload.types.default=..` says otherwise. Mapping, format, architecture and bindings are left aside.

    Raises:
        AccelsimError: `take(..)`, or a section or a key that is not read yet.
    """
    _only(document, TOP, "")
    section = document.mapping()["einsum"]
    _only(section, ("declaration", "expressions"), "einsum.")
    fields = section.fields(("declaration", "expressions"))
    declared = {tensor: _ranks(ranks) for tensor, ranks in fields["declaration"].mapping().items()}
    expressions = fields["expressions"].sequence()
    inputs, outputs = _directions(expressions, declared)
    ranks = dict.fromkeys(rank for names in declared.values() for rank in names)

    def tensors(names: list[str]) -> Node:
        lower = {t: _list(fields["declaration"].mapping()[t]) for t in names}
        return replace(section, value=lower)

    entries = {
        "schema": _text(section, f"accelsim/workload/{VERSION}"),
        "name": _text(section, name),
        "source": _text(section, "a TeAAL file"),
        "function": replace(section, value={"inputs": tensors(inputs), "outputs": tensors(outputs)}),
        "params": replace(section, value={rank: replace(_text(section, ""), value=None) for rank in ranks}),
        "ranks": replace(section, value={rank.lower(): _text(section, rank) for rank in ranks}),
        "types": replace(section, value={"default": _text(section, TYPE)}),
        "einsums": fields["expressions"],
    }
    return replace(document, value={key: node.at_path(key) for key, node in entries.items()})


def _ranks(node: Node) -> tuple[str, ...]:
    for item in node.sequence():
        if not PARAMETER.fullmatch(item.name()):
            raise item.expected("a rank in upper case")
    return node.names()


def _only(node: Node, known: tuple[str, ...], path: str) -> None:
    for key, value in node.mapping().items():
        if key not in known:
            raise AccelsimError(f"not supported yet: {path}{key}", value.mark)


def _directions(expressions: tuple[Node, ...], declared: dict[str, tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """Tensors that are read and never defined, and tensors that are defined and never read, in the order declared."""
    defined, read = set(), set()
    for node in expressions:
        names = list(_tensors(node))
        defined.add(names[0])
        read |= set(names[1:])
        for name in names:
            if name not in declared:
                raise AccelsimError(f'tensor "{name}" is not declared', node.mark)
    inputs = [tensor for tensor in declared if tensor in read - defined]
    return inputs, [tensor for tensor in declared if tensor in defined - read]


def _tensors(node: Node) -> Iterator[str]:
    """Names of the tensors of one expression, the one that it defines first."""
    text = node.string()
    if called := UNSUPPORTED.search(text):
        raise AccelsimError(f"not supported yet: {called[1]}(..)", node.mark)
    for match in ACCESS.finditer(text):
        yield match[1]


def _text(near: Node, text: str) -> Node:
    return Node(text, near.mark, text)


def _list(ranks: Node) -> Node:
    lower = tuple(replace(item, value=item.text.lower(), text=item.text.lower()) for item in ranks.sequence())
    return replace(ranks, value=lower)
