"""The suites that exist, and running one or all of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from accelsim.errors import AccelsimError, nearest
from accelsim.validation import fusemax, spatten
from accelsim.validation.pim import attacc, duplex
from accelsim.validation.report import Report
from accelsim.validation.runs import Runs

SUITES: dict[str, Callable[[Runs], Report]] = {
    "fusemax": fusemax.report,
    "attacc": attacc.report,
    "duplex": duplex.report,
    "spatten": spatten.report,
}
ALL = "all"


def suites() -> tuple[str, ...]:
    """The names of the suites."""
    return tuple(SUITES)


def validate(suite: str | None = None) -> Report:
    """Run a suite, or all of them: our error against every published number that it holds.

    >>> from accelsim.validation import suites
    >>> suites()
    ('fusemax', 'attacc', 'duplex', 'spatten')

    Raises:
        AccelsimError: no suite of that name.
    """
    if suite is not None and suite not in SUITES:
        raise AccelsimError(f'no suite named "{suite}"{nearest(suite, SUITES)}')
    runs = Runs()
    found = [run(runs) for name, run in SUITES.items() if suite in (None, name)]
    if len(found) == 1:
        return found[0]
    checks = chain.from_iterable(report.checks for report in found)
    tables = chain.from_iterable(report.tables for report in found)
    return Report(ALL, tuple(checks), tuple(tables))
