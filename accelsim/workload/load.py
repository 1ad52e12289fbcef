"""From the name of a workload and overrides to a workload with every parameter bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from accelsim.errors import AccelsimError, nearest
from accelsim.overrides import apply_set, split_override
from accelsim.shipped import looks_like_path
from accelsim.workload.files import Choice, choose_file, main_forms, open_document, open_uses
from accelsim.workload.function import check_document, parameters, table
from accelsim.workload.model import Workload
from accelsim.workload.params import bind_parameters
from accelsim.yamlfile import Node

PREFIX = "workload."


def load_workload(name: str, overrides: Sequence[str] = ()) -> Workload:
    """The workload of that name, with its overrides.

    Args:
        name: a path, a shipped file, a preset, or a file or preset followed by `-` and a cascade.
        overrides: `B=4` (a parameter), `cascade=1pass`, or `workload.` and a dotted path.

    >>> load_workload("bert-1pass", ["L=1024"]).params["H"]
    12

    Raises:
        AccelsimError: an unknown name, a parameter that is missing or unknown, or a file that is not a workload.
    """
    choice = choose_file(name)
    document, sha256 = open_document(choice.path)
    document, preset_cascade = _with_preset(document, choice.preset)
    uses = open_uses(document)
    document, uses, asked = _overridden(document, uses, [split_override(text) for text in overrides])
    check_document(document)
    fields = document.mapping()
    return Workload(
        name=fields["name"].name() if looks_like_path(name) else name,
        path=str(choice.path),
        description=_text(fields, "description"),
        source=_text(fields, "source"),
        sha256=sha256,
        params=bind_parameters(parameters(fields), {}),
        cascade=_cascade(choice, preset_cascade, asked, main_forms(document, uses)),
        cascades=main_forms(document, uses),
        resolved=document,
        uses=uses,
    )


def parameter_names(name: str) -> tuple[str, ...]:
    """The names that `--set NAME=VALUE` may give for a workload, those of its cascades included."""
    choice = choose_file(name)
    document, _ = _with_preset(open_document(choice.path)[0], choice.preset)
    forms = [form for one in (document, *open_uses(document).values()) for form in _forms(one).values()]
    return tuple(dict.fromkeys([*_params(document), *(name for form in forms for name in _params(form))]))


def _with_preset(document: Node, name: str | None) -> tuple[Node, Node | None]:
    """The document with a preset merged in, and the cascade that the preset names."""
    fields = dict(document.mapping())
    presets = fields.pop("presets", None)
    if name is None or presets is None:
        return replace(document, value=fields), None
    preset = presets.mapping()[name].mapping()
    for key in ("params", "types", "maps", "statistics"):
        if key in preset:
            fields[key] = replace(preset[key], value={**table(fields, key), **preset[key].mapping()}).at_path(key)
    fields |= {key: preset[key] for key in ("description", "source") if key in preset}
    return replace(document, value=fields), preset.get("cascade")


def _overridden(
    document: Node, uses: dict[str, Node], overrides: Sequence[tuple[str, Node]]
) -> tuple[Node, dict[str, Node], Node | None]:
    """The documents after every override in turn, and the value of `cascade=..`."""
    asked = None
    for path, value in overrides:
        if path == "cascade":
            asked = value
        elif path.startswith(PREFIX):
            inner = path.removeprefix(PREFIX)
            document = apply_set(document, inner, value, create=not inner.startswith(("params.", "cascades.")))
        else:
            document, uses = _with_parameter(document, uses, path, value)
    return document, uses, asked


def _with_parameter(document: Node, uses: dict[str, Node], name: str, value: Node) -> tuple[Node, dict[str, Node]]:
    """The documents with a parameter given: one of the workload, else that of every cascade which has it."""
    if name in _params(document):
        return apply_set(document, f"params.{name}", value), uses
    changed = {key: _with_form_parameter(one, name, value) for key, one in {"": document, **uses}.items()}
    if changed == {"": document, **uses}:
        forms = [form for one in (document, *uses.values()) for form in _forms(one).values()]
        known = [*_params(document), *(key for form in forms for key in _params(form)), "cascade"]
        raise AccelsimError(f'no parameter "{name}"{nearest(name, known)}', value.mark)
    return changed.pop(""), changed


def _with_form_parameter(document: Node, name: str, value: Node) -> Node:
    for form, node in _forms(document).items():
        if name in _params(node):
            document = apply_set(document, f"cascades.{form}.params.{name}", value)
    return document


def _forms(document: Node) -> dict[str, Node]:
    return table(document.mapping(), "cascades")


def _params(node: Node) -> dict[str, Node]:
    return table(node.mapping(), "params")


def _cascade(choice: Choice, preset: Node | None, asked: Node | None, known: tuple[str, ...]) -> str | None:
    """The form that was asked for: by `--set`, by the name of the workload, or by its preset, in this order."""
    node = asked or (None if choice.cascade else preset)
    if node is None:
        return choice.cascade
    if node.string() not in known:
        raise AccelsimError(f'no cascade "{node.string()}"{nearest(node.string(), known)}', node.mark)
    return node.string()


def _text(fields: Mapping[str, Node], key: str) -> str:
    return " ".join(fields[key].string().split()) if key in fields else ""
