"""Tasks for processes of their own, in a module that costs nothing to import."""

from __future__ import annotations

import os
from pathlib import Path


def double(item: int) -> int:
    return 2 * item


def double_or_die(item: int) -> int:
    """Dies for 3 as a process dies that runs out of memory: without a word."""
    if item == 3:
        os._exit(9)
    return 2 * item


def die_once(path: Path) -> str:
    """Dies where the file is missing, and leaves it for the next try."""
    if path.name == "once" and not path.exists():
        path.touch()
        os._exit(9)
    return path.name


def die(*_: object) -> None:
    """A process that ends before it says that it has started."""
    os._exit(9)


def refuse_seven(item: int) -> int:
    if item == 7:
        raise ValueError("not seven")
    return item
