"""The one look of all figures: Okabe-Ito colours in order, the baseline grey, the same bytes for the same data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from accelsim.errors import AccelsimError
from accelsim.report.numbers import plain, size_text
from accelsim.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#000000")
GREY, INK = "#999999", "#333333"
HATCHES = ("", "////", "\\\\\\\\", "xxxx")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
WIDTH = 10.5  # inches: the width of the page
RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "patch.linewidth": 0.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "accelsim",
    "text.parse_math": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.dpi": 160,
}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Paint:
    """How a series is filled: colour and, as a second channel, hatch and marker."""

    colour: str
    hatch: str = ""
    marker: str = "o"


@dataclass(frozen=True)
class Picture:
    """A figure with exactly the numbers that it shows; `name` is the stem of its files, `alt` says what it shows."""

    name: str
    table: Table
    figure: Figure
    alt: str


def paints(names: Sequence[str], baseline: str = "") -> Mapping[str, Paint]:
    """A paint per name in order; the baseline is grey and takes no colour of the others."""
    others = [name for name in names if name != baseline]
    found = {
        name: Paint(COLOURS[i % len(COLOURS)], HATCHES[i // len(COLOURS) % len(HATCHES)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(others)
    }
    return {baseline: Paint(GREY), **found} if baseline else found


@contextmanager
def styled() -> Iterator[None]:
    """The look, for what is drawn and written inside; nothing of it stays."""
    import matplotlib as mpl

    with mpl.rc_context(RC):
        yield


def drawn(draw: Callable[[], Figure]) -> Figure:
    """What `draw` makes, in the look, with its layout computed once and kept."""
    with styled():
        figure = draw()
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return figure


def new_figure(width: float, height: float) -> Figure:
    """A figure of its own in inches, apart from any global list of figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def grid_on(axes: Axes, axis: str = "y") -> None:
    """A grid on the value axis only."""
    axes.grid(visible=True, axis="x" if axis == "x" else "y")
    axes.tick_params(length=2.5, width=0.6, color=INK)


def legend_above(figure: Figure, labels: Mapping[str, Paint], line: str = "", columns: int = 8) -> None:
    """One legend for all panels, above them; `line` names a grey line first."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines = [Line2D([], [], color=GREY, linewidth=1.4, label=line)] if line else []
    boxes = [
        Patch(facecolor=p.colour, hatch=p.hatch, edgecolor="white", label=plain(text)) for text, p in labels.items()
    ]
    figure.legend(handles=[*lines, *boxes], loc="outside upper center", ncols=columns, handlelength=1.4)


def set_sizes(axes: Axes, places: Sequence[float], sizes: Sequence[float]) -> None:
    """A tick per size; none is written for points that have no size."""
    axes.set_xticks(list(places), [size_text(size) if size else "" for size in sizes])


def name_sizes(figure: Figure, label: str) -> None:
    """What the sizes below all panels are."""
    if label:
        figure.supxlabel(plain(label), fontsize=8)


def svg_bytes(figure: Figure) -> bytes:
    """The figure as SVG: the same bytes for the same data."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer, canvas = BytesIO(), cast(Any, FigureCanvasSVG(figure))
    with styled():
        canvas.print_svg(buffer, metadata=NO_METADATA)
    return buffer.getvalue()


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer, canvas = BytesIO(), cast(Any, FigureCanvasAgg(figure))
    with styled():
        canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def save(picture: Picture, folder: Path) -> list[Path]:
    """Write a picture as PNG and SVG and its numbers as CSV into a folder; the paths written."""
    files = {
        ".png": png_bytes(picture.figure),
        ".svg": svg_bytes(picture.figure),
        ".csv": picture.table.csv().encode(),
    }
    paths = [folder / f"{picture.name}{suffix}" for suffix in files]
    for path, data in zip(paths, files.values(), strict=True):
        write(path, data)
    return paths


def write(path: Path, data: bytes) -> None:
    """Write a file and the folders above it. Raises AccelsimError where that cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise AccelsimError(f"{error.filename or path}: {error.strerror}") from None


def inline_svg(svg: str, name: str, alt: str) -> str:
    """An SVG as a part of a page: no prologue, no address of a schema, ids of its own, a title for screen readers."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body).replace("xlink:href", "href")
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for start in (' id="', 'href="#', "url(#"):
        body = body.replace(start, f"{start}{name}-")
    head, rest = body.split(">", 1)
    return f'{head} role="img" aria-labelledby="{name}-title"><title id="{name}-title">{escape(alt)}</title>{rest}'
