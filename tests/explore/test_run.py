"""Running sweeps: resuming, failing, the files left behind, and that processes change nothing."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import accelsim.explore.run as run_module
from accelsim.errors import AccelsimError
from accelsim.explore import Row, Sweep, load_sweep, read_run, run_sweep
from accelsim.explore.run import run_point
from accelsim.pool import Crashed

TEXT = """schema: accelsim/sweep/1
name: small
axes: {workload: [bert], L: [1024, 2048], arch: [unfused, fusemax]}
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT)
    return path


def without_time(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    return [(row.key, row.status, row.point, row.result, row.message) for row in rows]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The points that are run from now on."""
    ran: list[object] = []

    def counting(job: tuple[str, object]) -> Row:
        ran.append(job[1])
        return run_point(job)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "run_point", counting)
    return ran


def test_rows_are_those_of_simulate(sweep: Path, tmp_path: Path) -> None:
    from accelsim.simulate import simulate_named

    rows = run_sweep(sweep, tmp_path / "out")
    assert [row.status for row in rows] == ["done"] * 4
    for row, point in zip(rows, load_sweep(sweep).points, strict=True):
        assert row.result == simulate_named(point.arch, point.workload, point.overrides).to_json()


def test_a_second_run_runs_nothing(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_sweep(sweep, tmp_path / "out")
    ran = counted(monkeypatch)
    assert run_sweep(sweep, tmp_path / "out") == first
    assert ran == []


def test_a_run_that_was_cut_off_goes_on(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_sweep(sweep, tmp_path / "out")
    store = tmp_path / "out" / "results.jsonl"
    whole = store.read_bytes()
    store.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + whole.splitlines()[2][:50])
    ran = counted(monkeypatch)
    again = run_sweep(sweep, tmp_path / "out")
    assert ran == list(load_sweep(sweep).points[2:])
    assert without_time(again) == without_time(first)
    assert len(store.read_bytes().splitlines()) == 4


def test_interrupted_rows_stay(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = counted(monkeypatch)

    def stopping(job: tuple[str, object]) -> Row:
        if len(ran) == 2:
            raise KeyboardInterrupt
        ran.append(job)
        return run_point(job)  # type: ignore[arg-type]

    monkeypatch.setattr(run_module, "run_point", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, tmp_path / "out")
    assert len(read_run(tmp_path / "out")[1]) == 2


def test_failing_points_are_recorded_and_do_not_stop(tmp_path: Path) -> None:
    text = TEXT.replace("[unfused, fusemax]", "[missing, fusemax]").replace("[1024, 2048]", "[0, 1024]")
    (tmp_path / "s.yaml").write_text(text)
    rows = run_sweep(tmp_path / "s.yaml", tmp_path / "out")
    assert [row.status for row in rows] == ["error", "error", "error", "done"]
    assert rows[0].result is None
    assert 'no architecture named "missing"' in (rows[0].message or "")


def test_a_bug_in_one_point_is_an_error_of_that_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(run_module, "_simulated", broken)
    row = run_point(("k", load_sweep("fusemax-study").points[0]))
    assert (row.status, row.message) == ("error", "a bug in accelsim: ZeroDivisionError: division by zero")


@pytest.mark.slow
def test_processes_leave_the_same_rows(sweep: Path, tmp_path: Path) -> None:
    alone = run_sweep(sweep, tmp_path / "alone")
    together = run_sweep(sweep, tmp_path / "together", workers=2)
    assert without_time(together) == without_time(alone)
    tables = [(tmp_path / name / "table.csv").read_text() for name in ("alone", "together")]
    assert tables[0] == tables[1]


def test_a_crashed_point_is_recorded_and_tried_again(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = {"local": lambda task, items, workers: ((i, Crashed()) for i in range(len(items)))}
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "EXECUTORS", crashing)
        rows = run_sweep(sweep, tmp_path / "out")
    assert {(row.status, row.message) for row in rows} == {("crashed", "the process that ran it died each time")}
    assert [row.status for row in run_sweep(sweep, tmp_path / "out")] == ["done"] * 4
    assert len((tmp_path / "out" / "results.jsonl").read_bytes().splitlines()) == 4


def test_points_that_the_sweep_no_longer_has_leave_the_store(sweep: Path, tmp_path: Path) -> None:
    run_sweep(sweep, tmp_path / "out")
    sweep.write_text(TEXT.replace("1024, ", ""))
    rows = run_sweep(sweep, tmp_path / "out")
    assert [row.settings for row in rows] == [{"L": 2048}] * 2
    assert read_run(tmp_path / "out")[1] == rows


def test_a_folder_is_for_one_sweep(sweep: Path, tmp_path: Path) -> None:
    run_sweep(sweep, tmp_path / "out")
    sweep.write_text(TEXT.replace("name: small", "name: other"))
    with pytest.raises(AccelsimError, match='holds the sweep "small"; choose another folder for "other"'):
        run_sweep(sweep, tmp_path / "out")


def test_what_was_run_is_read_back_in_the_order_of_the_sweep(sweep: Path, tmp_path: Path) -> None:
    rows = run_sweep(sweep, tmp_path / "out")
    store = tmp_path / "out" / "results.jsonl"
    store.write_bytes(b"".join(reversed(store.read_bytes().splitlines(keepends=True))))
    found, again = read_run(tmp_path / "out")
    assert again == rows
    assert found.points == load_sweep(sweep).points


def test_nothing_was_run_there(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match=r"holds no sweep: no sweep\.resolved\.yaml"):
        read_run(tmp_path)


def test_the_table_has_a_line_per_point(sweep: Path, tmp_path: Path) -> None:
    rows = run_sweep(sweep, tmp_path / "out")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "out" / "table.csv").read_text())))
    assert [line["arch"] for line in lines] == ["unfused", "fusemax"] * 2
    assert [float(line["seconds"]) for line in lines] == [(row.result or {})["seconds"] for row in rows]
    assert [line["on_front"] for line in lines] == ["0", "1"] * 2
    assert {"L", "status", "bytes.dram", "utilization.pe2d", "area_um2"} <= set(lines[0])


def test_store_is_strict_json(sweep: Path, tmp_path: Path) -> None:
    run_sweep(sweep, tmp_path / "out")
    for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("workers", "executor", "message"),
    [
        (0, "local", 'workers: must be 1 to 256, got "0"'),
        (257, "local", 'workers: must be 1 to 256, got "257"'),
        (1, "locl", 'no executor "locl"; did you mean "local"?'),
    ],
)
def test_what_is_refused(sweep: Path, tmp_path: Path, workers: int, executor: str, message: str) -> None:
    with pytest.raises(AccelsimError, match=message.replace("?", r"\?")):
        run_sweep(sweep, tmp_path / "out", workers, executor)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(AccelsimError, match=r"out: File exists"):
        run_sweep(sweep, tmp_path / "out")


def test_a_sweep_itself_may_be_given(sweep: Path, tmp_path: Path) -> None:
    loaded: Sweep = load_sweep(sweep)
    assert without_time(run_sweep(loaded, tmp_path / "a")) == without_time(run_sweep(str(sweep), tmp_path / "b"))


def test_progress_is_shown_on_a_terminal_only(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_sweep(sweep, tmp_path / "quiet")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run_sweep(sweep, tmp_path / "shown")
    assert capsys.readouterr().err.endswith("\r4/4 points\n")
