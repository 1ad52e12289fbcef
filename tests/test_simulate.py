"""The stages of a run: published and hand-computed numbers, the document of a result, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction

import pytest

from accelsim.arch import load_arch
from accelsim.errors import AccelsimError
from accelsim.mapping import load_mapping
from accelsim.simulate import simulate, simulate_named
from accelsim.workload import load_workload
from tests.source import ROOT

KEYS = {
    *("schema", "kind", "workload", "arch", "mapping", "depth", "engine", "seconds", "cycles", "clock_hz", "energy_pj"),
    *("energy_by", "actions", "units", "traffic_bytes", "einsums", "macs", "bound_by", "waits", "error", "params"),
    "version",
}
HEAVY = {"numba", "networkx", "matplotlib"}


@pytest.mark.parametrize(
    ("arch", "workload", "length", "cycles"),
    [
        ("fusemax", "bert", 1 << 10, 1_892_352),
        ("fusemax-arch", "bert", 1 << 10, 5_627_904),
        ("fusemax-cascade", "bert", 1 << 10, 14_413_824),
        ("flat", "bert", 1 << 10, 12_582_912),
        ("fusemax", "xlm", 1 << 20, 4_570_382_073_856),
    ],
)
def test_cycles_of_the_published_designs(arch: str, workload: str, length: int, cycles: int) -> None:
    assert simulate_named(arch, workload, [f"L={length}"]).cycles == cycles


def test_the_cycles_of_one_design_by_hand() -> None:
    """BERT at 1K: 4 x 4 tiles of 256 x 256 for each of 768 heads, 138 = 2 F + 10 cycles a tile, and a division."""
    tiles, columns = 768 * 4 * 4, 768 * 4
    result = simulate_named("fusemax", "bert", ["L=1024"])
    assert result.cycles == tiles * (2 * 64 + 10) + columns * 64
    assert result.units["pe1d"].busy_cycles == tiles * (1 + 7 + 1 + 64 + 1 + 64) + columns * 64
    assert result.units["pe2d"].busy_cycles == tiles * (64 + 1 + 7 + 1 + 64)
    assert result.bound_by == "pe1d"


def test_the_bytes_of_one_design_by_hand() -> None:
    """BERT at 64K: 128 of 256 tiles of queries fit, so keys and values come twice; queries and outputs go once."""
    result = simulate_named("fusemax", "bert", ["L=65536"])
    rows = 64 * 12 * 65536 * 64 * 2
    assert result.level_bytes("dram") == 38_654_705_664 == (1 + 2 + 2 + 1) * rows
    assert {t: x.total / rows for t, x in result.traffic["dram"].items()} == {"Q": 1, "K": 2, "V": 2, "AV": 1}


def test_the_document_of_a_result() -> None:
    document = simulate_named("fusemax", "bert", ["L=1024"]).to_json()
    assert set(document) >= KEYS
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["kind"], document["schema"], document["depth"]) == ("result", 1, "analytic")
    assert (document["workload"], document["arch"], document["mapping"]) == ("bert", "fusemax", "fusemax")
    assert document["params"] == {
        **{"B": 64, "H": 12, "E": 64, "F": 64, "M": 1024, "P": 1024, "L": 1024, "M0": 256},
        "cascade": "1pass",
    }
    assert document["waits"] is None
    assert document["error"] is None


def test_unknown_is_null_and_never_zero() -> None:
    document = simulate_named("fusemax", "bert", ["L=1024"], depth="bound").to_json()
    assert set(document) >= KEYS
    assert document["energy_pj"] is None
    assert document["mapping"] == "none"


def test_parts_of_a_result_add_up() -> None:
    result = simulate_named("fusemax", "bert-layer", ["L=1000"])
    assert result.seconds == sum(part.seconds for part in result.parts)
    assert result.energy_by is not None
    assert result.energy_pj == sum(result.energy_by.values())
    for name, unit in result.units.items():
        mine = [use for use in result.einsums.values() if use.unit == name]
        assert unit.busy_cycles == sum(use.busy_cycles for use in mine)
        assert unit.utilization == sum(use.utilization for use in mine)


def test_a_layer_costs_what_its_steps_cost() -> None:
    """The attention inside a layer is the attention alone; Einsums carry the name of their step."""
    layer = simulate_named("fusemax", "bert-layer", ["L=1024"])
    alone = simulate_named("fusemax", "bert", ["L=1024"])
    (part,) = [part for part in layer.parts if part.name == "attention.attention"]
    assert part.seconds == alone.seconds
    assert layer.einsums["attention.QK"].busy_cycles == alone.einsums["QK"].busy_cycles
    assert layer.traffic["dram"]["AV"].write == alone.traffic["dram"]["AV"].write
    assert layer.mapping == "projection + fusemax + output-projection + linear"


def test_objects_and_names_are_two_ways_to_the_same_run() -> None:
    said = ["L=512", "arch.units.pe2d.rows=64", "mapping.groups.attention.overlap=pipeline", "phases=[]"]
    arch = load_arch("fusemax", ["units.pe2d.rows=64"])
    mapping = load_mapping("fusemax", ["groups.attention.overlap=pipeline", "groups.attention.phases=[]"])
    named, direct = simulate_named("fusemax", "bert", said), simulate(arch, load_workload("bert", ["L=512"]), mapping)
    assert named.to_json() == direct.to_json()


def test_the_parts_of_a_split_rank_follow_the_mapping_unless_they_are_set() -> None:
    assert simulate_named("fusemax", "bert", ["L=512"]).params["M0"] == 256
    assert simulate_named("fusemax", "bert", ["L=512", "arch.units.pe2d.rows=32"]).params["M0"] == 32
    assert simulate_named("fusemax", "bert", ["L=512", "M0=128"]).params["M0"] == 128


@pytest.mark.parametrize(
    ("arch", "workload", "mapping", "depth", "text"),
    [
        ("fusemax", "bert", None, "analytc", 'unknown depth "analytc"; did you mean "analytic"?'),
        (
            "fusemax",
            "bert-3pass",
            "fusemax",
            "analytic",
            "mapping fusemax is for the cascade 1pass of attention, not 3pass",
        ),
        ("fusemax", "bert-3pass", None, "analytic", "no mapping of attention-3pass on fusemax; shipped for it: "),
        (
            "fusemax",
            "gemm",
            "fusemax",
            "analytic",
            "mapping fusemax is for attention, ",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(arch: str, workload: str, mapping: str | None, depth: str, text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        simulate_named(arch, workload, ["L=512"] if workload != "gemm" else ["M=8"], mapping, depth)
    assert caught.value.message.startswith(text)


def test_an_operator_that_a_unit_lacks() -> None:
    everything = "bind={pe2d: [QK, LM, RM, SLN, SLD, PRM, SPD, SLNV, SPNV, RD, RNV, AV]}"
    with pytest.raises(AccelsimError, match="unit pe2d: AV: no entry for operator div"):
        simulate_named("fusemax", "bert", ["L=512", everything, "mapping.groups.attention.order={}"])


def test_energy_is_unknown_where_an_entry_is_missing() -> None:
    result = simulate_named("fusemax", "bert", ["L=512", "components.max.energy={}"])
    assert result.energy_pj is None
    assert result.actions["pe2d.max"]["use"] > 0


@pytest.mark.parametrize("depth", ["bound", "analytic"])
@pytest.mark.parametrize("workload", ["bert", "causal-attention"])
def test_a_run_loads_nothing_heavy(depth: str, workload: str) -> None:
    sizes = {"bert": ["L=1024"], "causal-attention": ["B=1", "H=2", "E=64", "M=1000"]}[workload]
    code = (
        "import sys\nfrom accelsim.simulate import simulate_named\n"
        f"simulate_named('fusemax', {workload!r}, {sizes!r}, depth={depth!r})\n"
        f"print(*sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_seconds_are_exact() -> None:
    result = simulate_named("fusemax", "bert", ["L=1024"])
    assert result.seconds == Fraction(1_892_352, 940 * 10**6)
    assert result.cycles_exact == 1_892_352
