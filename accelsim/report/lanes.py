"""Lanes that top-k engines need, and how long scores wait, over the scores of a job: as tables and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from accelsim.report.lines import log2_axis
from accelsim.report.numbers import size_text
from accelsim.report.style import GREY, INK, WIDTH, Paint, Picture, drawn, grid_on, new_figure, paints
from accelsim.report.tables import Cell, Table, table_of
from accelsim.report.text import aligned, percent
from accelsim.units.topk.pace import Line, Needed, Pace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WAYS = {"beside": "beside FILL", "after": "after FILL"}
STYLES: Mapping[str, Literal["-", ":"]] = {"beside": "-", "after": ":"}


def lanes_text(found: Mapping[str, Sequence[Needed]], line: Line) -> str:
    """Of each engine a table of lanes needed, and of the waiting with the lanes asked about: n down, k / n across."""
    return "\n\n".join("\n\n".join(_engine_text(name, needed, line)) for name, needed in found.items())


def _engine_text(name: str, needed: Sequence[Needed], line: Line) -> list[str]:
    lanes = needed[0].asked.lanes
    sampled = max(one.asked.sampled for one in needed)
    means = f"means of {sampled} jobs drawn" if sampled else "exact means"
    kept = {way: sum(getattr(one.asked, way) <= line.stall for one in needed) for way in WAYS}
    enter, allowed = f"{line.rate:g} scores that come in a cycle", percent(line.stall)
    head = (
        f"{name}, {means}: {lanes} lanes read {lanes / line.rate:g} times the {enter}; scores wait at most {allowed}\n"
        f"of the time in {kept['beside']} of {len(needed)} jobs with SELECT beside FILL, "
        f"in {kept['after']} with it after FILL"
    )
    return [
        head,
        _grid("lanes needed beside FILL; k / n", needed, lambda one: _lanes(one.beside)),
        _grid("lanes needed after FILL; k / n", needed, lambda one: _lanes(one.after)),
        _grid(f"scores wait, {lanes} lanes beside FILL; k / n", needed, lambda one: percent(one.asked.beside)),
        _grid(f"scores wait, {lanes} lanes after FILL; k / n", needed, lambda one: percent(one.asked.after)),
    ]


def _grid(title: str, needed: Sequence[Needed], says: Callable[[Needed], str]) -> str:
    keeps = list(dict.fromkeys(one.keep for one in needed))
    cells = {(one.asked.job.n, one.keep): says(one) for one in needed}
    sizes = list(dict.fromkeys(n for n, _ in cells))
    return aligned((title, *map(percent, keeps)), [(str(n), *(cells[n, keep] for keep in keeps)) for n in sizes])


def _lanes(pace: Pace | None) -> str:
    return "none" if pace is None else str(pace.lanes)


def lanes_table(found: Mapping[str, Sequence[Needed]]) -> Table:
    """A row for each engine and job; lanes are missing where none are enough."""
    columns = ("engine", "n", "keep", "k", *(f"lanes_{way}" for way in WAYS), *(f"waits_{way}" for way in WAYS))
    rows = ((name, *_cells(one)) for name, needed in found.items() for one in needed)
    return table_of(columns, rows)


def _cells(one: Needed) -> tuple[Cell, ...]:
    lanes = [None if pace is None else pace.lanes for pace in (one.beside, one.after)]
    return one.asked.job.n, one.keep, one.asked.job.k, *lanes, one.asked.beside, one.asked.after


def lanes_picture(table: Table, line: Line, lanes: int) -> Picture:
    """The picture of lanes needed over the scores of a job, named `topk-lanes`.

    Args:
        lanes: those asked about.
    """
    alt = (
        "Lanes that each engine needs to keep up, and the part of the time that scores wait, over the scores of a job."
    )
    return Picture("topk-lanes", table, drawn(lambda: draw_lanes(table, line, lanes)), alt)


def draw_lanes(table: Table, line: Line, lanes: int) -> Figure:
    """A row for each engine: lanes needed, the part of the time that scores wait; a line for each part kept."""
    engines, paint = table.texts("engine"), paints(table.texts("keep"))
    figure = new_figure(WIDTH, 0.5 + 2.5 * len(engines))
    panels = figure.subplots(len(engines), 2, squeeze=False)
    for (left, right), engine in zip(panels, engines, strict=True):
        rows = table.where(engine=engine)
        _draw_needed(left, rows, paint, lanes)
        _draw_waiting(right, rows, paint, line)
        left.set_ylabel(f"{engine}: lanes needed")
        right.set_ylabel(f"scores wait: {lanes} lanes, {line.rate:g} in a cycle")
        for axes in (left, right):
            log2_axis(axes, "x", "", rows.numbers("n"))
            axes.set_xlabel("scores of a job, n")
            grid_on(axes)
    _key(figure, paint, f"{lanes} lanes, {percent(line.stall)} waiting")
    return figure


def _draw_needed(axes: Axes, rows: Table, paint: Mapping[str, Paint], lanes: int) -> None:
    """Powers of two, and above them a place for jobs beside whose FILL no number of lanes is enough."""
    counts = [*rows.numbers("lanes_beside"), *rows.numbers("lanes_after"), float(lanes)]
    least, most = min(counts), max(counts)
    axes.axhline(lanes, color=GREY, linewidth=1.4)
    for way in WAYS:
        _draw_lines(axes, rows, paint, way, "lanes")
    for size, (keep, look) in zip(_sizes(paint), paint.items(), strict=True):
        missing = [n for n, part, found in _points(rows, "lanes_beside") if str(part) == keep and found is None]
        axes.plot(missing, [4 * most] * len(missing), linestyle="", color=look.colour, marker=look.marker,
                  markersize=size)  # fmt: skip
    log2_axis(axes, "y", "", [least, most])
    ticks = [tick for tick in axes.get_yticks() if tick <= most]
    axes.set_yticks([*ticks, 4 * most], [*map(size_text, ticks), "none"])
    axes.set_ylim(least / 1.5, 6 * most)


def _draw_waiting(axes: Axes, rows: Table, paint: Mapping[str, Paint], line: Line) -> None:
    axes.axhline(line.stall, color=GREY, linewidth=1.4)
    for way in WAYS:
        _draw_lines(axes, rows, paint, way, "waits")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: percent(value))


def _draw_lines(axes: Axes, rows: Table, paint: Mapping[str, Paint], way: str, what: str) -> None:
    for size, (keep, look) in zip(_sizes(paint), paint.items(), strict=True):
        places = [(n, y) for n, part, y in _points(rows, f"{what}_{way}") if str(part) == keep and y is not None]
        axes.plot([n for n, _ in places], [y for _, y in places], color=look.colour, marker=look.marker,
                  markersize=size, linewidth=1.2, linestyle=STYLES[way])  # fmt: skip


def _sizes(paint: Mapping[str, Paint]) -> list[float]:
    """Of markers: each smaller than those below it, so that all are seen where they coincide."""
    return [3.0 + 5.0 * (len(paint) - at) / len(paint) for at in range(1, len(paint) + 1)]


def _points(rows: Table, column: str) -> list[tuple[Any, ...]]:
    """Scores of a job, part kept and the number in a column, of each row."""
    return list(zip(*(rows.values(name) for name in ("n", "keep", column)), strict=True))


def _key(figure: Figure, paint: Mapping[str, Paint], asked: str) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=look.colour, marker=look.marker, markersize=4, label=f"k / n = {percent(float(keep))}")
        for keep, look in paint.items()
    ]
    marks += [Line2D([], [], color=INK, linestyle=STYLES[way], label=f"SELECT {WAYS[way]}") for way in WAYS]
    marks.append(Line2D([], [], color=GREY, linewidth=1.4, label=asked))
    figure.legend(handles=marks, loc="outside upper center", ncols=6)
