"""The numbers of the report: two ways to the same number, and what happens to points that are missing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from accelsim.report import compare, usage
from accelsim.report.rows import read_folder
from accelsim.report.study import Study, study_of
from tests.report.synthetic import ARCHS, HEADS, SIZES, SWEEP, Json, failed, row, study_rows, write_folder

BARE = "schema: accelsim/sweep/1\naxes: {arch: [plain, woven], workload: [small], L: [1024, 4096]}\n"


def study(rows: Iterable[Json], sweep: str = SWEEP) -> Study:
    with TemporaryDirectory() as folder:
        left = read_folder(write_folder(Path(folder), rows, sweep))
    return study_of(left.sweep, left.rows)


@cache
def whole() -> Study:
    return study(study_rows())


def test_defaults_come_from_the_rows() -> None:
    found = study([row(arch, "small", size) for arch in ("plain", "woven") for size in (1024, 4096)], BARE)
    assert (found.archs, found.baseline, found.sizes, found.settings.size) == (
        ("plain", "woven"),
        "plain",
        (1024, 4096),
        "L",
    )
    assert found.comparable
    assert [scope.workloads for scope in found.settings.scopes] == [("small",)]
    assert {headline.quantity for headline in found.settings.headlines} == {"speedup", "energy"}


def test_ratios_are_those_of_the_runs() -> None:
    found = whole()
    table = compare.ratios(found, found.scope("attention"), "speedup")
    for (workload, size, arch), ratio in table.lookup("speedup", "workload", "size", "arch").items():
        if isinstance(size, int):
            ours, base = (found.run(str(name), str(workload), size) for name in (arch, "plain"))
            assert ours
            assert base
            assert ratio == base.seconds / ours.seconds


def test_means_in_the_table_are_those_of_its_points() -> None:
    found = whole()
    for quantity in ("speedup", "energy"):
        table = compare.ratios(found, found.scope("layer"), quantity)
        points = [r for (_, size), r in table.where(arch="woven").lookup(quantity, "workload", "size").items() if size]
        means = table.where(arch="woven", size=None).lookup(quantity, "workload")
        assert len(points) == len(HEADS) * len(SIZES)
        assert means["arithmetic mean",] == pytest.approx(sum(points) / len(points))
        assert means["geometric mean",] <= means["arithmetic mean",]
        assert min(points) <= means["equal-work mean",] <= max(points)


def test_a_failed_point_is_missing_and_counted() -> None:
    lines = [line for line in study_rows() if line["key"] != "woven/small/1024"]
    found = study([*lines, failed("woven", "small", 1024, "no")])
    table = compare.ratios(found, found.scope("attention"), "speedup")
    assert table.where(workload="small", size=1024, arch="woven").values("speedup") == [None]
    assert table.where(workload="geometric mean", arch="woven").values("points") == [11]
    assert table.where(workload="geometric mean", arch="wide").values("points") == [12]
    assert compare.headline_table(found).rows[0][4] == "11 of 12"


def test_steps_of_the_ladder_multiply_to_the_whole() -> None:
    found = whole()
    table = compare.ladder(found).where(scope="attention", quantity="speedup")
    product = 1.0
    for step in table.numbers("step"):
        product *= step
    assert product == pytest.approx(table.numbers("geometric")[-1])
    assert table.texts("arch") == list(ARCHS)


def test_overlays_replace_only_what_they_name() -> None:
    found = whole()
    base, measured = (compare.sensitivity(found).values(column) for column in ("our assumptions", "as measured"))
    assert measured[0] == pytest.approx(1.2 * float(str(base[0])))
    assert measured[2] == base[2]


def test_scaling_an_energy_entry_brackets_the_ratio() -> None:
    table = compare.energy_sensitivity(whole())
    assert len(table.rows) == compare.LARGEST
    for base, halved, doubled in zip(*(table.numbers(name) for name in ("base", "halved", "doubled")), strict=True):
        assert min(halved, doubled) <= base <= max(halved, doubled)


def test_energy_parts_add_up() -> None:
    found = whole()
    table = usage.energy_parts(found, found.scope("attention"))
    assert sum(table.where(workload="small", arch="fused").numbers("share")) == pytest.approx(1)
    assert sum(table.where(workload="small", arch="plain").numbers("relative")) == pytest.approx(1)
    order = table.texts("component")
    assert order[0] == "mac"
    assert order[-3:] == ["registers", "buffer", "dram"]


def test_many_operators_are_drawn_as_few_groups() -> None:
    line = row("plain", "small", 1024)
    result = line["result"]
    assert isinstance(result, dict)
    result["energy_by"] = {"dram": 5.0, "buffer": 4.0, "pe.mac": 9.0, **{f"pe.op{i}": 1.0 + i for i in range(20)}}
    groups = usage.component_groups(study([line], BARE))
    assert len(set(groups.values())) <= usage.MOST_GROUPS
    assert (groups["pe.op0"], groups["pe.op19"], groups["pe.mac"]) == ("other", "op19", "mac")


def test_busy_shares_add_up_to_the_busy_unit() -> None:
    found = whole()
    table = usage.einsum_shares(found, found.scope("attention"))
    run = found.run("woven", "large", found.focus)
    assert run
    assert run.clock_hz
    shares = table.where(workload="large", arch="woven", unit="pe2d").numbers("busy_share")
    assert sum(shares) == pytest.approx(run.busy["pe2d"] / (run.seconds * run.clock_hz))


def test_names_of_einsums_lose_their_step_where_they_stay_clear() -> None:
    line = row("plain", "small", 1024)
    result = line["result"]
    assert isinstance(result, dict)
    result["einsums"] = {n: {"unit": "pe2d", "busy_cycles": 1} for n in ("attention.QK", "attention.AV", "up.Y", "Z")}
    assert set(usage.short_names(study([line], BARE)).values()) == {"QK", "AV", "up", "Z"}


def test_no_point_stands_above_the_roof() -> None:
    found = whole()
    table = usage.roofline(found, found.scope("attention"))
    peak = table.where(kind="peak", name="pe2d").numbers("per_s")[0]
    slope = table.where(kind="bandwidth").numbers("per_s")[0]
    points = table.where(kind="point")
    for x, y in zip(points.numbers("flop_per_byte"), points.numbers("per_s"), strict=True):
        assert y <= min(peak, x * slope) * (1 + 1e-9)
    assert table.texts("name")[-1] == "pe2d", "a unit that limits no point is not drawn"


def test_without_a_machine_there_is_no_roofline() -> None:
    line = row("plain", "small", 1024)
    result = line["result"]
    assert isinstance(result, dict)
    found = study([{**line, "result": {**result, "machine": None}}], BARE)
    assert usage.roofline(found, found.settings.scopes[0]).rows == ()
