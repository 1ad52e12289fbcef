"""Reading a folder: what is taken from rows, and one clear error for what is missing or malformed."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.report.rows import read_folder
from tests.report.synthetic import Json, failed, row, write_folder


def test_a_row_becomes_numbers(tmp_path: Path) -> None:
    (found,) = read_folder(write_folder(tmp_path, [row("plain", "small", 1024)])).rows
    assert found.run
    assert (found.arch, found.workload, found.settings) == ("plain", "small", {"L": 1024})
    assert found.run.energy_pj == pytest.approx(sum(found.run.energy_by.values()))
    assert list(found.run.bytes) == ["dram", "buffer"]
    assert found.run.bytes["buffer"] == 9 * found.run.bytes["dram"]
    assert set(found.run.einsums["pe2d"]) == {"QK", "AV"}


def test_a_failed_row_keeps_its_message(tmp_path: Path) -> None:
    (found,) = read_folder(write_folder(tmp_path, [failed("plain", "small", 1024, "does not fit")])).rows
    assert found.run is None
    assert (found.status, found.message) == ("error", "does not fit")


def test_a_result_without_energy_or_machine_is_read(tmp_path: Path) -> None:
    line = row("plain", "small", 1024)
    line["result"] = {"seconds": 1.5, "energy_pj": None, "energy_by": {}, "machine": None, "area_um2": None}
    (found,) = read_folder(write_folder(tmp_path, [line])).rows
    assert found.run
    assert (found.run.energy_pj, found.run.area_um2, found.run.peak_flops) == (None, None, {})


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"seconds": 0}, "result.seconds: must be a positive number, got 0"),
        ({"seconds": "1"}, 'result.seconds: must be a finite number, not negative, got "1"'),
        ({"seconds": -1}, "result.seconds: must be a finite number, not negative, got -1"),
        ({"seconds": 10**400}, "result.seconds: must be a finite number, not negative, got 1000"),
        ({"seconds": 1, "energy_by": [1]}, "result.energy_by: must be an object, got [1]"),
        ({"seconds": 1, "energy_by": {"dram": True}}, "result.energy_by.dram: must be a finite number"),
        ({"seconds": 1, "notes": [1]}, "result.notes: must be a list of texts, got [1]"),
        ({"seconds": 1, "params": {"L": []}}, "result.params.L: must be a scalar, got []"),
        ({"seconds": 1, "units": {"pe": 3}}, "result.units.pe: must be an object, got 3"),
    ],
)
def test_a_malformed_row_is_told_by_its_key(tmp_path: Path, result: Json, told: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        read_folder(write_folder(tmp_path, [{**row("plain", "small", 1024), "result": result}]))
    assert f"results.jsonl: plain/small/: {told}"[14:] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_store_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match=r"results.jsonl: holds no result: run the sweep first$"):
        read_folder(write_folder(tmp_path, []))


def test_a_folder_without_a_sweep_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(AccelsimError, match=r"no sweep\.resolved\.yaml"):
        read_folder(tmp_path)
