"""Encoder layers: time, off-chip bytes and energy of the linear layers, time and energy of the whole."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.validation.check import EXACTLY, Allowance, Check, compare
from accelsim.validation.fusemax.attention import ENERGY, energy_allowance
from accelsim.validation.fusemax.study import FOLDER, LAYER, as_published
from accelsim.validation.runs import Runs, energy_pj, off_chip_bytes
from accelsim.validation.table import read_table

BYTES_XLM = Allowance(0.18, "a heuristic mapper moved 14 to 22% more than needed for XLM's linear layers")
ENERGY_XLM = Allowance(3e-3, "a heuristic mapper moved too many bytes for XLM's linear layers")


def checks(runs: Runs) -> Iterator[Check]:
    """Five checks for each row of `layers.csv`."""
    for row in read_table(FOLDER / "layers.csv"):
        yield from _linear(runs, row)
        yield from _whole(runs, row)


def _linear(runs: Runs, row: dict[str, str]) -> Iterator[Check]:
    """The layer without its attention."""
    design, model, tokens = row["design"], row["model"], int(row["tokens"])
    books = as_published(runs)
    layer, attention = (books.result(design, workload, tokens) for workload in (model + LAYER, model))
    name, xlm = f"linear/{design}/{model}/{tokens}", model == "xlm"
    yield compare(name, "time", layer.seconds - attention.seconds, row["linear_seconds"])
    moved = off_chip_bytes(layer) - off_chip_bytes(attention)
    yield compare(name, "off-chip bytes", moved, row["linear_bytes"], BYTES_XLM if xlm else EXACTLY)
    spent = energy_pj(layer) - energy_pj(attention)
    yield compare(name, "energy", spent, row["linear_energy_pj"], ENERGY_XLM if xlm else ENERGY)


def _whole(runs: Runs, row: dict[str, str]) -> Iterator[Check]:
    design, model, tokens = row["design"], row["model"], int(row["tokens"])
    books = as_published(runs)
    name, workload = f"layer/{design}/{model}/{tokens}", model + LAYER
    yield compare(name, "time", books.seconds(design, workload, tokens), row["seconds"])
    allowed = ENERGY_XLM if model == "xlm" else energy_allowance(tokens)
    yield compare(name, "energy", books.energy_pj(design, workload, tokens), row["energy_pj"], allowed)
