"""Drawing of grouped and stacked bars: ratios, utilisation, the ladder, energy by component, busy share by Einsum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accelsim.report.numbers import digits, plain
from accelsim.report.study import Study
from accelsim.report.style import (
    GREY,
    INK,
    WIDTH,
    Paint,
    grid_on,
    legend_above,
    name_sizes,
    new_figure,
    paints,
    set_sizes,
)
from accelsim.report.tables import Cell, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = Mapping[tuple[Cell, ...], float]
SHADE = "#f4f4f4"
PAPER = {"facecolor": SHADE, "edgecolor": "none", "pad": 0.6}  # behind a number, so that lines do not cross it
NAMES = {"mac": "MAC", "dram": "DRAM", "exp": "exponential", "div": "division", "max": "maximum", "add": "addition"}
GROUP = 0.84  # of the distance between two groups is bars, the rest is gap


@dataclass(frozen=True)
class Bars:
    """A clustered bar chart: groups along the axis, a bar per series in each, `values` by (group, series)."""

    groups: Sequence[Cell]
    series: Sequence[str]
    values: Values
    paint: Mapping[str, Paint]


def draw_ratios(table: Table, study: Study, quantity: str, what: str) -> Figure:
    """Ratios to the baseline: a panel per workload over the sizes, and apart from them a panel of the three means."""
    workloads = table.texts("workload")
    kinds = [name for name in workloads if name.endswith(" mean")]
    panels = [name for name in workloads if name not in kinds]
    series, paint = table.texts("arch"), paints(study.archs, study.baseline)
    figure = new_figure(WIDTH, 3.1)
    widths = [1.0 for _ in panels] + [0.42 * max(2, len(panels))]
    axes = figure.subplots(1, len(widths), sharey=True, width_ratios=widths, squeeze=False)[0]
    for ax, workload in zip(axes, panels, strict=False):
        inner = table.where(workload=workload).lookup(quantity, "size", "arch")
        cluster(ax, Bars(study.sizes, series, inner, paint))
        set_sizes(ax, range(len(study.sizes)), study.sizes)
        ax.set_xlabel(plain(study.label(workload)))
    averages = table.where(size=None).lookup(quantity, "workload", "arch")
    cluster(axes[-1], Bars(kinds, series, averages, paint), labels=True)
    axes[-1].set_xticks(range(len(kinds)), [kind.removesuffix(" mean") for kind in kinds])
    axes[-1].set_xlabel("mean over all points")
    axes[-1].set_facecolor(SHADE)
    for ax in axes:
        ax.axhline(1.0, color=GREY, linewidth=1.4, zorder=2.5)
        grid_on(ax)
    top = max([1.0, *table.numbers(quantity)])
    axes[0].set_ylim(0, top * 1.14)
    name_sizes(figure, study.settings.size_label)
    axes[0].set_ylabel(f"{what}, relative to {study.label(study.baseline)}")
    legend_above(figure, {study.label(a): paint[a] for a in series}, f"{study.label(study.baseline)} = 1")
    return figure


def cluster(axes: Axes, bars: Bars, labels: bool = False) -> None:
    """Bars from zero, a group per place; a cross stands where a value is missing."""
    width = GROUP / max(1, len(bars.series))
    for i, name in enumerate(bars.series):
        look = bars.paint[name]
        shift = (i + 0.5) * width - GROUP / 2
        for place, group in enumerate(bars.groups):
            value = bars.values.get((group, name))
            if value is None:
                axes.plot([place + shift], [0.0], marker="x", markersize=3, color=INK, clip_on=False)
                continue
            axes.bar(place + shift, value, width * 0.94, color=look.colour, hatch=look.hatch, edgecolor="white")
            if labels:
                axes.annotate(digits(value), (place + shift, value), (0, 3), textcoords="offset points", rotation=90,
                              ha="center", va="bottom", fontsize=7, bbox=PAPER)  # fmt: skip
    axes.set_xlim(-0.5, len(bars.groups) - 0.5)


def draw_utilization(table: Table, study: Study) -> Figure:
    """Utilisation: a row of panels per unit, a column per workload, groups of bars over the sizes."""
    units, workloads = table.texts("unit"), table.texts("workload")
    paint = paints(study.archs, study.baseline)
    figure = new_figure(WIDTH, 0.5 + 1.75 * len(units))
    axes = figure.subplots(len(units), len(workloads), sharex=True, sharey=True, squeeze=False)
    for row, unit in zip(axes, units, strict=True):
        for ax, workload in zip(row, workloads, strict=True):
            inner = table.where(unit=unit, workload=workload).lookup("utilization", "size", "arch")
            cluster(ax, Bars(study.sizes, study.archs, inner, paint))
            set_sizes(ax, range(len(study.sizes)), study.sizes)
            percent_axis(ax)
        row[0].set_ylabel(f"utilisation of {plain(unit)}")
    for ax, workload in zip(axes[-1], workloads, strict=True):
        ax.set_xlabel(plain(study.label(workload)))
    name_sizes(figure, study.settings.size_label)
    legend_above(figure, {study.label(arch): paint[arch] for arch in study.archs})
    return figure


def percent_axis(axes: Axes) -> None:
    axes.set_ylim(0, 1.0)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25%", "50%", "75%", "100%"])
    grid_on(axes)


def draw_ladder(table: Table, study: Study) -> Figure:
    """The ladder of the designs: bars are geometric means, marks the other two, the factors are steps between bars."""
    scopes, quantities = table.texts("scope"), table.texts("quantity")
    figure = new_figure(WIDTH, 0.4 + 2.4 * len(quantities))
    axes = figure.subplots(len(quantities), len(scopes), sharey="row", squeeze=False)
    names = {"speedup": "speed-up", "energy": "energy"}
    for row, quantity in zip(axes, quantities, strict=True):
        for ax, scope in zip(row, scopes, strict=True):
            _rungs(ax, table.where(scope=scope, quantity=quantity), study)
            ax.set_xlabel(plain(study.scope(scope).label))
        row[0].set_ylabel(f"mean {names.get(quantity, quantity)}, relative to {study.label(study.baseline)}")
        row[0].set_ylim(0, max([1.0, *(max(table.where(quantity=quantity).numbers(c)) for c in MEANS)]) * 1.06)
    _mean_legend(figure)
    return figure


MEANS = {"arithmetic": "^", "geometric": "", "equal_work": "o"}


def _rungs(axes: Axes, table: Table, study: Study) -> None:
    """The bars of one panel; under each its name, the geometric mean and the step."""
    paint = paints(study.archs, study.baseline)
    values = {column: table.lookup(column, "arch") for column in (*MEANS, "step")}
    texts = []
    for place, arch in enumerate(study.archs):
        height, step = (values[column].get((arch,)) for column in ("geometric", "step"))
        texts.append(plain(study.label(arch)) + (f"\n{digits(height)}" if height else "\nfailed"))
        texts[-1] += f" (×{digits(step)})" if step else ""
        if height:
            axes.bar(place, height, 0.62, color=paint[arch].colour, hatch=paint[arch].hatch, edgecolor="white")
        for column, mark in MEANS.items():
            if mark and height:
                value = values[column][arch,]
                axes.plot([place], [value], marker=mark, color="white", markeredgecolor=INK, markersize=4.5)
    axes.set_xticks(range(len(texts)), texts, fontsize=7)
    axes.axhline(1.0, color=GREY, linewidth=1.2, zorder=0)
    grid_on(axes)


def _mean_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    bar = Patch(
        facecolor="#bbbbbb", label="geometric mean (bar and number; in brackets its step over the design before)"
    )
    style = {"linestyle": "", "color": "white", "markeredgecolor": INK, "markersize": 4.5}
    marks = [Line2D([], [], marker=m, label=c.replace("_", "-") + " mean", **style) for c, m in MEANS.items() if m]  # type: ignore[arg-type]
    figure.legend(handles=[bar, *marks], loc="outside upper center", ncols=3)


def draw_energy_parts(table: Table, study: Study) -> Figure:
    """Energy by component: above relative to the baseline's total, below as shares of each design's own total."""
    workloads, groups = table.texts("workload"), table.texts("component")
    paint = paints(groups)
    figure = new_figure(WIDTH, 4.6)
    axes = figure.subplots(2, len(workloads), sharex=True, sharey="row", squeeze=False)
    for row, column in zip(axes, ("relative", "share"), strict=True):
        for ax, workload in zip(row, workloads, strict=True):
            values = table.where(workload=workload).lookup(column, "arch", "component")
            stack(ax, Bars(study.archs, groups, values, paint))
            grid_on(ax)
    for ax, workload in zip(axes[1], workloads, strict=True):
        ax.set_xticks(range(len(study.archs)), [plain(study.label(a)) for a in study.archs], rotation=40, ha="right")
        ax.set_xlabel(plain(study.label(workload)))
        percent_axis(ax)
    axes[0][0].set_ylabel(f"energy, relative to {study.label(study.baseline)}")
    axes[1][0].set_ylabel("share of the design's energy")
    legend_above(figure, {NAMES.get(group, group): paint[group] for group in groups})
    return figure


def stack(axes: Axes, bars: Bars) -> None:
    """One bar per group, the series stacked from zero in their order."""
    for place, group in enumerate(bars.groups):
        foot = 0.0
        for name in bars.series:
            height = bars.values.get((group, name), 0.0)
            look = bars.paint[name]
            axes.bar(place, height, 0.72, bottom=foot, color=look.colour, hatch=look.hatch, edgecolor="white")
            foot += height
        if not foot:
            axes.plot([place], [0.0], marker="x", color=INK, clip_on=False)
    axes.set_xlim(-0.5, len(bars.groups) - 0.5)


def draw_einsum_shares(table: Table, study: Study, names: Sequence[str]) -> Figure:
    """Share of all cycles in which a unit is busy, by Einsum: a row of panels per unit, a column per workload.

    Args:
        names: of all Einsums of all such figures, so that one has the same colour in each.
    """
    units, workloads, own = table.texts("unit"), table.texts("workload"), table.texts("einsum")
    paint = paints(names)
    figure = new_figure(WIDTH, 1.0 + 1.85 * len(units))
    axes = figure.subplots(len(units), len(workloads), sharex=True, sharey=True, squeeze=False)
    for row, unit in zip(axes, units, strict=True):
        for ax, workload in zip(row, workloads, strict=True):
            values = table.where(unit=unit, workload=workload).lookup("busy_share", "arch", "einsum")
            stack(ax, Bars(study.archs, [name for name in names if name in own], values, paint))
            percent_axis(ax)
        row[0].set_ylabel(f"share of cycles busy, {plain(unit)}")
    for ax, workload in zip(axes[-1], workloads, strict=True):
        ax.set_xticks(range(len(study.archs)), [plain(study.label(a)) for a in study.archs], rotation=40, ha="right")
        ax.set_xlabel(plain(study.label(workload)))
    legend_above(figure, {name: paint[name] for name in names if name in own}, columns=10)
    return figure
