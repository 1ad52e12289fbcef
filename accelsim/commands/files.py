"""What verbs write: JSON without NaN, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from accelsim.errors import AccelsimError


def write_text(path: Path, text: str) -> None:
    """Write a text, its folder made where it is missing. Raises AccelsimError where that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AccelsimError(f"{path}: {error.strerror}") from None


def json_text(document: Mapping[str, object]) -> str:
    """One JSON document. Raises ValueError for NaN and infinity, which JSON does not have."""
    return json.dumps(document, allow_nan=False, indent=2)
