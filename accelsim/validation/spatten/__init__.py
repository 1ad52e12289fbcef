"""SpAtten (HPCA 2021, arXiv 2012.09852): its top-k, its released simulators and traces, and its claims beside ours."""

from __future__ import annotations

from itertools import chain

from accelsim.validation.report import Report
from accelsim.validation.runs import Runs
from accelsim.validation.spatten import ablation, released, roofline, savings, selection, speed, traces, unknown

CHECKED = (selection, released, traces, speed)


def report(runs: Runs) -> Report:
    """All checks, each claim beside our number, and what cannot be derived."""
    checks = tuple(chain.from_iterable(part.checks(runs) for part in CHECKED))
    tables = (
        *(selection.sorter_table(), selection.lanes_table()),
        *(part.table(runs) for part in (released, traces, savings)),
        *speed.tables(runs),
        *(part.table(runs) for part in (ablation, roofline)),
        unknown.table(),
    )
    return Report("spatten", checks, tables)
