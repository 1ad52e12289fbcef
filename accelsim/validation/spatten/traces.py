"""The released traces: what they occupy of each resource, and cycles of the released RTL for single tokens."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from accelsim.result import Result
from accelsim.validation.check import EXACTLY, Allowance, Check, compare
from accelsim.validation.runs import Overrides, Runs
from accelsim.validation.spatten.points import (
    DECODE,
    EIGHTH,
    FOLDER,
    FULL,
    HIDDEN,
    MODELS,
    RELEASED,
    SMALL,
    UNCUT,
    WIDE,
    Model,
    busy,
    fetched_bytes,
    flops,
)
from accelsim.validation.table import Cell, Table, read_table

ROUNDED = Allowance(0.02, "keys and values are rounded up to multiples of 8 there")
SAMPLED = Allowance(0.03, "rounded up to 8 there, and one more kept; means of samples on both sides")
BOUND = Allowance(0.012, "keys and values are rounded up to multiples of 8 there")
RTL = Allowance(0.3, "it takes 40 to 120 cycles beside each request, which is charged nothing here: see the table")
CYCLE_BYTES = 512
HEAD = ("model", "token", "", "RTL", "its busiest", "ours", "ours / RTL", "FILL hidden")
NOTES = (
    "Memory as good as its peak on both sides: the RTL with the DRAM simulator that it was released with takes 1.5",
    "to 1.9 times as long, since that gives at most half of the peak. Differences, in both directions:",
    "- the RTL does not wait between layers; ours needs the scores of a layer to choose the keys of the next, which",
    "  costs little;",
    "- the RTL packs two heads of 6 bit into one request, and the second of them pays for no top-k;",
    "- its top-k is a delay from the first score on, its softmax takes no time; ours waits for the last score;",
    "- it takes 40 to 120 cycles beside each request and moves lines of two keys, which ours does not have: most of",
    "  the difference, and the more the fewer keys there are.",
)


def checks(runs: Runs) -> Iterator[Check]:
    """Resources of whole traces, then single tokens through the RTL."""
    return chain(chain.from_iterable(_occupied(runs, row) for row in _bounds()), _tokens(runs))


def _bounds() -> list[dict[str, str]]:
    return read_table(FOLDER / "bounds.csv")


def _occupied(runs: Runs, row: dict[str, str]) -> Iterator[Check]:
    model, dense = model_of(row["trace"])
    result, name = released_run(runs, model, dense=dense), f"resources/{row['trace']}"
    yield compare(name, "busy cycles of Q x K", busy(result, "scores"), row["scores"])
    yield compare(name, "busy cycles of prob x V", busy(result, "results"), row["results"])
    yield compare(name, "cycles of DRAM", fetched_bytes(result) / CYCLE_BYTES, row["dram"], ROUNDED)
    yield compare(name, "Gflop", flops(runs, model, dense=dense) * 1e-9, row["gflop"], EXACTLY)
    if not dense:
        hidden = runs.named(FULL, model.preset, HIDDEN)
        yield compare(name, "cycles of top-k", busy(hidden, "local"), row["topk"], SAMPLED)
        yield compare(name, "fewer keys", key_reduction(runs, model), row["key_reduction"])
        yield compare(name, "fewer keys and values", reduction(runs, model), row["reduction"])


def model_of(trace: str) -> tuple[Model, bool]:
    """`gpt2-small-dense` to its model, and that it is dense."""
    name, _, kind = trace.rpartition("-")
    return MODELS[name], kind == "dense"


def released_run(runs: Runs, model: Model, *, dense: bool) -> Result:
    """The trace with the widths that the released RTL gives it: 12 bit become 8 and 4 more, 6 bit stay."""
    if dense:
        return runs.named(FULL, DECODE, (*model.dense, *RELEASED))
    return runs.named(FULL, model.preset, () if model is SMALL else RELEASED)


def key_reduction(runs: Runs, model: Model) -> float:
    """All tokens over those that are kept, of the heads that are left."""
    whole, left = (runs.named(FULL, model.preset, (*more, *WIDE)) for more in (UNCUT, ()))
    return float(whole.traffic["dram"]["KM"].read / left.traffic["dram"]["KM"].read)


def reduction(runs: Runs, model: Model) -> float:
    """The same of keys and values together."""
    whole, left = (runs.named(FULL, model.preset, (*more, *WIDE)) for more in (UNCUT, ()))
    return fetched_bytes(whole) / fetched_bytes(left)


def _tokens(runs: Runs) -> Iterator[Check]:
    for row in read_table(FOLDER / "pipeline.csv"):
        result, name = token_run(runs, row), f"rtl/{row['model']}/{'dense' if row['dense'] == 'true' else 'pruned'}"
        most = max(busy(result, "scores"), fetched_bytes(result) * 8 / CYCLE_BYTES)
        yield compare(f"{name}/{row['token']}", "busiest resource", most, row["bound"], BOUND)
        yield compare(f"{name}/{row['token']}", "cycles", float(result.cycles or 0), row["cycles"], RTL)


def token_run(runs: Runs, row: dict[str, str], more: Overrides = ()) -> Result:
    """A token on an eighth of the machine, with the widths of the released RTL."""
    model, token, dense = MODELS[row["model"]], int(row["token"]), row["dense"] == "true"
    widths = model.refetched(token) if model is SMALL and not dense else RELEASED
    return runs.named(EIGHTH, DECODE, (*model.token(token, dense=dense), *widths, *more), "cycle")


def table(runs: Runs) -> Table:
    """Tokens through the RTL beside ours."""
    rows = tuple(_row(runs, row) for row in read_table(FOLDER / "pipeline.csv"))
    return Table("One token on an eighth of the machine, cycles", HEAD, rows, NOTES)


def _row(runs: Runs, row: dict[str, str]) -> tuple[Cell, ...]:
    dense, measured = row["dense"] == "true", float(row["cycles"])
    ours = float(token_run(runs, row).cycles or 0)
    hidden = None if dense else float(token_run(runs, row, HIDDEN).cycles or 0) / measured
    kind = "dense" if dense else "pruned"
    return (
        row["model"],
        row["token"],
        kind,
        measured,
        float(row["bound"]),
        ours,
        ours / measured,
        hidden,
    )
