"""The table of a verification, as text and as data."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.hardware.verify import Row, Verification
from accelsim.report.text import aligned
from rtl.bench.runner import X_SEEDS, seeds_of
from rtl.sim.case import KINDS
from rtl.tools import generator_versions, simulator_version, version

HEAD = ("unit", "configuration", "cases", "beats", *(f"{kind} wrong" for kind in KINDS))
MOST_FAILURES = 5


def table_text(found: Sequence[Verification]) -> str:
    """A line per configuration, one per unit, and the first things that were wrong with each configuration."""
    rows = [row for one in found for row in one.rows]
    parts = [aligned(HEAD, [_cells(row) for row in rows])]
    parts += ["\n".join(_shown(row)) for row in rows if not row.passed]
    return "\n\n".join([*parts, "\n".join(map(_summary, found))])


def _cells(row: Row) -> tuple[str, ...]:
    return row.unit, row.configuration, str(len(row.cases)), str(row.beats), *(str(row.wrong[kind]) for kind in KINDS)


def _shown(row: Row) -> list[str]:
    more = len(row.failures) - MOST_FAILURES
    rest = [f"  and {more} more"] if more > 0 else []
    return [f"{row.unit} {row.configuration}:", *(f"  {line}" for line in row.failures[:MOST_FAILURES]), *rest]


def _summary(one: Verification) -> str:
    cases = sum(len(row.cases) for row in one.rows)
    failed = sum(not row.passed for row in one.rows)
    verdict = f"{failed} of {len(one.rows)} configurations FAILED" if failed else "nothing wrong"
    return f"{one.unit}: {cases} cases, {len(one.rows)} configurations, {verdict}, {one.seconds:.1f} s"


def table_document(found: Sequence[Verification], sim: str, seed: int) -> dict[str, object]:
    """The same as plain data for JSON, with all that it takes to run the same cases again."""
    return {
        "schema": 1,
        "kind": "rtl-verification",
        "passed": all(one.passed for one in found),
        "sim": sim,
        "seed": seed,
        "x_seeds": list(seeds_of(sim, X_SEEDS)),
        "tools": {**generator_versions(), "cocotb": version("cocotb"), "simulator": simulator_version(sim)},
        "units": [{"unit": one.unit, "seconds": round(one.seconds, 3)} for one in found],
        "rows": [_plain(row) for one in found for row in one.rows],
        "cases": [{"name": case, "device": row.device} for one in found for row in one.rows for case in row.cases],
    }


def _plain(row: Row) -> dict[str, object]:
    return {
        "unit": row.unit,
        "configuration": row.configuration,
        "device": row.device,
        "parameters": dict(row.parameters),
        "cases": len(row.cases),
        "beats": row.beats,
        "wrong": row.wrong,
        "failures": list(row.failures),
    }
