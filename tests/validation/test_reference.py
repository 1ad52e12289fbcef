"""The packaged tables and our results against the bulk reference data, row by row, where that data lies."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from accelsim.validation.fusemax.attention import energy_allowance
from accelsim.validation.fusemax.products import product_bytes
from accelsim.validation.fusemax.study import FOLDER, LAYER, as_published
from accelsim.validation.runs import Runs, energy_pj, off_chip_bytes
from accelsim.validation.table import read_table

pytestmark = pytest.mark.validation

DESIGNS = {
    "binding": "fusemax",
    "arch": "fusemax-arch",
    "cascade": "fusemax-cascade",
    "flat": "flat",
    "unfused": "unfused",
}
LENGTHS = {f"{1 << power}": 1 << power for power in range(10)} | {
    **{f"{1 << power}K": 1024 << power for power in range(10)},
    "1M": 1 << 20,
}
COMPONENTS = {
    "e_dram": ("dram",),
    "e_l3": ("buffer",),
    "e_fu2d_mac": ("pe2d.mac",),
    "e_fu2d_addmax": ("pe2d.add", "pe2d.max"),
    "e_fu1d_mac": ("pe1d.mac",),
    "e_fu1d_add": ("pe1d.add",),
    "e_fu1d_max": ("pe1d.max",),
    "e_fu1d_div": ("pe1d.div",),
    "e_fu1d_exp": ("pe1d.exp",),
}
REGISTERS = {"e_rf2d": "pe2d.registers", "e_rf1d": "pe1d.registers"}
Row = dict[str, str]
COLUMNS = {
    "attention.csv": {
        "seconds": "latency_s",
        "bytes": "traffic_bytes",
        "pe2d": "util_2d",
        "pe1d": "util_1d",
        "energy_pj": "energy_pj_published",
    },
    "layers.csv": {
        "linear_seconds": "linear_latency_s",
        "linear_bytes": "linear_traffic_bytes",
        "linear_energy_pj": "linear_energy_pj",
        "seconds": "e2e_latency_s",
        "energy_pj": "e2e_energy_pj",
    },
}


@pytest.fixture(scope="module")
def folder(reference: Path) -> Path:
    return reference / "fusemax"


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs()


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def point(row: Row) -> tuple[str, str, int]:
    return DESIGNS[row["config"]], row["model"].lower(), LENGTHS[row["seq_len"]]


@pytest.mark.parametrize(("name", "source"), [("attention.csv", "attention.csv"), ("layers.csv", "end2end.csv")])
def test_packaged_rows_are_the_published_ones(folder: Path, name: str, source: str) -> None:
    ours = {(r["design"], r["model"], int(r["tokens"])): r for r in read_table(FOLDER / name)}
    theirs = {point(row): row for row in read(folder / source)}
    assert len(theirs) == 40
    assert ours.keys() == theirs.keys()
    for key, row in ours.items():
        assert {c: row[c] for c in COLUMNS[name]} == {c: theirs[key][t] for c, t in COLUMNS[name].items()}


def test_packaged_configurations_are_the_published_ones(folder: Path) -> None:
    ours = [(row["model"], int(row["tokens"]), row["bytes"]) for row in read_table(FOLDER / "flat_traffic.csv")]
    theirs = read(folder / "flat_config_cloud.csv")
    assert ours == [(row["models"].lower(), int(row["M"]), row["mem_traffic"]) for row in theirs]


def test_packaged_sides_are_the_published_ones(folder: Path) -> None:
    ours = [row for row in read_table(FOLDER / "pareto.csv") if row["model"] == "bert"]
    columns = {
        "side": "pe_dim",
        "buffer_bytes": "l3_bytes",
        "registers": "rf2d_depth",
        "seconds": "latency_s",
        "bytes": "traffic_bytes",
        "array_um2": "array2d_um2",
    }
    theirs = [{c: row[t] for c, t in columns.items()} for row in read(folder / "pareto.csv")]
    assert [{c: row[c] for c in columns} for row in ours] == theirs


def test_every_row_of_attention(folder: Path, runs: Runs) -> None:
    books = as_published(runs)
    for row in read(folder / "attention.csv"):
        design, model, tokens = point(row)
        result = books.result(design, model, tokens)
        assert float(result.seconds) == pytest.approx(float(row["latency_s"]), rel=1e-12)
        assert float(result.cycles_exact or 0) == pytest.approx(float(row["latency_cycles"]), rel=1e-12)
        assert float(off_chip_bytes(result)) == pytest.approx(float(row["traffic_bytes"]), rel=1e-12)
        assert float(result.units["pe2d"].utilization) == pytest.approx(float(row["util_2d"]), rel=1e-12)
        assert float(result.units["pe1d"].utilization) == pytest.approx(float(row["util_1d"]), rel=1e-12)
        total = float(books.energy_pj(design, model, tokens))
        assert total == pytest.approx(float(row["energy_pj_published"]), rel=energy_allowance(tokens).error)


def test_every_component_of_attention(folder: Path, runs: Runs) -> None:
    """The recounted energies of the reference, without the reads that were counted too often."""
    for row in read(folder / "attention.csv"):
        design, model, tokens = point(row)
        energy = as_published(runs).result(design, model, tokens).energy_by or {}
        for column, names in COMPONENTS.items():
            ours = float(sum(energy.get(name, 0) for name in names))
            assert ours == pytest.approx(float(row[column]), rel=1e-9)
        if (design, tokens) != ("flat", 1 << 20):  # the study's counts of its weight-stationary form are not known
            for column, name in REGISTERS.items():
                assert float(energy[name]) == pytest.approx(float(row[column]), rel=1e-9)


def test_every_row_of_layers(folder: Path, runs: Runs) -> None:
    books = as_published(runs)
    for row in read(folder / "end2end.csv"):
        design, model, tokens = point(row)
        layer, attention = (books.result(design, name, tokens) for name in (model + LAYER, model))
        assert float(layer.seconds) == pytest.approx(float(row["e2e_latency_s"]), rel=1e-12)
        linear = float(layer.seconds - attention.seconds)
        assert linear == pytest.approx(float(row["linear_latency_s"]), rel=1e-12)
        if model != "xlm":
            spent = float(energy_pj(layer) - energy_pj(attention))
            assert spent == pytest.approx(float(row["linear_energy_pj"]), rel=1e-9)


def test_every_row_of_the_sides(folder: Path, runs: Runs) -> None:
    for row in read(folder / "pareto.csv"):
        side = row["pe_dim"]
        sizes = (f"units.pe2d.rows={side}", f"units.pe2d.cols={side}", f"units.pe1d.lanes={side}")
        result = runs.result("fusemax", "bert", 262144, (*sizes, f"levels.buffer.capacity={row['l3_bytes']} B"))
        limits = result.parts[0].limits
        assert float(result.seconds) == pytest.approx(float(row["latency_s"]), rel=1e-12)
        assert float(limits["dram"]) == pytest.approx(float(row["mem_lat_s"]), rel=1e-12)
        assert float(limits["pe1d"]) == pytest.approx(float(row["comp_1d_s"]), rel=1e-12)
        assert float(off_chip_bytes(result)) == pytest.approx(float(row["traffic_bytes"]), rel=1e-12)


def test_what_separates_flats_own_bytes_from_ours(folder: Path, runs: Runs) -> None:
    """Where nothing is spilled only a few tiles do, fewer than 2^20 elements, whatever the length."""
    for row in read(folder / "flat_config_cloud.csv"):
        if float(row["proportion_spilled"]) == 0:
            ours = product_bytes(runs.result("flat", row["models"].lower(), int(row["M"])))
            assert 0 <= float(row["mem_traffic"]) - float(ours) < 2 * 2**20
