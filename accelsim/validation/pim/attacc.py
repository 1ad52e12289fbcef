"""AttAcc (ASPLOS 2024): cycles of its command simulator, steps and energies of its system simulator, its headlines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from accelsim.cluster import Decoding, decode, load_model, load_system, room
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention
from accelsim.validation.check import Allowance, Check, compare
from accelsim.validation.report import Report
from accelsim.validation.runs import Runs
from accelsim.validation.table import Cell, Table, read_table

FOLDER = Path(__file__).parent
MODEL, ELEMENT_BYTES = "gpt3-175b", 2
COMMANDS = Allowance(0.025, "refreshes begin at multiples of nREFI here, whatever is open")
STEPS = Allowance(0.05, "cycles in memory from an older generator of commands; residuals joined to norms")
LEVELS = {"ba": "bank", "bg": "bank-group", "buffer": "buffer"}
TIMES = {
    ("ba", True): 9,
    ("ba", False): 16,
    ("bg", True): 3,
    ("bg", False): 8,
    ("buffer", True): 1,
    ("buffer", False): 1,
}
ENERGY = {"ba": "4.4", "bg": "12.48", "buffer": "26.32"}
BANDWIDTH = 3352
H100 = (
    *("processor.peak=989.4e12 flop/s", "processor.tiling.cores=132", "processor.tiling.core_cache=256 KiB"),
    *("processor.tiling.shared_cache=50 MiB", "link.bandwidth=166.7 GB/s"),
)
CPU = (
    *("near.commands=null", "near.bandwidth=200 GB/s", "near.flops_per_byte=5", "near.link=128 GB/s"),
    *("policy.overlap=none", "policy.place.ffn=processor", "near.energy.memory=0 pJ/B", "near.energy.flop=0 pJ/flop"),
)
HEAD = ("GPT-3 175B, prompts and answers of 2048 tokens", "published", "simulator", "as released", "corrected")
NOTES = (
    "published: AttAcc, section 7; simulator: the released one, run; as released: ours with its rules; corrected: ours",
    "with all-reduces around a ring twice, idle cores that do not slow down the memory, softmax that takes time, new",
    "keys and values written, and the energy of products in memory: units there read weights again for every token.",
)


def report(runs: Runs) -> Report:
    """All checks, and the headlines under both sets of rules."""
    checks = (*_commands(), *_steps())
    return Report("attacc", checks, (headlines(),))


def _commands() -> Iterator[Check]:
    for row in read_table(FOLDER / "attacc_commands.csv"):
        level, limited = row["level"], row["power_limit"] == "true"
        stack = load_stack("HBM3-PIM", level, "released", power_limit=limited)
        work = Attention(int(row["pairs"]), int(row["length"]), int(row["head_dim"]), ELEMENT_BYTES)
        name = f"commands/{level}/{'limited' if limited else 'free'}/{row['pairs']}x{row['length']}"
        yield compare(name, "cycles", float(run_attention(stack, work).cycles), row["cycles"], COMMANDS)


def _steps() -> Iterator[Check]:
    seen: dict[tuple[str, ...], Decoding] = {}
    for row in read_table(FOLDER / "attacc_system.csv"):
        settings = (*overrides_of(row), *(row[key] for key in ("sequences", "prompt", "output")))
        if settings not in seen:
            seen[settings] = _decoded(_base(row), overrides_of(row), row)
        found = seen[settings]
        limit = "limited" if row["power_limit"] == "true" else "free"
        name = "/".join((row["gpu"], row["devices"], row["units"], limit, row["overlap"], row["prompt"], row["output"]))
        name = f"step/{name}/{row['sequences']}"
        yield compare(name, "milliseconds", found.seconds * 1e3, row["step_ms"], STEPS)
        yield compare(name, "energy", found.energy_pj * 1e-3, row["energy_nj"], STEPS)


def _base(row: dict[str, str]) -> str:
    return "dgx-a100-released" if row["units"] == "none" else "attacc-released"


def overrides_of(row: dict[str, str]) -> tuple[str, ...]:
    """What a row of `attacc_system.csv` sets in our files."""
    said = [f"devices={row['devices']}", *(H100 if row["gpu"] == "H100" else ())]
    if row["units"] == "cpu":
        return (*said, *CPU)
    if row["units"] == "none":
        return tuple(said)
    limited = row["power_limit"] == "true"
    bandwidth = TIMES[row["units"], limited] * BANDWIDTH
    said += [f"near.commands.level={LEVELS[row['units']]}", f"near.commands.power_limit={str(limited).lower()}"]
    said += [f"near.bandwidth={bandwidth} GB/s", f"near.energy.memory={ENERGY[row['units']]} pJ/B"]
    return (*said, *(() if row["overlap"] == "true" else ("policy.overlap=none", "policy.place.ffn=processor")))


def _decoded(system: str, overrides: Sequence[str], row: dict[str, str]) -> Decoding:
    prompt, output = int(row["prompt"]), int(row["output"])
    lengths = (prompt + 1, prompt + output - 1)
    return decode(load_system(system, overrides), load_model(MODEL), int(row["sequences"]), lengths)


def headlines() -> Table:
    """Against eight A100 with as many sequences as fit: 18 there, 54 with the cache in memory of its own."""
    lines: list[tuple[Cell, ...]] = []
    ours = [_ratios(rules) for rules in ("-released", "")]
    lines.append(("throughput over eight A100", 3.91, 3.97, *(speedup for speedup, _ in ours)))
    lines.append(("energy per token over theirs", 0.341, 0.341, *(energy for _, energy in ours)))
    fit = room(load_system("dgx-a100"), load_model(MODEL), 4096).most
    lines.append(("sequences that fit eight A100", 18.0, 18.0, float(fit), float(fit)))
    return Table("Headlines", HEAD, tuple(lines), NOTES)


def _ratios(rules: str) -> tuple[float, float]:
    model, lengths = load_model(MODEL), (2049, 4095)
    base = decode(load_system(f"dgx-a100{rules}"), model, 18, lengths)
    ours = decode(load_system(f"attacc{rules}"), model, 54, lengths)
    energy = (ours.energy_pj / ours.sequences) / (base.energy_pj / base.sequences)
    return ours.tokens_per_s / base.tokens_per_s, energy
