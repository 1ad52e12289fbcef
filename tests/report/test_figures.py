"""What is drawn is what the table says, and the same data give the same bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from accelsim.errors import AccelsimError
from accelsim.report import bars, compare, designs, lines, usage
from accelsim.report.slope import draw_slope, ski_slope, slope_table
from accelsim.report.style import COLOURS, GREY, Picture, drawn, inline_svg, paints, png_bytes, save, svg_bytes
from accelsim.report.tables import Cell, Table, table_of
from accelsim.report.tornado import tornado, tornado_table, write_tornado
from tests.report.test_designs import sides
from tests.report.test_study import whole

CHANGES: list[Mapping[str, Cell]] = [
    {"resource": name, "factor": factor, "speedup": speedup, "energy_ratio": 1.1}
    for name, factor, speedup in (("clock", 2.0, 2.0), ("clock", 0.5, 0.5), ("lanes", 2.0, 1.2), ("lanes", 0.5, 0.9))
]
CURVE = [(float(1 << k), 1e12 / (1 << k)) for k in range(10, 20)]


def heights(figure: Figure) -> list[float]:
    """Of all bars with a height, in all panels."""
    patches = [patch for axes in figure.axes for patch in axes.patches]
    return sorted(patch.get_height() for patch in patches if isinstance(patch, Rectangle) and patch.get_height())


def from_csv(table: Table, column: str) -> list[float]:
    rows = csv.DictReader(io.StringIO(table.csv()))
    return sorted(float(row[column]) for row in rows if row[column] not in ("", "0.0"))


def numbers(line: Line2D) -> list[float]:
    """The heights of the points of a line."""
    return [float(y) for y in np.asarray(line.get_ydata())]


def test_bars_of_ratios_are_the_numbers_of_the_csv() -> None:
    study = whole()
    for quantity in ("speedup", "energy"):
        table = compare.ratios(study, study.scope("attention"), quantity)
        figure = drawn(lambda t=table, q=quantity: bars.draw_ratios(t, study, q, q))  # type: ignore[misc]
        assert heights(figure) == from_csv(table, quantity)
        assert all(axes.get_ylim()[0] == 0 for axes in figure.axes)


def test_bars_of_utilisation_are_the_numbers_of_the_csv() -> None:
    study = whole()
    table = usage.utilization(study, study.scope("attention"))
    figure = drawn(lambda: bars.draw_utilization(table, study))
    assert heights(figure) == from_csv(table, "utilization")
    assert {axes.get_ylim() for axes in figure.axes} == {(0.0, 1.0)}


def test_stacks_of_energy_and_of_einsums_are_the_numbers_of_the_csv() -> None:
    study = whole()
    parts = usage.energy_parts(study, study.scope("attention"))
    figure = drawn(lambda: bars.draw_energy_parts(parts, study))
    assert heights(figure) == pytest.approx(sorted(from_csv(parts, "relative") + from_csv(parts, "share")))
    shares = usage.einsum_shares(study, study.scope("attention"))
    figure = drawn(lambda: bars.draw_einsum_shares(shares, study, shares.texts("einsum")))
    assert heights(figure) == pytest.approx(from_csv(shares, "busy_share"))


def test_bars_of_the_ladder_are_geometric_means() -> None:
    table = compare.ladder(whole())
    assert heights(drawn(lambda: bars.draw_ladder(table, whole()))) == from_csv(table, "geometric")


def test_points_of_the_roofline_are_the_numbers_of_the_csv() -> None:
    study = whole()
    table = usage.roofline(study, study.scope("attention"))
    (axes,) = drawn(lambda: lines.draw_roofline(table, study)).axes
    marked = [y for line in axes.lines if len(ys := numbers(line)) == len(study.sizes) for y in ys]
    assert sorted(marked) == from_csv(table.where(kind="point"), "per_s")


def test_the_same_data_give_the_same_bytes() -> None:
    study = whole()
    table = compare.ratios(study, study.scope("attention"), "speedup")
    first, second = (drawn(lambda: bars.draw_ratios(table, study, "speedup", "speed-up")) for _ in range(2))
    assert svg_bytes(first) == svg_bytes(second)
    assert png_bytes(first) == png_bytes(second)
    assert svg_bytes(tornado(CHANGES).figure) == svg_bytes(tornado(CHANGES).figure)
    assert svg_bytes(ski_slope(CURVE, 1e6).figure) == svg_bytes(ski_slope(CURVE, 1e6).figure)


def test_drawing_leaves_no_trace_in_the_settings_of_matplotlib() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    tornado(CHANGES)
    assert dict(mpl.rcParams) == before


def test_the_front_is_drawn_as_steps_and_every_case_has_a_panel() -> None:
    pair = ("seconds", "energy_pj")
    table = designs.front_table(designs.design_table(sides()), pair)
    (axes,) = drawn(lambda: lines.draw_pareto(table, pair)).axes
    rest, best = axes.lines
    assert best.get_drawstyle() == "steps-post"
    assert len(numbers(rest)) + len(numbers(best)) == len(table.rows)


def test_the_baseline_is_grey_and_takes_no_colour() -> None:
    found = paints(["plain", "a", "b"], "plain")
    assert [paint.colour for paint in found.values()] == [GREY, *COLOURS[:2]]
    many = paints([f"n{i}" for i in range(24)])
    assert len({(paint.colour, paint.hatch) for paint in many.values()}) == 24


def test_the_tornado_puts_what_matters_most_first_and_keeps_all_numbers(tmp_path: Path) -> None:
    table = tornado_table([*reversed(CHANGES)])
    assert table.texts("resource") == ["clock", "lanes"]
    paths = write_tornado(CHANGES, tmp_path)
    assert [path.name for path in paths] == ["whatif.png", "whatif.svg", "whatif.csv"]
    assert paths[2].read_text(encoding="utf-8") == tornado_table(CHANGES).csv()
    unknown = [{**change, "energy_ratio": None} for change in CHANGES]
    assert len(tornado(unknown).figure.axes) == 1
    with pytest.raises(AccelsimError, match="nothing to draw: no resource was changed"):
        tornado([])


def test_the_ski_slope_holds_its_points_floor_and_marks() -> None:
    table = slope_table(CURVE[::-1], 1e6, [("whole $K$", 2.0**18)], 2.0**24)
    assert table.where(kind="point").numbers("capacity_bytes") == [c for c, _ in CURVE]
    assert table.texts("kind") == ["point", "floor", "footprint", "capacity"]
    (axes,) = drawn(lambda: draw_slope(table)).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    with pytest.raises(AccelsimError, match="nothing to draw: no capacity was tried"):
        slope_table([], 1.0)


def test_saving_writes_three_files(tmp_path: Path) -> None:
    picture = tornado(CHANGES)
    paths = save(Picture("x", picture.table, picture.figure, picture.alt), tmp_path / "deep" / "folder")
    assert [path.suffix for path in paths] == [".png", ".svg", ".csv"]
    assert paths[2].read_text(encoding="utf-8") == picture.table.csv()
    assert b"<dc:date>" not in paths[1].read_bytes()


def test_an_svg_inside_a_page_has_its_own_names_and_no_address() -> None:
    svg = inline_svg(svg_bytes(tornado(CHANGES).figure).decode(), "x", 'a "text" & more')
    assert "http" not in svg
    assert svg.startswith("<svg")
    assert '<title id="x-title">a &quot;text&quot; &amp; more</title>' in svg
    assert ' id="figure_1"' not in svg


def test_csv_keeps_every_digit_and_leaves_gaps() -> None:
    assert table_of(("a", "b", "c"), [(1, 1 / 3, None)]).csv() == "a,b,c\n1,0.3333333333333333,\n"
