"""Small tables of text: CSV files of this package to rows, and rows to aligned lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Cell = str | float | None


@dataclass(frozen=True)
class Table:
    """Numbers side by side under a title; None is a number that does not exist."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        lines = aligned(self.head, [[_text(cell) for cell in row] for row in self.rows])
        return "\n".join([self.title, *lines, *self.notes])

    def to_json(self) -> dict[str, object]:
        rows = [list(row) for row in self.rows]
        return {"title": self.title, "head": list(self.head), "rows": rows, "notes": list(self.notes)}


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file whose first lines, which begin with `#`, say where it comes from."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(_rows(file)))


def _rows(lines: Iterator[str]) -> Iterator[str]:
    return (line for line in lines if not line.startswith("#"))


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns one below the other; only what holds a number stands to the right.

    >>> aligned(("a", "b"), [("long", "1"), ("x", "10")])
    ['a      b', 'long   1', 'x     10']
    """
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    right = [all(_is_number(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(_cells(row, widths, right)).rstrip() for row in (head, *rows)]


def _cells(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    for cell, width, number in zip(row, widths, right, strict=True):
        yield cell.rjust(width) if number else cell.ljust(width)


def _is_number(text: str) -> bool:
    return text == "-" or text[:1] in "+-0123456789"


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else "-" if cell is None else f"{cell:.5g}"
