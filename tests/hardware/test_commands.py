"""`accelsim rtl`: files, tables, documents, exit statuses, and what is said where a tool is missing."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from accelsim.cli import main
from accelsim.golden.attention_formats import TILED
from accelsim.hardware import exp
from accelsim.report.precision import bits_table
from accelsim.units.exp import Elements
from accelsim.units.timing import Timing
from rtl.bench import sweep
from rtl.bench.plan import CASES

Output = tuple[int, str, str]
Run = Callable[..., Output]
TINY = ("--set", "source=u9.4", "--set", "target=s9.8", "--set", "segments=4")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def running(*words: str) -> Output:
        capsys.readouterr()
        status = main(["rtl", *words])
        return (status, *capsys.readouterr())

    return running


def document(output: Output) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output[1])
    assert found["schema"] == 1
    return found


# Generation.


def test_generate_writes_verilog_and_what_stands_beside_it(run: Run, tmp_path: Path) -> None:
    status, text, error = run("generate", "exp", *TINY, "--out", str(tmp_path / "new"))
    assert (status, error) == (0, "")
    verilog, page = (Path(line.removeprefix("exp: ")) for line in text.splitlines())
    assert verilog.stem == page.stem
    told = json.loads(page.read_text(encoding="utf-8"))
    assert told["module"] == verilog.stem
    assert told["sha256"] == hashlib.sha256(verilog.read_bytes()).hexdigest()
    assert (told["parameters"]["unit"], told["parameters"]["target"]) == ("exp", "s9.8")
    for job in told["timing"]["jobs"]:
        edges = exp.UNIT.under_test.timing(exp.read(own(told["parameters"])), Elements(**job["job"]))
        assert (job["first"], job["last"], job["busy"]) == (edges.first, edges.last, edges.busy)


def own(parameters: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in parameters.items() if name != "unit"}


def test_generate_writes_the_same_bytes_again(run: Run, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert run("generate", "exp", "--config", "coarse", "--out", str(tmp_path / folder))[0] == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["accelsim_exp_coarse.json", "accelsim_exp_coarse.v"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
def test_generate_from_an_architecture(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "schema: accelsim/arch/1\nname: mine\nbase: edge\nset:\n"
        "  units.pe1d.rtl: {unit: exp}\n  units.pe2d.rtl: {unit: exp, lanes: 32}\n",
        encoding="utf-8",
    )
    found = document(run("generate", str(path), "--out", str(tmp_path / "out"), "--json"))
    assert [entry["for"] for entry in found["modules"]] == ["pe2d", "pe1d"]
    assert len({entry["module"] for entry in found["modules"]}) == 1
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "expp"], 'no hardware unit or architecture named "expp"; did you mean "exp"?'),
        (["generate", "exp", "--set", "segments=5"], "--set segments:1:1: segments"),
        (["generate", "exp", "--set", "lanes=0"], "--set lanes:1:1: lanes"),
        (["generate", "tiny", "--config", "a"], "--config belongs to a unit"),
        (["generate", "edge"], "edge: no unit has an rtl entry"),
        (["generate"], "the following arguments are required: UNIT|ARCH; see"),
        (["synthesise"], "argument TASK: invalid choice: 'synthesise'"),
        (["verify", "--set", "lanes=3"], "--set needs the unit or architecture that it is for"),
        (["verify", "exp", "--seed", "-1"], '--seed: must be 0 or more, got "-1"'),
        (["verify", "exp", "--sim", "vcs"], 'sim: must be verilator or icarus, got "vcs"'),
        (["accuracy", "--lengths", "64,many"], '--lengths: must be a positive integer, got "many"'),
        (["accuracy", "--tile", "0"], '--tile: must be a positive integer, got "0"'),
        (["accuracy", "--set", "pp=s8.7"], 'no format of attention is called "pp"'),
        (["accuracy", "--family", "norma"], 'no family of inputs is called "norma"; did you mean "normal"?'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    run: Run, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, text, error = run(*words)
    assert (status, text) == (2, "")
    assert error.startswith(f"accelsim: {message}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "words"),
    [("amaranth", ["generate", "exp"]), ("pyosys", ["generate", "exp"]), ("cocotb", ["verify", "exp", *TINY])],
)
def test_a_missing_tool_is_named_with_what_installs_it(
    run: Run, module: str, words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find = importlib.util.find_spec
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    install = 'pip install "accelsim[rtl]"'
    assert run(*words) == (2, "", f"accelsim: {module} is not installed; it comes with: {install}\n")
    assert list(tmp_path.iterdir()) == []


# Verification.


@pytest.mark.slow
def test_verify_finds_nothing_wrong(run: Run, tmp_path: Path) -> None:
    found = document(run("verify", "exp", *TINY, "--seed", "7", "--json"))
    assert (found["passed"], found["seed"], found["sim"]) == (True, 7, "verilator")
    (row,) = found["rows"]
    assert (row["unit"], row["cases"], row["failures"]) == ("exp", CASES + 1, [])
    assert row["beats"] > 100
    assert set(row["wrong"].values()) == {0}


@pytest.mark.slow
def test_verify_tells_what_it_takes_to_run_the_same_again(run: Run) -> None:
    found = document(run("verify", "exp", *TINY, "--seed", "7", "--json"))
    (row,) = found["rows"]
    assert set(found["tools"]) == {"amaranth", "pyosys", "cocotb", "simulator"}
    assert found["x_seeds"] == [1, 2]
    assert {case["device"] for case in found["cases"]} == {row["device"]} == {"exp_0"}
    cases = sweep(exp.UNIT.under_test, [exp.read(row["parameters"])], found["seed"])
    assert [case["name"] for case in found["cases"]] == [case.name for case in cases]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bits", "first", "last", "busy"])
def test_verify_counts_what_is_wrong_and_fails(run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hardware is as it was; what is expected of it is wrong by one."""
    monkeypatch.setattr(exp, "UNIT", replace(exp.UNIT, under_test=wrong(kind)))
    status, text, error = run("verify", "exp", *TINY)
    head, row, *_ = text.splitlines()
    counts = dict(zip(head.replace(" wrong", "").split(), row.split(), strict=True))
    assert (status, error) == (1, "")
    assert [name for name in ("bits", "first", "last", "busy") if counts[name] != "0"] == [kind]
    assert "exp_0 lone 1, verilator 1: " in text or kind == "busy"
    assert "1 of 1 configurations FAILED" in text


def wrong(kind: str) -> Any:
    bench = exp.UNIT.under_test

    def golden(setup: Any, job: Any, streams: Any) -> Any:
        return {"o": tuple(beat ^ 1 for beat in bench.golden(setup, job, streams)["o"])}

    def timing(setup: Any, job: Any) -> Timing:
        edges = bench.timing(setup, job)
        off = {name: int(name == kind) for name in ("first", "last", "busy")}
        return Timing(edges.first - off["first"], edges.last + off["last"], edges.busy + off["busy"])

    return replace(bench, golden=golden) if kind == "bits" else replace(bench, timing=timing)


# Accuracy.


def test_accuracy_as_text_and_document(run: Run) -> None:
    words = ("accuracy", "--lengths", "16,64", "--family", "normal", "--family", "equal")
    lines = run(*words)[1].splitlines()
    assert lines[0].split()[:3] == ["family", "16", "64"]
    assert [line.split()[0] for line in lines[1:]] == ["normal", "equal"]
    found = document(run(*words, "--set", "p=s8.7", "--json"))
    assert (found["formats"]["p"], found["tile"], found["files"]) == ("s8.7", 64, [])
    assert {row["length"] for row in found["rows"]} == {16, 64}
    keyed = document(run(*words, "--tile", "none", "--json"))
    assert (keyed["formats"]["p"], keyed["tile"]) == ("u25.24", None)


@pytest.mark.slow
def test_accuracy_draws_error_over_bits(run: Run, tmp_path: Path) -> None:
    seen = set()
    for folder in ("one", "two"):
        out = tmp_path / folder
        assert run("accuracy", "--lengths", "16", "--family", "ramp-32-up", "--out", str(out))[0] == 0
        assert sorted(path.name for path in out.iterdir()) == [
            f"accuracy-bits.{kind}" for kind in ("csv", "png", "svg")
        ]
        seen.add((out / "accuracy-bits.svg").read_bytes())
    assert len(seen) == 1


def test_more_bits_are_no_worse_until_others_are_coarser() -> None:
    table = bits_table(TILED, ["normal"], 64)
    for name in ("p", "scores"):
        errors = [row[4] for row in table.where(changed=name).rows]
        known = [float(error) for error in errors if error is not None]
        assert known[0] > 100 * known[-1]
        assert all(later < 1.2 * sooner for sooner, later in pairwise(known))
    assert table.where(format="s20.19").rows[0][4] is None, "P x V would overflow the array's accumulator"


def test_check_looks_into_rtl_entries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the generators would: a parameter that no unit has is found before anything is to be generated."""
    assert main(["check", "arch_configs/tiny.yaml"]) == 0
    assert capsys.readouterr().out.endswith("2 levels, 3 rtl units)\n")
    text = Path("arch_configs/tiny.yaml").read_text(encoding="utf-8")
    (tmp_path / "bad.yaml").write_text(text.replace("unit: systolic", "unit: systolik"), encoding="utf-8")
    assert main(["check", str(tmp_path / "bad.yaml")]) == 2
    assert 'units.pe2d.rtl.unit: no hardware unit named "systolik"; did you mean "systolic"?' in capsys.readouterr().err


def test_check_says_what_it_could_not_look_into(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "amaranth" else found(name))
    assert main(["check", "arch_configs/tiny.yaml"]) == 0
    assert 'rtl entries not checked without: pip install "accelsim[rtl]"' in capsys.readouterr().out
