"""The table of a machine's verification, as text and as data."""

from __future__ import annotations

from accelsim.hardware.layer.verify import LayerRow, LayerVerification
from accelsim.report.text import aligned
from rtl.bench.runner import X_SEEDS, seeds_of
from rtl.tools import generator_versions, simulator_version, version

HEAD = ("workload", "sizes", "in flight", "latency", "starts", "outputs", "depth cycle", "Verilog", "")
SIZES = ("M", "P", "E", "F")
MOST_FAILURES = 3


def layer_text(found: LayerVerification) -> str:
    """A line per case, the first things that were wrong, and the verdict."""
    parts = [aligned(HEAD, [_cells(row) for row in found.rows])]
    parts += [
        "\n".join([row.setting.title, *(f"  {line}" for line in row.failures[:MOST_FAILURES])]) for row in _wrong(found)
    ]
    starts = sum(row.starts for row in found.rows)
    verdict = f"{len(_wrong(found))} of {len(found.rows)} cases FAILED" if _wrong(found) else "nothing wrong"
    last = f"{found.arch}: {len(found.rows)} cases, {starts} starts, {verdict}, {found.seconds:.1f} s"
    return "\n\n".join([*parts, last])


def _wrong(found: LayerVerification) -> list[LayerRow]:
    return [row for row in found.rows if not row.passed]


def _cells(row: LayerRow) -> tuple[str, ...]:
    given = dict(text.partition("=")[::2] for text in row.setting.overrides)
    rtl = "-" if row.rtl_cycles is None else f"{row.rtl_cycles:,}"
    window = next((value for path, value in given.items() if path.endswith("in_flight")), "")
    sizes = " ".join(f"{name}={given[name]}" for name in SIZES if name in given)
    counts = str(row.latency), str(row.starts), str(2 * row.words), f"{row.cycles:,}", rtl
    return row.setting.workload, sizes, window, *counts, "equal" if row.passed else "WRONG"


def layer_document(found: LayerVerification, sim: str, seed: int) -> dict[str, object]:
    """The same as plain data for JSON, with all that it takes to run the same cases again."""
    return {
        "schema": 1,
        "kind": "rtl-layer-verification",
        "arch": found.arch,
        "passed": found.passed,
        "sim": sim,
        "seed": seed,
        "seconds": round(found.seconds, 3),
        "x_seeds": list(seeds_of(sim, X_SEEDS)),
        "tools": {**generator_versions(), "cocotb": version("cocotb"), "simulator": simulator_version(sim)},
        "cases": [_plain(row) for row in found.rows],
    }


def _plain(row: LayerRow) -> dict[str, object]:
    return {
        "workload": row.setting.workload,
        "set": list(row.setting.overrides),
        "latency_cycles": row.latency,
        "cycles": row.cycles,
        "rtl_cycles": row.rtl_cycles,
        "starts": row.starts,
        "output_words": row.words,
        "passed": row.passed,
        "failures": list(row.failures),
    }
