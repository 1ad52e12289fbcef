"""The points that a validation needs, each simulated once."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from accelsim.arch import Arch, load_arch
from accelsim.errors import AccelsimError
from accelsim.result import Result
from accelsim.simulate import simulate, simulate_named
from accelsim.workload import Workload, load_workload

Overrides = tuple[str, ...]
OFF_CHIP = "dram"


@dataclass(frozen=True, eq=False)
class Runs:
    """Results of shipped files, at depth `analytic` where none is said, kept for the length of one validation."""

    archs: dict[tuple[str, Overrides], Arch] = field(default_factory=dict)
    workloads: dict[tuple[str, int], Workload] = field(default_factory=dict)
    results: dict[tuple[str, Overrides, str, int], Result] = field(default_factory=dict)
    named_results: dict[tuple[str, str, Overrides, str], Result] = field(default_factory=dict)

    def arch(self, name: str, overrides: Overrides = ()) -> Arch:
        if (name, overrides) not in self.archs:
            self.archs[name, overrides] = load_arch(name, overrides)
        return self.archs[name, overrides]

    def workload(self, name: str, tokens: int) -> Workload:
        if (name, tokens) not in self.workloads:
            self.workloads[name, tokens] = load_workload(name, [f"L={tokens}"])
        return self.workloads[name, tokens]

    def result(self, arch: str, workload: str, tokens: int, overrides: Overrides = ()) -> Result:
        """The result of a workload of `tokens` tokens on an architecture with overrides of its own."""
        key = arch, overrides, workload, tokens
        if key not in self.results:
            self.results[key] = simulate(self.arch(arch, overrides), self.workload(workload, tokens))
        return self.results[key]

    def named(self, arch: str, workload: str, overrides: Overrides = (), depth: str = "analytic") -> Result:
        """The result of a workload on an architecture with overrides of either and of the mapping."""
        key = arch, workload, overrides, depth
        if key not in self.named_results:
            self.named_results[key] = simulate_named(arch, workload, overrides, depth=depth)
        return self.named_results[key]


def energy_pj(result: Result) -> Fraction:
    """The energy of a result that must have one."""
    if result.energy_pj is None:
        raise AccelsimError(f"{result.workload} on {result.arch}: the energy is not known, nothing can be compared")
    return result.energy_pj


def off_chip_bytes(result: Result) -> Fraction:
    """Bytes from and to the outermost level, which all shipped architectures call `dram`."""
    return result.level_bytes(OFF_CHIP)
