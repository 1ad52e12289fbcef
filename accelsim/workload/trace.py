"""A column of a trace, a CSV file of integers: what was recorded of a run, checked line by line."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.yamlfile import read_text


@dataclass(frozen=True)
class Trace:
    """Rows of integers by column.

    Attributes:
        sha256: of the text of the file at `path`.
        header: the line of the file with the names of the columns.
        lines: the line on which each row stands.
    """

    path: str
    sha256: str
    header: int
    columns: Mapping[str, tuple[int, ...]]
    lines: tuple[int, ...]

    def mark(self, line: int) -> Mark:
        return Mark(self.path, line, 1)


def read_trace(path: Path) -> Trace:
    """A trace: a header of names, then rows of integers that are not negative. Lines that begin with # are comments.

    Raises:
        AccelsimError: no such file, a column that stands twice, no rows, a row of another length, or an entry that is
            no integer or negative, with file and line.
    """
    return _parsed(str(path), read_text(path))


@lru_cache(maxsize=8)
def _parsed(path: str, text: str) -> Trace:
    """Memoised by the text: a file that changes is another trace."""
    rows = list(_rows(path, text))
    if not rows:
        raise AccelsimError("a trace needs a line with the names of its columns", Mark(path, 1, 1))
    line, names = rows[0]
    for at, name in enumerate(names):
        if not name or name in names[:at]:
            reason = f'column "{name}" stands twice' if name else f"column {at + 1} has no name"
            raise AccelsimError(reason, Mark(path, line, 1))
    if not rows[1:]:
        raise AccelsimError(
            f"a trace needs rows below the names of its columns ({', '.join(names)})", Mark(path, line, 1)
        )
    entries = [_entries(names, row, Mark(path, number, 1)) for number, row in rows[1:]]
    columns = {name: tuple(row[at] for row in entries) for at, name in enumerate(names)}
    return Trace(
        path, hashlib.sha256(text.encode()).hexdigest(), line, columns, tuple(number for number, _ in rows[1:])
    )


def column(
    trace: Trace, name: str, most: Sequence[str] = (), params: Mapping[str, int] = MappingProxyType({})
) -> tuple[int, ...]:
    """One column, whose entries are at most what `most` names.

    Args:
        most: other columns, each a limit in the same row, or parameters, each a limit in all rows.
        params: value of each parameter.

    Raises:
        AccelsimError: an unknown column, with the nearest, or an entry above a limit, with file and line.
    """
    for wanted in (name, *most):
        if wanted not in trace.columns and (wanted == name or wanted not in params):
            raise AccelsimError(f'no column "{wanted}"{nearest(wanted, trace.columns)}', trace.mark(trace.header))
    values = trace.columns[name]
    for limited_by in most:
        limits = trace.columns.get(limited_by) or (params[limited_by],) * len(values)
        for value, limit, line in zip(values, limits, trace.lines, strict=True):
            if value > limit:
                raise AccelsimError(f"{name} is {value}, above {limited_by}, which is {limit}", trace.mark(line))
    return values


def _rows(path: str, text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                yield number, [field.strip() for field in next(csv.reader([line]))]
            except csv.Error as error:
                raise AccelsimError(f"is not a line of a CSV file: {error}", Mark(path, number, 1)) from None


def _entries(names: list[str], row: list[str], mark: Mark) -> list[int]:
    if len(row) != len(names):
        raise AccelsimError(f"expected {len(names)} entries ({', '.join(names)}), got {len(row)}", mark)
    return [_entry(name, text, mark) for name, text in zip(names, row, strict=True)]


def _entry(name: str, text: str, mark: Mark) -> int:
    if not (text.isascii() and text.removeprefix("-").isdecimal()) or len(text) > 18:
        raise AccelsimError(f'{name} must be an integer, got "{text[:40]}"', mark)
    if int(text) < 0:
        raise AccelsimError(f"{name} must not be negative, got {text}", mark)
    return int(text)
