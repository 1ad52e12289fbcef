"""Rows as a sweep leaves them, from closed forms of a small made-up design space: plausible, deterministic, instant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

HEADS = {"small": (12, 64), "medium": (16, 64), "large": (16, 128)}
SIZES = (1024, 4096, 16384, 65536)
ARCHS = ("plain", "fused", "onepass", "wide", "woven")
CLOCK, BYTES_PER_S, SIDE = 940e6, 400 * 2**30, 256
Json = dict[str, object]

SWEEP = """\
schema: accelsim/sweep/1
name: made-up-study
description: Five made-up designs on three made-up workloads, for looking at the figures.
axes: {arch: [plain, fused, onepass, wide, woven], workload: [small, medium, large], L: [1024, 4096, 16384, 65536]}
report:
  baseline: plain
  archs: [plain, fused, onepass, wide, woven]
  labels: {plain: Plain, fused: Fused, onepass: +One pass, wide: +Wide, woven: +Woven, small: Small, small-layer: Small,
           medium: Medium, medium-layer: Medium, large: Large, large-layer: Large}
  size: L
  size_label: sequence length
  focus: 16384
  scopes:
    attention: {label: attention only, workloads: [small, medium, large]}
    layer: {label: whole layer, workloads: [small-layer, medium-layer, large-layer]}
  overlays:
    measured: {label: as measured, archs: {fused: fused-measured}}
  headlines:
    - {quantity: speedup, arch: woven, over: fused, scope: attention, mean: arithmetic, published: 6.7,
       overlay: measured, source: "a made-up paper, abstract"}
    - {quantity: energy, arch: woven, over: fused, scope: attention, published: 0.79, overlay: measured, source: ibid.}
    - {quantity: speedup, arch: woven, over: plain, scope: layer, sizes: [65536], mean: geometric}
"""


def cycles(arch: str, heads: int, depth: int, length: int) -> Mapping[str, float]:
    """Busy cycles by Einsum, prefixed by its unit; `time` is the latency in cycles."""
    b, tiles = 64 * heads, (length / SIDE) ** 2
    u, v = b * tiles, b * length / SIDE
    soft = 4 * SIDE * u
    if arch == "plain":
        return {"pe2d.QK": u * depth, "pe2d.AV": u * depth, "pe1d.SN": soft / 2, "pe1d.A": soft / 2,
                "time": soft * 1.3 + 2 * u * depth}  # fmt: skip
    if arch.startswith("fused"):
        slow = 1.2 if arch != "fused" else 1.0
        return {
            "pe2d.QK": u * depth,
            "pe2d.AV": u * depth,
            "pe1d.SN": soft / 2,
            "pe1d.A": soft / 2,
            "time": soft * slow,
        }
    lanes = {"pe1d.RM": u, "pe1d.SPNV": u * depth, "pe1d.RNV": u * depth, "pe1d.AV": v * depth}
    if arch == "onepass":
        return {"pe2d.QK": u * depth, "pe2d.SLNV": u * depth, "pe1d.SLN": soft, **lanes,
                "time": soft * 1.01 + u * 2 * depth + v * depth}  # fmt: skip
    array = {"pe2d.QK": u * depth, "pe2d.LM": u, "pe2d.SLN": 7 * u, "pe2d.SLD": u, "pe2d.SLNV": u * depth}
    time = u * (2 * depth + 10) + v * depth + (SIDE * u if arch == "wide" else 0)
    return {**array, **lanes, "time": time}


def result(arch: str, workload: str, length: int) -> Json:
    """A result document for a workload of `HEADS`, or for the layer around it (`<workload>-layer`)."""
    heads, depth = HEADS[workload.removesuffix("-layer")]
    busy = dict(cycles(arch, heads, depth, length))
    time, b = busy.pop("time"), 64 * heads
    macs = 2 * b * length**2 * depth
    moved = 2.0 * b * length * depth * (4 if arch not in ("plain", "fused") else 8) + (
        8 * b * length**2 if arch == "plain" else 0
    )
    if workload.endswith("-layer"):
        linear = 12 * 64 * length * (heads * depth) ** 2
        time, macs, moved = time + linear / SIDE**2, macs + linear, moved + 20 * 64 * length * heads * depth
        busy["pe2d.linear.Z"] = linear / SIDE**2
    lanes = b * length**2
    energy = {
        "dram": 31.2 * moved,
        "buffer": macs * (2.0 if arch in ("plain", "fused", "onepass") else 0.5),
        "pe2d.mac": 17.1645 * (macs + (6 * lanes if arch in ("wide", "woven") else 0)),
        "pe2d.registers": 0.9 * macs,
        "pe1d.add": 8.3 * lanes,
        "pe1d.max": 0.03 * lanes,
        **({} if arch in ("wide", "woven") else {"pe1d.exp": 94.6 * lanes, "pe1d.div": 36.3 * lanes}),
    }
    units = {u: sum(c for n, c in busy.items() if n.startswith(u)) for u in ("pe2d", "pe1d")}
    return {
        "schema": 1, "kind": "result", "workload": workload, "arch": arch, "mapping": f"{arch}-attention",
        "depth": "analytic", "engine": "analytic", "seconds": time / CLOCK, "cycles": int(time), "clock_hz": CLOCK,
        "energy_pj": sum(energy.values()), "energy_by": energy, "actions": {},
        "units": {u: {"busy_cycles": c, "utilization": c / time} for u, c in units.items()},
        "traffic_bytes": {level: {"Q": {"read": n * moved, "write": 0}} for level, n in (("dram", 1), ("buffer", 9))},
        "einsums": {n.split(".", 1)[1]: {"unit": n.split(".", 1)[0], "busy_cycles": c} for n, c in busy.items()},
        "macs": int(macs), "bound_by": "pe1d", "waits": None, "error": None, "parts": [], "area_um2": {"pe2d": 1.2e9},
        "scope": ["compute", "registers", "SRAM", "DRAM"], "notes": [f"the numbers of {arch} are made up"],
        "params": {"L": length}, "provenance": {f"arch {arch}": "0123abcd"}, "version": "0.1.0",
        "machine": {"peak_flops_per_s": {"pe2d": 2 * SIDE**2 * CLOCK, "pe1d": 2 * SIDE * CLOCK},
                    "bandwidth_bytes_per_s": {"dram": BYTES_PER_S}},
    }  # fmt: skip


def row(arch: str, workload: str, length: int) -> Json:
    """A row of a point that went well."""
    point = {"arch": arch, "workload": workload, "depth": "analytic", "set": {"L": length}}
    key = f"{arch}/{workload}/{length}"
    return {"key": key, "status": "done", "point": point, "result": result(arch, workload, length), "message": None,
            "seconds": 0.1}  # fmt: skip


def failed(arch: str, workload: str, length: int, message: str) -> Json:
    return {**row(arch, workload, length), "status": "error", "result": None, "message": message}


def study_rows(
    archs: Sequence[str] = (*ARCHS, "fused-measured"), sizes: Sequence[int] = SIZES, layers: bool = True
) -> list[Json]:
    """All points of the made-up study."""
    workloads = [*HEADS, *(f"{name}-layer" for name in HEADS if layers)]
    return [row(arch, workload, size) for arch in archs for workload in workloads for size in sizes]


def design_rows(sides: Iterable[int] = (16, 32, 64, 128, 256, 512)) -> list[Json]:
    """A sweep over array sides and buffers for one workload: a larger array is faster, larger and hungrier."""
    rows: list[Json] = []
    for side in sides:
        for buffer in (1, 4):
            document = result("woven", "small", 4096)
            document["seconds"] = 60.0 / side**2 * (1 + 8 / side / buffer)
            document["energy_pj"] = 1e12 * (2 + side / 512 + 0.3 * buffer)
            document["area_um2"] = {"pe2d": 18_000.0 * side**2, "buffer": 5e5 * buffer}
            chosen = {"arch.units.pe2d.rows": side, "arch.levels.buffer.capacity": f"{buffer} MiB", "L": 4096}
            point = {"arch": "woven", "workload": "small", "depth": "analytic", "set": chosen}
            rows.append({"key": f"{side}/{buffer}", "status": "done", "point": point, "result": document,
                         "message": None, "seconds": 0.1})  # fmt: skip
    return rows


DESIGNS = """\
schema: accelsim/sweep/1
name: array-size
axes: {arch: [woven], workload: [small], L: [4096], arch.units.pe2d.rows: [16, 32]}
objectives: [seconds, energy_pj]
"""


def write_folder(folder: Path, rows: Iterable[Json], sweep: str = SWEEP) -> Path:
    """The folder as a sweep leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows), encoding="utf-8")
    (folder / "sweep.resolved.yaml").write_text(sweep, encoding="utf-8")
    return folder
