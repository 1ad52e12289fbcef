"""`accelsim fidelity`: the table and the document say what the library says, and requests that cannot be met."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.cli import main
from accelsim.fidelity import Scores, score_fidelity
from accelsim.workload import load_workload

SIZES = ("LAYERS=4", "H=2", "M=8", "E=4")
WORDS = ["fidelity", "pruned-attention", *(word for size in SIZES for word in ("--set", size))]
Output = tuple[int, str, str]


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Output:
    capsys.readouterr()
    return (main([*WORDS, *words]), *capsys.readouterr())


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    status, text, _ = asked(capsys, *words, "--json")
    assert status == 0
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    assert (found["schema"], found["kind"]) == (1, "fidelity")
    return found


def test_each_setting_is_what_the_library_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "--vary", "VKEEP=1000,250", "--seed", "3", "--shared", "0.2")
    assert [entry["set"] for entry in found["settings"]] == [{"VKEEP": "1000"}, {"VKEEP": "250"}]
    assert found["data"] == {"drawn": {"seed": 3, "spread": 2.0, "shared": 0.2}, "files": {}}
    exact = load_workload("pruned-attention", SIZES)
    for entry, keep in zip(found["settings"], (1000, 250), strict=True):
        one = load_workload("pruned-attention", [*SIZES, f"VKEEP={keep}"])
        (known,) = score_fidelity(one, exact, Scores(seed=3, shared=0.2))
        (output,) = entry["outputs"]
        assert output["output"] == "AO"
        assert (output["relative"], output["worst_row"]) == (known.relative, known.worst_row)
        assert (entry["cost"]["macs"], entry["kept"]) == (known.cost.macs, known.kept)
        assert found["exact"]["cost"]["bytes"] == known.exact_cost.bytes


def test_the_table_has_a_line_for_each_combination(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, error = asked(capsys, "--vary", "DROP0=0,500", "--vary", "VKEEP=1000,250,100")
    assert (status, error) == (0, "")
    title, source, blank, head, exact, *lines = text.splitlines()
    assert title == "pruned-attention (LAYERS=4 H=2 M=8 E=4) beside itself with nothing dropped"
    assert source.startswith("scores drawn: normal of standard deviation 2, 0.5 of the variance a key's own, seed 0; ")
    assert (blank, head.split()[:3], exact.split()[0]) == ("", ["DROP0", "VKEEP", "error"], "exact")
    assert [line.split()[:2] for line in lines] == [[d, v] for d in ("0", "500") for v in ("1000", "250", "100")]
    assert lines[0].split()[2:5] == ["0", "0", "0"]


def test_scores_and_inputs_of_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Queries, keys and a scale give what their scores give; both files are named with their hashes."""
    rng = np.random.default_rng(1)
    q, k, v = (rng.standard_normal((4, 2, 8, 4)) for _ in "QKV")
    np.savez(tmp_path / "all.npz", Q=q, K=k, V=v, SC=0.5)
    np.save(tmp_path / "scores.npy", 0.5 * np.einsum("lhqe,lhke->lhqk", q, k))
    np.save(tmp_path / "v.npy", v)
    inputs = document(capsys, "--set", "VKEEP=250", "--inputs", str(tmp_path / "all.npz"))
    words = ["--scores", str(tmp_path / "scores.npy"), "--inputs", f"V={tmp_path / 'v.npy'}"]
    scores = document(capsys, "--set", "VKEEP=250", *words)
    (one,), (other,) = inputs["settings"], scores["settings"]
    assert one["outputs"][0]["relative"] == pytest.approx(other["outputs"][0]["relative"])
    assert one["cost"] == other["cost"]
    digest = hashlib.sha256((tmp_path / "all.npz").read_bytes()).hexdigest()
    assert inputs["data"] == {"drawn": None, "files": {str(tmp_path / "all.npz"): digest}}
    assert list(scores["data"]["files"]) == [str(tmp_path / "v.npy"), str(tmp_path / "scores.npy")]


def test_another_workload_may_be_exact(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Attention to few blocks of keys against attention to all; the sizes that both know are passed on."""
    rng = np.random.default_rng(2)
    q, k, v = (rng.standard_normal((1, 2, 4, size)) for size in (1, 16, 16))
    np.savez(tmp_path / "all.npz", Q=q, K=k, V=v)
    words = ["fidelity", "block-topk-attention", "--against", "attention-3pass", "--inputs", str(tmp_path / "all.npz")]
    sizes = ["B=1", "H=2", "E=4", "NB=4", "BS=4", "M=16", "P=1"]
    words += [word for size in sizes for word in ("--set", size)]
    capsys.readouterr()
    assert main([*words, "--vary", "TOP=4,1", "--json"]) == 0
    every, one = json.loads(capsys.readouterr().out)["settings"]
    assert every["outputs"][0]["relative"] == pytest.approx(0, abs=1e-12)
    assert one["outputs"][0]["relative"] > 0.1
    assert one["kept"] == {"TI": 0.25}


def test_a_picture_has_the_numbers_beside_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = document(capsys, "--vary", "VKEEP=500,250", "--out", str(tmp_path))
    assert found["files"] == [str(tmp_path / f"fidelity.{suffix}") for suffix in ("png", "svg", "csv")]
    lines = (tmp_path / "fidelity.csv").read_text().splitlines()
    assert lines[0] == "number,setting,output,relative,relative_left,macs,bytes"
    for line, entry in zip(lines[1:], found["settings"], strict=True):
        assert line.split(",")[1] == f"VKEEP={entry['set']['VKEEP']}"
        assert float(line.split(",")[3]) == entry["outputs"][0]["relative"]


def test_nothing_dropped_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, error = asked(capsys)
    assert status == 0
    assert "as set" in text
    assert error.startswith("accelsim: no setting differs from the exact one: --set or --vary what is dropped")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--vary VKEEP", '--vary:1:1: must be NAME=V1,V2,..., got "VKEEP"'),
        ("--vary VKEEP=1,,2", '--vary:1:1: must be NAME=V1,V2,..., got "VKEEP=1,,2"'),
        ("--vary VKEEP=1 --vary VKEEP=2", "--vary:1:1: VKEEP is varied twice"),
        ("--vary VKEP=1", '--set VKEP:1:1: no parameter "VKEP"; did you mean "VKEEP"?'),
        ("--vary M=8,16", "Q has the shape [4, 2, 16, 4], and [4, 2, 8, 4] in the exact one"),
        ("--seed -1", 'seed: must be at least 0, got "-1"'),
        ("--shared 2", "shared must be from 0 to 1 and spread positive, got 2.0 and 2.0"),
        ("--spread nan", "shared must be from 0 to 1 and spread positive, got 0.5 and nan"),
        ("--inputs none.npz", "none.npz: No such file or directory"),
        ("--scores none.npy", "none.npy: No such file or directory"),
        ("--inputs SC=1", "inputs that are not given: Q of shape [4, 2, 8, 4], K of shape [4, 2, 8, 4], "),
        ("--inputs SC=1 --seed 2", "--seed:1:1: is of scores that are drawn, and the data are given"),
        ("--inputs SC=1 --scores none.npy", "--inputs:1:1: of inputs only V is read where scores are given"),
        ("--against gemm", "scores are for workloads that read Q, K, V and SC; gemm reads A, B: give arrays of these"),
    ],
)
def test_requests_that_cannot_be_met(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    status, text, error = asked(capsys, *words.split())
    assert (status, text) == (2, "")
    assert message in error
    assert error.count("\n") == 1
