"""The FuseMax study (MICRO 2024, arXiv 2406.10491): every row, figure and mean that it published."""

from __future__ import annotations

from itertools import chain

from accelsim.validation.fusemax import attention, headlines, layers, products, series, sides, variants
from accelsim.validation.report import Report
from accelsim.validation.runs import Runs

PARTS = (attention, layers, sides, products, series, headlines, variants)


def report(runs: Runs) -> Report:
    """All checks of the study, and its headlines beside the same with its slips repaired."""
    checks = tuple(chain.from_iterable(part.checks(runs) for part in PARTS))
    return Report("fusemax", checks, (headlines.table(runs), variants.table(runs)))
