"""`--depth cycle` on the command line: waits that add up, files that were asked for, and every verb that takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.program.execute import execute
from accelsim.program.read import read_program

Run = Callable[..., tuple[int, str, str]]
SHORT = ("fusemax", "bert", "--set", "L=2048", "--set", "B=1", "--set", "H=2", "--depth", "cycle")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def running(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(list(words))
        return (status, *capsys.readouterr())

    return running


def test_path_and_idle_add_up_to_the_cycles(run: Run) -> None:
    status, out, _ = run("simulate", *SHORT, "--json")
    assert status == 0
    found = json.loads(out)
    waits, cycles = found["waits"], found["seconds"] * found["clock_hz"]
    assert sum(part["cycles"] for part in waits["critical_path"]) == pytest.approx(cycles)
    assert sum(waits[cause] for cause in ("resource", "dependency", "dram", "buffer", "work")) == pytest.approx(1)
    for unit, idle in waits["idle"].items():
        if unit in found["units"]:
            busy = found["units"][unit]["busy_cycles"]
            assert busy + sum(part["cycles"] for part in idle) == pytest.approx(cycles)


def test_nothing_changes_without_skipping(run: Run) -> None:
    with_it, without = (json.loads(run("simulate", *SHORT, *more, "--json")[1]) for more in ((), ("--no-skip",)))
    assert with_it == without


def test_the_program_that_is_written_runs_as_long(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "program.txt"
    status, out, _ = run("simulate", *SHORT, "--program", str(file), "--json")
    assert status == 0
    assert float(execute(read_program(file.read_text())).seconds) == pytest.approx(json.loads(out)["seconds"])


@pytest.mark.parametrize("ending", ["json", "vcd"])
def test_a_timeline_is_written(run: Run, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"trace.{ending}"
    assert run("simulate", *SHORT, "--trace", str(file))[0] == 0
    text = file.read_text()
    assert json.loads(text)["traceEvents"] if ending == "json" else "$enddefinitions" in text


def test_a_timeline_of_another_kind_is_refused(run: Run, tmp_path: Path) -> None:
    status, _, told = run("simulate", *SHORT, "--trace", str(tmp_path / "trace.png"))
    assert (status, told.count("\n")) == (2, 1)
    assert "a trace ends in .json (Perfetto) or .vcd (waves)" in told


@pytest.mark.parametrize("option", ["--trace x.json", "--program x.txt", "--no-skip"])
def test_the_options_need_the_depth(run: Run, option: str) -> None:
    status, _, told = run("simulate", "fusemax", "bert", "--set", "L=1024", *option.split())
    assert status == 2
    assert told.strip().endswith(f"{option.split(maxsplit=1)[0]} needs --depth cycle")


def test_designs_are_compared_at_depth_cycle(run: Run) -> None:
    words = ("bert", "unfused", "fusemax", "--set", "L=2048", "--set", "B=1", "--set", "H=2", "--json")
    at_cycle, closed = (json.loads(run("compare", *words, "--depth", depth)[1]) for depth in ("cycle", "analytic"))
    text = json.dumps(at_cycle)
    assert '"depth": "cycle"' in text
    assert at_cycle != closed


@pytest.mark.slow
def test_a_sweep_runs_at_depth_cycle(run: Run, tmp_path: Path) -> None:
    sweep = tmp_path / "small.yaml"
    sweep.write_text(
        "schema: accelsim/sweep/1\nname: small\ndepth: cycle\n"
        "axes: {workload: [bert], L: [1024, 2048], B: [1], H: [2], arch: [unfused, fusemax]}\n"
    )
    status, _, told = run("explore", str(sweep), "--out", str(tmp_path / "out"), "--json")
    assert status == 0, told
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Where the time goes" in page
    assert {"timeline-0.svg", "timeline-1.csv"} <= {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines():
        waits = json.loads(line)["result"]["waits"]
        shares = {cause: share for cause, share in waits.items() if cause not in ("critical_path", "idle")}
        assert sum(shares.values()) == pytest.approx(1)
