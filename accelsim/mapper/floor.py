"""What some consecutive Einsums cost at least in any groups: what a search need not look at because of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from accelsim.cost.compute import point_cost
from accelsim.cost.images import operands
from accelsim.einsum.cascade import Einsum
from accelsim.errors import AccelsimError
from accelsim.mapper.assign import operators_pj, register_pj
from accelsim.mapper.columns import Columns
from accelsim.mapper.known import Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Problem
from accelsim.mapper.tensors import Scene

Cycles = tuple[float, ...]
"""Busy cycles of each unit of the architecture."""


@dataclass(frozen=True, eq=False)
class Floor:
    """Lower bounds for ranges of the Einsums of a step."""

    known: Known
    _found: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)

    def of(self, start: int, end: int) -> tuple[float, float]:
        """Seconds and energy in pJ of the Einsums from `start` up to but not including `end`."""
        if (start, end) not in self._found:
            energy = sum(pj for _, pj in self._alone[start:end])
            seconds, moved = compulsory(self.known.problem, self.known.problem.einsums[start:end])
            self._found[start, end] = max(seconds, self._busy_seconds(start, end)), energy + moved
        return self._found[start, end]

    @cached_property
    def _alone(self) -> tuple[tuple[tuple[Cycles, ...], float], ...]:
        """For each Einsum its cycles on each unit that can run it, every PE in use, and its least energy."""
        problem = self.known.problem
        units = list(problem.arch.units)
        found = []
        for einsum in problem.einsums:
            options, energies = [], []
            points = problem.counter({c: ((c, 1),) for c in einsum.coordinates}).points(einsum)
            for at, name in enumerate(units):
                if self.known.limits.units.get(einsum.name, name) == name and (
                    cost := _cost(problem, einsum, name, points)
                ):
                    options.append(tuple(cost[0] if at == other else 0.0 for other in range(len(units))))
                    energies.append(cost[1])
            found.append((tuple(options), min(energies, default=0.0)))
        return tuple(found)

    def _busy_seconds(self, start: int, end: int) -> float:
        """Of the busiest unit when the Einsums are dealt to units as well as can be, or of all units in turn."""
        sums: set[Cycles] = {(0.0,) * len(self.known.problem.arch.units)}
        for options, _ in self._alone[start:end]:
            wider = {tuple(a + b for a, b in zip(c, o, strict=True)) for c in sums for o in options} or sums
            sums = fewest(wider)
        together = sum if self.known.limits.overlap == "sequential" else max
        return min(together(cycles) for cycles in sums) / float(self.known.problem.arch.clock_hz)


def fewest(found: set[Cycles]) -> set[Cycles]:
    """Those that no other is as good as on every unit."""
    return {c for c in found if not any(d != c and all(x <= y for x, y in zip(d, c, strict=True)) for d in found)}


def _cost(problem: Problem, einsum: Einsum, name: str, points: int) -> tuple[float, float] | None:
    """Cycles and energy of an Einsum on a unit if all PEs are at work and operands cost one register access each."""
    unit = problem.arch.units[name]
    try:
        cycles, uses = point_cost(einsum, unit)
    except AccelsimError:
        return None
    read, write = register_pj(problem, einsum, unit)
    energy = operators_pj(problem, uses, points) + points * (len(operands(einsum)) * read + write)
    return float(points * cycles) / unit.pes, energy


def compulsory(problem: Problem, einsums: tuple[Einsum, ...]) -> tuple[float, float]:
    """Seconds and energy at the off-chip level for what comes in and goes out at least once."""
    scene = Scene(problem, einsums, Nest((), ()), {}, {}, Limits())
    table, off_chip = Columns.of(problem), problem.arch.off_chip.name
    moved = {"read": 0.0, "write": 0.0}
    for tensor in scene.tensors:
        if tensor not in scene.made:
            moved["read"] += problem.elements(scene.readers[tensor][0]) * problem.word(tensor)
        elif scene.leaves(tensor):
            moved["write"] += problem.elements(scene.made[tensor]) * problem.word(tensor)
    ports = (port for port in table.ports if port[0] == off_chip)
    seconds = max((sum(moved[kind] for kind in kinds) / per_s for _, kinds, per_s in ports), default=0.0)
    read, write = table.energies[off_chip]
    return seconds, moved["read"] * read + moved["write"] * write
