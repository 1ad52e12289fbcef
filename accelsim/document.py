"""The document behind a name: its file, bases followed, overrides applied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from accelsim.overrides import apply_set, resolve_base, split_override
from accelsim.schema import check_schema
from accelsim.shipped import find_file, looks_like_path
from accelsim.yamlfile import Node, load_file


def resolved_document(name: str, folder: str, kind: str, noun: str, overrides: Sequence[str] = ()) -> Node:
    """The file of a path or of a shipped name, its base followed and `path=value` texts applied.

    Args:
        folder: of the shipped files; a base that is a path is taken from where the file lies.
        kind: of its schema, which a path of an override may begin with.
        noun: what an error calls it.

    Raises:
        AccelsimError: an unknown name, a file of another kind, a base or a path that is not there.
    """
    path = find_file(name, folder, noun)
    document = resolve_base(_read(path, kind), partial(_base, path.parent, folder, kind, noun))
    for text in overrides:
        where, value = split_override(text)
        document = apply_set(document, where.removeprefix(f"{kind}."), value)
    return document


def _base(beside: Path, folder: str, kind: str, noun: str, name: str) -> Node:
    return _read(beside / name if looks_like_path(name) else find_file(name, folder, noun), kind)


def _read(path: Path, kind: str) -> Node:
    document = load_file(path)
    check_schema(document, kind)
    return document
