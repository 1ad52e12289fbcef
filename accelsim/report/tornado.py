"""The tornado of what-if questions: what every resource doubled and halved does to time and to energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.numbers import digits, plain
from accelsim.report.style import COLOURS, GREY, Picture, drawn, grid_on, new_figure, save
from accelsim.report.tables import Cell, Table, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ("resource", "factor", "speedup", "energy_ratio")
TITLES = {"speedup": "speed-up", "energy_ratio": "energy, relative to the design"}
FINE = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4, 1.6)
COARSE = tuple(2.0**p for p in range(-10, 11))
HEIGHT = 0.38  # of a bar, where resources stand one apart


def tornado_table(changes: Sequence[Mapping[str, Cell]]) -> Table:
    """The changes, the resource that matters most for time first."""
    spans: dict[str, float] = {}
    for change in changes:
        name = str(change["resource"])
        spans[name] = max(spans.get(name, 0.0), *(_distance(change.get(c)) for c in COLUMNS[2:]))
    ordered = sorted(changes, key=lambda change: -spans[str(change["resource"])])
    return table_of(COLUMNS, ([change.get(column) for column in COLUMNS] for change in ordered))


def _distance(ratio: Cell) -> float:
    """How far a ratio is from one, either way."""
    from math import log2

    return abs(log2(ratio)) if isinstance(ratio, int | float) and ratio > 0 else 0.0


def draw_tornado(table: Table) -> Figure:
    """Two panels of bars to both sides of one on a log2 axis; a pair of bars per resource."""
    names, factors = table.texts("resource"), sorted(set(table.numbers("factor")))
    known = [column for column in COLUMNS[2:] if table.numbers(column)]
    figure = new_figure(1.8 + 3.6 * len(known), 0.9 + 0.36 * len(names))
    axes = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    for ax, column in zip(axes, known, strict=True):
        for i, factor in enumerate(factors):
            values = table.where(factor=factor).lookup(column, "resource")
            places = [place + (i - (len(factors) - 1) / 2) * HEIGHT for place in range(len(names))]
            _bars(ax, places, [values.get((name,)) for name in names], i, f"x {factor:g}")
        _log2_around_one(ax, table.numbers(column))
        ax.set_xlabel(TITLES[column])
    axes[0].set_yticks(range(len(names)), [plain(name) for name in names])
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _bars(axes: Axes, places: Sequence[float], values: Sequence[float | None], index: int, label: str) -> None:
    widths = [(value or 1.0) - 1.0 for value in values]
    hatch = "////" if index else ""
    axes.barh(
        places, widths, HEIGHT * 0.92, left=1.0, color=COLOURS[index], hatch=hatch, edgecolor="white", label=label
    )
    for place, value in zip(places, values, strict=True):
        if value is not None:
            right = value >= 1.0
            axes.annotate(digits(value), (value, place), (3 if right else -3, 0), textcoords="offset points",
                          ha="left" if right else "right", va="center", fontsize=7)  # fmt: skip


def _log2_around_one(axes: Axes, numbers: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator

    reach = max(1.15, *(max(n, 1 / n) for n in numbers if n > 0)) ** 1.35
    axes.set_xscale("log", base=2)
    axes.set_xlim(1 / reach, reach)
    ticks = [t for t in (FINE if reach < 2 else COARSE) if 1 / reach <= t <= reach]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.axvline(1.0, color=GREY, linewidth=1.4)
    grid_on(axes, "x")


def tornado(changes: Sequence[Mapping[str, Cell]]) -> Picture:
    """The picture of a list of changes, each with resource, factor, speedup and energy_ratio (None: not known)."""
    if not changes:
        raise AccelsimError("nothing to draw: no resource was changed")
    table = tornado_table(changes)
    alt = "What doubling and halving each resource does to time and energy, the most influential resource first."
    return Picture("whatif", table, drawn(lambda: draw_tornado(table)), alt)


def write_tornado(changes: Sequence[Mapping[str, Cell]], folder: Path) -> list[Path]:
    """Draw the changes into whatif.png, whatif.svg and whatif.csv of a folder; the paths written."""
    return save(tornado(changes), folder)
