"""YAML to mapping, and the shipped mapping that an architecture and a function have by default."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from accelsim.arch import Arch
from accelsim.errors import AccelsimError
from accelsim.mapping.model import EXECUTION, Mapping
from accelsim.mapping.read import read_cases, read_plan
from accelsim.overrides import apply_set, resolve_base, split_override
from accelsim.schema import check_schema
from accelsim.shipped import data_dir, find_file, looks_like_path, shipped_names
from accelsim.yamlfile import Node, load_file, load_text

KIND = "arch_configs/mappings"


def load_mapping(name: str, overrides: Sequence[str] = ()) -> Mapping:
    """The mapping of a path or of a shipped file's name, with `path=value` overrides applied.

    Raises:
        AccelsimError: an unknown name, or a file that is not a mapping, with its place.
    """
    return _mapping(_document(find_file(name, KIND, "mapping")), overrides)


def parse_mapping(text: str, path: str) -> Mapping:
    """The mapping of a document that is not in a file; `path` is what errors call it.

    Raises:
        AccelsimError: it is not a mapping, with its place.
    """
    document = load_text(text, path)
    check_schema(document, "mapping")
    return _mapping((resolve_mapping(document, Path(path).parent), Path(path)), ())


def _document(path: Path) -> tuple[Node, Path]:
    document = load_file(path)
    check_schema(document, "mapping")
    return resolve_mapping(document, path.parent), path


def resolve_mapping(document: Node, folder: Path) -> Node:
    """The document with its `base:` followed: a shipped name, or a path beside the file that says it."""

    def load(name: str) -> Node:
        path = folder / name if looks_like_path(name) else find_file(name, KIND, "mapping")
        found = load_file(path)
        check_schema(found, "mapping")
        return found

    return resolve_base(document, load)


def _mapping(found: tuple[Node, Path], overrides: Sequence[str]) -> Mapping:
    document, path = found
    for text in overrides:
        where, value = split_override(text)
        place = where.removeprefix("mapping.")
        document = apply_set(document, place, value, create=place.rpartition(".")[2] in EXECUTION)
    entries = document.mapping()
    read_plan(document)
    target = entries["for"].fields(("arch", "function"), ("cascade", "default"))
    return Mapping(
        name=entries["name"].name(),
        description=" ".join(entries["description"].string().split()) if "description" in entries else "",
        source=" ".join(entries["source"].string().split()) if "source" in entries else "",
        path=str(path),
        sha256=hashlib.sha256(repr(document.plain()).encode()).hexdigest(),
        archs=_one_or_more(target["arch"]),
        functions=_one_or_more(target["function"]),
        cascade=target["cascade"].name() if "cascade" in target else None,
        default=target["default"].boolean() if "default" in target else False,
        cases=read_cases(document),
        document=document,
    )


def _one_or_more(node: Node) -> tuple[str, ...]:
    return node.names() if isinstance(node.value, tuple) else (node.name(),)


@lru_cache(maxsize=1)
def _shipped() -> tuple[Mapping, ...]:
    return tuple(_mapping(_document(data_dir(KIND) / f"{name}.yaml"), ()) for name in shipped_names(KIND))


def find_mappings() -> list[tuple[str, str]]:
    """Name and description of every shipped mapping."""
    return [(mapping.name, mapping.description) for mapping in _shipped()]


def mappings_for(arch: Arch, function: str, cascade: str | None = None) -> tuple[Mapping, ...]:
    """Shipped mappings of a function on an architecture or, failing that, on what it is based on; defaults first.

    Args:
        cascade: only mappings of this cascade; None: of any.
    """
    for name in arch.lineage:
        found = [
            m
            for m in _shipped()
            if name in m.archs and function in m.functions and (cascade is None or m.cascade in (None, cascade))
        ]
        if found:
            return tuple(sorted(found, key=lambda m: not m.default))
    return ()


def mappings_of(function: str, cascade: str | None = None) -> tuple[Mapping, ...]:
    """Every shipped mapping of a function, whatever architecture it was written for."""
    return tuple(m for m in _shipped() if function in m.functions and cascade in (None, m.cascade))


def default_mapping(arch: Arch, function: str, cascade: str | None = None) -> Mapping:
    """The mapping that is used where none is given.

    Raises:
        AccelsimError: nothing is shipped for it; what is shipped for the architecture is named.
    """
    found = mappings_for(arch, function, cascade)
    if found:
        return found[0]
    form = f"{function}-{cascade}" if cascade else function
    known = sorted({f"{f}-{m.cascade}" if m.cascade else f for m in _for_arch(arch) for f in m.functions})
    offered = f"; shipped for it: {', '.join(known)}" if known else ""
    raise AccelsimError(f"no mapping of {form} on {arch.name}{offered}; give one with --mapping FILE")


def _for_arch(arch: Arch) -> list[Mapping]:
    return [m for m in _shipped() if set(m.archs) & set(arch.lineage)]
