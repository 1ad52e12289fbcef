"""`accelsim map`: files that `simulate` takes, one document, fronts, another depth, and what cannot be met."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from accelsim.arch import load_arch
from accelsim.cli import main
from accelsim.errors import AccelsimError
from accelsim.mapper.limits import Limits, load_limits
from accelsim.mapper.search import Found
from accelsim.report.mapped import Verified, against, ranking_held, underused, verified_text
from accelsim.result import EinsumUse, Part, UnitUse
from accelsim.simulate import simulate_named
from tests.report.test_text import RESULT
from tests.test_public import HEAVY, loaded_after

GEMM = ("edge", "gemm", "--set", "M=40", "--set", "N=70")
ATTENTION = ("edge", "attention-3pass", *(f"--set={x}" for x in ("B=1", "H=1", "E=4", "M=12")), "--most-fused", "2")
LAYER = ("edge", "encoder-layer-3pass", *(f"--set={x}" for x in ("B=1", "L=24", "H=2", "E=8", "D=16", "S=48")))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def mapped(capsys: pytest.CaptureFixture[str], out: Path, *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["map", *words, "--out", str(out)])
    return (status, *capsys.readouterr())


def document(capsys: pytest.CaptureFixture[str], out: Path, *words: str) -> dict[str, Any]:
    status, text, _ = mapped(capsys, out, *words, "--json")
    assert status == 0
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert (found["schema"], found["kind"]) == (1, "map")
    return found


def test_the_document_is_that_of_simulate_on_the_file(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    found = document(capsys, out, *GEMM)
    path = Path(str(found["path"]))
    assert path == out / "gemm-on-edge.yaml"
    assert path.read_text() == found["mapping"]
    result = simulate_named("edge", "gemm", ["M=40", "N=70"], str(path)).to_json()
    assert found["result"] == result
    assert (found["gap"], found["bound_seconds"] <= result["seconds"]) == (0.0, True)
    assert found["evaluated"] > 0
    (step,) = found["steps"]
    assert step["seconds"] == pytest.approx(result["seconds"])
    assert step["groups"] == [[["C"]]]


def test_the_text_says_where_it_is_how_good_and_what_came_second(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    status, text, _ = mapped(capsys, out, *ATTENTION)
    assert status == 0
    head = [line for line in text.splitlines() if line]
    assert head[1] == "mapping  attention-3pass-on-edge, depth analytic"
    assert f"\nwritten  {out}/attention-3pass-on-edge.yaml\n" in text
    assert "\noptimum  least latency, gap 0%: " in text
    assert "\nbound    " in text
    assert "\nsearched " in text
    assert "\nsecond  " in text
    assert "\ngroup group1: " in text
    assert "\npart " in text  # the share of each group in the time


@pytest.mark.slow
def test_every_form_has_a_line(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    words = ["edge", "attention", "--set", "B=1", "--set", "H=1", "--set", "E=4", "--set", "M=12", "--most-fused", "1"]
    _, text, _ = mapped(capsys, out, *words)
    lines = {line.split("  ")[0]: line for line in text.splitlines() if line.startswith("attention-")}
    assert len(lines) == 5
    assert lines["attention-1pass M0=256"].endswith("no mapping fits")
    assert sum(line.endswith("chosen") for line in lines.values()) == 1
    one = document(capsys, out, *words, "--cascade", "2pass")
    (step,) = one["steps"]
    assert (step["cascade"], step["params"]) == ("2pass", {"M0": 256})


def test_a_layer_has_a_file_for_each_function(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    found = document(capsys, out, *LAYER, "--most-fused", "2")
    assert (found["mapping"], found["path"]) == (None, None)
    steps = {str(step["function"]): step for step in found["steps"]}
    assert list(steps) == ["projection", "attention", "output-projection", "linear"]
    assert steps["linear"]["steps"] == ["ffn-up", "ffn-down"]
    assert sorted(path.name for path in out.iterdir()) == sorted(Path(s["path"]).name for s in steps.values())
    seconds = sum(float(step["seconds"]) for step in steps.values())
    assert found["result"]["seconds"] == pytest.approx(seconds)


@pytest.mark.parametrize("wanted", ["latency,energy", "energy,latency,buffer", "latency,buffer"])
def test_a_front_is_a_table_and_a_picture(capsys: pytest.CaptureFixture[str], out: Path, wanted: str) -> None:
    found = document(capsys, out, *GEMM, "--pareto", wanted)
    columns = {"latency": "seconds", "energy": "energy_pj", "buffer": "held_bytes"}
    names = [columns[name] for name in columns if name in wanted]
    with (out / "pareto.csv").open() as file:
        rows = list(csv.DictReader(file))
    points = [tuple(float(row[name]) for name in names) for row in rows]
    assert points == [tuple(point[name] for name in names) for point in found["pareto"]]
    assert not any(all(x <= y for x, y in zip(a, b, strict=True)) for a in points for b in points if a is not b)
    assert {path.suffix for path in out.iterdir()} == {".yaml", ".csv", ".png", ".svg"}


def test_the_best_is_run_at_another_depth(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    found = document(capsys, out, *GEMM, "--pareto", "latency,energy", "--verify", "cycle")
    first = found["verified"][0]
    cycle = simulate_named("edge", "gemm", ["M=40", "N=70"], str(found["path"]), "cycle")
    assert first["cycle_seconds"] == pytest.approx(float(cycle.seconds))
    assert first["seconds"] == found["result"]["seconds"]
    number = min(3, len(found["pareto"]))
    assert len(found["verified"]) == number
    assert found["ranking_held"] in ((True, False) if number > 1 else (None,))


def ran(seconds: float, cycle: float | None) -> Verified:
    return Verified("best: x", seconds, 1.0, cycle, refusal="" if cycle else "too many tiles")


def test_a_ranking_holds_where_no_pair_changes_places() -> None:
    assert ranking_held([ran(1, 3), ran(2, 4)], "latency") is True
    assert ranking_held([ran(1, 4), ran(2, 3)], "latency") is False
    assert ranking_held([ran(1, 4), ran(1, 3)], "latency") is True
    assert ranking_held([ran(1, 4), ran(2, None)], "latency") is None
    assert "too many tiles" in verified_text([ran(1, 4), ran(2, None)], "latency")


RIVAL = Found(2.0, 10.0, 0.0, ())


def test_how_much_worse_in_words() -> None:
    found = [against(cost, RIVAL) for cost in (RIVAL, replace(RIVAL, seconds=1.0), replace(RIVAL, energy_pj=35.0))]
    assert found == ["as fast, the same energy", "50% faster, the same energy", "as fast, 3.50 times the energy"]
    assert against(replace(RIVAL, seconds=3.0), RIVAL, known=False) == "50% slower"


def test_a_unit_that_binds_and_idles_is_named() -> None:
    lazy = replace(
        RESULT,
        units={
            "pe2d": UnitUse(Fraction(2_500_000), Fraction(1, 10)),
            "pe1d": UnitUse(Fraction(500_000), Fraction(1, 50)),
        },
        einsums={
            "QK": EinsumUse("pe2d", Fraction(500_000), Fraction(9, 100)),
            "AV": EinsumUse("pe2d", Fraction(2_000_000), Fraction(1, 100)),
        },
        parts=(Part("all", Fraction(1, 400), {}, "pe2d"),),
    )
    (warning,) = underused(lazy)
    assert warning.startswith("pe2d binds and yet uses 10% of its PEs while it is busy, the fewest in AV: ")
    assert underused(RESULT) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pareto", "latency,power"], '--pareto: no objective "power"; known: buffer, energy, latency'),
        (["--pareto", "latency"], '--pareto: must name two or three of latency, energy, buffer, got "latency"'),
        (["--most-fused", "0"], '--most-fused: must be at least 1, got "0"'),
        (["--objective", "power"], "argument --objective: invalid choice: 'power'"),
        (["--set", "mapping.bind.pe2d=1"], "the mapping is what map finds, nothing of it can be set"),
        (["--cascade", "1pass"], 'no cascade "1pass"'),
    ],
)
def test_requests_that_cannot_be_met(
    capsys: pytest.CaptureFixture[str], out: Path, words: list[str], message: str
) -> None:
    status, text, error = mapped(capsys, out, *GEMM, *words)
    assert (status, text, out.exists()) == (2, "", False)
    assert message in error


def test_without_energies_only_time_can_be_chosen_by(capsys: pytest.CaptureFixture[str], out: Path) -> None:
    unknown = ("--set", "arch.components.hbm2.energy={read: 1 pJ/bit}")
    found = document(capsys, out, *GEMM, *unknown)
    (step,) = found["steps"]
    assert (step["energy_pj"], step["second"] is None or step["second"]["energy_pj"] is None) == (None, True)
    status, _, error = mapped(capsys, out, *GEMM, *unknown, "--objective", "edp")
    assert (status, "map by latency only" in error) == (2, True)


def test_a_search_that_depth_analytic_contradicts_is_a_bug(
    capsys: pytest.CaptureFixture[str], out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("accelsim.mapper.choose.Candidate.seconds", 1.0)
    status, _, error = mapped(capsys, out, *GEMM)
    assert (status, "seconds of the best mapping: 1.0 in the search" in error) == (3, True)


def test_help_loads_nothing_heavy() -> None:
    assert loaded_after("from accelsim.cli import main\nmain(['map', '--help'])") & HEAVY == set()


LIMITS = """\
schema: accelsim/limits/1
overlap: sequential
registers: false
perfect: true
dims: {pe2d: {rows: reduced}}
stationary: {pe2d: [1]}
most_fused: 1
"""


def test_limits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(LIMITS, encoding="utf-8")
    assert load_limits(path, load_arch("reference")) == Limits(
        overlap="sequential",
        registers=False,
        perfect=True,
        dims={"pe2d": {"rows": "reduced"}},
        stationary={"pe2d": frozenset({1})},
        most_fused=1,
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reduced", "reducd", 'dims.pe2d.rows: unknown rule "reducd"; did you mean "reduced"?'),
        ("rows", "row", 'dims.pe2d.row: unknown dimension "row"; did you mean "rows"?'),
        ("{pe2d: [1]}", "{pe3d: [1]}", 'stationary.pe3d: unknown unit "pe3d"; did you mean'),
        ("[1]", "[second]", 'stationary.pe2d[0]: must be result or the place of an operand, 0 the first, got "second"'),
        ("sequential", "sequentially", 'overlap: unknown overlap "sequentially"; did you mean "sequential"?'),
        ("perfect", "perfekt", "perfekt"),
    ],
)
def test_limits_that_cannot_be_are_refused(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(LIMITS.replace(old, new), encoding="utf-8")
    with pytest.raises(AccelsimError) as caught:
        load_limits(path, load_arch("reference"))
    assert message in str(caught.value)


PASSES = ("edge", "attention-3pass", *(f"--set={x}" for x in ("B=1", "H=1", "E=8", "M=64")))


def test_a_search_may_be_cut_short(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has a mapping all the same, says how far it may be from the best, and that is true."""
    quick, whole = (document(capsys, out, *PASSES, *more) for more in (("--seconds", "1e-6"), ()))
    assert whole["gap"] == 0
    assert 0 <= quick["gap"] < 1
    seconds = {name: float(found["result"]["seconds"]) for name, found in (("quick", quick), ("whole", whole))}
    assert seconds["quick"] * (1 - quick["gap"]) <= seconds["whole"] <= seconds["quick"]
    assert quick["evaluated"] < whole["evaluated"]


@pytest.mark.parametrize(("option", "message"), [("--seconds", "more than 0"), ("--workers", "at least 1")])
def test_no_time_and_no_process_are_refused(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", *GEMM, option, "0"]) == 2
    assert f'{option}: must be {message}, got "0"' in capsys.readouterr().err
