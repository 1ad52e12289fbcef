"""The ski slope: off-chip traffic over buffer capacity, down to what any capacity must move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.report.lines import MOST_KEYS, log2_axis
from accelsim.report.numbers import iec, plain
from accelsim.report.style import COLOURS, GREY, Picture, drawn, grid_on, new_figure
from accelsim.report.tables import Cell, Table, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
CONFIGURED, FOOTPRINT = COLOURS[3], COLOURS[2]


def slope_table(
    points: Sequence[tuple[float, float]],
    floor_bytes: float,
    footprints: Sequence[tuple[str, float]] = (),
    capacity: float | None = None,
) -> Table:
    """The curve and what is marked on it, one row each, in bytes.

    Args:
        points: (capacity, traffic).
        floor_bytes: what any capacity must move.
        footprints: labels and sizes that explain the steps.
        capacity: of the configured buffer; None: not marked.
    """
    if not points:
        raise AccelsimError("nothing to draw: no capacity was tried")
    rows: list[tuple[Cell, ...]] = [("point", "", float(c), float(t)) for c, t in sorted(points)]
    rows.append(("floor", "compulsory", None, float(floor_bytes)))
    rows += [("footprint", label, float(size), None) for label, size in footprints]
    rows += [("capacity", "configured", float(capacity), None)] if capacity else []
    return table_of(("kind", "label", "capacity_bytes", "traffic_bytes"), rows)


def draw_slope(table: Table) -> Figure:
    """A step curve on log2 axes, the compulsory traffic grey, footprints dotted, the configured capacity dashed."""
    points = table.where(kind="point")
    (floor,) = table.where(kind="floor").numbers("traffic_bytes")
    figure = new_figure(8.6, 3.6)
    axes = figure.subplots()
    axes.axhline(floor, color=GREY, linewidth=1.4)
    axes.plot(points.numbers("capacity_bytes"), points.numbers("traffic_bytes"), color=COLOURS[0], marker="o",
              markersize=3, drawstyle="steps-post")  # fmt: skip
    footprints = table.where(kind="footprint")
    for size in sorted(set(footprints.numbers("capacity_bytes"))):
        _upright(axes, iec(size), size, FOOTPRINT)
    for capacity in table.where(kind="capacity").numbers("capacity_bytes"):
        _upright(axes, f"configured {iec(capacity)}", capacity, CONFIGURED)
    axes.annotate(f"compulsory {iec(floor)}", (1.0, floor), (-4, -4), ha="right", va="top", fontsize=7, bbox=PAPER,
                  xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    _key(figure, footprints)
    log2_axis(axes, "x", "B", table.numbers("capacity_bytes"))
    log2_axis(axes, "y", "B", [floor / 1.5, *table.numbers("traffic_bytes")])
    axes.set_xlabel("buffer capacity")
    axes.set_ylabel("off-chip traffic")
    grid_on(axes)
    return figure


def _upright(axes: Axes, text: str, place: float, colour: str) -> None:
    """A line at a capacity; footprints are named at its top, what is configured at half height, left of the line."""
    line, height = (":", 1.0) if colour == FOOTPRINT else ("--", 0.55)
    axes.axvline(place, color=colour, linestyle=line, linewidth=1.1, zorder=1)
    axes.annotate(text, (place, height), (-2, -2), xycoords=("data", "axes fraction"), rotation=90, ha="right",
                  va="top", textcoords="offset points", fontsize=7, color=colour)  # fmt: skip


def _key(figure: Figure, footprints: Table) -> None:
    """What the footprints are, by size, beside the panel."""
    from matplotlib.lines import Line2D

    names = zip(footprints.numbers("capacity_bytes"), footprints.texts_of("label"), strict=True)
    texts = [plain(f"{iec(size)}  {label}") for size, label in sorted(names)]
    lines = [Line2D([], [], color=FOOTPRINT, linestyle=":", label=text) for text in texts[:MOST_KEYS]]
    if lines:
        figure.legend(handles=lines, loc="outside right upper", fontsize=7, title="must stay live", title_fontsize=7,
                      handlelength=1.2, alignment="left")  # fmt: skip


def ski_slope(
    points: Sequence[tuple[float, float]],
    floor_bytes: float,
    footprints: Sequence[tuple[str, float]] = (),
    capacity: float | None = None,
) -> Picture:
    """The picture of traffic over capacity; arguments as in `slope_table`."""
    table = slope_table(points, floor_bytes, footprints, capacity)
    alt = "Off-chip traffic falls in steps as the buffer grows, down to the compulsory traffic."
    return Picture("ski-slope", table, drawn(lambda: draw_slope(table)), alt)
