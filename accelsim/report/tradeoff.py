"""Both sides of an approximation, as a table for a terminal and as a picture: error against cost, a point a setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from accelsim.report.lines import CLOSE, MOST_KEYS
from accelsim.report.numbers import digits, plain
from accelsim.report.style import COLOURS, INK, Picture, drawn, grid_on, new_figure
from accelsim.report.tables import Cell, Table, table_of
from accelsim.report.text import aligned, binary, percent, scaled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from accelsim.fidelity import Effort, Fidelity

COSTS = {"macs": "multiplications", "bytes": "off-chip bytes"}
ERRORS = {"relative": ("error", "o", COLOURS[0]), "relative_left": ("error of what is left", "^", COLOURS[1])}
HEAD = ("error", "of what is left", "worst row", "multiplications", "other operators", "off-chip bytes")
Point = tuple[float, float, str]


def fidelity_text(settings: Sequence[Mapping[str, str]], found: Sequence[Sequence[Fidelity]]) -> str:
    """A line for the exact one, and one for each setting and output: its errors, its cost and what selections keep.

    Args:
        settings: what each sets, by name.
        found: of each setting its outputs.
    """
    names, selections = list(settings[0]), list(found[0][0].kept)
    several = len(found[0]) > 1
    head = (*(names or ["setting"]), *(["output"] if several else []), *HEAD, *(f"{name} kept" for name in selections))
    exact = found[0][0].exact_cost
    blank = [""] * (len(names or ["setting"]) - 1 + several)
    lines = [("exact", *blank, "0", "0", "0", *_cost(exact), *[""] * len(selections))]
    for setting, outputs in zip(settings, found, strict=True):
        for one in outputs:
            errors = [_error(one.relative), _error(one.relative_left), _error(one.worst_row)]
            said = [*(setting.values() or ["as set"]), *([one.output] if several else [])]
            lines.append((*said, *errors, *_cost(one.cost, exact), *map(percent, one.kept.values())))
    return aligned(head, lines)


def _error(value: float | None) -> str:
    return "-" if value is None else digits(value)


def _cost(cost: Effort, exact: Effort | None = None) -> tuple[str, ...]:
    """What it takes; beside what the exact one takes also the share of that."""
    texts = [scaled(cost.macs, "").strip(), scaled(cost.operations, "").strip(), binary(cost.bytes)]
    if exact is None:
        return tuple(texts)
    shares = [_share(getattr(cost, name), getattr(exact, name)) for name in ("macs", "operations", "bytes")]
    return tuple(
        f"{text} {'-' if share is None else percent(share):>6}" for text, share in zip(texts, shares, strict=True)
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def tradeoff(labels: Sequence[str], found: Sequence[Sequence[Fidelity]]) -> Picture:
    """The picture of error against cost, named `fidelity`.

    Args:
        labels: a name for each setting.
        found: of each setting its outputs.
    """
    table = tradeoff_table(labels, found)
    alt = (
        "Error of each setting against its multiplications and its off-chip bytes, as parts of those of the exact one."
    )
    return Picture("fidelity", table, drawn(lambda: draw_tradeoff(table)), alt)


def tradeoff_table(labels: Sequence[str], found: Sequence[Sequence[Fidelity]]) -> Table:
    """A row for each setting and output: its number, errors, and costs as parts of the exact ones."""
    pairs = [(label, one) for label, outputs in zip(labels, found, strict=True) for one in outputs]
    rows = ((number, label, *_coordinates(one)) for number, (label, one) in enumerate(pairs, 1))
    return table_of(("number", "setting", "output", *ERRORS, *COSTS), rows)


def _coordinates(one: Fidelity) -> tuple[Cell, ...]:
    shares = [_share(getattr(one.cost, name), getattr(one.exact_cost, name)) for name in COSTS]
    return one.output, one.relative, one.relative_left, *shares


def draw_tradeoff(table: Table) -> Figure:
    """A panel for each cost; the cross is the exact one, numbers are those of the table."""
    figure = new_figure(10.2, 3.4)
    panels = figure.subplots(1, len(COSTS), sharey=True)
    for axes, cost in zip(panels, COSTS, strict=True):
        _panel(axes, table, cost)
    panels[0].set_ylabel("root of squared differences over exact")
    panels[0].set_ylim(bottom=0)
    _key(figure, table)
    return figure


def _panel(axes: Axes, table: Table, cost: str) -> None:
    axes.plot([1], [0], linestyle="", marker="x", color=INK, markersize=6, clip_on=False)
    height = max((y for _, y, _ in _points(table, cost, "relative")), default=0.0) or 1.0
    for error, (_, marker, colour) in ERRORS.items():
        for x, y, _ in _shown(table, cost, error):
            axes.plot([x], [y], linestyle="", marker=marker, color=colour, markersize=5, clip_on=False)
        for text, place in _labels(_shown(table, cost, error), height) if len(table.rows) <= MOST_KEYS else []:
            axes.annotate(text, place, (5, 3), textcoords="offset points", fontsize=7, color=colour)
    axes.set_xlim(0, max(1.0, *table.numbers(cost), 1.0) * 1.05)
    axes.set_xlabel(f"{COSTS[cost]}, of the exact one's")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    grid_on(axes)


def _points(table: Table, cost: str, error: str) -> list[Point]:
    """Cost, error and number of each setting that has them."""
    columns = (table.values(name) for name in (cost, error, "number"))
    return [(x, y, str(n)) for x, y, n in zip(*columns, strict=True) if isinstance(x, float) and isinstance(y, float)]


def _shown(table: Table, cost: str, error: str) -> list[Point]:
    """The points of an error; that of what is left only where it is another."""
    whole = _points(table, cost, "relative")
    return [point for point in _points(table, cost, error) if error == "relative" or point not in whole]


def _labels(points: Sequence[Point], height: float) -> list[tuple[str, tuple[float, float]]]:
    """The numbers of points; those too close to tell apart share a label."""
    labels: list[tuple[str, tuple[float, float]]] = []
    for x, y, number in sorted(points):
        text, (left, below) = labels[-1] if labels else ("", (-1.0, 0.0))
        if abs(x - left) < CLOSE and abs(y - below) < CLOSE * height:
            labels[-1] = (f"{text}, {number}", (left, below))
        else:
            labels.append((number, (x, y)))
    return labels


def _key(figure: Figure, table: Table) -> None:
    """What marks and numbers mean, for as many settings as there is room for."""
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], linestyle="", marker="x", color=INK, label="exact")]
    marks += [
        Line2D([], [], linestyle="", marker=marker, color=colour, label=says)
        for name, (says, marker, colour) in ERRORS.items()
        if any(_shown(table, cost, name) for cost in COSTS)
    ]
    several = len(table.texts("output")) > 1
    names = [
        f"{number}  {plain(label)[:44]}{f', {plain(output)}' if several else ''}"
        for number, label, output in zip(
            *(table.texts_of(name) for name in ("number", "setting", "output")), strict=True
        )
    ]
    more = [f"and {len(names) - MOST_KEYS} more: see the CSV"] if len(names) > MOST_KEYS else []
    lines = [Line2D([], [], linestyle="", label=name) for name in [*names[:MOST_KEYS], *more]]
    figure.legend(handles=marks, loc="outside upper center", ncols=3)
    figure.legend(handles=lines, loc="outside right upper", fontsize=7, handlelength=0, handletextpad=0)
