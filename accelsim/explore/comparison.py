"""Architectures side by side on one workload, the first of them the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from accelsim.arch import load_arch
from accelsim.errors import AccelsimError
from accelsim.mapping import Mapping, load_mapping
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


def compare(
    workload: str,
    archs: Sequence[str],
    overrides: Sequence[str] = (),
    depth: str = "analytic",
    mappings: Sequence[str] = (),
) -> Comparison:
    """One workload on several architectures, names or paths, with the same overrides for each.

    Args:
        mappings: names or paths; an architecture takes, for each function, the first that is for it or for its base,
            else its own.

    Raises:
        AccelsimError: no architecture, an unknown name, a workload that one cannot run, or a mapping that none takes.
    """
    if not archs:
        raise AccelsimError("compare needs at least one architecture")
    chosen = [_chosen(arch, mappings) for arch in archs]
    for mapping in mappings:
        if not any(mapping in taken for taken in chosen):
            raise AccelsimError(f"{mapping}: {_why_not(archs, load_mapping(mapping))}")
    runs = zip(archs, chosen, strict=True)
    return Comparison(workload, tuple(simulate_named(arch, workload, overrides, plan, depth) for arch, plan in runs))


def _chosen(arch: str, mappings: Sequence[str]) -> tuple[str, ...]:
    """The first mapping of each function that is for an architecture."""
    taken: dict[str, str] = {}
    for name in mappings:
        mapping = load_mapping(name)
        if _is_for(mapping, arch) and not taken.keys() & set(mapping.functions):
            taken |= dict.fromkeys(mapping.functions, name)
    return tuple(dict.fromkeys(taken.values()))


def _is_for(mapping: Mapping, arch: str) -> bool:
    return bool(set(mapping.archs) & set(load_arch(arch).lineage))


def _why_not(archs: Sequence[str], mapping: Mapping) -> str:
    """Why no architecture takes a mapping."""
    if any(_is_for(mapping, arch) for arch in archs):
        return f"another mapping for {' or '.join(mapping.functions)} stands before it"
    return f"is for {', '.join(mapping.archs)}, and so taken for none of {', '.join(archs)}"


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
