"""A layer over a sentence: cycles of the released behavioural simulator, and what they become without its slips."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.errors import AccelsimError
from accelsim.validation.check import Check, compare
from accelsim.validation.runs import Overrides, Runs
from accelsim.validation.spatten.points import FOLDER, FULL, milliseconds
from accelsim.validation.table import Cell, Table, read_table

CHANNEL_BYTES, KEY_ELEMENTS = 32, 64  # what a channel gives in a cycle; multipliers that one key takes
SENTENCES = ((64, 64), (128, 64), (320, 160))
HEADS = 2
HEAD = ("tokens", "keys kept", "released, us", "ours, us", "ours / released", "ours, values by top-k, us", "bound by")
NOTES = (
    f"A layer of {HEADS} heads, 12 bit. The released simulator, which ours follows to the cycle under its own rules,",
    "1. sends all queries through, pruned ones too; ours only those of tokens that are kept;",
    "2. fetches as many values as keys; ours may drop them by top-k of each row (a third of them kept in this column);",
    "3. takes 12 bit for 8 in DRAM and rounds transactions down; ours moves 12 bit;",
    "4. adds DRAM, products, drain and top-k up; ours overlaps them, so that the busiest decides;",
    "5. drains softmax once in a layer; ours has its latencies behind every row, hidden by the rows that follow.",
    "Its top-k keeps the wrong side and reads past its data, so that rows with top-k are nothing to compare with.",
)


def checks(runs: Runs) -> Iterator[Check]:
    """Every row of `layers.csv`, to the cycle."""
    for row in read_table(FOLDER / "layers.csv"):
        name = "/".join(("layer", row["channels"], row["multipliers"], row["bits"], row["heads"], row["tokens"]))
        yield compare(f"{name}/{row['keys']}", "cycles", released_cycles(runs, row), row["cycles"])


def released_cycles(runs: Runs, row: dict[str, str]) -> int:
    """Cycles under the rules of the released simulator.

    Raises:
        AccelsimError: an architecture without a clock.
    """
    cycles = runs.named("spatten-released", f"released-{row['bits']}-bit", overrides_of(row), "cycle").cycles
    if cycles is None:
        raise AccelsimError("spatten-released: has no clock, so that there are no cycles to compare")
    return cycles


def overrides_of(row: dict[str, str]) -> Overrides:
    """What a row of `layers.csv` sets in our files."""
    moved, lanes = CHANNEL_BYTES * int(row["channels"]), int(row["multipliers"]) // KEY_ELEMENTS
    return (
        *(f"H={row['heads']}", f"M={row['tokens']}", f"KEEP={row['keys']}"),
        f"arch.levels.dram.bandwidth={{read: {moved} GB/s, write: unlimited}}",
        f"arch.levels.dram.burst={moved} B",
        *(f"arch.units.array.rows={lanes}", f"arch.units.queue.lanes={lanes}"),
    )


def table(runs: Runs) -> Table:
    """The same layers without the slips, at depth `cycle`; with values by top-k the closed form, which is as close."""
    return Table("A layer over a sentence, without the slips", HEAD, tuple(_row(runs, *s) for s in SENTENCES), NOTES)


def _row(runs: Runs, tokens: int, keys: int) -> tuple[Cell, ...]:
    setting = {"channels": "16", "multipliers": "512", "bits": "12", "heads": str(HEADS)}
    released = released_cycles(runs, {**setting, "tokens": str(tokens), "keys": str(keys)}) * 1e-3
    whole = runs.named(FULL, "pruned-attention", _corrected(tokens, keys, 1), "cycle")
    fewer = runs.named(FULL, "pruned-attention", _corrected(tokens, keys, 3))
    ours, selecting = milliseconds(whole) * 1e3, milliseconds(fewer) * 1e3
    return (str(tokens), str(keys), released, ours, ours / released, selecting, fewer.bound_by)


def _corrected(tokens: int, keys: int, share: int) -> Overrides:
    """A layer of the corrected model, a part in so many of the values kept."""
    maps = (f"workload.maps.kept=[{keys}]", f"workload.maps.values=[{keys // share}]")
    return ("LAYERS=1", f"H={HEADS}", f"M={tokens}", *maps)
