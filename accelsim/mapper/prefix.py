"""Assignments of the first Einsums of a group: every way to go on, and what holds whatever the nest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import add

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.floor import Cycles, fewest
from accelsim.mapper.members import Choice, Members


@dataclass(frozen=True, eq=False)
class Prefix:
    """Assignments of the first Einsums.

    Attributes:
        looped: coordinates of what passes between Einsums that all of them loop over.
        foreign: operands, by tensor and reader, that come from another unit of the group.
        latest_pj: a quick bound for the tensors that the last Einsum finishes.
        seconds: that units, and what comes in and goes out once, take at least with the Einsums that are left.
        rest_pj: the least energy of those, but for tensors that others touch too.
        face: what later choices, tiles and keeping could see.
    """

    picked: tuple[Assignment, ...]
    looped: frozenset[str]
    cycles: Cycles
    foreign: frozenset[tuple[str, str]]
    latest_pj: float
    seconds: float
    rest_pj: float
    face: tuple[object, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Assignment]:
        """Einsum to assignment."""
        return {assignment.einsum: assignment for assignment in self.picked}


@dataclass(frozen=True, eq=False)
class Prefixes:
    """All combinations of assignments of a group in which nobody spreads the coordinates in `alone`."""

    members: Members
    alone: frozenset[str]
    _wider: dict[Prefix, tuple[Prefix, ...]] = field(default_factory=dict)

    @property
    def einsums(self) -> tuple[Einsum, ...]:
        return self.members.einsums

    @cached_property
    def choices(self) -> tuple[tuple[Choice, ...], ...]:
        """Of each Einsum; none where one has none."""
        return self.members.choices(self.alone)

    @cached_property
    def rest(self) -> tuple[tuple[tuple[Cycles, ...], float], ...]:
        """For the Einsums from each on: cycles of units that no other choice is better than, and the least energy."""
        found: list[tuple[tuple[Cycles, ...], float]] = [(((0.0,) * len(self.units),), 0.0)]
        for choices in reversed(self.choices):
            behind, energy = found[0]
            busy = {(c.assignment.unit, c.assignment.cycles) for c in choices}
            sums = {_plus(cycles, unit, more, self.units) for cycles in behind for unit, more in busy}
            found.insert(0, (tuple(fewest(sums)), energy + min(c.own_pj for c in choices)))
        return tuple(found)

    @cached_property
    def units(self) -> tuple[str, ...]:
        return tuple(self.members.known.problem.arch.units)

    @cached_property
    def _ahead(self) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
        """Before each Einsum: coordinates of those in front that have been decided, and of those behind."""
        names = [frozenset(self.members.visible) & set(e.coordinates) for e in self.einsums]
        return tuple((frozenset().union(*names[:at]), frozenset().union(*names[at:])) for at in range(len(names) + 1))

    @cached_property
    def _behind(self) -> tuple[frozenset[str], ...]:
        """The Einsums that pass something to, or take it from, those from each on."""
        passing, names = self.members.passing, [e.name for e in self.einsums]
        pairs = [{n for name in names[at:] for _, *ends in passing[name] for n in ends} for at in range(len(names))]
        return (*map(frozenset, pairs), frozenset())

    @cached_property
    def empty(self) -> Prefix:
        """Nothing assigned."""
        cycles = (0.0,) * len(self.units)
        return Prefix((), frozenset(), cycles, frozenset(), 0.0, self._seconds(0, cycles), self.rest[0][1], ())

    def wider(self, prefix: Prefix) -> tuple[Prefix, ...]:
        """The combination with each option of the next Einsum."""
        if prefix not in self._wider:
            self._wider[prefix] = tuple(self._widened(prefix))
        return self._wider[prefix]

    def _widened(self, prefix: Prefix) -> Iterator[Prefix]:
        """Batch coordinates lie on as many PEs for all Einsums: what passes between them is one tile."""
        members, at = self.members, len(prefix.picked)
        finished = [tensor for parcel in members.finished[at] for tensor in parcel.tensors]
        said = self._ahead[at][0] & set(self.einsums[at].coordinates)
        first = prefix.picked[0] if prefix.picked else None
        for choice in self.choices[at]:
            option = choice.assignment
            if choice.looped & said != prefix.looped & said:
                continue
            if first and any(first.pes.get(c, 1) != option.pes.get(c, 1) for c in members.batch):
                continue
            picked, by_name = (*prefix.picked, option), {**prefix.by_name, option.einsum: option}
            looped, cycles = prefix.looped | choice.looped, _plus(prefix.cycles, option.unit, option.cycles, self.units)
            yield Prefix(
                picked,
                looped,
                cycles,
                prefix.foreign | self._foreign(picked),
                sum([members.bound.tensor_pj(tensor, by_name, members.touching[tensor]) for tensor in finished], 0.0),
                self._seconds(at + 1, cycles),
                self.rest[at + 1][1],
                self._face(picked, looped),
            )

    def _seconds(self, at: int, cycles: Cycles) -> float:
        """What the units take at least once the Einsums from `at` on have been assigned too."""
        problem, limits = self.members.known.problem, self.members.known.limits
        together = sum if limits.overlap == "sequential" else max
        busy = min([together(map(add, cycles, more)) for more in self.rest[at][0]])
        return max(float(busy) / float(problem.arch.clock_hz), self.members.compulsory_seconds)

    def _foreign(self, picked: tuple[Assignment, ...]) -> frozenset[tuple[str, str]]:
        """Operands that pass between the last Einsum and another one on a different unit."""
        units, last = {a.einsum: a.unit for a in picked}, picked[-1].einsum
        return frozenset(
            (tensor, reader)
            for tensor, maker, reader in self.members.passing[last]
            if maker in units and reader in units and units[maker] != units[reader]
        )

    def _face(self, picked: tuple[Assignment, ...], looped: frozenset[str]) -> tuple[object, ...]:
        """Combinations with equal faces differ in nothing that later choices, tiles or keeping could see."""
        at = len(picked)
        behind = self._behind[at]
        units = tuple(a.unit if a.einsum in behind else "" for a in picked)
        return (looped & self._ahead[at][1], *(a.face for a in picked), *units)


def _plus(cycles: Cycles, unit: str, more: float, units: Sequence[str]) -> Cycles:
    return tuple([c + more if unit == other else c for c, other in zip(cycles, units, strict=True)])
