"""Drawing on logarithmic axes: latency over size, the roofline, Pareto fronts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log2, log10
from typing import TYPE_CHECKING

from accelsim.report.designs import UNITS, in_order
from accelsim.report.numbers import iec, plain, quantity_text, si, size_text
from accelsim.report.study import Study
from accelsim.report.style import COLOURS, GREY, INK, MARKERS, WIDTH, Paint, grid_on, name_sizes, new_figure, paints
from accelsim.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_KEYS = 24
MOST_MARKS = 1000  # more are kept as pixels inside the SVG
CLOSE = 0.03  # of an axis: closer points cannot have labels of their own


def log2_axis(axes: Axes, which: str, unit: str, numbers: Sequence[float]) -> None:
    """A logarithmic axis with at most nine ticks at powers of two: of seconds, or of the SI unit of the largest number.

    `unit` "" means sizes, "B" capacities.
    """
    from matplotlib.ticker import NullLocator

    base = 1000.0 ** floor(log10(max(numbers)) / 3) if unit not in ("", "B", "s") else 1.0
    low, high = floor(log2(min(numbers) / base)), ceil(log2(max(numbers) / base))
    step = max(1, ceil((high - low) / 8))
    ticks = [base * 2.0**p for p in range(low, high + step, step)]
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log", base=2)
    axis.set_ticks(ticks, [_tick(tick, unit) for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _tick(value: float, unit: str) -> str:
    if unit == "":
        return size_text(value)
    return iec(value) if unit == "B" else si(value, unit, trimmed=True)


def draw_latency(table: Table, study: Study) -> Figure:
    """Latency over the size: a row of panels per scope, a column per workload, a line per design."""
    scopes = table.texts("scope")
    columns = max(len(study.scope(scope).workloads) for scope in scopes)
    paint = paints(study.archs, study.baseline)
    figure = new_figure(WIDTH, 0.5 + 2.1 * len(scopes))
    axes = figure.subplots(len(scopes), columns, sharex=True, sharey=True, squeeze=False)
    for row, scope in zip(axes, scopes, strict=True):
        workloads = study.scope(scope).workloads
        for ax, workload in zip(row, workloads, strict=False):
            _lines(ax, table.where(scope=scope, workload=workload), paint)
            ax.set_xlabel(plain(study.label(workload)))
        for ax in row[len(workloads) :]:
            ax.set_visible(False)
        row[0].set_ylabel(f"latency, {plain(study.scope(scope).label)}")
    log2_axis(axes[0][0], "x", "", table.numbers("size"))
    log2_axis(axes[0][0], "y", "s", table.numbers("seconds"))
    name_sizes(figure, study.settings.size_label)
    _line_legend(figure, {study.label(arch): paint[arch] for arch in study.archs})
    return figure


def _lines(axes: Axes, table: Table, paint: Mapping[str, Paint]) -> None:
    values = table.lookup("seconds", "arch", "size")
    for arch, look in paint.items():
        points = sorted((float(str(size)), s) for (name, size), s in values.items() if name == arch)
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, color=look.colour, marker=look.marker, markersize=3.5, linewidth=1.2)
    axes.tick_params(labelbottom=True)
    grid_on(axes)


def _line_legend(figure: Figure, labels: Mapping[str, Paint]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=p.colour, marker=p.marker, markersize=4, label=plain(t)) for t, p in labels.items()]
    figure.legend(handles=lines, loc="outside upper center", ncols=8)


def draw_roofline(table: Table, study: Study) -> Figure:
    """Performance against operational intensity with the ceilings of the units and the slopes of the memory."""
    figure = new_figure(8.6, 4.2)
    axes = figure.subplots()
    points = table.where(kind="point")
    xs, ys = points.numbers("flop_per_byte"), points.numbers("per_s")
    peaks = _by_name(table.where(kind="peak"))
    slopes = _by_name(table.where(kind="bandwidth"))
    top = max([*ys, *peaks.values()])
    ridges = [top / slope for slope in slopes.values()]
    left, right = min([*xs, *ridges]) / 8, max([*xs, *ridges]) * 4
    low = min(ys) / 2
    _roof_points(axes, points, study)
    log2_axis(axes, "x", "", [left, right])
    log2_axis(axes, "y", "FLOP/s", [low, top])
    _ceilings(axes, peaks, slopes, (left, right))
    axes.set_xlim(left, right)
    axes.set_ylim(low, top * 2)
    axes.set_xlabel("operational intensity, FLOP per byte of the outermost level")
    axes.set_ylabel("performance, 2 x MAC per second")
    grid_on(axes)
    _roof_legend(figure, points, study)
    return figure


def _by_name(table: Table) -> dict[str, float]:
    return {str(name): value for (name,), value in table.lookup("per_s", "name").items()}


def _ceilings(axes: Axes, peaks: Mapping[str, float], slopes: Mapping[str, float], span: tuple[float, float]) -> None:
    top = max(peaks.values(), default=None)
    for name, slope in slopes.items():
        end = top / slope if top else span[1]
        axes.plot([span[0], end], [span[0] * slope, end * slope], color=INK, linewidth=1, zorder=1)
        place = end / 6
        axes.annotate(f"{plain(name)} {si(slope, 'B/s')}", (place, place * slope), (-5, 2), ha="right",
                      textcoords="offset points", fontsize=7)  # fmt: skip
        if top:
            axes.plot([end], [top], marker="o", color=INK, markersize=3)
            axes.annotate(f"ridge {end:.3g} FLOP/B", (end, top), (-4, 4), ha="right", textcoords="offset points",
                          fontsize=7)  # fmt: skip
    for name, peak in peaks.items():
        start = min((peak / slope for slope in slopes.values()), default=span[0])
        axes.plot(
            [start, span[1]], [peak, peak], color=INK, linewidth=1, linestyle="-" if peak == top else ":", zorder=1
        )
        axes.annotate(f"{plain(name)} {si(peak, 'FLOP/s')}", (span[1], peak), (-3, 3), ha="right",
                      textcoords="offset points", fontsize=7)  # fmt: skip


def _roof_marks(points: Table) -> Mapping[str, str]:
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(points.texts("workload"))}


def _roof_points(axes: Axes, points: Table, study: Study) -> None:
    paint = paints(study.archs, study.baseline)
    for arch in points.texts("name"):
        for workload, mark in _roof_marks(points).items():
            some = points.where(name=arch, workload=workload)
            axes.plot(some.numbers("flop_per_byte"), some.numbers("per_s"), linewidth=0.5, color=paint[arch].colour,
                      marker=mark, markersize=4.5, alpha=0.85)  # fmt: skip


def _roof_legend(figure: Figure, points: Table, study: Study) -> None:
    """Colours name the designs, marks the workloads."""
    from matplotlib.lines import Line2D

    paint = paints(study.archs, study.baseline)
    designs = [
        Line2D([], [], color=paint[arch].colour, linewidth=4, label=plain(study.label(arch)))
        for arch in points.texts("name")
    ]
    works = [
        Line2D([], [], color=INK, linestyle="", marker=mark, markersize=4.5, label=plain(study.label(name)))
        for name, mark in _roof_marks(points).items()
    ]
    figure.legend(handles=[*designs, *works], loc="outside right upper")


def draw_pareto(table: Table, pair: tuple[str, str]) -> Figure:
    """Designs on log-log axes, a panel per case: dominated ones grey, the front a step line; numbers and their key."""
    cases = table.texts("case")
    columns = min(3, len(cases))
    rows = -(-len(cases) // columns)
    figure = new_figure(3.4 * columns + 2.8, max(2.9 * rows + 0.2, 3.2))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, case in zip(axes, cases, strict=False):
        _front(ax, table.where(case=case), pair)
        ax.text(0.98, 0.98, plain(case), transform=ax.transAxes, ha="right", va="top")
    for ax in axes[len(cases) :]:
        ax.set_visible(False)
    _key(figure, table.where(on_front="yes"))
    return figure


def _key(figure: Figure, best: Table) -> None:
    """What the numbers mean, for as many designs as there is room for."""
    from matplotlib.lines import Line2D

    names = dict(sorted(zip(map(int, best.numbers("number")), best.texts_of("design"), strict=True)))
    lines = [Line2D([], [], linestyle="", label=f"{number}  {plain(name)[:44]}") for number, name in names.items()]
    rest = [Line2D([], [], linestyle="", label=f"and {len(lines) - MOST_KEYS} more: see the CSV")]
    shown = lines if len(lines) <= MOST_KEYS else lines[:MOST_KEYS] + rest
    figure.legend(handles=shown, loc="outside right upper", fontsize=7, handlelength=0, handletextpad=0)


def _front(axes: Axes, table: Table, pair: tuple[str, str]) -> None:
    xs, ys = table.numbers(pair[0]), table.numbers(pair[1])
    best = table.where(on_front="yes")
    rest = table.where(on_front="no")
    axes.plot(rest.numbers(pair[0]), rest.numbers(pair[1]), linestyle="", marker="o", color=GREY,
              markersize=4, rasterized=len(rest.rows) > MOST_MARKS)  # fmt: skip
    corners = in_order(list(zip(best.numbers(pair[0]), best.numbers(pair[1]), strict=True)))
    axes.plot(*zip(*corners, strict=True), color=COLOURS[0], marker="o", markersize=4.5, drawstyle="steps-post")
    for text, place in _labels(best, pair, (max(xs) / min(xs), max(ys) / min(ys))):
        axes.annotate(text, place, (3, 3), textcoords="offset points", fontsize=7)
    for which, quantity, numbers in zip("xy", pair, (xs, ys), strict=True):
        name, unit, scale = UNITS[quantity]
        _decades(axes, which, unit, scale, numbers)
        (axes.set_xlabel if which == "x" else axes.set_ylabel)(name)
    axes.margins(0.12)


def _labels(best: Table, pair: tuple[str, str], spans: tuple[float, float]) -> list[tuple[str, tuple[float, float]]]:
    """The numbers of the points of a front; points too close to tell apart share a label.

    Args:
        spans: largest over smallest value of either axis.
    """
    labels: list[tuple[str, tuple[float, float]]] = []
    for x, y, number in sorted(zip(*(best.numbers(name) for name in (*pair, "number")), strict=True)):
        if labels and _near(labels[-1][1], (x, y), spans):
            labels[-1] = (f"{labels[-1][0]}, {number:g}", labels[-1][1])
        else:
            labels.append((f"{number:g}", (x, y)))
    return labels


def _near(one: tuple[float, float], other: tuple[float, float], spans: tuple[float, float]) -> bool:
    return all(abs(log2(a / b)) <= CLOSE * log2(span) for a, b, span in zip(one, other, spans, strict=True))


def _decades(axes: Axes, which: str, unit: str, scale: float, numbers: Sequence[float]) -> None:
    """A log axis with ticks at decades, or at 1, 2, 5 where the range is under two decades, and finer under a half."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    span = max(numbers) / min(numbers)
    subs = (1.0,) if span > 100 else (1.0, 2.0, 5.0)
    ticks = LogLocator(10, subs=subs, numticks=6) if span > 5 else FixedLocator(_even(min(numbers), max(numbers)))
    axis.set_major_locator(ticks)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: quantity_text(value * scale, unit)))
    axes.grid(visible=True)


def _even(low: float, high: float) -> list[float]:
    """About four round numbers that reach a little beyond a short range."""
    from matplotlib.ticker import MaxNLocator

    return [float(tick) for tick in MaxNLocator(4).tick_values(low * 0.97, high * 1.03) if tick > 0]
