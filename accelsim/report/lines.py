"""Drawing on logarithmic axes: latency over size, the roofline, Pareto fronts, traffic over capacity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from accelsim.report.designs import UNITS, front
from accelsim.report.numbers import iec, plain, si, size_text
from accelsim.report.study import Study
from accelsim.report.style import GREY, INK, MARKERS, WIDTH, Paint, grid_on, new_figure, paints
from accelsim.report.tables import Table, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def log2_axis(axes: Axes, which: str, unit: str, numbers: Sequence[float]) -> None:
    """A logarithmic axis with ticks at powers of two, at most nine of them; `unit` "" means sizes, "B" capacities."""
    from math import ceil, floor, log2

    low, high = floor(log2(min(numbers))), ceil(log2(max(numbers)))
    step = max(1, ceil((high - low) / 8))
    ticks = [2.0**p for p in range(low, high + step, step)]
    text = {"": size_text, "B": iec}.get(unit, lambda value: si(value, unit))
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log", base=2)
    axis.set_ticks(ticks, [text(tick) for tick in ticks])
    axis.set_minor_locator(_no_ticks())


def _no_ticks() -> object:
    from matplotlib.ticker import NullLocator

    return NullLocator()


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
    figure = new_figure(7.6, 4.6)
    axes = figure.subplots()
    points = table.where(kind="point")
    xs, ys = points.numbers("flop_per_byte"), points.numbers("per_s")
    peaks = {str(name): v for (name,), v in table.where(kind="peak").lookup("per_s", "name").items()}
    slopes = {str(name): v for (name,), v in table.where(kind="bandwidth").lookup("per_s", "name").items()}
    top = max([*ys, *peaks.values()])
    ridges = [top / slope for slope in slopes.values()]
    left, right = min([*xs, *ridges]) / 2, max([*xs, *ridges]) * 4
    _ceilings(axes, peaks, slopes, (left, right))
    _roof_points(axes, points, study)
    axes.set_xlim(left, right)
    log2_axis(axes, "x", "FLOP/B", [left, right])
    axes.set_xticks(axes.get_xticks(), [f"{tick:g}" for tick in axes.get_xticks()])
    log2_axis(axes, "y", "FLOP/s", [min(ys), top * 2])
    axes.set_xlim(left, right)
    axes.set_xlabel("operational intensity, FLOP per byte of the outermost level")
    axes.set_ylabel("performance, 2 x MAC per second")
    grid_on(axes)
    figure.legend(loc="outside right upper", fontsize=7)
    return figure


def _ceilings(
    axes: Axes, peaks: Mapping[str, float], slopes: Mapping[str, float], span: tuple[float, float]
) -> None:
    top = max(peaks.values(), default=None)
    for name, slope in slopes.items():
        end = top / slope if top else span[1]
        axes.plot([span[0], end], [span[0] * slope, end * slope], color=INK, linewidth=1)
        axes.annotate(f"{plain(name)} {si(slope, 'B/s')}", (span[0] * 1.2, span[0] * 1.2 * slope), (0, -9),
                      textcoords="offset points", rotation=35, rotation_mode="anchor", fontsize=7)  # fmt: skip
        if top:
            axes.plot([end], [top], marker="o", color=INK, markersize=3)
            axes.annotate(f"ridge {end:.3g} FLOP/B", (end, top), (0, 4), textcoords="offset points", fontsize=7)
    for name, peak in peaks.items():
        start = min((peak / slope for slope in slopes.values()), default=span[0])
        axes.plot([start, span[1]], [peak, peak], color=INK, linewidth=1, linestyle="-" if peak == top else ":")
        axes.annotate(f"{plain(name)} {si(peak, 'FLOP/s')}", (span[1], peak), (-3, 3), ha="right",
                      textcoords="offset points", fontsize=7)  # fmt: skip


def _roof_points(axes: Axes, points: Table, study: Study) -> None:
    paint = paints(study.archs, study.baseline)
    marks = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(points.texts("workload"))}
    for arch in points.texts("name"):
        for workload, mark in marks.items():
            some = points.where(name=arch, workload=workload)
            axes.plot(some.numbers("flop_per_byte"), some.numbers("per_s"), linestyle="-", linewidth=0.4,
                      color=paint[arch].colour, marker=mark, markersize=4.5,
                      label=f"{plain(study.label(arch))}, {plain(study.label(workload))}")  # fmt: skip


def draw_pareto(table: Table, pair: tuple[str, str]) -> Figure:
    """Designs on log-log axes, a panel per case: dominated ones grey, the front a step line with labelled points."""
    cases = table.texts("case")
    columns = min(3, len(cases))
    rows = -(-len(cases) // columns)
    figure = new_figure(3.5 * columns + 0.4, 2.9 * rows + 0.2)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, case in zip(axes, cases, strict=False):
        _front(ax, table.where(case=case), pair)
        ax.text(0.98, 0.98, plain(case), transform=ax.transAxes, ha="right", va="top")
    for ax in axes[len(cases) :]:
        ax.set_visible(False)
    return figure


def _front(axes: Axes, table: Table, pair: tuple[str, str]) -> None:
    names = [str(name) for name in table.values("design")]
    points = list(zip(table.numbers(pair[0]), table.numbers(pair[1]), strict=True))
    best = front(points)
    rest = [point for i, point in enumerate(points) if i not in best]
    axes.plot([x for x, _ in rest], [y for _, y in rest], linestyle="", marker="o", color=GREY, markersize=4)
    axes.plot(*zip(*[points[i] for i in best], strict=True), color=BLUE, marker="o", markersize=4.5, linewidth=1.2,
              drawstyle="steps-post")  # fmt: skip
    for i in best:
        axes.annotate(plain(names[i]), points[i], (4, 4), textcoords="offset points", fontsize=7)
    for which, quantity in zip("xy", pair, strict=True):
        numbers = [point["xy".index(which)] for point in points]
        name, unit, scale = UNITS[quantity]
        _decades(axes, which, unit, scale, numbers)
        (axes.set_xlabel if which == "x" else axes.set_ylabel)(name)
    axes.margins(0.16)


def _decades(axes: Axes, which: str, unit: str, scale: float, numbers: Sequence[float]) -> None:
    """A log axis labelled in SI: at decades, or at 1, 2, 5 where the range is under two decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    wide = max(numbers) / min(numbers) > 100
    axis.set_major_locator(LogLocator(10, subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: si(value * scale, unit, 2)))
    axis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True)


def ski_slope(
    points: Sequence[tuple[float, float]],
    floor_bytes: float,
    footprints: Sequence[tuple[str, float]] = (),
    capacity: float | None = None,
) -> tuple[Table, Figure]:
    """Off-chip traffic over buffer capacity as a step curve, with the compulsory traffic as its floor.

    Args:
        points: (capacity, traffic) in bytes.
        floor_bytes: bytes that any capacity must move.
        footprints: labels and sizes in bytes that explain the steps.
        capacity: of the configured buffer, in bytes.
    """
    ordered = sorted((float(c), float(t)) for c, t in points)
    rows = [("point", "", c, t) for c, t in ordered] + [("floor", "compulsory", None, float(floor_bytes))]
    rows += [("footprint", label, float(size), None) for label, size in footprints]
    rows += [("capacity", "configured", float(capacity), None)] if capacity else []
    table = table_of(("kind", "label", "capacity_bytes", "traffic_bytes"), rows)
    figure = new_figure(7.0, 3.6)
    axes = figure.subplots()
    axes.plot(*zip(*ordered, strict=True), color=BLUE, marker="o", markersize=3, drawstyle="steps-post")
    axes.axhline(floor_bytes, color=GREY, linewidth=1.4)
    axes.annotate(f"compulsory {iec(float(floor_bytes))}", (0.0, floor_bytes), (4, -3), va="top", fontsize=7,
                  xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    for label, size in footprints:
        _upright(axes, float(size), plain(f"{label} {iec(float(size))}"), GREEN, ":")
    if capacity:
        _upright(axes, float(capacity), f"configured {iec(float(capacity))}", ORANGE, "--")
    log2_axis(axes, "x", "B", table.numbers("capacity_bytes"))
    log2_axis(axes, "y", "B", [float(floor_bytes) / 1.5, *table.numbers("traffic_bytes")])
    axes.set_xlabel("buffer capacity")
    axes.set_ylabel("off-chip traffic")
    grid_on(axes)
    return table, figure


def _upright(axes: Axes, place: float, text: str, colour: str, line: str) -> None:
    axes.axvline(place, color=colour, linestyle=line, linewidth=1.1)
    axes.annotate(text, (place, 1.0), (2, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                  rotation=90, ha="left", va="top", fontsize=7, color=colour)  # fmt: skip
