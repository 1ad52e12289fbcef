"""Operations a byte and TFLOPS: the roofline of the machine with BERT and GPT-2 on it."""

from __future__ import annotations

from accelsim.errors import AccelsimError
from accelsim.result import Result
from accelsim.validation.runs import Overrides, Runs
from accelsim.validation.spatten.points import FULL, HIDDEN, MEDIUM, SMALL, flops, published
from accelsim.validation.table import Cell, Table

CHARGED = ("Q", "K", "KM", "KL", "V", "VG", "AO")
TOKENS = 128
BERT: dict[str, Overrides] = {
    "dense": ("DROP0=0", "DROP1=0", "VKEEP=1000"),
    "30 % of tokens dropped": ("DROP0=300", "DROP1=300", "VKEEP=1000"),
    "half of the values too": ("DROP0=300", "DROP1=300", "VKEEP=500"),
    "the same, FILL hidden": ("DROP0=300", "DROP1=300", "VKEEP=500", *HIDDEN),
}
HEAD = ("", "flop a byte", "TFLOPS of the roof", "TFLOPS, ours", "published", "bound by")
NOTES = (
    f"Bytes of queries, keys, values and results alone, as published. BERT-Base with {TOKENS} tokens; lengths and",
    "shares of the published tasks are not known. Without top-k of values the arrays are nearly always busy. With it,",
    "one engine of 16 lanes has a selection for each query of a head and bounds the time far below 1.61 TFLOPS, FILL",
    "hidden or not: that rate goes with tasks that drop few values, or with a faster engine.",
)


def table(runs: Runs) -> Table:
    """Points under the roof of 1024 multipliers and 512 GB/s."""
    rows: list[tuple[Cell, ...]] = []
    for name, more in BERT.items():
        result = runs.named(FULL, "bert-base-pruned", (f"M={TOKENS}", *more))
        rows.append(_row(f"bert-base, {name}", result, 2.0 * result.macs, "bert-tflops"))
    for model in (SMALL, MEDIUM):
        for name, more in (("", ()), (", FILL hidden", HIDDEN)):
            result = runs.named(FULL, model.preset, more)
            rows.append(_row(f"{model.name}{name}", result, flops(runs, model, dense=False), "gpt2-tflops"))
    return Table("Roofline", HEAD, tuple(rows), NOTES)


def _row(name: str, result: Result, done: float, claim: str) -> tuple[Cell, ...]:
    intensity = done / charged_bytes(result)
    ours = done / float(result.seconds) * 1e-12
    return (name, intensity, roof(result, intensity), ours, published(claim), result.bound_by)


def charged_bytes(result: Result) -> float:
    """Bytes of queries, keys, values and results."""
    moved = result.traffic["dram"]
    return float(sum(moved[name].total for name in CHARGED if name in moved))


def roof(result: Result, intensity: float) -> float:
    """TFLOPS that peak or bandwidth allow at so many operations a byte; the two arrays together.

    Raises:
        AccelsimError: a result that does not say what its machine could do at best.
    """
    if result.machine is None:
        raise AccelsimError(f"{result.workload} on {result.arch}: peaks are not known, there is no roof")
    peak = sum(result.machine.peak_flops_per_s[unit] for unit in ("scores", "results"))
    return min(float(peak), float(result.machine.bandwidth_bytes_per_s["dram"]) * intensity) * 1e-12
