"""Off-chip bytes of FLAT's two products, against FLAT's own model at each of its 48 configurations.

FLAT's model knows no softmax: of ours, the bytes of its Einsums (`GM`, `SN`, `SD`, the write of `A`) are left out, and
of the scores only the write of `QK` and the read of `A` count.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from accelsim.result import Result, Transfer
from accelsim.validation.check import Allowance, Check, compare
from accelsim.validation.fusemax.study import FOLDER
from accelsim.validation.runs import OFF_CHIP, Runs
from accelsim.validation.table import read_table

NONE = Transfer(Fraction(0), Fraction(0))
SPILL = Allowance(3e-3, "FLAT also reads an operand again for the spilled share of the scores, and adds a few tiles")
SPILL_MOST = Allowance(3e-2, "the same with 6.9% of the scores spilled (XLM, 4096 tokens)")


def checks(runs: Runs) -> Iterator[Check]:
    """One check for each row of `flat_traffic.csv`."""
    for row in read_table(FOLDER / "flat_traffic.csv"):
        model, tokens = row["model"], int(row["tokens"])
        moved = product_bytes(runs.result("flat", model, tokens))
        allowed = SPILL_MOST if (model, tokens) == ("xlm", 4096) else SPILL
        yield compare(f"products/flat/{model}/{tokens}", "off-chip bytes", moved, row["bytes"], allowed)


def product_bytes(result: Result) -> Fraction:
    """Bytes between the off-chip level and the two products of three-pass attention."""
    moved = result.traffic[OFF_CHIP]
    whole = sum((moved.get(tensor, NONE).total for tensor in ("Q", "K", "V", "AV")), Fraction(0))
    return whole + moved.get("QK", NONE).write + moved.get("A", NONE).read
