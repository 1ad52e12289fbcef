"""Sweeps over designs: cases, names of designs, fronts."""

from __future__ import annotations

from accelsim.report.designs import design_table, front_table, objectives_of, pareto_pairs
from accelsim.report.study import Study
from tests.report.synthetic import DESIGNS, design_rows
from tests.report.test_study import study


def sides() -> Study:
    return study(design_rows(), DESIGNS)


def test_the_objectives_are_those_of_the_sweep_and_the_area() -> None:
    assert objectives_of(sides()) == ("seconds", "energy_pj", "area_um2")
    assert len(pareto_pairs(sides())) == 3


def test_a_design_is_named_by_what_differs() -> None:
    table = design_table(sides())
    assert table.texts("case") == ["small"]
    assert table.texts("design")[:2] == ["rows=16 capacity=1 MiB", "rows=16 capacity=4 MiB"]


def test_one_key_names_a_design_where_all_vary_together() -> None:
    rows = [line for line in design_rows() if str(line["key"]).endswith("/1")]
    assert design_table(study(rows, DESIGNS)).texts("design") == [
        f"rows={side}" for side in (16, 32, 64, 128, 256, 512)
    ]


def test_assumptions_make_cases_of_their_own() -> None:
    rows = design_rows()
    others = [{**line, "key": f"{line['key']}-other", "point": renamed(line["point"])} for line in rows]
    block = "report: {archs: [woven], overlays: {measured: {label: as measured, archs: {woven: woven-measured}}}}\n"
    table = design_table(study([*rows, *others], DESIGNS + block))
    assert table.texts("case") == ["small", "small, as measured"]
    assert len(table.texts("design")) == len(rows)


def renamed(point: object) -> dict[str, object]:
    assert isinstance(point, dict)
    return {**point, "arch": "woven-measured"}


def test_a_front_holds_what_nothing_dominates() -> None:
    pair = ("seconds", "energy_pj")
    table = front_table(design_table(sides()), pair)
    points = list(zip(table.numbers(pair[0]), table.numbers(pair[1]), table.values("on_front"), strict=True))
    for x, y, best in points:
        dominated = any(a <= x and b <= y and (a, b) != (x, y) for a, b, _ in points)
        assert best == ("no" if dominated else "yes")


def test_a_design_without_an_objective_is_left_out() -> None:
    rows = design_rows()
    result = rows[0]["result"]
    assert isinstance(result, dict)
    result["energy_pj"] = None
    table = design_table(study(rows, DESIGNS))
    assert len(front_table(table, ("seconds", "energy_pj")).rows) == len(rows) - 1
