"""The plotted numbers: a table that is drawn, written as CSV and shown in the page, always the same one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Named columns and rows of cells; None is a number that is missing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> str:
        """The table as CSV with a header; floats with all their digits, nothing for a missing number."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(
            [repr(c) if isinstance(c, float) else "" if c is None else c for c in row] for row in self.rows
        )
        return text.getvalue()

    def values(self, column: str) -> list[Cell]:
        place = self.columns.index(column)
        return [row[place] for row in self.rows]

    def texts(self, column: str) -> list[str]:
        """The different values of a column as texts, in order of appearance."""
        return list(dict.fromkeys(self.texts_of(column)))

    def texts_of(self, column: str) -> list[str]:
        """The values of a column as texts, one per row."""
        return [str(value) for value in self.values(column)]

    def numbers(self, column: str) -> list[float]:
        """The numbers of a column that are there."""
        return [float(value) for value in self.values(column) if isinstance(value, int | float)]

    def where(self, **wanted: Cell) -> Table:
        """The rows that hold the wanted values."""
        places = {self.columns.index(name): value for name, value in wanted.items()}
        return Table(self.columns, tuple(r for r in self.rows if all(r[i] == v for i, v in places.items())))

    def lookup(self, value: str, *keys: str) -> dict[tuple[Cell, ...], float]:
        """Keys to the number in column `value`; rows without that number are left out."""
        places, at = [self.columns.index(key) for key in keys], self.columns.index(value)
        found = ((tuple(row[i] for i in places), row[at]) for row in self.rows)
        return {key: float(number) for key, number in found if isinstance(number, int | float)}


def table_of(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    return Table(tuple(columns), tuple(tuple(row) for row in rows))
