"""What number formats cost attention: errors by family and length, and the picture of error over bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.accuracy import Row, accuracy
from accelsim.golden.attention_formats import AttentionFormats
from accelsim.report.numbers import plain
from accelsim.report.style import GREY, INK, WIDTH, Paint, Picture, drawn, grid_on, new_figure, paints
from accelsim.report.tables import Table, table_of
from accelsim.report.text import aligned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAMILIES = ("normal", "sink-10-first", "ramp-256-up")  # noise, a tall key, a slow rise: each tries another format
LENGTH = 1024
WANTED = 5e-3
SWEPT = {"p": range(5, 20, 2), "scores": range(2, 17, 2)}
TITLES = {"p": "bits of P behind the point", "scores": "bits of scores behind the point"}


def precision_text(rows: Sequence[Row]) -> str:
    """A line per family, a column per length, and what 8-bit inputs cost at the longest."""
    lengths = list(dict.fromkeys(row.length for row in rows))
    errors = {(row.family, row.length): row for row in rows}
    lines = [
        (family, *(f"{errors[family, n].error:.1e}" for n in lengths), _inputs(errors[family, lengths[-1]]))
        for family in dict.fromkeys(row.family for row in rows)
    ]
    return aligned(("family", *map(str, lengths), "8-bit inputs"), lines)


def _inputs(row: Row) -> str:
    return "-" if row.input_error is None else f"{row.input_error:.0e}"


def precision_document(
    rows: Sequence[Row], formats: AttentionFormats, tile: int | None, files: Sequence[str]
) -> dict[str, object]:
    """The same as plain data for JSON."""
    texts = {field.name: getattr(formats, field.name) for field in fields(formats)}
    named = {name: value if isinstance(value, int) else str(value) for name, value in texts.items()}
    entries = [asdict(row) for row in rows]
    return {
        **{"schema": 1, "kind": "accuracy", "metric": "max over rows of ||o - ref||2 / ||ref||2"},
        **{"tile": tile, "formats": named, "rows": entries, "files": list(files)},
    }


def precision_picture(formats: AttentionFormats, families: Sequence[str] | None, tile: int | None) -> Picture:
    """Error over bits of P and of scores at LENGTH keys; families None: those of FAMILIES."""
    table = bits_table(formats, families or FAMILIES, tile)
    alt = "The error of attention falls with the bits of P and of scores until something else is coarser."
    return Picture("accuracy-bits", table, drawn(lambda: draw_bits(table, formats)), alt)


def bits_table(formats: AttentionFormats, families: Sequence[str], tile: int | None) -> Table:
    """Errors with one format at a time made coarser or finer; no number where the others then do not fit."""
    rows = [
        (name, family, str(changed), changed.fraction, error)
        for name, bits in SWEPT.items()
        for changed in _forms(getattr(formats, name), bits)
        for family, error in _errors(formats, {name: changed}, families, tile)
    ]
    return table_of(("changed", "family", "format", "fraction_bits", "error"), rows)


def _forms(form: FixedFormat, fractions: Iterable[int]) -> list[FixedFormat]:
    """The format with other numbers of bits behind the point and the same before it, its own among them."""
    whole = form.width - form.fraction
    return [FixedFormat(whole + bits, bits, form.signed) for bits in sorted({*fractions, form.fraction})]


def _errors(
    formats: AttentionFormats, change: Mapping[str, FixedFormat], families: Sequence[str], tile: int | None
) -> list[tuple[str, float | None]]:
    try:
        changed = replace(formats, **change)  # type: ignore[arg-type]
        return [(row.family, row.error) for row in accuracy(changed, [LENGTH], families, tile=tile)]
    except AccelsimError:
        return [(family, None) for family in families]


def draw_bits(table: Table, formats: AttentionFormats) -> Figure:
    """A panel per format, a line per family; grey: the bits as they are, and the error that is asked for."""
    figure = new_figure(WIDTH * 0.8, 3.4)
    axes = figure.subplots(1, len(SWEPT), sharey=True, squeeze=False)[0]
    paint = paints(table.texts("family"))
    for panel, name in zip(axes, SWEPT, strict=True):
        _panel(panel, table.where(changed=name), paint)
        own = getattr(formats, name)
        panel.axvline(own.fraction, color=GREY, linewidth=1.1, linestyle="--", zorder=1)
        panel.annotate(str(own), (own.fraction, 0.98), (3, 0), xycoords=("data", "axes fraction"), va="top",
                       textcoords="offset points", fontsize=7, color=INK)  # fmt: skip
        panel.axhline(WANTED, color=GREY, linewidth=1.1, linestyle=":", zorder=1)
        panel.set_xlabel(TITLES[name])
    axes[-1].annotate(f"asked for: {WANTED:g}", (0.99, WANTED), (0, 3), xycoords=("axes fraction", "data"), ha="right",
                     textcoords="offset points", fontsize=7, color=INK)  # fmt: skip
    axes[0].set_ylabel(f"error of attention, {LENGTH} keys")
    _legend(figure, paint)
    return figure


def _panel(axes: Axes, table: Table, paint: Mapping[str, Paint]) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    for family, look in paint.items():
        found = table.where(family=family).lookup("error", "fraction_bits")
        points = sorted((float(str(bits)), error) for (bits,), error in found.items())
        if points:
            axes.plot(*zip(*points, strict=True), color=look.colour, marker=look.marker, markersize=3.5, linewidth=1.2)
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
    axes.set_xticks(sorted(set(table.numbers("fraction_bits"))))
    grid_on(axes)


def _legend(figure: Figure, paint: Mapping[str, Paint]) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=p.colour, marker=p.marker, markersize=4, label=plain(t)) for t, p in paint.items()]
    figure.legend(handles=lines, loc="outside upper center", ncols=6)
