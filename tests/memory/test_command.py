"""`accelsim memory`: what it prints and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim.cli import main
from accelsim.memory import Policy, load_device, make_stream, serve_all
from accelsim.shipped import data_dir

HBM3 = ["memory", "HBM3", "--org", "HBM3_16Gb_8hi", "--timing", "HBM3_6400Mbps"]


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(list(words))
    return (status, *capsys.readouterr())


def document(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    status, text, _ = answer(capsys, *words, "--json")
    assert status == 0
    found: dict[str, object] = json.loads(text, parse_constant=pytest.fail)
    assert (found["schema"], found["kind"]) == (1, "memory")
    return found


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *HBM3, "--stream", "random", "--requests", "2000", "--refresh", "--queue", "16")
    device = load_device("HBM3", "HBM3_16Gb_8hi", "HBM3_6400Mbps")
    policy = Policy(queue=16, write_queue=16, refresh="all-bank")
    outcome = serve_all(device, policy, make_stream("random", device.organisation, 2000))
    assert (found["cycles"], found["accepted_cycles"]) == (outcome.cycles, outcome.accepted_cycles)
    assert (found["row_hits"], found["row_misses"]) == (outcome.hits, outcome.misses)
    assert found["row_conflicts"] == outcome.conflicts
    assert (found["requests"], found["reads"], found["writes"], found["tick_ps"]) == (2000, 2000, 0, 312.5)
    assert found["bandwidth_bytes_per_s"] == pytest.approx(2000 * 32 / (outcome.cycles * 312.5e-12))
    assert found["energy_unknown"] == ["REFab", "open", "static"]
    assert found["energy_pj"] == pytest.approx(2000 * (909 + 891), rel=0.01)
    assert found["policy"] == {**vars(policy)}


def test_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = answer(capsys, *HBM3, "--stream", "rowhit_1bank", "--requests", "100")
    assert status == 0
    for said in ("cycles: 898 of 312.5 ps", "row hits: 99, misses: 1, conflicts: 0", "GB/s of 51.20 GB/s", "RD 100"):
        assert said in text


def test_settings(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--stream", "bank_rr_new_row", "--requests", "500", "--set", "page=closed", "--set", "reads=50")
    found = document(capsys, *HBM3, *words, "--set", "refresh=per-bank", "--set", "seed=7")
    assert found["commands"]["PRE"] <= 4  # type: ignore[index]
    assert 150 < found["writes"] < 350  # type: ignore[operator]
    slower = document(capsys, *HBM3, *words, "--set", "timings.HBM3_6400Mbps.nFAW=60")
    assert slower["cycles"] > found["cycles"]  # type: ignore[operator]


def test_a_trace_goes_to_its_channels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.trace"
    path.write_text("".join(f"{32 * at:#x} {'RW'[at % 4 == 3]}\n" for at in range(256)))
    found = document(capsys, *HBM3, "--trace", str(path))
    assert (found["channels"], found["requests"], found["writes"]) == (16, 256, 64)
    assert found["peak_bytes_per_s"] == pytest.approx(16 * 51.2e9)
    alone = document(capsys, *HBM3, "--trace", str(path), "--set", "address_map=ch ro ba ra co bg pc")
    assert alone["channels"] == 1
    assert alone["cycles"] > found["cycles"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stream", "randm"], 'no stream named "randm"; did you mean "random"?'),
        ([], "give one of --stream and --trace"),
        (["--stream", "random", "--trace", "x"], "give one of --stream and --trace"),
        (["--stream", "random", "--queue", "0"], 'queue: must be an integer from 1 to 4096, got "0"'),
        (["--stream", "random", "--set", "page=opn"], 'page: must be open or closed, got "opn"; did you mean "open"?'),
        (["--stream", "random", "--set", "drain_below=90"], "drain_below: must be less than drain_above, got 90"),
        (["--stream", "random", "--set", "pge=open"], 'no "pge"'),
        (["--stream", "random", "--set", "reads=101"], "reads: must be from 0 to 100, got 101"),
        (["--stream", "random", "--set", "address_map=ro ba"], "does not cover the address"),
        (["--trace", "no.trace", "--set", "reads=5"], "a trace has its own requests"),
        (["--trace", "no.trace"], "no.trace: No such file or directory"),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    status, text, error = answer(capsys, *HBM3, *words)
    assert (status, text) == (2, "")
    assert message in error
    assert error.count("\n") == 1


def test_a_standard_without_refresh_of_single_banks(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("memory", "DDR5", "--org", "DDR5_16Gb_x8", "--timing", "DDR5_4800AN", "--stream", "random")
    assert "no command that refreshes a single bank" in answer(capsys, *words, "--set", "refresh=per-bank")[2]


def test_standards_are_listed_shown_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(answer(capsys, "list", "drams", "--json")[1])["drams"]
    assert {"HBM3", "HBM2E", "HBM2", "GDDR6", "LPDDR5", "DDR5", "DDR4"} <= {entry["name"] for entry in listed}
    status, text, _ = answer(capsys, "show", "HBM2E", "--resolved", "--set", "timings.HBM2E_3200Mbps.nRP=30")
    assert status == 0
    assert "nRP: 30" in text
    assert "base:" not in text
    path = str(data_dir("arch_configs/dram") / "HBM2E.yaml")
    assert answer(capsys, "check", path)[1] == f"{path}: ok (dram, 2 organisations, 1 timing)\n"
