"""Which assignment each Einsum of a group takes: combinations in the order of what they cost at least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heappop, heappush
from itertools import combinations

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.bound import Bound
from accelsim.mapper.known import Known
from accelsim.mapper.nest import batch_of, steady, visible

Cycles = tuple[float, ...]
"""Busy cycles of each unit of the architecture."""


@dataclass(frozen=True)
class Partial:
    """Assignments of the first Einsums.

    Attributes:
        energy_pj: of operators and registers, and the least that the tensors of these Einsums alone can cost.
        foreign: operands, by tensor and reader, that come from another unit of the group.
    """

    picked: tuple[Assignment, ...]
    cycles: Cycles
    energy_pj: float
    foreign: frozenset[tuple[str, str]]

    def beats(self, other: Partial) -> bool:
        return (
            all(a <= b for a, b in zip(self.cycles, other.cycles, strict=True))
            and self.energy_pj <= other.energy_pj
            and self.foreign <= other.foreign
        )


@dataclass(frozen=True, eq=False)
class Regime:
    """What combinations of one kind choose from: which coordinates all Einsums loop over, and which nobody spreads."""

    known: Known
    einsums: tuple[Einsum, ...]
    looped: frozenset[str]
    alone: frozenset[str]
    bound: Bound

    @cached_property
    def options(self) -> tuple[tuple[Assignment, ...], ...]:
        """Of each Einsum; not on a unit on which it takes longer than all of them on their fastest ones in turn."""
        every = [self.known.assignments(einsum, self.looped, self.alone) for einsum in self.einsums]
        if not all(every):
            return ()
        longest = self.known.limits.slack * sum(min(option.cycles for option in options) for options in every)
        return tuple(tuple(option for option in options if option.cycles <= longest) for options in every)

    @cached_property
    def rest(self) -> tuple[tuple[tuple[Cycles, ...], float], ...]:
        """For the Einsums from each on: cycles of units that no other choice is better than, and the least energy."""
        units = self.units
        found: list[tuple[tuple[Cycles, ...], float]] = [(((0.0,) * len(units),), 0.0)]
        for options in reversed(self.options):
            behind, energy = found[0]
            sums = {_plus(cycles, option, units) for cycles in behind for option in options}
            best = tuple(c for c in sums if not any(d != c and _no_more(d, c) for d in sums))
            found.insert(0, (best, energy + min(self.bound.own_pj(option) for option in options)))
        return tuple(found)

    @cached_property
    def shared(self) -> frozenset[str]:
        return batch_of(self.known.problem, self.einsums)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(self.known.problem.arch.units)

    def least(self, partial: Partial) -> tuple[float, float]:
        """Seconds of the units and energy that every completion takes at least."""
        behind, energy = self.rest[len(partial.picked)]
        together = sum if self.known.limits.overlap == "sequential" else max
        busy = min(together(a + b for a, b in zip(partial.cycles, cycles, strict=True)) for cycles in behind)
        between = self.bound.between_pj(picked_of(partial))
        return busy / float(self.known.problem.arch.clock_hz), partial.energy_pj + between + energy

    def wider(self, partial: Partial) -> Iterator[Partial]:
        """The combination with each option of the next Einsum.

        Batch coordinates lie on as many PEs for all of them: what passes between them is one tile.
        """
        for option in self.options[len(partial.picked)]:
            first = partial.picked[0] if partial.picked else option
            if all(first.pes.get(c, 1) == option.pes.get(c, 1) for c in self.shared):
                picked = (*partial.picked, option)
                cycles = _plus(partial.cycles, option, self.units)
                foreign = partial.foreign | self._foreign(picked)
                yield Partial(picked, cycles, partial.energy_pj + self.bound.own_pj(option), foreign)

    def _foreign(self, picked: tuple[Assignment, ...]) -> frozenset[tuple[str, str]]:
        """Operands that pass between the last Einsum and another one on a different unit."""
        units, last = {a.einsum: a.unit for a in picked}, picked[-1].einsum
        reads, makers = self.known.problem.reads, self.known.problem.makers
        return frozenset(
            (touch.tensor, reader)
            for reader, unit in units.items()
            for touch in reads[reader]
            if (maker := makers.get(touch.tensor))
            and last in (maker.name, reader)
            and units.get(maker.name, unit) != unit
        )

    def face(self, partial: Partial) -> tuple[object, ...]:
        """Combinations with equal faces differ in nothing that later choices, tiles or keeping could see."""
        behind = self.einsums[len(partial.picked) :]
        wanted = {access.tensor for einsum in behind for access in einsum.reads}
        units = tuple(a.unit if e.tensor in wanted else "" for a, e in zip(partial.picked, self.einsums, strict=False))
        return (*(a.face for a in partial.picked), *units)


def regimes(known: Known, einsums: tuple[Einsum, ...], bound: Bound) -> Iterator[Regime]:
    """Coordinates of what passes between the Einsums are looped by all of them or left to each; batch coordinates are
    spread by all or by none."""
    problem = known.problem
    batch, single, between = batch_of(problem, einsums), steady(problem, einsums), visible(problem, einsums)
    for number in range(len(between) + 1):
        for looped in combinations(between, number):
            for alone in dict.fromkeys((batch, frozenset[str]())):
                yield Regime(known, einsums, batch | single | set(looped), alone | single, bound)


@dataclass
class Queue:
    """Combinations still to be completed, those first that may be the fastest, and of them the thriftiest."""

    entries: list[tuple[float, float, int, Regime, Partial]] = field(default_factory=list)
    kept: dict[tuple[object, ...], list[Partial]] = field(default_factory=dict)
    number: int = 0

    def push(self, regime: Regime, partial: Partial) -> None:
        """Add a combination unless one that differs in nothing else costs no more."""
        alike = self.kept.setdefault((id(regime), *regime.face(partial)), [])
        if any(old.beats(partial) for old in alike):
            return
        alike[:] = [old for old in alike if not partial.beats(old)]
        alike.append(partial)
        self.number += 1
        heappush(self.entries, (*regime.least(partial), self.number, regime, partial))

    def pop(self) -> tuple[float, float, Regime, Partial]:
        seconds, energy, _, regime, partial = heappop(self.entries)
        return seconds, energy, regime, partial


def queue_of(known: Known, einsums: tuple[Einsum, ...], bound: Bound) -> Queue:
    """A queue with nothing assigned yet, for every regime that has options."""
    queue = Queue()
    for regime in regimes(known, einsums, bound):
        if regime.options:
            queue.push(regime, Partial((), (0.0,) * len(regime.units), 0.0, frozenset()))
    return queue


def picked_of(partial: Partial) -> Mapping[str, Assignment]:
    """Einsum to assignment."""
    return {assignment.einsum: assignment for assignment in partial.picked}


def _plus(cycles: Cycles, option: Assignment, units: Sequence[str]) -> Cycles:
    return tuple(c + (option.cycles if unit == option.unit else 0.0) for c, unit in zip(cycles, units, strict=True))


def _no_more(a: Cycles, b: Cycles) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))
