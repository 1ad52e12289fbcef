"""The Pareto front of a search for mappings: a panel for each pair of objectives, a colour for each form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import ceil, floor, log2, log10
from typing import TYPE_CHECKING

from accelsim.explore.pareto import front
from accelsim.report.designs import in_order
from accelsim.report.lines import MOST_KEYS
from accelsim.report.numbers import SI, iec, plain
from accelsim.report.style import GREY, Paint, Picture, drawn, new_figure, paints
from accelsim.report.tables import Cell, Table, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXES = {"latency": ("seconds", "latency"), "energy": ("energy_pj", "energy"), "buffer": ("held_bytes", "kept on chip")}
"""Objective to its column and the label of its axis."""
MARGIN = 0.14  # of what the points span, on either side
NEAR = 1e-9


def front_table(rows: Sequence[Sequence[Cell]], wanted: Sequence[str]) -> Table:
    """A row for each point: its number, form and groups, and what is wanted of it.

    Args:
        rows: (form, groups, value of each objective wanted).
        wanted: among `latency`, `energy`, `buffer`.
    """
    columns = ("number", "form", "groups", *(AXES[name][0] for name in wanted))
    return table_of(columns, [(at, *row) for at, row in enumerate(rows, 1)])


def pareto_picture(table: Table, wanted: Sequence[str]) -> Picture:
    """The picture of a front, named `pareto`."""
    alt = f"Mappings by {', '.join(wanted)}: none of those shown is as good as another in everything."
    return Picture("pareto", table, drawn(lambda: draw_front(table, wanted)), alt)


def draw_front(table: Table, wanted: Sequence[str]) -> Figure:
    """Points numbered as in the table; a grey step line joins those that are best in a panel's two objectives."""
    pairs = list(combinations(wanted, 2))
    figure = new_figure(2.9 * len(pairs) + 1.8 + (0.7 if len(pairs) == 1 else 0), 3.2)
    paint = paints(table.texts("form"))
    for axes, pair in zip(figure.subplots(1, len(pairs), squeeze=False).ravel(), pairs, strict=True):
        _panel(axes, table, pair, paint)
    _legend(figure, paint)
    return figure


def _panel(axes: Axes, table: Table, pair: tuple[str, str], paint: Mapping[str, Paint]) -> None:
    points = list(zip(*(table.numbers(AXES[name][0]) for name in pair), strict=True))
    corners = in_order([points[at] for at in front(points)])
    axes.plot(*zip(*corners, strict=True), color=GREY, linewidth=1.2, drawstyle="steps-post", zorder=1)
    for form, look in paint.items():
        some = table.where(form=form)
        axes.plot(*(some.numbers(AXES[name][0]) for name in pair), linestyle="", marker=look.marker, markersize=4.5,
                  color=look.colour)  # fmt: skip
    for number, place in enumerate(points, 1):
        if len(points) <= MOST_KEYS:
            axes.annotate(str(number), place, (4, 4), textcoords="offset points", fontsize=7)
    for which, name in zip("xy", pair, strict=True):
        _axis(axes, which, name, table.numbers(AXES[name][0]))
    axes.grid(visible=True)


def _axis(axes: Axes, which: str, name: str, values: Sequence[float]) -> None:
    """At most five ticks at round numbers, of bytes at multiples of a power of two."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, MultipleLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    if name == "buffer":
        axis.set_major_locator(MultipleLocator(2.0 ** ceil(log2(max(*values, 4) / 4))))
        axis.set_major_formatter(FuncFormatter(lambda value, _: iec(value)))
    else:
        room = MARGIN * ((max(values) - min(values)) or max(values))
        ticks = MaxNLocator(4).tick_values(max(0, min(values) - room), max(values) + room)
        axis.set_major_locator(FixedLocator(list(ticks)))
        unit, scale = ("s", 1.0) if name == "latency" else ("J", 1e-12)
        axis.set_major_formatter(FuncFormatter(_labels([tick * scale for tick in ticks], unit, scale)))
        (axes.set_xlim if which == "x" else axes.set_ylim)(max(0, min(values) - room), max(values) + room)
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(AXES[name][1])


def _labels(ticks: Sequence[float], unit: str, scale: float) -> Callable[[float, int], str]:
    """Ticks in the prefix of the largest, with as many decimals as tell them apart."""
    power = 3 * floor(log10(max(ticks)) / 3)
    decimals = max(0, -floor(log10((ticks[1] - ticks[0]) / 10.0**power) + NEAR))

    def label(value: float, _: int) -> str:
        return f"{value * scale / 10.0**power:.{decimals}f} {SI[power]}{unit}"

    return label


def _legend(figure: Figure, paint: Mapping[str, Paint]) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], linestyle="", marker=look.marker, markersize=4.5, color=look.colour, label=plain(form))
        for form, look in paint.items()
    ]
    line = Line2D([], [], color=GREY, linewidth=1.2, label="best of these two")
    figure.legend(handles=[*marks, line], loc="outside right upper", fontsize=7)
