"""The one exception family: what was found, where, what was expected, and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

LONGEST = 1000


@dataclass(frozen=True)
class Mark:
    """A place in a text: `source` is a path or `--set`, `line` and `column` count from 1."""

    source: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


class AccelsimError(Exception):
    """A request that cannot be met. `str(error)` is one line, led by the place when it is known."""

    def __init__(self, message: str, mark: Mark | None = None) -> None:
        self.message = one_line(message)
        self.mark = mark
        super().__init__(one_line(f"{mark}: {self.message}") if mark else self.message)


class CheckFailedError(AccelsimError):
    """A check that was run to its end and failed: exit status 1 rather than 2."""


def one_line(text: str) -> str:
    """`text` on one printable line of bounded length: what came from a file cannot break a terminal."""
    words = " ".join(text[: 2 * LONGEST].split())
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return shown if len(shown) <= LONGEST else shown[:LONGEST] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` for the closest of `known`, else the list of a few of them, else nothing.

    >>> nearest("fusemx", ["fusemax", "flat"])
    '; did you mean "fusemax"?'
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f'; did you mean "{close[0]}"?'
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}"
