"""Duplex (MICRO 2024): steps and energies of its released simulator, and each of its claims beside our number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from accelsim.cluster import Decoding, System, closed_loop, decode, load_model, load_system, room
from accelsim.validation.check import Allowance, Check, compare
from accelsim.validation.pim import positions
from accelsim.validation.report import Report
from accelsim.validation.runs import Runs
from accelsim.validation.table import Table, read_table

FOLDER = Path(__file__).parent
STEPS = Allowance(0.05, "other draws of experts; scores are written and read by a processor")
PLAIN = ("policy.place.experts=fastest", "policy.experts=whole", "policy.expert_reduces=1", "policy.prompts=after")
UNITS = {"none": "h100-node", "logic": "duplex-released", "bank": "duplex-released"}
BANK = ("near.bandwidth=53632 GB/s", "near.flops_per_byte=1", "near.energy.memory=13.47 pJ/B")
SYSTEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "gpu": ("h100-node", ()),
    "plain": ("duplex-released", PLAIN),
    "whole": ("duplex-released", ()),
    "ours": ("duplex", ()),
    "bank": ("bank-pim", ()),
}
SIZES: dict[str, tuple[str, ...]] = {
    "mixtral-8x7b": ("devices=4",),
    "glam": ("devices=8",),
    "grok-1": ("devices=8", "nodes=2"),
    "opt-66b": ("devices=4",),
}
STACKS = 5
MODELS = ("mixtral-8x7b", "glam", "grok-1")
LENGTHS, BATCHES = (256, 1024, 4096), (32, 64, 128)
HEAD = ("claim", "published", "as released", "corrected", "gap")
WHY = {
    "duplex-best": "GLaM at 32 sequences: most of 64 experts see one token, all at peak rates here",
    "duplex-mean": "mean over 27 points of ours, not over those of the paper; peak rates",
    "plain-best": "the same; GLaM",
    "gain-best": "128 sequences of Grok-1",
    "bank-long": "experts of eight tokens are bound by the arithmetic of banks; prompts cost both systems the same",
    "bank-short": "experts at banks are slower than on the processor from 8 tokens on",
    "duplex-short": "the released simulator has 1.64 without prompts; prompts cost both systems the same",
    "median-wait": "without queues: a stage without prompts",
    "saturation-gpu": "peak rates, and no queue of arrivals",
    "saturation-duplex": "the same",
}
NOTES = ("as released: with the doubled counts, tables and all-reduces of the released simulator; corrected: without.",)


def report(runs: Runs) -> Report:
    """All checks, and the claims."""
    return Report("duplex", tuple(_steps()), (claims(), positions.table()))


def _steps() -> Iterator[Check]:
    model = load_model("mixtral-8x7b")
    for row in read_table(FOLDER / "duplex_decode.csv"):
        system = load_system(UNITS[row["units"]], overrides_of(row))
        length = int(row["length"])
        found = decode(system, model, int(row["sequences"]), (length, length))
        how = "together" if row["together"] == "true" else "apart"
        name = f"step/{row['units']}/{how}/{'split' if row['split'] == 'true' else 'whole'}/{row['sequences']}x{length}"
        yield compare(name, "microseconds", found.seconds * 1e6, row["step_us"], STEPS)
        yield compare(name, "energy", found.energy_pj * 1e-9, row["energy_mj"], STEPS)


def overrides_of(row: dict[str, str]) -> tuple[str, ...]:
    """What a row of `duplex_decode.csv` sets in our files."""
    if row["units"] == "none":
        return ()
    split, together = row["split"] == "true", row["together"] == "true"
    said = (
        f"policy.experts={'split' if split else 'whole'}",
        f"policy.expert_reduces={2 if split else 1}",
        f"policy.place.experts={'greedy' if together else 'fastest'}",
    )
    return (*said, *(BANK if row["units"] == "bank" else ()))


@dataclass(frozen=True)
class _Grid:
    """Stages of a closed loop, each worked out once."""

    found: dict[tuple[str, str, int, int, int], Decoding] = field(default_factory=dict)

    def stage(self, system: str, model: str, sequences: int, prompt: int, output: int) -> Decoding:
        key = system, model, sequences, prompt, output
        if key not in self.found:
            name, overrides = SYSTEMS[system]
            loaded = _system(name, (*SIZES[model], *overrides))
            self.found[key] = closed_loop(loaded, _model(model), sequences, prompt, output)
        return self.found[key]

    def speed(self, system: str, over: str, model: str, sequences: int, length: int) -> float:
        ours, other = (self.stage(one, model, sequences, length, length) for one in (system, over))
        return ours.tokens_per_s / other.tokens_per_s

    def energy(self, system: str, model: str, sequences: int, length: int) -> float:
        ours, other = (self.stage(one, model, sequences, length, length) for one in (system, "gpu"))
        return ours.energy_pj / other.energy_pj

    def speeds(self, system: str, over: str, models: tuple[str, ...] = MODELS) -> list[float]:
        return [self.speed(system, over, model, n, length) for model in models for n in BATCHES for length in LENGTHS]

    def least_energy(self, system: str, model: str) -> float:
        return min(self.energy(system, model, n, length) for n in BATCHES for length in LENGTHS)


@cache
def _system(name: str, overrides: tuple[str, ...]) -> System:
    return load_system(name, overrides)


_model = cache(load_model)


def claims() -> Table:
    """Each claim: published, ours under both sets of rules, and how far the corrected number is off."""
    grid = _Grid()
    rows = []
    for row in read_table(FOLDER / "published.csv"):
        released, corrected = (CLAIMS[row["claim"]](grid, system) for system in ("whole", "ours"))
        published = float(row["published"])
        gap = corrected / published - 1
        why = f"{gap:+.0%}: {WHY.get(row['claim'], '')}" if abs(gap) > 0.1 else f"{gap:+.0%}"
        rows.append((row["quantity"], published, released, corrected, why))
    return Table("Claims of the paper", HEAD, tuple(rows), NOTES)


def _stack_tflops(system: str) -> float:
    near = _system(SYSTEMS[system][0], ()).near
    return near.roofline.flops_per_s / STACKS * 1e-12 if near else 0.0


def _bit_ratio() -> float:
    near, processor = _system("duplex", ()).near, _system("h100-node", ()).processor
    return near.memory_energy / processor.energies.memory if near else 1.0


def _wait(system: str) -> float:
    """Seconds of a stage without prompts: GLaM, 64 sequences, mean over the lengths of section VII-B."""
    name, overrides = SYSTEMS[system]
    loaded = _system(name, (*SIZES["glam"], *overrides))
    waits = [decode(loaded, _model("glam"), 64, (length + 1, 2 * length)).seconds for length in (512, 1024, 2048)]
    return _mean(waits)


def _requests_per_s(grid: _Grid, system: str) -> float:
    return grid.stage(system, "mixtral-8x7b", 128, 4096, 512).tokens_per_s / 512


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


Claim = Callable[[_Grid, str], float]
CLAIMS: dict[str, Claim] = {
    "duplex-best": lambda grid, system: max(grid.speeds(system, "gpu")),
    "duplex-mean": lambda grid, system: _mean(grid.speeds(system, "gpu")),
    "plain-best": lambda grid, system: max(grid.speeds("plain", "gpu")),
    "gain-best": lambda grid, system: max(grid.speeds(system, "plain")),
    "bank-long": lambda grid, system: grid.speed("bank", "gpu", "mixtral-8x7b", 32, 4096),
    "bank-short": lambda grid, system: grid.speed("bank", "gpu", "mixtral-8x7b", 64, 256),
    "duplex-short": lambda grid, system: grid.speed("plain", "gpu", "mixtral-8x7b", 64, 256),
    "over-bank": lambda grid, system: max(grid.speeds("plain", "bank", ("mixtral-8x7b",))),
    "energy-mixtral": lambda grid, system: grid.least_energy(system, "mixtral-8x7b"),
    "energy-glam": lambda grid, system: grid.least_energy(system, "glam"),
    "energy-grok": lambda grid, system: grid.least_energy(system, "grok-1"),
    "median-wait": lambda grid, system: _wait(system) / _wait("gpu"),
    "saturation-gpu": lambda grid, system: _requests_per_s(grid, "gpu"),
    "opt-fit": lambda grid, system: float(room(_system("h100-node", SIZES["opt-66b"]), _model("opt-66b"), 2048).most),
    "saturation-duplex": _requests_per_s,
    "peak": lambda grid, system: _stack_tflops(system),
    "energy-bit": lambda grid, system: _bit_ratio(),
}
