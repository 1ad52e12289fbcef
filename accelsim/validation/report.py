"""What a validation found: every check, tables of headlines, and a summary by group and quantity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from accelsim.result import SCHEMA
from accelsim.validation.check import Check
from accelsim.validation.table import Table, aligned
from accelsim.version import VERSION


@dataclass(frozen=True)
class Report:
    """The checks and tables of one suite, or of all."""

    suite: str
    checks: tuple[Check, ...]
    tables: tuple[Table, ...] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def to_text(self) -> str:
        """A line for every group of checks, the checks that failed, and the tables."""
        good = len(self.checks) - len(self.failures)
        lines = [f"{self.suite}: {good} of {len(self.checks)} checks pass", "", *_summary_lines(self.checks)]
        lines += [f"FAILED {_shown(check)}" for check in self.failures]
        return "\n".join([*lines, *(f"\n{table.to_text()}" for table in self.tables)])

    def to_json(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "kind": "validation",
            "suite": self.suite,
            "passed": self.passed,
            "checks": [check.to_json() for check in self.checks],
            "summary": {
                "checks": len(self.checks),
                "failed": len(self.failures),
                "groups": [_group_json(checks) for checks in grouped(self.checks)],
            },
            "tables": [table.to_json() for table in self.tables],
            "version": VERSION,
        }


def grouped(checks: Sequence[Check]) -> list[list[Check]]:
    """Checks of one group, quantity, tolerance and reason together, in the order in which they come first."""
    found: dict[tuple[str, str, str], list[Check]] = {}
    for check in checks:
        found.setdefault((check.group, check.quantity, check.note), []).append(check)
    return list(found.values())


def worst(checks: Sequence[Check]) -> Check:
    """The check whose error is largest."""
    return max(checks, key=lambda check: abs(check.error))


def _summary_lines(checks: Sequence[Check]) -> list[str]:
    rows = [
        (
            *(group[0].group, group[0].quantity),
            *(str(len(group)), f"{worst(group).error:+.1e}", f"{_widest(group):.1e}", group[0].note),
        )
        for group in grouped(checks)
    ]
    return aligned(("group", "quantity", "checks", "worst error", "allowed", "because"), rows)


def _widest(checks: Sequence[Check]) -> float:
    return max(check.tolerance for check in checks)


def _shown(check: Check) -> str:
    return (
        f"{check.name} {check.quantity}: ours {check.ours:.9g}, published {check.published:.9g}, "
        f"error {check.error:+.2e}, allowed {check.tolerance:.1e}"
    )


def _group_json(checks: Sequence[Check]) -> dict[str, object]:
    first, largest = checks[0], worst(checks)
    return {
        "group": first.group,
        "quantity": first.quantity,
        "checks": len(checks),
        "failed": sum(not check.passed for check in checks),
        "worst": largest.name,
        "worst_error": largest.error,
        "tolerance": _widest(checks),
        "note": first.note,
    }
