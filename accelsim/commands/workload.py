"""A workload file checked completely: every cascade parsed and resolved, and bound to sizes where it has them all."""

from __future__ import annotations

from accelsim.einsum.parse import parse_cascade
from accelsim.einsum.resolve import Declarations, resolve
from accelsim.workload.build import steps
from accelsim.workload.files import choose_file, main_forms, open_document, open_uses
from accelsim.workload.function import Form, Function, is_layer, parameters, read_function, read_inline
from accelsim.workload.load import load_workload
from accelsim.yamlfile import Node


def check_workload(path: str) -> int:
    """The number of cascades in a workload file. Raises AccelsimError for the first thing that is wrong."""
    document, _ = open_document(choose_file(path).path)
    written, used = _functions(document)
    outer = frozenset(parameters(document.mapping()))
    for function in (*written, *used):
        for form in function.forms.values():
            _check_form(function, form, outer if function in written else frozenset())
    if all(node.value is not None for node in parameters(document.mapping()).values()):
        for form_name in main_forms(document, open_uses(document)) or (None,):
            steps(load_workload(path, [f"cascade={form_name}"] if form_name else []))
    return sum(len(function.forms) for function in (*written, *used))


def _functions(document: Node) -> tuple[list[Function], list[Function]]:
    """The functions that a file writes out, which know its parameters, and those that its steps use."""
    if not is_layer(document):
        return [read_function(document)], []
    written = [step for step in document.mapping()["steps"].sequence() if "use" not in step.mapping()]
    return [*map(read_inline, written)], [*map(read_function, open_uses(document).values())]


def _check_form(function: Function, form: Form, outer: frozenset[str]) -> None:
    """`outer`: parameters that the function knows beside its own."""
    statements = tuple(statement for text in form.einsums for statement in parse_cascade(text))
    ranks, params = {**function.ranks, **form.ranks}, outer.union(function.params, form.params)
    maps: dict[str, tuple[int, ...]] = dict.fromkeys(function.maps, ())
    resolve(statements, Declarations(function.inputs, function.outputs, ranks, params, maps, function.mark))
