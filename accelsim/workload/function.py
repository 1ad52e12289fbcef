"""The algebra in a workload's document: declared tensors, ranks, parameters, and the forms of a function."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.schema import check_schema
from accelsim.yamlfile import Node

OWN = ("schema", "name", "description", "source")
TABLES = ("maps", "statistics")
FUNCTION_KEYS = ("name", "params", "types", *TABLES, "cascades", "einsums", "presets", "description", "source")
LAYER_KEYS = ("params", "types", "presets", "description", "source")
PRESET_KEYS = ("params", "cascade", "types", *TABLES, "source", "description")
PARAMETER = re.compile(r"[A-Z][A-Z0-9_]*")
SINGLE = "default"


@dataclass(frozen=True)
class Form:
    """One cascade of a function: its text (or one text per line), and what it declares beyond the function."""

    name: str
    einsums: tuple[Node, ...]
    params: Mapping[str, Node]
    ranks: Mapping[str, Node]
    types: Mapping[str, Node]


@dataclass(frozen=True)
class Function:
    """A function as declared, its texts not parsed and its tables not made yet.

    `params` and `ranks` hold expressions, None where not given.
    """

    name: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    params: Mapping[str, Node]
    ranks: Mapping[str, Node]
    types: Mapping[str, Node]
    maps: Mapping[str, Node]
    statistics: Mapping[str, Node]
    forms: Mapping[str, Form]
    mark: Mark

    def form(self, name: str | None, mark: Mark | None = None) -> Form:
        """The form of that name; the first of the file for None."""
        chosen = next(iter(self.forms)) if name is None else name
        if chosen not in self.forms:
            raise AccelsimError(f'no cascade "{chosen}" of {self.name}{nearest(chosen, self.forms)}', mark)
        return self.forms[chosen]


def is_layer(document: Node) -> bool:
    return "steps" in document.mapping()


def check_document(document: Node) -> None:
    """Refuse unknown and missing keys at the levels that every workload has."""
    check_schema(document, "workload")
    required = ("schema", "name", "steps") if is_layer(document) else ("schema", "name", "function", "ranks")
    fields = document.fields(required, LAYER_KEYS if is_layer(document) else FUNCTION_KEYS)
    for preset in table(fields, "presets").values():
        preset.fields(optional=PRESET_KEYS)
    parameters(fields)


def table(fields: Mapping[str, Node], key: str) -> dict[str, Node]:
    """The entries of an optional mapping."""
    return fields[key].mapping() if key in fields else {}


def parameters(fields: Mapping[str, Node]) -> dict[str, Node]:
    """The entries of `params:`, whose names must be upper case, as they are read inside brackets."""
    found = table(fields, "params")
    for name, node in found.items():
        if not PARAMETER.fullmatch(name):
            raise AccelsimError(f'{node.path}: a parameter must have an upper-case name, got "{name}"', node.mark)
    return found


def form_names(document: Node) -> tuple[str, ...]:
    """Names of the forms of a function's document; of a layer none."""
    fields = document.mapping()
    return tuple(table(fields, "cascades")) or ((SINGLE,) if "einsums" in fields else ())


def read_function(document: Node) -> Function:
    """The function that a checked document declares."""
    fields = document.mapping()
    own = fields["function"].fields(("inputs", "outputs"), ("name",))
    return _function(document, own, (own.get("name") or fields["name"]).name())


def read_inline(step: Node) -> Function:
    """The function that a step of a layer writes out itself."""
    fields = step.fields(
        ("name", "function", "inputs", "outputs", "ranks", "einsums"), ("types", *TABLES, "params", "tensors")
    )
    return _function(step, fields, fields["function"].name())


def _function(document: Node, signature: Mapping[str, Node], name: str) -> Function:
    fields = document.mapping()
    return Function(
        name=name,
        inputs=_tensors(signature["inputs"]),
        outputs=_tensors(signature["outputs"]),
        params=parameters(fields),
        ranks=_ranks(fields),
        types=table(fields, "types"),
        maps=table(fields, "maps"),
        statistics=table(fields, "statistics"),
        forms=_forms(document),
        mark=document.mark,
    )


def _tensors(node: Node) -> dict[str, tuple[str, ...]]:
    return {tensor: ranks.names() for tensor, ranks in node.mapping().items()}


def _forms(document: Node) -> dict[str, Form]:
    fields = document.mapping()
    if ("cascades" in fields) == ("einsums" in fields):
        raise document.error("must have one of the keys cascades and einsums")
    if "einsums" in fields:
        return {SINGLE: Form(SINGLE, _texts(fields["einsums"]), {}, {}, {})}
    forms = {name: _form(name, node) for name, node in fields["cascades"].mapping().items()}
    if not forms:
        raise fields["cascades"].expected("at least one cascade")
    return forms


def _form(name: str, node: Node) -> Form:
    fields = node.fields(("einsums",), ("params", "ranks", "types"))
    return Form(name, _texts(fields["einsums"]), parameters(fields), _ranks(fields), table(fields, "types"))


def _ranks(fields: Mapping[str, Node]) -> dict[str, Node]:
    found = table(fields, "ranks")
    for node in found.values():
        node.string()
    return found


def _texts(node: Node) -> tuple[Node, ...]:
    texts = node.value if isinstance(node.value, tuple) else (node,)
    for text in texts:
        text.string()
    return texts
