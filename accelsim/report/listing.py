"""Tables of the page: what a reader sees in a cell and what a column is sorted by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from accelsim.report.numbers import digits
from accelsim.report.rows import Row, Run
from accelsim.report.study import Study
from accelsim.report.tables import Cell, Table

NOTHING = "–"
MOST_ROWS = 2000  # more would make the page slow; CSV files have them all


@dataclass(frozen=True)
class Listed:
    """A cell: its text, and the number or text that it is sorted by."""

    text: str
    key: str
    number: bool


@dataclass(frozen=True)
class Listing:
    """A table of the page; `opened` says whether it is shown without being asked for."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Listed, ...], ...]
    opened: bool = False


def listed(cell: Cell) -> Listed:
    if cell is None:
        return Listed(NOTHING, "", False)
    if isinstance(cell, float):
        return Listed(digits(cell, 4), repr(cell), True)
    return Listed(str(cell), str(cell), isinstance(cell, int))


def listing(title: str, columns: Iterable[str], rows: Iterable[Sequence[Cell]], opened: bool = False) -> Listing:
    """A listing of rows of cells."""
    found = list(rows)
    shown = tuple(tuple(listed(cell) for cell in row) for row in found[:MOST_ROWS])
    title = title if len(found) <= MOST_ROWS else f"{title}, the first {MOST_ROWS} of {len(found)}"
    return Listing(title, tuple(column.replace("_", " ") for column in columns), shown, opened)


def listing_of(table: Table, title: str, opened: bool = False) -> Listing:
    return listing(title, table.columns, table.rows, opened)


def all_rows(study: Study) -> Listing:
    """Every row of the sweep with what it says in numbers."""
    keys = sorted({key for row in study.rows for key in row.settings})
    units = list(dict.fromkeys(unit for row in study.rows if row.run for unit in row.run.utilization))
    levels = list(dict.fromkeys(level for row in study.rows if row.run for level in row.run.bytes))
    used, moved = [f"utilisation {unit}" for unit in units], [f"{level}, bytes" for level in levels]
    columns = ("architecture", "workload", *keys, "seconds", "energy, pJ", *used, *moved, "bound by", "status")
    rows = (
        (row.arch, row.workload, *(_cell(row, k) for k in keys), *_numbers(row.run, units, levels), row.status)
        for row in study.rows
    )
    return listing(f"all {len(study.rows)} rows", columns, rows)


def _cell(row: Row, key: str) -> Cell:
    value = row.settings.get(key)
    return str(value).lower() if isinstance(value, bool) else value


def _numbers(run: Run | None, units: Sequence[str], levels: Sequence[str]) -> tuple[Cell, ...]:
    if not run:
        return (None,) * (3 + len(units) + len(levels))
    used = (run.utilization.get(unit) for unit in units)
    moved = (run.bytes.get(level) for level in levels)
    return (run.seconds, run.energy_pj, *used, *moved, run.bound_by or None)
