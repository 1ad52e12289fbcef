"""What an approximation stands for where nobody names it: the same workload as its file has it, nothing dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.workload import Workload
from accelsim.workload.files import open_document
from accelsim.workload.function import TABLES, is_layer, parameters, read_function
from accelsim.workload.params import bind_parameters
from accelsim.yamlfile import Node

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def exact_of(workload: Workload) -> Workload:
    """The workload with the tables of its file, and with its file's values of all parameters but sizes.

    A size is a parameter without a default, or one that the shape of an input or an output depends on. What a preset,
    `--set` or a sweep chose beside these is how much is dropped, and is taken back; data types stay.

    >>> from accelsim.workload import load_workload
    >>> pruned = load_workload("pruned-attention", ["LAYERS=4", "H=3", "M=16", "DROP0=500", "VKEEP=250"])
    >>> {name: exact_of(pruned).params[name] for name in ("M", "DROP0", "VKEEP")}
    {'M': 16, 'DROP0': 0, 'VKEEP': 1000}

    Raises:
        AccelsimError: a workload of several steps.
    """
    document = workload.resolved
    if is_layer(document):
        raise AccelsimError(f"{workload.name} has steps: name what is exact")
    own, original = document.mapping(), open_document(Path(workload.path))[0].mapping()
    sizes = _sizes(document)
    default = {name: node for name, node in parameters(original).items() if node.value is not None}
    params = {name: node if name in sizes else default.get(name, node) for name, node in parameters(own).items()}
    fields = {name: node for name, node in own.items() if name not in TABLES}
    fields |= {name: original[name] for name in TABLES if name in original}
    if params:
        fields["params"] = replace(own["params"], value=params)
    return replace(workload, resolved=replace(document, value=fields), params=bind_parameters(params, {}))


def _sizes(document: Node) -> set[str]:
    """The parameters that shapes of inputs and outputs depend on."""
    function = read_function(document)
    ranks = {rank for names in (*function.inputs.values(), *function.outputs.values()) for rank in names}
    found: set[str] = set()
    left = [name for rank in ranks for name in _named(function.ranks, rank)]
    while left:
        name = left.pop()
        if name in function.params and name not in found:
            found.add(name)
            left += _named(function.params, name)
        elif name not in function.params and name.lower() in function.ranks and name not in found:
            found.add(name)
            left += _named(function.ranks, name.lower())
    return found


def _named(nodes: Mapping[str, Node], name: str) -> list[str]:
    """The names in an expression: parameters, and ranks of which another has the size (`like i`)."""
    return NAME.findall(nodes[name].text) if name in nodes else []
