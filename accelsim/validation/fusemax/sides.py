"""Arrays from 16 x 16 to 512 x 512 PEs: time, off-chip bytes and area of the array.

Registers of a PE follow the study's rule, 2 mt for mt = 2 max(1, side / E) tiles in flight. The area of the buffer
macro, and so the whole area, is not checked: it came from a tool whose numbers cannot be worked out from the artifact.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from accelsim.validation.check import Allowance, Check, compare, compare_digits
from accelsim.validation.fusemax.study import FOLDER, PUBLISHED
from accelsim.validation.runs import Overrides, Runs, off_chip_bytes
from accelsim.validation.table import read_table

TOKENS = 262144
DIGITS = Allowance(0.0, "half of the last digit")
DUMMY_UM2 = 1  # the study places a link of 1 um2 at each column


def checks(runs: Runs) -> Iterator[Check]:
    """Time for each row of `pareto.csv`; bytes and area where they are published."""
    for row in read_table(FOLDER / "pareto.csv"):
        result = runs.result(PUBLISHED["fusemax"], row["model"], TOKENS, _overrides(row))
        name = f"array size/{row['model']}/{row['side']}"
        if row["bytes"] == "-":
            yield compare_digits(name, "time", result.seconds, row["seconds"], DIGITS)
        else:
            yield compare(name, "time", result.seconds, row["seconds"])
            yield compare(name, "off-chip bytes", off_chip_bytes(result), row["bytes"])
            areas = (area for part, area in (result.area_um2 or {}).items() if part.startswith("pe2d."))
            yield compare(name, "area of pe2d", sum(areas, Fraction(DUMMY_UM2 * int(row["side"]))), row["array_um2"])


def _overrides(row: dict[str, str]) -> Overrides:
    side = row["side"]
    sizes = (
        f"units.pe2d.rows={side}",
        f"units.pe2d.cols={side}",
        f"units.pe1d.lanes={side}",
        f"levels.buffer.capacity={row['buffer_bytes']} B",
    )
    if row["registers"] == "-":
        return sizes
    return (*sizes, f"components.rf2d.area={register_area_um2(int(row['registers'])):.5f} um2")


def register_area_um2(depth: int) -> float:
    """Area of a register file as the study charged it: that of 64 words of 32 bit for every file of up to 64 words.

    max(64, d) (32 x 5.98 + 71) + 11.63484 ceil(log2 d), whatever the width (slip 2).
    """
    return max(64, depth) * (32 * 5.98 + 71) + 11.63484 * (depth - 1).bit_length()
