"""Attention of one layer: time, off-chip bytes, use of both units and energy of every published row."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.validation.check import Allowance, Check, compare
from accelsim.validation.fusemax.study import FOLDER, as_published
from accelsim.validation.runs import Runs, off_chip_bytes
from accelsim.validation.table import read_table

ENERGY = Allowance(1e-6, "energies per access are known to nine digits only")
CORRECTED = Allowance(1e-6, "with the buffer reads that the study counted too often (slip 1)")
LONGEST = Allowance(3e-5, "with those reads; those of one PE's registers, up to 2.1e-5, are not in our overlays")


def checks(runs: Runs) -> Iterator[Check]:
    """Five checks for each row of `attention.csv`."""
    for row in read_table(FOLDER / "attention.csv"):
        yield from _row(runs, row)


def _row(runs: Runs, row: dict[str, str]) -> Iterator[Check]:
    design, model, tokens = row["design"], row["model"], int(row["tokens"])
    books = as_published(runs)
    result = books.result(design, model, tokens)
    name = f"attention/{design}/{model}/{tokens}"
    yield compare(name, "time", result.seconds, row["seconds"])
    yield compare(name, "off-chip bytes", off_chip_bytes(result), row["bytes"])
    for unit in ("pe2d", "pe1d"):
        yield compare(name, f"use of {unit}", result.units[unit].utilization, row[unit])
    yield compare(name, "energy", books.energy_pj(design, model, tokens), row["energy_pj"], energy_allowance(tokens))


def energy_allowance(tokens: int) -> Allowance:
    """What the energy of a row of attention may differ by."""
    if tokens < 65536:
        return ENERGY
    return CORRECTED if tokens < 1048576 else LONGEST
