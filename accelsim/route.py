"""Which of workload, architecture and mapping a `--set path=value` is meant for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from accelsim.arch import Arch, load_arch
from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.mapping import load_mapping, mappings_for
from accelsim.mapping.model import EXECUTION
from accelsim.overrides import split_override
from accelsim.workload.files import choose_file, open_document
from accelsim.workload.load import parameter_names
from accelsim.yamlfile import Node

KINDS = ("arch", "workload", "mapping")
Names: TypeAlias = "str | Sequence[str] | None"
"""Mappings by name or path: one, several for different functions, or those that are shipped."""


@dataclass(frozen=True)
class Overrides:
    """`path=value` texts for each of the three documents."""

    arch: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    mapping: tuple[str, ...] = ()


def names_of(mapping: Names) -> tuple[str, ...]:
    return (mapping,) if isinstance(mapping, str) else tuple(mapping or ())


def route(arch: str, workload: str, mapping: Names, texts: Sequence[str]) -> Overrides:
    """Every override with its document.

    A path that begins with `arch.`, `workload.` or `mapping.` goes there. A bare key is a parameter of the workload, or
    the one key of that name in the architecture or the mapping.

    Raises:
        AccelsimError: a key that nothing has, with the nearest, or that several places have, with their paths, or a
            value of a mapping where several are given.
    """
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    names = names_of(mapping)
    for text in texts:
        path, _ = split_override(text)
        value = text.partition("=")[2]
        kind, dot, rest = path.partition(".")
        if path in (*parameter_names(workload), "cascade"):
            kind, rest = "workload", path
        elif kind not in KINDS or not dot:
            kind, rest = _only_place(path, arch, workload, names)
        elif kind == "workload":
            rest = path  # by its first word a place is told from a parameter
        if kind == "mapping" and len(names) > 1:
            raise AccelsimError(
                f'"{path}": {", ".join(names)} are given, and --set does not say which of them is meant: '
                "change its file",
                Mark("--set", 1, 1),
            )
        found[kind].append(f"{rest}={value}")
    return Overrides(*(tuple(found[kind]) for kind in KINDS))


def _only_place(key: str, arch: str, workload: str, mappings: Sequence[str]) -> tuple[str, str]:
    places = list(dict.fromkeys(_places(arch, workload, mappings)))
    hits = [(kind, path) for kind, path in places if path.rpartition(".")[2] == key or path == key]
    mark = Mark("--set", 1, 1)
    if len(hits) > 1:
        listed = ", ".join(f"{kind}.{path}" for kind, path in hits[:6])
        raise AccelsimError(f'"{key}" is ambiguous: {listed}', mark)
    if not hits:
        known = [*parameter_names(workload), "cascade", *(path.rpartition(".")[2] for _, path in places)]
        raise AccelsimError(f'nothing is named "{key}"{nearest(key, known)}', mark)
    return hits[0]


def _places(arch: str, workload: str, mappings: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every key of the architecture and of the mappings, as dotted paths."""
    loaded = load_arch(arch)
    yield from (("arch", path) for path in _paths(loaded.resolved))
    own = () if mappings else (_default_plan(loaded, workload),)
    for plan in (*(load_mapping(name).document for name in mappings), *own):
        if plan is not None:
            yield from (("mapping", path) for path in (*_paths(plan), *_unsaid(plan)))


def _default_plan(arch: Arch, workload: str) -> Node | None:
    """The document of the mapping that would be taken; None where nothing is shipped for the workload's function."""
    document, _ = open_document(choose_file(workload).path)
    found = mappings_for(arch, document.mapping()["name"].text)
    return found[0].document if found else None


def _unsaid(plan: Node) -> Iterator[str]:
    """What a group of a mapping may say about its execution and does not."""
    groups = plan.mapping().get("groups")
    for group in groups.sequence() if groups else ():
        said = group.mapping()
        if "name" in said:
            yield from (f"groups.{said['name'].text}.{key}" for key in EXECUTION if key not in said)


def _paths(node: Node, prefix: str = "") -> Iterator[str]:
    entries: list[tuple[str, Node]] = []
    if isinstance(node.value, dict):
        entries = list(node.value.items())
    elif isinstance(node.value, tuple):
        named = [(item, item.value.get("name")) for item in node.value if isinstance(item.value, dict)]
        entries = [(name.text, item) for item, name in named if name]
    for key, inner in entries:
        path = f"{prefix}.{key}" if prefix else key
        yield path
        yield from _paths(inner, path)
