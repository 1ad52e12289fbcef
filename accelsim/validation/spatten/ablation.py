"""What each technique adds to the speed, against TITAN Xp: the same model of attention under other settings."""

from __future__ import annotations

from itertools import pairwise

from accelsim.validation.runs import Overrides, Runs
from accelsim.validation.spatten.points import (
    DECODE,
    FULL,
    HIDDEN,
    MEDIUM,
    SMALL,
    WIDE,
    Model,
    milliseconds,
    published,
)
from accelsim.validation.table import Cell, Table

ONE_LANE: Overrides = ("arch.units.local.lanes=1", "arch.units.global.lanes=1")
STEPS = ("datapath", "pruning", "lanes", "bits")
WORDS = ("dense, 32 bit", "+ pruning, engines of one lane", "+ 16 lanes", "+ fewer bits")
HEAD = ("", "published", *(f"{model.name}{how}" for model in (SMALL, MEDIUM) for how in ("", ", FILL hidden")))
NOTES = (
    "First line: TITAN Xp's 366.7 ms of GPT-2-Medium over ours, all heads; its time for GPT-2-Small is not known.",
    "The others: each step over the one before. Published: 8 tasks of GPT-2, of which we have the traces of two.",
    "With 32 bit in DRAM the datapath is bound by 512 GB/s, which alone would give 29.6. An engine of one lane costs",
    "GPT-2-Medium more than pruning gains. Fewer bits gain less than published where 16 lanes bound the time, and",
    "more where FILL is hidden.",
)


def table(runs: Runs) -> Table:
    """Speed of each step over the one before it."""
    columns = [_speeds(runs, model, more) for model in (SMALL, MEDIUM) for more in ((), HIDDEN)]
    names = (*zip(WORDS, STEPS, strict=True), ("pruning and lanes together", "pruning-lanes"))
    rows: list[tuple[Cell, ...]] = [
        (word, published(f"step-{step}"), *(column[step] for column in columns)) for word, step in names
    ]
    return Table("What each technique adds", HEAD, tuple(rows), NOTES)


def _speeds(runs: Runs, model: Model, more: Overrides) -> dict[str, float | None]:
    times = step_times(runs, model, more)
    found: dict[str, float | None] = {
        "datapath": published("titan-ms") / times["datapath"] if model is MEDIUM else None
    }
    found |= {step: times[before] / times[step] for before, step in pairwise(STEPS)}
    return {**found, "pruning-lanes": times["datapath"] / times["lanes"]}


def step_times(runs: Runs, model: Model, more: Overrides = ()) -> dict[str, float]:
    """Milliseconds of the machine after each step."""
    points = {
        "datapath": (DECODE, (*model.dense, *WIDE)),
        "pruning": (model.preset, (*WIDE, *ONE_LANE, *more)),
        "lanes": (model.preset, (*WIDE, *more)),
        "bits": (model.preset, more),
    }
    return {step: milliseconds(runs.named(FULL, *point)) for step, point in points.items()}
