"""Architectures side by side on one workload, the first of them the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from accelsim.errors import AccelsimError
from accelsim.result import SCHEMA, Result
from accelsim.simulate import simulate_named


@dataclass(frozen=True)
class Comparison:
    """Results on the same workload, in the order asked for; the first is the baseline."""

    workload: str
    results: tuple[Result, ...]

    @property
    def speedups(self) -> tuple[Fraction | None, ...]:
        """Time of the baseline over time of each."""
        base = self.results[0].seconds
        return tuple(base / result.seconds if result.seconds else None for result in self.results)

    @property
    def energy_ratios(self) -> tuple[Fraction | None, ...]:
        """Energy of each over energy of the baseline; None where one of them is unknown."""
        base = self.results[0].energy_pj
        energies = [result.energy_pj for result in self.results]
        return tuple(None if not base or energy is None else energy / base for energy in energies)

    def to_json(self) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "kind": "comparison",
            "workload": self.workload,
            "baseline": self.results[0].arch,
            "results": [result.to_json() for result in self.results],
            "speedups": [_float(value) for value in self.speedups],
            "energy_ratios": [_float(value) for value in self.energy_ratios],
        }


def compare(workload: str, archs: Sequence[str], overrides: Sequence[str] = (), depth: str = "analytic") -> Comparison:
    """One workload on several architectures, names or paths, with the same overrides for each.

    Raises:
        AccelsimError: no architecture, an unknown name, or a workload that one of them cannot run.
    """
    if not archs:
        raise AccelsimError("compare needs at least one architecture")
    return Comparison(workload, tuple(simulate_named(arch, workload, overrides, depth=depth) for arch in archs))


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
