"""Parameters of a hardware unit from plain values by name, and back; parts are named as if in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from accelsim.errors import AccelsimError, nearest
from accelsim.formats import FixedFormat

T = TypeVar("T")


def to_plain(params: Any) -> dict[str, object]:
    """All parameters by name, numbers as they are and formats as texts."""
    found: dict[str, object] = {}
    for field in fields(params):
        value = getattr(params, field.name)
        if _has_parts(value):
            found.update(to_plain(value))
        else:
            found[field.name] = str(value) if isinstance(value, FixedFormat) else value
    return found


def from_plain(default: T, values: Mapping[str, object]) -> T:
    """The default with the parameters that `values` names changed.

    Raises:
        AccelsimError: led by the name: unknown, not an integer, no format, or refused by what it is part of.
    """
    known = to_plain(default)
    for name in values:
        if name not in known:
            raise AccelsimError(f"{name}: is no parameter{nearest(str(name), known)}")
    return _changed(default, values)


def _changed(default: T, values: Mapping[str, object]) -> T:
    changes: dict[str, object] = {}
    for field in fields(default):  # type: ignore[arg-type]
        old = getattr(default, field.name)
        if _has_parts(old):
            changes[field.name] = _changed(old, values)
        elif field.name in values:
            changes[field.name] = _read(field.name, values[field.name], old)
    return replace(default, **changes)  # type: ignore[type-var]


def _has_parts(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, FixedFormat)


def _read(name: str, value: object, old: object) -> object:
    if isinstance(old, FixedFormat):
        try:
            return FixedFormat.parse(str(value))
        except AccelsimError as error:
            raise AccelsimError(f"{name}: {error.message}; the default is {old}") from None
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise AccelsimError(f'{name}: must be an integer such as {old}, got "{text[:80]}"')
    return int(text)
