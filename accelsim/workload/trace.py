"""A column of a trace, a CSV file of integers: what was recorded of a run, checked line by line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.yamlfile import read_text


@dataclass(frozen=True)
class Trace:
    """Rows of integers by column, and the line of the file on which each row stands."""

    path: str
    columns: Mapping[str, tuple[int, ...]]
    lines: tuple[int, ...]

    def mark(self, row: int) -> Mark:
        return Mark(self.path, self.lines[row], 1)


@lru_cache(maxsize=8)
def read_trace(path: Path) -> Trace:
    """A trace: a header of names, then rows of integers that are not negative. Lines that begin with # are comments.

    Raises:
        AccelsimError: no such file, a column that stands twice, a row of another length, or an entry that is no
            integer or negative, with file and line.
    """
    rows = list(_rows(path))
    if not rows:
        raise AccelsimError("a trace needs a line with the names of its columns", Mark(str(path), 1, 1))
    line, names = rows[0]
    for at, name in enumerate(names):
        if not name or name in names[:at]:
            reason = f'column "{name}" stands twice' if name else f"column {at + 1} has no name"
            raise AccelsimError(reason, Mark(str(path), line, 1))
    entries = [_entries(names, row, Mark(str(path), number, 1)) for number, row in rows[1:]]
    columns = {name: tuple(row[at] for row in entries) for at, name in enumerate(names)}
    return Trace(str(path), columns, tuple(number for number, _ in rows[1:]))


def column(trace: Trace, name: str, most: str | None = None) -> tuple[int, ...]:
    """One column; no entry may be above that of the column `most` in the same row.

    Raises:
        AccelsimError: an unknown column, with the nearest, or an entry above its limit, with file and line.
    """
    for wanted in (name, *([most] if most else [])):
        if wanted not in trace.columns:
            raise AccelsimError(f'no column "{wanted}"{nearest(wanted, trace.columns)}', Mark(trace.path, 1, 1))
    values = trace.columns[name]
    for row, limit in enumerate(trace.columns[most] if most else ()):
        if values[row] > limit:
            raise AccelsimError(f"{name} is {values[row]}, above {most}, which is {limit}", trace.mark(row))
    return values


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, text in enumerate(read_text(path).splitlines(), 1):
        if text.strip() and not text.startswith("#"):
            yield number, [field.strip() for field in next(csv.reader([text]))]


def _entries(names: list[str], row: list[str], mark: Mark) -> list[int]:
    if len(row) != len(names):
        raise AccelsimError(f"expected {len(names)} entries ({', '.join(names)}), got {len(row)}", mark)
    return [_entry(name, text, mark) for name, text in zip(names, row, strict=True)]


def _entry(name: str, text: str, mark: Mark) -> int:
    if not text.removeprefix("-").isdecimal() or len(text) > 18:
        raise AccelsimError(f'{name} must be an integer, got "{text[:40]}"', mark)
    if int(text) < 0:
        raise AccelsimError(f"{name} must not be negative, got {text}", mark)
    return int(text)
