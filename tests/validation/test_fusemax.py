"""The FuseMax study: every published number, and the numbers that stand in its reference by hand."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction

import pytest

from accelsim.simulate import simulate_named
from accelsim.validation import Report
from accelsim.validation.fusemax.sides import register_area_um2
from accelsim.validation.fusemax.study import (
    DESIGNS,
    FOLDER,
    LAYER,
    MODELS,
    TOKENS,
    Books,
    Ratio,
    as_published,
    means,
    spurious_rows,
)
from accelsim.validation.runs import Runs, energy_pj, off_chip_bytes
from accelsim.validation.table import read_table
from tests.source import ROOT

pytestmark = pytest.mark.validation


def test_every_check_passes(study: Report) -> None:
    assert study.passed, study.to_text()


def test_every_published_row_is_checked(study: Report) -> None:
    groups = Counter(check.group for check in study.checks)
    assert groups["attention"] == 5 * 40
    assert groups["linear"] + groups["layer"] == 5 * 40
    assert groups["array size"] == 24 + 2 * 6
    assert groups["products"] == 48
    assert groups["headlines"] == 46
    assert groups["variants"] == 11
    names = Counter((check.name, check.quantity) for check in study.checks)
    assert max(names.values()) == 1


def test_time_and_bytes_agree_to_the_last_digits(study: Report) -> None:
    exact = [check for check in study.checks if check.group in ("attention", "layer") and check.quantity != "energy"]
    assert max(abs(check.error) for check in exact) < 1e-15


def test_a_heuristic_mapper_moves_more_never_less(study: Report) -> None:
    linear = [check for check in study.checks if (check.group, check.quantity) == ("linear", "off-chip bytes")]
    assert all(check.error <= 0 for check in linear)
    assert {check.error for check in linear if "/xlm/" not in check.name} == {0.0}


def test_document_is_json(study: Report) -> None:
    document = json.loads(json.dumps(study.to_json(), allow_nan=False))
    assert document["suite"] == "fusemax"
    assert [table["title"].split(" (")[0] for table in document["tables"]] == [
        "Headlines",
        "What the headlines hang on",
    ]


@pytest.mark.parametrize(
    ("arch", "workload", "tokens", "cycles"),
    [
        ("fusemax", "bert", 1024, 1_892_352),
        ("fusemax-arch", "bert", 1024, 5_627_904),
        ("fusemax-cascade", "bert", 1024, 14_413_824),
        ("flat", "bert", 1024, 12_582_912),
        ("fusemax", "xlm", 1 << 20, 4_570_382_073_856),
    ],
)
def test_cycles(arch: str, workload: str, tokens: int, cycles: int) -> None:
    assert simulate_named(arch, workload, [f"L={tokens}"]).cycles == cycles


@pytest.mark.parametrize(
    ("arch", "tokens", "moved"),
    [
        ("fusemax", 65536, 38_654_705_664),
        ("flat", 262144, 435_458_144_206_848),
        ("flat", 4096, pytest.approx(21_128_367_461.2, rel=1e-12)),
    ],
)
def test_traffic(arch: str, tokens: int, moved: float) -> None:
    assert float(simulate_named(arch, "bert", [f"L={tokens}"]).level_bytes("dram")) == moved


def test_energy_by_component() -> None:
    energy = simulate_named("fusemax-published", "bert", ["L=16384"]).energy_by
    assert energy is not None
    assert float(sum(energy.values())) == pytest.approx(4.93109e14, rel=1e-5)
    assert float(energy["pe2d.mac"]) == pytest.approx(4.74173e14, rel=1e-5)
    assert float(energy["buffer"]) == pytest.approx(1.36142e13, rel=1e-5)
    assert float(energy["dram"]) == pytest.approx(2.01005e11, rel=1e-5)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_layer_is_attention_and_linear_layers_that_know_nothing_of_the_cascade(design: str) -> None:
    """The linear layers of a design are those of the platform that it stands on, in time, bytes and energy."""
    runs, platform = Runs(), "fusemax" if design in ("fusemax-arch", "fusemax") else "flat"
    for quantity in (energy_pj, off_chip_bytes, lambda result: result.seconds):
        own, other = (
            quantity(runs.result(arch, "t5" + LAYER, 4096)) - quantity(runs.result(arch, "t5", 4096))
            for arch in (design, platform)
        )
        assert own == other


def test_reads_counted_too_often_are_only_ever_added() -> None:
    runs = Runs()
    overlay, published = Books(runs, {d: f"{d}-published" for d in DESIGNS}), as_published(runs)
    for design, model, tokens in spurious_rows():
        assert published.energy_pj(design, model, tokens) > overlay.energy_pj(design, model, tokens)
    assert {tokens for _, _, tokens in spurious_rows()} == {65536, 262144, 1 << 20}


def test_time_does_not_depend_on_the_overlay() -> None:
    """What the study got wrong in its energy has no part in its speed-ups."""
    runs = Runs()
    for design in DESIGNS:
        for model in MODELS:
            times = {runs.result(arch, model, TOKENS[2]).seconds for arch in (design, f"{design}-published")}
            assert len(times) == 1


def test_means_of_ratios() -> None:
    found = means([(Fraction(2), Fraction(1)), (Fraction(8), Fraction(1))])
    assert (found.arithmetic, found.ratio_of_sums, found.least, found.most) == (5, 5, 2, 8)
    assert found.geometric == pytest.approx(4)
    runs = Runs()
    one = Ratio("speedup", "fusemax", "flat", tokens=TOKENS[:1])
    ours = simulate_named("fusemax", "bert", ["L=1024"]).seconds
    theirs = simulate_named("flat", "bert", ["L=1024"]).seconds
    assert one.pairs(Books(runs))[0] == (theirs, ours)


def test_a_register_file_costs_that_of_64_words() -> None:
    assert register_area_um2(12) == pytest.approx(16837.58, abs=5e-3)
    assert register_area_um2(4) == pytest.approx(16814.31, abs=5e-3)
    assert register_area_um2(32) == pytest.approx(16849.21, abs=5e-3)


def test_packaged_tables_say_where_they_come_from() -> None:
    for path in sorted(FOLDER.glob("*.csv")):
        assert path.read_text(encoding="utf-8").startswith("# ")
        assert read_table(path)


def test_the_page_shows_what_the_report_prints(study: Report) -> None:
    page = (ROOT / "docs" / "fusemax.md").read_text(encoding="utf-8")
    for table in study.tables:
        _, *lines = table.to_text().splitlines()
        assert "\n".join(lines[: 1 + len(table.rows)]) in page
    assert f"# {len(study.checks)} numbers" in page
