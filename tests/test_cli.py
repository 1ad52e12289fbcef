"""The command line: replies, JSON, errors on one line, and exit statuses."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.commands.reply import Reply
from accelsim.commands.verbs import VERBS
from accelsim.errors import AccelsimError, CheckFailedError
from accelsim.shipped import data_dir, shipped_names
from accelsim.yamlfile import load_text
from tests.source import ROOT

Output = tuple[int, str, str]
Run = Callable[..., Output]
SWEEP = "schema: accelsim/sweep/1\nname: small\naxes: {workload: [bert], L: [1024], arch: [unfused, fusemax]}\n"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def running(*words: str) -> Output:
        capsys.readouterr()
        status = main(list(words))
        return (status, *capsys.readouterr())

    return running


def document(output: Output) -> dict[str, object]:
    """The one document of a reply, strictly read."""
    found: dict[str, object] = json.loads(output[1], parse_constant=pytest.fail)
    assert found["schema"] == 1
    assert output[1].count("\n{") == 0
    return found


def replace_verb(monkeypatch: pytest.MonkeyPatch, answer: Reply | BaseException) -> None:
    """`accelsim list` gives this reply from now on, or raises this."""

    def answering(arguments: argparse.Namespace) -> Reply:
        if isinstance(answer, Reply):
            return answer
        raise answer

    monkeypatch.setattr(VERBS["list"], "run", answering)


# Asking for help, and asking wrongly.


def test_help_names_every_verb(run: Run) -> None:
    status, text, error = run("--help")
    assert (status, error) == (0, "")
    assert all(f"\n    {verb} " in text for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run: Run, verb: str) -> None:
    status, text, _ = run(verb, "--help")
    assert status == 0
    assert VERBS[verb].HELP.split(";")[0].split(":")[0] in " ".join(text.split())


def test_version(run: Run) -> None:
    assert run("--version") == (0, "accelsim 0.1.0\n", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["simulat"], 'no command "simulat"; did you mean "simulate"?'),
        (["draw", "fusemax", "bert"], 'no command "draw"; known:'),
        (["map", "gemm", "edge"], "gemm is a workload and edge an architecture: swap them"),
        ([], "the following arguments are required: COMMAND; see accelsim --help"),
        (["simulate", "fusemax"], "the following arguments are required: WORKLOAD; see accelsim simulate --help"),
        (["explore", "x", "--workers", "two"], "argument --workers: invalid int value: 'two'"),
        (["list", "workload"], 'no list of "workload"; did you mean "workloads"?'),
        (["show", "fusemx"], 'nothing named "fusemx"; did you mean "fusemax"?'),
        (["show", "bert", "--kind", "arch"], '"bert" is not of kind arch but workload'),
        (["show", "bert", "--set", "L=1"], "--set changes nothing in a file as it was written: add --resolved"),
        (["show", "array-size", "--resolved", "--set", "L=1"], "--set does not apply to a sweep"),
        (["simulate", "bert", "fusemax"], "bert is a workload and fusemax an architecture: swap them"),
        (["compare", "fusemax", "bert"], "bert is a workload and fusemax an architecture: swap them"),
        (["whatif", "bert", "fusemax"], "bert is a workload and fusemax an architecture: swap them"),
        (["simulate", "fusemx", "bert"], 'no architecture named "fusemx"; did you mean "fusemax"?'),
        (["simulate", "fusemax", "brt", "--set", "L=1"], 'no workload named "brt"; did you mean "bert"?'),
        (["simulate", "fusemax", "bert", "--set", "L=1", "--depth", "analitic"], 'did you mean "analytic"?'),
        (["simulate", "fusemax", "bert", "--set", "L"], 'must be PATH=VALUE, got "L"'),
        (["explore", "fusemax-stdy"], 'no sweep named "fusemax-stdy"; did you mean "fusemax-study"?'),
        (["explore", "array-size", "--workers", "0"], 'workers: must be 1 to 256, got "0"'),
        (["check", "missing.yaml"], "missing.yaml: is not a file"),
        (["report", "/nowhere"], "/nowhere: holds no sweep"),
        (["simulate", "./no.yaml", "bert"], "no.yaml: No such file or directory"),
    ],
)
def test_requests_that_cannot_be_met(run: Run, words: list[str], message: str) -> None:
    status, text, error = run(*words)
    assert (status, text) == (2, "")
    assert error.startswith("accelsim: ")
    assert message in error
    assert error.count("\n") == 1


def test_errors_are_documents_too(run: Run) -> None:
    status, text, error = output = run("simulate", "fusemax", "bert", "--json")
    assert (status, error) == (2, "")
    found = document(output)
    assert list(found) == ["schema", "kind", "message", "file", "line", "column"]
    assert found["kind"] == "error"
    assert found["message"] == "parameter L must be given: --set L=VALUE"
    assert str(found["file"]).endswith("attention.yaml")
    assert isinstance(found["line"], int)
    assert text.endswith("}\n")


def test_unknown_verbs_are_documents_too(run: Run) -> None:
    found = document(run("simulat", "--json"))
    assert (found["kind"], found["file"], found["line"]) == ("error", None, None)


# Exit statuses.


def test_a_failed_check_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_verb(monkeypatch, CheckFailedError("2 of 3 rows differ"))
    assert run("list") == (1, "", "accelsim: 2 of 3 rows differ\n")


def test_a_bug_is_status_3_and_leaves_its_traceback(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    replace_verb(monkeypatch, ZeroDivisionError("two\nlines"))
    status, text, error = run("list")
    (left,) = tmp_path.iterdir()
    assert (status, text) == (3, "")
    assert error == f"accelsim: a bug in accelsim: ZeroDivisionError: two lines; the traceback is in {left}\n"
    assert "Traceback (most recent call last)" in left.read_text()


def test_nan_is_a_bug_and_never_printed(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    replace_verb(monkeypatch, Reply("", {"value": float("nan")}))
    status, text, _ = run("list", "--json")
    assert status == 3
    assert "NaN" not in text
    assert json.loads(text)["kind"] == "error"


def test_interrupted_is_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_verb(monkeypatch, KeyboardInterrupt())
    assert run("list") == (130, "", "accelsim: interrupted\n")


def test_a_missing_package_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_verb(monkeypatch, ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.figure"))
    assert run("list") == (2, "", 'accelsim: this needs the package "matplotlib": pip install matplotlib\n')


def test_a_missing_module_of_ours_is_a_bug(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    replace_verb(monkeypatch, ModuleNotFoundError("No module named 'accelsim.x'", name="accelsim.x"))
    assert run("list")[0] == 3


def test_files_that_cannot_be_written_are_status_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_verb(monkeypatch, PermissionError(13, "Permission denied", "/x/report.html"))
    assert run("list") == (2, "", "accelsim: /x/report.html: Permission denied\n")


def test_a_closed_pipe_is_silent() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "accelsim", "list"]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, check=False, cwd=ROOT)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("closing", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed_from_the_start_are_silent(closing: str) -> None:
    command = f'"{sys.executable}" -m accelsim list sweeps {closing}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_error_has_its_status_where_nobody_can_be_told() -> None:
    command = f'"{sys.executable}" -m accelsim list nothing >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], check=False, cwd=ROOT).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "accelsim", "list", "sweeps"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False, cwd=ROOT, text=True)
    assert (done.returncode, done.stderr) == (2, "accelsim: standard output: No space left on device\n")


# Looking at what is there.


def test_list_as_text_and_document(run: Run) -> None:
    names = document(run("list", "--json"))
    kinds = ["workloads", "archs", "mappings", "drams", "clusters", "models", "sweeps", "units", "rtl"]
    assert list(names) == ["schema", "kind", *kinds]
    text = run("list")[1]
    for kind in kinds[:-2]:
        entries = names[kind]
        assert isinstance(entries, list)
        assert entries
        assert all(set(entry) == {"name", "description"} for entry in entries)
        assert all(f"\n  {entry['name']} " in text for entry in entries)


def test_list_of_one_kind(run: Run) -> None:
    assert [line.split()[0] for line in run("list", "sweeps")[1].splitlines()] == shipped_names("sweeps")


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["fusemax"], "arch_configs/fusemax.yaml"),
        (["fusemax", "--kind", "mapping"], "arch_configs/mappings/fusemax.yaml"),
        (["bert"], "workloads/attention.yaml"),
        (["xlm-layer"], "workloads/encoder-layer.yaml"),
        (["duplex"], "clusters/duplex.yaml"),
        (["mixtral-8x7b"], "clusters/models/mixtral-8x7b.yaml"),
        (["array-size"], "sweeps/array-size.yaml"),
        ([str(data_dir("sweeps") / "array-size.yaml")], "sweeps/array-size.yaml"),
    ],
)
def test_show_prints_the_file(run: Run, words: list[str], file: str) -> None:
    path = ROOT / file
    assert run("show", *words)[1].rstrip("\n") == path.read_text().rstrip("\n")
    found = document(run("show", *words, "--json"))
    assert (found["kind"], found["path"], found["text"]) == ("file", str(path), path.read_text())


def test_show_resolved_follows_base_and_set(run: Run) -> None:
    text = run("show", "edge", "--resolved", "--set", "units.pe2d.rows=8")[1]
    entries = load_text(text, "shown").mapping()
    assert "base" not in entries
    assert entries["units"].mapping()["pe2d"].mapping()["rows"].value == 8


def test_show_resolved_workload(run: Run) -> None:
    text = run("show", "bert", "--resolved", "--set", "L=1024")[1]
    assert load_text(text, "shown").mapping()["params"].mapping()["L"].value == 1024


@pytest.mark.parametrize("words", [["fusemax", "--kind", "mapping"], ["array-size"], ["attacc"], ["glam"]])
def test_show_resolved_of_every_kind(run: Run, words: list[str]) -> None:
    assert run("show", *words, "--resolved")[0] == 0


SHIPPED = sorted(
    path for kind in ("workloads", "arch_configs", "clusters", "sweeps") for path in (ROOT / kind).rglob("*.yaml")
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_file_is_valid(run: Run, path: Path) -> None:
    status, text, _ = run("check", str(path))
    assert status == 0
    assert text.startswith(f"{path}: ok (")


def test_check_says_what_and_how_much(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SWEEP)
    (tmp_path / "g.yaml").write_text(
        "schema: accelsim/workload/1\nname: g\nfunction: {inputs: {A: [m, k], B: [k, n]}, outputs: {C: [m, n]}}\n"
        "params: {M: 2, K: 3, N: 4}\nranks: {m: M, k: K, n: N}\ntypes: {default: fp16}\n"
        "cascades:\n  one: {einsums: 'C[m,n] = A[m,k] * B[k,n]'}\n  two: {einsums: 'C[m,n] = B[k,n] * A[m,k]'}\n"
    )
    text = run("check", str(tmp_path / "s.yaml"), str(tmp_path / "g.yaml"), "arch_configs/fusemax.yaml")[1]
    assert [line.partition(": ")[2] for line in text.splitlines()] == [
        "ok (sweep, 2 points)",
        "ok (workload, 2 cascades)",
        "ok (arch, 2 units, 2 levels)",
    ]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: [", ":2:1: ", "not YAML"),
        ("name: x", ":1:1: ", 'missing key "schema"'),
        ("schema: accelsim/archs/1", ":1:9: ", 'unknown kind "archs"; did you mean "arch"?'),
        ("schema: accelsim/arch/1\nnam: x", ":2:1: ", 'unknown key "nam"; did you mean "name"?'),
        (SWEEP.replace("fusemax", "fusemx"), ": ", 'no architecture named "fusemx"; did you mean "fusemax"?'),
        (SWEEP.replace("bert", "brt"), ": ", 'no workload named "brt"; did you mean "bert"?'),
        (
            "schema: accelsim/workload/1\nname: x\nfunction: {inputs: {A: [m]}, outputs: {C: [m]}}\nparams: {M: null}\n"
            "ranks: {m: M}\neinsums: |\n  C[m] = D[m]\n",
            ":7:10: ",
            '"D"',
        ),
    ],
)
def test_check_finds(run: Run, tmp_path: Path, text: str, place: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    status, printed, error = run("check", str(path), "arch_configs/flat.yaml")
    assert status == 2
    assert error.startswith(f"accelsim: {path}{place}")
    assert message in error
    assert error.count("\n") == 1
    assert printed.startswith("arch_configs/flat.yaml: ok")


def test_check_as_document(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("schema: accelsim/arch/1\nnam: x")
    found = document(run("check", str(tmp_path / "bad.yaml"), "--json"))
    assert (found["kind"], found["ok"]) == ("check", False)
    assert found["files"] == [
        {
            "file": str(tmp_path / "bad.yaml"),
            "ok": False,
            "message": 'nam: unknown key "nam"; did you mean "name"?',
            "line": 2,
            "column": 1,
        }
    ]


# Answers of the engines.


def test_simulate_as_document_is_the_result(run: Run) -> None:
    from accelsim.simulate import simulate_named

    found = document(run("simulate", "fusemax", "bert", "--set", "L=1024", "--set", "B=2", "--json"))
    assert found == simulate_named("fusemax", "bert", ["L=1024", "B=2"]).to_json()
    assert found["kind"] == "result"


def test_simulate_as_text_begins_with_the_headline(run: Run) -> None:
    status, text, error = run("simulate", "fusemax", "bert", "--set", "L=1024")
    assert (status, error) == (0, "")
    assert "1,892,352 cycles at 940 MHz" in text
    assert "pe1d bound: busy 100% of the time" in text


def test_simulate_takes_a_mapping_and_a_depth(run: Run) -> None:
    mapping = str(ROOT / "arch_configs/mappings/fusemax-arch.yaml")
    words = ("simulate", "fusemax", "bert", "--set", "L=1024", "--json")
    assert document(run(*words, "--mapping", mapping))["mapping"] == "fusemax-arch"
    assert document(run(*words, "--depth", "bound"))["depth"] == "bound"


def test_compare_has_the_ratios(run: Run) -> None:
    found = document(run("compare", "bert", "unfused", "fusemax", "--set", "L=1024", "--json"))
    assert isinstance(found["results"], list)
    seconds = [result["seconds"] for result in found["results"]]
    assert found["speedups"] == [1, pytest.approx(seconds[0] / seconds[1])]
    assert found["kind"] == "comparison"
    assert "fusemax" in run("compare", "bert", "unfused", "fusemax", "--set", "L=1024")[1]


def test_analyze(run: Run, tmp_path: Path) -> None:
    words = ("analyze", "bert-1pass", "--set", "L=1024")
    assert "QK" in run(*words)[1]
    document(run(*words, "--json", "--svg", str(tmp_path / "new" / "cascade.svg")))
    assert (tmp_path / "new" / "cascade.svg").read_text().startswith(("<svg", "<?xml"))


@pytest.mark.slow
def test_whatif(run: Run) -> None:
    words = ("whatif", "edge", "bert", "--set", "L=1024")
    found = document(run(*words, "--json"))
    assert (found["kind"], found["arch"], found["workload"]) == ("whatif", "edge", "bert")
    clock = next(change for change in found["changes"] if change["resource"] == "clock")  # type: ignore[attr-defined]
    assert set(clock) == {"resource", "factor", "speedup", "energy_ratio", "area_ratio", "note"}
    text = run(*words)[1]
    assert text.splitlines()[1].startswith("clock")
    assert "compulsory: " in text


def test_whatif_with_a_mapping_asks_no_other(run: Run) -> None:
    words = ("whatif", "fusemax", "bert", "--set", "L=1024", "--mapping", "fusemax-arch", "--json")
    slope = document(run(*words))["ski_slope"]
    assert {point["mapping"] for point in slope["points"]} == {"fusemax-arch"}  # type: ignore[index]


def test_compare_with_a_mapping(run: Run) -> None:
    words = ("compare", "bert", "flat", "fusemax", "--set", "L=1024", "--mapping", "fusemax", "--json")
    assert [result["mapping"] for result in document(run(*words))["results"]] == ["flat", "fusemax"]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_whatif_of_several_steps_says_why_there_is_no_slope(run: Run) -> None:
    words = ("whatif", "fusemax", "bert-layer", "--set", "L=1024", "--set", "B=1")
    assert document(run(*words, "--json"))["ski_slope"] is None
    assert "no sizes of the buffer: " in run(*words)[1]


def test_explore_runs_resumes_and_warns(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SWEEP.replace("fusemax", "fusemax, missing"))
    words = ("explore", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), "--no-report")
    status, text, error = run(*words)
    assert (status, text) == (0, f"2 of 3 points done: {tmp_path / 'out'}\n")
    assert 'accelsim: 1 points failed: no architecture named "missing"' in error
    found = document(run(*words, "--json"))
    assert (found["kind"], found["points"], found["failed"], found["report"]) == ("exploration", 3, 1, None)


@pytest.mark.slow
def test_explore_writes_the_report_and_so_does_report(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SWEEP)
    found = document(run("explore", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"), "--json"))
    page = tmp_path / "out" / "report.html"
    assert found["report"] == str(page)
    assert page.is_file()
    page.unlink()
    again = document(run("report", str(tmp_path / "out"), "--json"))
    assert (again["report"], again["headlines"]) == (found["report"], found["headlines"])
    assert page.is_file()


def test_explore_where_everything_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SWEEP.replace("[1024]", "[0]"))
    status, _, error = run("explore", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "out"))
    assert status == 2
    assert error.startswith("accelsim: every point failed: ")


class FakeReport:
    """What a validation gives."""

    def __init__(self, passed: bool) -> None:
        self.passed = passed

    def to_text(self) -> str:
        return "3 rows"

    def to_json(self) -> dict[str, object]:
        return {"schema": 1, "kind": "validation", "passed": self.passed}


@pytest.mark.parametrize("passed", [True, False])
def test_validate_fails_where_a_number_is_off(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, passed: bool
) -> None:
    monkeypatch.setattr("accelsim.validation.validate", lambda suite: FakeReport(passed), raising=False)
    status, text, _ = run("validate", "--out", str(tmp_path / "new"))
    assert (status, text) == (0 if passed else 1, "3 rows\n")
    assert json.loads((tmp_path / "new" / "validation.json").read_text())["passed"] is passed
    assert (tmp_path / "new" / "validation.txt").read_text() == "3 rows\n"


def test_errors_of_verbs_are_ours(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_verb(monkeypatch, AccelsimError("no such thing"))
    assert run("list") == (2, "", "accelsim: no such thing\n")
