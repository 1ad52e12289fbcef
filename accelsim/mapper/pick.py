"""Which assignment each Einsum of a group takes: combinations in the order of what they cost at least."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush
from itertools import combinations, islice, pairwise

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.bound import Bound
from accelsim.mapper.columns import Columns
from accelsim.mapper.floor import Cycles, compulsory, fewest
from accelsim.mapper.known import Kept, Known, Parcel
from accelsim.mapper.nest import Nest, batch_of, nests, steady, visible
from accelsim.mapper.tensors import Scene

BEAM = 4


@dataclass(frozen=True)
class Partial:
    """Assignments of the first Einsums.

    Attributes:
        energy_pj: of operators and registers, and the least that the tensors which no other Einsum touches can cost.
        port_seconds: the least that those tensors need of each port.
        latest_pj: a quick bound for the tensors that the last Einsum finishes; None when they are in the rest.
        foreign: operands, by tensor and reader, that come from another unit of the group.
    """

    picked: tuple[Assignment, ...]
    cycles: Cycles
    energy_pj: float
    port_seconds: tuple[float, ...]
    foreign: frozenset[tuple[str, str]]
    latest_pj: float | None = None

    def beats(self, other: Partial) -> bool:
        """Whether this is no worse, whatever the Einsums to come, tiles and keeping are; both have the same face."""
        return (
            all(a <= b for a, b in zip(self.cycles, other.cycles, strict=True))
            and self.energy_pj + (self.latest_pj or 0.0) <= other.energy_pj + (other.latest_pj or 0.0)
            and self.foreign <= other.foreign
            and all(
                pj <= b.fill_pj.get(tensor, 0.0)
                for a, b in zip(self.picked, other.picked, strict=True)
                for tensor, pj in a.fill_pj.items()
            )
        )


@dataclass(frozen=True, eq=False)
class Members:
    """The Einsums of a group, and which of them touch a tensor."""

    known: Known
    einsums: tuple[Einsum, ...]

    @cached_property
    def batch(self) -> frozenset[str]:
        return batch_of(self.known.problem, self.einsums)

    @cached_property
    def steady(self) -> frozenset[str]:
        return steady(self.known.problem, self.einsums)

    @cached_property
    def touching(self) -> dict[str, tuple[Einsum, ...]]:
        """Tensor to the Einsums of the group that make or read it."""
        reads = self.known.problem.reads
        pairs = [(t, e) for e in self.einsums for t in dict.fromkeys((e.tensor, *(r.tensor for r in reads[e.name])))]
        return {tensor: tuple(e for t, e in pairs if t == tensor) for tensor, _ in pairs}

    @cached_property
    def compulsory_seconds(self) -> float:
        """What comes in and goes out once takes so long at the ports of the off-chip level."""
        return compulsory(self.known.problem, self.einsums)[0]

    @cached_property
    def bound(self) -> Bound:
        return Bound(self.known, self.einsums)

    @cached_property
    def parcels(self) -> tuple[Parcel, ...]:
        """Tensors one by one, but for those of an Einsum that has coordinates which no other of the group has."""
        found: list[Parcel] = []
        for einsum in self.einsums if len(self.einsums) > 1 else ():
            others = {c for e in self.einsums if e is not einsum for c in e.coordinates}
            alone = tuple(c for c in einsum.coordinates if c not in others and self._may_loop(einsum, c))
            tensors = tuple(t for t, touching in self.touching.items() if touching == (einsum,))
            if alone and tensors:
                found.append(Parcel(tensors, (einsum,), alone))
        taken = {tensor for parcel in found for tensor in parcel.tensors}
        single = [Parcel((t,), touching) for t, touching in self.touching.items() if t not in taken]
        return (*found, *single)

    def _may_loop(self, einsum: Einsum, c: str) -> bool:
        problem = self.known.problem
        return problem.sizes[c] > 1 and problem.recurs.get(einsum.name) != c

    @cached_property
    def finished(self) -> tuple[tuple[Parcel, ...], ...]:
        """For each Einsum the parcels that none after it touches."""
        return tuple(tuple(p for p in self.parcels if p.touching[-1] is e) for e in self.einsums)

    def kept(self, nest: Nest, picked: Mapping[str, Assignment], parcel: Parcel, units: Mapping[str, int]) -> Kept:
        """The ways to keep a parcel, with tiles of those units."""
        grid = (nest, tuple(units.items()), self.steady)
        tiles = self.known.tiles(grid)
        scene = Scene(self.known.problem, self.einsums, nest, picked, tiles, self.known.limits)
        return self.known.kept(scene, grid, parcel)


@dataclass(frozen=True, eq=False)
class Regime:
    """Combinations of one kind: the nest, which other coordinates all Einsums loop over, and which nobody spreads."""

    members: Members
    nest: Nest
    looped: frozenset[str]
    alone: frozenset[str]

    @property
    def einsums(self) -> tuple[Einsum, ...]:
        return self.members.einsums

    @cached_property
    def options(self) -> tuple[tuple[Assignment, ...], ...]:
        """Of each Einsum; not on a unit on which it takes longer than all of them on their fastest ones in turn."""
        known = self.members.known
        every = [known.assignments(einsum, self.looped, self.alone) for einsum in self.einsums]
        if not all(every):
            return ()
        longest = known.limits.slack * sum(min(option.cycles for option in options) for options in every)
        return tuple(tuple(option for option in options if option.cycles <= longest) for options in every)

    @cached_property
    def rest(self) -> tuple[tuple[tuple[Cycles, ...], float], ...]:
        """For the Einsums from each on: cycles of units that no other choice is better than, and the least energy."""
        units, bound, touching = self.units, self.members.bound, self.members.touching
        found: list[tuple[tuple[Cycles, ...], float]] = [(((0.0,) * len(units),), 0.0)]
        for options in reversed(self.options):
            behind, energy = found[0]
            sums = {_plus(cycles, option, units) for cycles in behind for option in options}
            found.insert(0, (tuple(fewest(sums)), energy + min(bound.own_pj(option, touching) for option in options)))
        return tuple(found)

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(self.members.known.problem.arch.units)

    def least(self, partial: Partial) -> tuple[float, float]:
        """Seconds and energy that every completion takes at least."""
        known = self.members.known
        behind, energy = self.rest[len(partial.picked)]
        together = sum if known.limits.overlap == "sequential" else max
        busy = min(together(a + b for a, b in zip(partial.cycles, cycles, strict=True)) for cycles in behind)
        seconds = max(busy / float(known.problem.arch.clock_hz), *partial.port_seconds, self.members.compulsory_seconds)
        return seconds, partial.energy_pj + (partial.latest_pj or 0.0) + energy

    def empty(self) -> Partial:
        """Nothing assigned."""
        ports = len(Columns.of(self.members.known.problem).ports)
        return Partial((), (0.0,) * len(self.units), 0.0, (0.0,) * ports, frozenset())

    def wider(self, partial: Partial) -> Iterator[Partial]:
        """The combination with each option of the next Einsum.

        Batch coordinates lie on as many PEs for all of them: what passes between them is one tile.
        """
        members = self.members
        for option in self.options[len(partial.picked)]:
            first = partial.picked[0] if partial.picked else option
            if any(first.pes.get(c, 1) != option.pes.get(c, 1) for c in members.batch):
                continue
            picked = (*partial.picked, option)
            by_name = {assignment.einsum: assignment for assignment in picked}
            finished = [t for parcel in members.finished[len(partial.picked)] for t in parcel.tensors]
            latest = sum(members.bound.tensor_pj(tensor, by_name, members.touching[tensor]) for tensor in finished)
            cycles, energy = _plus(partial.cycles, option, self.units), partial.energy_pj + option.energy_pj
            yield Partial(
                picked, cycles, energy, partial.port_seconds, partial.foreign | self._foreign(picked), float(latest)
            )

    def refined(self, partial: Partial) -> Partial | None:
        """The combination with what its latest tensors cost at least in this nest; None where one cannot be kept."""
        least = [self._least(partial.picked, parcel) for parcel in self.members.finished[len(partial.picked) - 1]]
        if not all(least):
            return None
        ports = len(partial.port_seconds)
        energy = partial.energy_pj + sum(columns[-1 - ports] for columns in least)
        used = [columns[len(columns) - ports :] for columns in least]
        seconds = tuple(map(sum, zip(partial.port_seconds, *used, strict=True)))
        return replace(partial, energy_pj=energy, port_seconds=seconds, latest_pj=None)

    def _least(self, picked: tuple[Assignment, ...], parcel: Parcel) -> tuple[float, ...]:
        """The least that a parcel can cost in each column, whatever the tiles of other Einsums are multiples of."""
        by_name = {assignment.einsum: assignment for assignment in picked}
        units = units_of(parcel.touching, self.nest, by_name)
        return self.members.kept(self.nest, by_name, parcel, units).least if units is not None else ()

    def _foreign(self, picked: tuple[Assignment, ...]) -> frozenset[tuple[str, str]]:
        """Operands that pass between the last Einsum and another one on a different unit."""
        units, last = {a.einsum: a.unit for a in picked}, picked[-1].einsum
        problem = self.members.known.problem
        return frozenset(
            (touch.tensor, reader)
            for reader, unit in units.items()
            for touch in problem.reads[reader]
            if (maker := problem.makers.get(touch.tensor))
            and last in (maker.name, reader)
            and units.get(maker.name, unit) != unit
        )

    def face(self, partial: Partial) -> tuple[object, ...]:
        """Combinations with equal faces differ in nothing that later choices, tiles or keeping could see."""
        behind = self.einsums[len(partial.picked) :]
        wanted = {access.tensor for einsum in behind for access in einsum.reads}
        units = tuple(a.unit if e.tensor in wanted else "" for a, e in zip(partial.picked, self.einsums, strict=False))
        return (*(a.face for a in partial.picked), *units)


def units_of(einsums: Sequence[Einsum], nest: Nest, picked: Mapping[str, Assignment]) -> dict[str, int] | None:
    """What each coordinate of a nest is taken in multiples of; None where the PEs of any coordinate do not nest."""
    spans: dict[str, set[int]] = {}
    for einsum in einsums:
        for c, pes in picked[einsum.name].pes.items():
            spans.setdefault(c, {1}).add(pes)
    if any(larger % smaller for found in spans.values() for smaller, larger in pairwise(sorted(found))):
        return None
    units = {c: max(found) for c, found in spans.items()}
    return {c: units.get(c, 1) for c in (*nest.batch, *nest.order)}


def regimes(members: Members) -> Iterator[Regime]:
    """Coordinates of what passes between the Einsums are looped by all of them or left to each; batch coordinates are
    spread by all or by none."""
    problem = members.known.problem
    between, batch, single = visible(problem, members.einsums), members.batch, members.steady
    for nest in nests(problem, members.einsums):
        for number in range(len(between) + 1):
            for looped in combinations(between, number):
                for alone in dict.fromkeys((batch, frozenset[str]())):
                    yield Regime(members, nest, batch | single | set(looped), alone | single)


@dataclass
class Queue:
    """Combinations still to be completed, those first that may be the fastest, and of them the thriftiest.

    Attributes:
        is_needless: whether what takes at least so many seconds and pJ cannot be part of anything better.
    """

    is_needless: Callable[[float, float], bool]
    entries: list[tuple[float, float, int, Regime, Partial]] = field(default_factory=list)
    kept: dict[tuple[object, ...], list[Partial]] = field(default_factory=dict)
    number: int = 0

    def push(self, regime: Regime, partial: Partial) -> None:
        """Add a combination unless it is needless, or one that differs in nothing else costs no more."""
        seconds, energy = regime.least(partial)
        if self.is_needless(seconds, energy):
            return
        if partial.latest_pj is not None:
            alike = self.kept.setdefault((id(regime), *regime.face(partial)), [])
            if any(old.beats(partial) for old in alike):
                return
            alike[:] = [old for old in alike if not partial.beats(old)]
            alike.append(partial)
        self.number += 1
        heappush(self.entries, (seconds, energy, self.number, regime, partial))

    def pop(self) -> tuple[Regime, Partial] | None:
        """The next combination that is not needless."""
        while self.entries:
            seconds, energy, _, regime, partial = heappop(self.entries)
            if not self.is_needless(seconds, energy):
                return regime, partial
        return None


def queue_of(usable: Iterable[Regime], is_needless: Callable[[float, float], bool]) -> Queue:
    """A queue of regimes that have options, with the first Einsum assigned."""
    queue = Queue(is_needless)
    for regime in usable:
        for partial in regime.wider(regime.empty()):
            queue.push(regime, partial)
    return queue


def first_tries(usable: Iterable[Regime]) -> Iterator[tuple[Regime, Partial]]:
    """Combinations that are likely to be good, for a first point: of each regime those that a beam ends with.

    The regimes with the least bounds come first, of equal ones those with more loops, which hold less.
    """
    for regime in sorted(usable, key=lambda r: (*r.least(r.empty()), -len(r.nest.order))):
        beam = [regime.empty()]
        for _ in regime.einsums:
            wider = sorted((each for partial in beam for each in regime.wider(partial)), key=regime.least)
            refined = (found for partial in wider if (found := regime.refined(partial)))
            beam = list(islice(refined, BEAM))
        yield from ((regime, partial) for partial in beam)


def picked_of(partial: Partial) -> Mapping[str, Assignment]:
    """Einsum to assignment."""
    return {assignment.einsum: assignment for assignment in partial.picked}


def _plus(cycles: Cycles, option: Assignment, units: Sequence[str]) -> Cycles:
    return tuple(c + (option.cycles if unit == option.unit else 0.0) for c, unit in zip(cycles, units, strict=True))
