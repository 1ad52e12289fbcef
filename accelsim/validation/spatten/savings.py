"""What pruning and fewer bits save in bytes and operations: the two released traces beside published means."""

from __future__ import annotations

from accelsim.validation.runs import Runs
from accelsim.validation.spatten.points import (
    DECODE,
    FULL,
    MEDIUM,
    SMALL,
    WIDE,
    Model,
    fetched_bytes,
    flops,
    published,
)
from accelsim.validation.spatten.traces import reduction
from accelsim.validation.table import Cell, Table

HEAD = ("saved", "published", "mean of", SMALL.name, MEDIUM.name)
NOTES = (
    "Bytes of keys and values, against 32 bit without pruning. Published are means over tasks whose ratios of",
    "pruning were not published: two traces cannot give them. GPT-2-Medium's trace has 12 bit keys and 8 bit values,",
    "without a second fetch; GPT-2-Small's 6 bit and 4 more for 7 % of its heads. Operations: each score once,",
    "though some are done twice.",
)


def table(runs: Runs) -> Table:
    """Each saving of each trace beside the published mean."""
    rows = {
        "tokens and values": ("reduction-tokens", "8 GPT-2 tasks", reduction),
        "heads": ("reduction-heads", "not said", _heads),
        "bits": ("reduction-bits", "not said", _bits),
        "bytes in all": ("reduction", "30 tasks", _bytes),
        "operations": ("reduction-flops", "30 tasks", _flops),
    }
    lines: list[tuple[Cell, ...]] = [
        (name, published(claim), of, rule(runs, SMALL), rule(runs, MEDIUM)) for name, (claim, of, rule) in rows.items()
    ]
    return Table("What pruning and fewer bits save", HEAD, tuple(lines), NOTES)


def _heads(runs: Runs, model: Model) -> float:
    return 1 / model.heads_left


def _bits(runs: Runs, model: Model) -> float:
    """32 bit over the bits that are fetched for a key or value on average, low bits fetched later included."""
    wide, own = (runs.named(FULL, model.preset, more) for more in (WIDE, ()))
    return fetched_bytes(wide) / fetched_bytes(own)


def _bytes(runs: Runs, model: Model) -> float:
    whole = runs.named(FULL, DECODE, (*model.dense, *WIDE))
    return fetched_bytes(whole) / fetched_bytes(runs.named(FULL, model.preset))


def _flops(runs: Runs, model: Model) -> float:
    return flops(runs, model, dense=True) / flops(runs, model, dense=False)
