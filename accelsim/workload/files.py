"""Which file, preset and cascade a name means, and the documents behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from accelsim.errors import AccelsimError, nearest
from accelsim.overrides import resolve_base
from accelsim.shipped import data_dir, find_file, looks_like_path, shipped_names
from accelsim.workload.function import check_document, form_names, is_layer, table
from accelsim.workload.teaal import from_teaal, is_teaal
from accelsim.yamlfile import Node, load_text, read_text

KIND = "workloads"


@dataclass(frozen=True)
class Choice:
    """What the name of a workload stands for."""

    path: Path
    preset: str | None = None
    cascade: str | None = None


def choose_file(name: str) -> Choice:
    """The file that `name` means: a path, a file's name, a preset, or either of the two followed by `-` and a cascade.

    Raises:
        AccelsimError: nothing of that name is shipped; the nearest of all such names is offered.
    """
    if looks_like_path(name):
        return Choice(Path(name))
    if name in shipped_names(KIND):
        return Choice(data_dir(KIND) / f"{name}.yaml")
    known = _known(_shipped())
    if name not in known:
        raise AccelsimError(f'no workload named "{name}"{nearest(name, known)}')
    return known[name]


def find_workloads() -> list[tuple[str, str]]:
    """Name and description of every shipped file and preset, each preset after its file."""
    found: list[tuple[str, str]] = []
    for name, document in _shipped().items():
        found.append((name, _described(document)))
        found += [(preset, _described(node)) for preset, node in table(document.mapping(), "presets").items()]
    return found


def open_document(path: Path) -> tuple[Node, str]:
    """The checked document of a file, its bases followed, and the SHA-256 of the file's text."""
    text = read_text(path)
    document = resolve_base(_read(path, text), _read_named)
    check_document(document)
    return document, hashlib.sha256(text.encode()).hexdigest()


def open_uses(document: Node) -> dict[str, Node]:
    """The documents of the functions that the steps of a layer use, by the name in `use:`."""
    found: dict[str, Node] = {}
    for step in document.mapping()["steps"].sequence() if is_layer(document) else ():
        use = step.mapping().get("use")
        if use is None or use.string() in found:
            continue
        used, _ = open_document(find_file(use.string(), KIND, "workload"))
        if is_layer(used):
            raise use.error(f'not supported yet: "{use.string()}" has steps itself')
        found[use.string()] = used
    return found


def main_forms(document: Node, uses: Mapping[str, Node]) -> tuple[str, ...]:
    """The cascades on offer: those of a function, or of the first step of a layer that has several."""
    offered = [form_names(used) for used in uses.values() if len(form_names(used)) > 1]
    return (offered[0] if offered else ()) if is_layer(document) else form_names(document)


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Node]:
    return {name: open_document(data_dir(KIND) / f"{name}.yaml")[0] for name in shipped_names(KIND)}


def _known(documents: Mapping[str, Node]) -> dict[str, Choice]:
    """Every name; where two mean different things a file goes before a preset, and that before a combination."""
    plain: dict[str, Choice] = {name: Choice(data_dir(KIND) / f"{name}.yaml") for name in documents}
    joined: dict[str, Choice] = {}
    for name, document in documents.items():
        for base, choice in _named(name, document):
            plain.setdefault(base, choice)
            for form in main_forms(document, {k: documents[k] for k in _used(document) if k in documents}):
                joined.setdefault(f"{base}-{form}", replace(choice, cascade=form))
    return joined | plain


def _named(name: str, document: Node) -> Iterator[tuple[str, Choice]]:
    path = data_dir(KIND) / f"{name}.yaml"
    yield name, Choice(path)
    for preset in table(document.mapping(), "presets"):
        yield preset, Choice(path, preset)


def _used(document: Node) -> list[str]:
    steps = document.mapping()["steps"].sequence() if is_layer(document) else ()
    return [step.mapping()["use"].text for step in steps if "use" in step.mapping()]


def _described(node: Node) -> str:
    fields = node.mapping()
    found = fields.get("description") or fields.get("source")
    return " ".join(found.string().split()) if found else ""


def _read_named(name: str) -> Node:
    path = find_file(name, KIND, "workload")
    return _read(path, read_text(path))


def _read(path: Path, text: str) -> Node:
    """One document as written, with paths in it made relative to where it lies and its function named."""
    document = load_text(text, str(path))
    if is_teaal(document):
        return from_teaal(document, path.stem)
    fields = dict(document.mapping())
    if "base" in fields:
        fields["base"] = _anchored(fields["base"], path)
    if "steps" in fields:
        steps = tuple(_anchored_step(step, path) for step in fields["steps"].sequence())
        fields["steps"] = replace(fields["steps"], value=steps)
    if "function" in fields and "name" in fields:
        own = fields["function"].mapping()
        fields["function"] = replace(fields["function"], value={"name": fields["name"], **own})
    return replace(document, value=fields)


def _anchored_step(step: Node, path: Path) -> Node:
    fields = step.mapping()
    return replace(step, value={**fields, "use": _anchored(fields["use"], path)}) if "use" in fields else step


def _anchored(node: Node, path: Path) -> Node:
    name = node.string()
    anchored = str(path.parent / name) if looks_like_path(name) else name
    return replace(node, value=anchored, text=anchored)
