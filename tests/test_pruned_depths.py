"""Data-dependent sizes at every depth: the bound, the closed form and the execution see the same work and bytes."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from accelsim.arch import Arch, load_arch
from accelsim.einsum.counts import count
from accelsim.mapping import Mapping, load_mapping
from accelsim.simulate import simulate
from accelsim.workload import Workload, load_workload, steps

UNITS = {
    "scores": ("mac",),
    "results": ("mac",),
    "vector": ("mul", "add", "sub", "max", "div", "exp", "abs", "cmp"),
    "topk": ("argtopk",),
}
SHAPES = {"scores": "rows: 8, cols: 8", "results": "rows: 8, cols: 8", "vector": "lanes: 8", "topk": "lanes: 4"}
ARCH = """\
schema: accelsim/arch/1
name: pruner
clock: 1 GHz
levels:
  dram: {{capacity: unlimited, bandwidth: {bandwidth}, component: cell}}
  buffer: {{capacity: 4 MiB, bandwidth: unlimited, component: cell}}
units:
{units}
components:
  cell: {{energy: {{read: 1 pJ/bit, write: 1 pJ/bit}}, width: 64 bit, node: n, class: guess, source: test}}
  logic: {{energy: {{use: 1 pJ/op}}, node: n, class: guess, source: test}}
"""
ALL = "SCM, TI, HI, QM, GM, SM, DM, PM, PX, RF, QL, QK, GK, SN, SD, PN, A, VI, AV, AO, IT, IH, ST, SH"
MAPPING = f"""\
schema: accelsim/mapping/1
name: pruner
for: {{arch: pruner, function: pruned-decode}}
split: {{}}
groups:
  - name: all
    loops: [t, n]
    einsums: [{ALL}]
    at: {{TI: [t], HI: [t], ST: [t], SH: [t], IT: [t], IH: [t], SCM: []}}
spatial:
  scores: {{rows: k, cols: e}}
  results: {{rows: v, cols: f}}
  vector: {{lanes: k}}
  topk: {{lanes: k}}
  TI: {{lanes: m}}
  HI: {{lanes: h}}
  AO: {{lanes: f}}
  IH: {{lanes: f}}
  ST: {{lanes: m}}
  SH: {{lanes: h}}
bind:
  scores: [QM, QL]
  results: [AV]
  vector: [SCM, GM, SM, DM, PM, PX, RF, QK, GK, SN, SD, PN, A, AO, IT, IH, ST, SH]
  topk: [TI, HI, VI]
keep: {{}}
"""
SIZES = ["LAYERS=2", "TOKENS=2", "PROMPT=14", "H=3", "E=16", "WHOLE=1", "HWHOLE=1"]
SCHEDULES = [(), ("DROP0=200", "DROP1=600", "VKEEP=300"), ("DROP0=500", "HDROP0=400", "VKEEP=200")]


def machine(tmp_path: Path, bandwidth: str = "64 GB/s") -> tuple[Arch, Mapping]:
    units = [
        f"  {name}: {{{SHAPES[name]}, registers: {{component: cell}}, ops: {{{', '.join(map(_op, ops))}}}}}"
        for name, ops in UNITS.items()
    ]
    (tmp_path / "arch.yaml").write_text(ARCH.format(units="\n".join(units), bandwidth=bandwidth))
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    return load_arch(str(tmp_path / "arch.yaml")), load_mapping(str(tmp_path / "mapping.yaml"))


def _op(name: str) -> str:
    return f"{name}: {{cycles: 1, uses: {{logic: 1}}}}"


def workload(*changes: str) -> Workload:
    return load_workload("pruned-decode", [*SIZES, *changes])


@pytest.mark.parametrize(
    "changes", [*(pytest.param(some, marks=pytest.mark.slow) for some in SCHEDULES[:2]), SCHEDULES[2]]
)
def test_all_depths_agree(tmp_path: Path, changes: tuple[str, ...]) -> None:
    """One group whose units run beside each other: no execution beats the closed form, and that is not far off."""
    arch, mapping = machine(tmp_path)
    found = {depth: simulate(arch, workload(*changes), mapping, depth) for depth in ("bound", "analytic", "cycle")}
    (step,) = steps(workload(*changes))
    assert {result.macs for result in found.values()} == {count(step.shapes, step.types).macs}
    assert found["bound"].seconds <= found["analytic"].seconds <= found["cycle"].seconds
    assert found["cycle"].seconds < 1.3 * found["analytic"].seconds
    off_chip = [found[depth].traffic["dram"] for depth in ("analytic", "cycle")]
    assert off_chip[0] == off_chip[1]


def test_a_slow_memory_waits_for_the_bytes_that_the_schedule_leaves(tmp_path: Path) -> None:
    """Where the memory alone counts, time falls as the bytes of keys and values do."""
    arch, mapping = machine(tmp_path, "10 MB/s")
    seconds, moved = [], []
    for changes in SCHEDULES:
        (step,) = steps(workload(*changes))
        seconds.append(simulate(arch, workload(*changes), mapping, "bound").seconds)
        moved.append(count(step.shapes, step.types).bytes)
    assert seconds == pytest.approx([n / 10e6 for n in moved], rel=1e-3)
    assert moved == sorted(moved, reverse=True)


@pytest.mark.parametrize("share", ["0", "1"])
def test_a_refetch_costs_what_its_rows_cost(tmp_path: Path, share: str) -> None:
    arch, mapping = machine(tmp_path)
    changes = [f"workload.statistics.RF.chance={share}", "DROP0=500"]
    result = simulate(arch, workload(*changes), mapping, "cycle")
    read = result.traffic["dram"]
    low = read["KL"].read if "KL" in read else 0
    assert low == (read["KM"].read / 2 if share == "1" else 0)  # 4 of 8 bits, for every key or none


@pytest.mark.parametrize("depth", ["bound", "analytic", "cycle"])
def test_a_result_names_the_trace_that_was_read(tmp_path: Path, depth: str) -> None:
    arch, mapping = machine(tmp_path)
    (tmp_path / "kept.csv").write_text("kept\n" + "9\n" * 4)
    path = str(tmp_path / "kept.csv")
    traced = workload(f"workload.maps.kept={{trace: {path}, column: kept, most: M}}")
    digest = sha256((tmp_path / "kept.csv").read_bytes()).hexdigest()
    found = simulate(arch, traced, mapping, depth).provenance
    assert found[f"trace.{path}"] == f"sha256:{digest[:16]}"
