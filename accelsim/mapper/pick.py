"""Which assignment each Einsum of a group takes: combinations in the order of what they cost at least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, combinations, pairwise, product
from operator import add, gt

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.bound import Bound
from accelsim.mapper.columns import Columns
from accelsim.mapper.floor import Cycles, compulsory, fewest
from accelsim.mapper.known import Alive, Kept, Known, Parcel, alive_of
from accelsim.mapper.nest import Nest, batch_of, nests, steady, visible
from accelsim.mapper.tensors import Scene


@dataclass(frozen=True)
class Partial:
    """Assignments of the first Einsums.

    Attributes:
        looped: coordinates of what passes between Einsums that all of them loop over.
        energy_pj: of operators and registers, and the least that the tensors which no other Einsum touches can cost.
        port_seconds: the least that those tensors need of each port.
        held_bytes: the least that those tensors take of each level that can be full, at each moment.
        foreign: operands, by tensor and reader, that come from another unit of the group.
        latest_pj: a quick bound for the tensors that the last Einsum finishes; None when they are in the rest.
    """

    picked: tuple[Assignment, ...]
    looped: frozenset[str]
    cycles: Cycles
    energy_pj: float
    port_seconds: tuple[float, ...]
    held_bytes: tuple[float, ...]
    foreign: frozenset[tuple[str, str]]
    latest_pj: float | None

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


@dataclass(frozen=True)
class Choice:
    """An assignment, and which of the coordinates that pass between Einsums all who have them loop over."""

    looped: frozenset[str]
    assignment: Assignment
    own_pj: float


@dataclass(frozen=True, eq=False)
class Members:
    """The Einsums of a group, and which of them touch a tensor."""

    known: Known
    einsums: tuple[Einsum, ...]
    _least: dict[tuple[object, ...], tuple[float, ...]] = field(default_factory=dict)
    _alive: dict[tuple[object, ...], Alive] = field(default_factory=dict)
    _choices: dict[frozenset[str], tuple[tuple[Choice, ...], ...]] = field(default_factory=dict)

    @cached_property
    def visible(self) -> tuple[str, ...]:
        return visible(self.known.problem, self.einsums)

    @property
    def moments(self) -> int:
        return self._scene({}).moments

    @cached_property
    def room(self) -> tuple[float, ...]:
        """The capacity of each level at each moment of an iteration."""
        return Columns.of(self.known.problem).room(self.moments)

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
    def passing(self) -> dict[str, tuple[tuple[str, str, str], ...]]:
        """Einsum to what it makes or reads that passes inside the group: tensor, maker and reader."""
        names, reads = {e.name for e in self.einsums}, self.known.problem.reads
        every = [
            (touch.tensor, maker.name, reader)
            for reader in names
            for touch in reads[reader]
            if (maker := self.known.problem.makers.get(touch.tensor)) and maker.name in names
        ]
        return {name: tuple(each for each in every if name in each[1:]) for name in names}

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
        return self.known.kept(self._scene(picked), grid, parcel, self._alive_of(nest, parcel))

    def choices(self, alone: frozenset[str]) -> tuple[tuple[Choice, ...], ...]:
        """Of each Einsum; not on a unit on which it takes longer than all of them on their fastest ones in turn."""
        if alone not in self._choices:
            every = [list(self._offered(einsum, alone)) for einsum in self.einsums]
            longest = self.known.limits.slack * sum(min((c.assignment.cycles for c in e), default=0.0) for e in every)
            found = tuple(tuple(c for c in choices if c.assignment.cycles <= longest) for choices in every)
            self._choices[alone] = found if all(every) else ()
        return self._choices[alone]

    def _offered(self, einsum: Einsum, alone: frozenset[str]) -> Iterator[Choice]:
        own = [c for c in self.visible if c in einsum.coordinates]
        for looped in map(frozenset, chain.from_iterable(combinations(own, n) for n in range(len(own) + 1))):
            for found in self.known.assignments(einsum, self.batch | self.steady | looped, alone):
                yield Choice(looped, found, self.bound.own_pj(found, self.touching))

    def least(self, nest: Nest, picked: Mapping[str, Assignment], parcel: Parcel) -> tuple[float, ...]:
        """The least that a parcel can cost in each column, whatever the tiles of other Einsums are multiples of.

        Empty where it cannot be kept.
        """
        key = (nest, parcel.tensors, *(picked[e.name].key for e in parcel.touching))
        if key not in self._least:
            units, found = units_of(parcel.touching, nest, picked), list[tuple[float, ...]]()
            scene, alive = self._scene(picked), self._alive_of(nest, parcel)
            for each in self._units(nest, parcel, units) if units is not None else ():
                grid = (nest, tuple(each.items()), self.steady)
                found.append(self.known.kept_within(scene, grid, parcel, alive).least)
            self._least[key] = tuple(map(min, zip(*filter(None, found), strict=True)))
        return self._least[key]

    def _units(self, nest: Nest, parcel: Parcel, units: Mapping[str, int]) -> Iterator[dict[str, int]]:
        """What tiles may be multiples of, for any assignments of the other Einsums.

        Larger ones matter only where tiles of other sizes may cost less: with masks, and with ragged ends.
        """
        problem, options = self.known.problem, []
        touched = {c for einsum in parcel.touching for c in einsum.coordinates}
        for c, unit in units.items():
            may_differ = c in touched and c in nest.order and (c in problem.uneven or problem.sizes[c] % unit)
            larger = (n for n in self._pes.get(c, ()) if n > unit and n % unit == 0)
            options.append([unit, *(larger if may_differ else ())])
        for chosen in product(*options):
            yield dict(zip(units, chosen, strict=True))

    @cached_property
    def _pes(self) -> dict[str, tuple[int, ...]]:
        """Coordinate to the numbers of PEs that some assignment of some Einsum takes along it."""
        found: dict[str, set[int]] = {}
        for alone in (self.batch | self.steady, self.steady):
            for choice in chain.from_iterable(self.choices(alone)):
                for c, pes in choice.assignment.pes.items():
                    found.setdefault(c, set()).add(pes)
        return {c: tuple(sorted(each)) for c, each in found.items()}

    def _alive_of(self, nest: Nest, parcel: Parcel) -> Alive:
        """When the tensors of a parcel take room in a nest."""
        key = (nest, parcel.tensors)
        if key not in self._alive:
            self._alive[key] = alive_of(replace(self._scene({}), nest=nest), parcel)
        return self._alive[key]

    def _scene(self, picked: Mapping[str, Assignment]) -> Scene:
        """The group without its loops."""
        return Scene(self.known.problem, self.einsums, Nest((), ()), picked, {}, self.known.limits)


@dataclass(frozen=True, eq=False)
class Regime:
    """Combinations of one kind: the nest, and which coordinates nobody spreads.

    A coordinate of what passes between Einsums is looped by all of them, or left to each.
    """

    members: Members
    nest: Nest
    alone: frozenset[str]

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

    def least(self, partial: Partial) -> tuple[float, float]:
        """Seconds and energy that every completion takes at least."""
        known = self.members.known
        behind, energy = self.rest[len(partial.picked)]
        together = sum if known.limits.overlap == "sequential" else max
        busy = min([together(map(add, partial.cycles, cycles)) for cycles in behind])
        seconds = max(busy / self._hertz, *partial.port_seconds, self.members.compulsory_seconds)
        return seconds, partial.energy_pj + (partial.latest_pj or 0.0) + energy

    @cached_property
    def _hertz(self) -> float:
        return float(self.members.known.problem.arch.clock_hz)

    def empty(self) -> Partial:
        """Nothing assigned."""
        table = Columns.of(self.members.known.problem)
        held, used = (0.0,) * len(self.members.room), (0.0,) * len(table.ports)
        return Partial((), frozenset(), (0.0,) * len(self.units), 0.0, used, held, frozenset(), None)

    def wider(self, partial: Partial) -> Iterator[Partial]:
        """The combination with each option of the next Einsum.

        Batch coordinates lie on as many PEs for all of them: what passes between them is one tile.
        """
        members, at = self.members, len(partial.picked)
        finished = [tensor for parcel in members.finished[at] for tensor in parcel.tensors]
        by_name = {assignment.einsum: assignment for assignment in partial.picked}
        said = self._ahead[at][0] & set(self.einsums[at].coordinates)
        first = partial.picked[0] if partial.picked else None
        for choice in self.choices[at]:
            option = choice.assignment
            if choice.looped & said != partial.looped & said:
                continue
            if first and any(first.pes.get(c, 1) != option.pes.get(c, 1) for c in members.batch):
                continue
            by_name[option.einsum] = option
            picked = (*partial.picked, option)
            latest = sum([members.bound.tensor_pj(tensor, by_name, members.touching[tensor]) for tensor in finished])
            yield Partial(
                picked,
                partial.looped | choice.looped,
                _plus(partial.cycles, option.unit, option.cycles, self.units),
                partial.energy_pj + option.energy_pj,
                partial.port_seconds,
                partial.held_bytes,
                partial.foreign | self._foreign(picked),
                float(latest),
            )

    def refined(self, partial: Partial) -> Partial | None:
        """The combination with what its latest tensors cost at least in this nest; None where they cannot be kept."""
        members, table = self.members, Columns.of(self.members.known.problem)
        by_name = {assignment.einsum: assignment for assignment in partial.picked}
        caps, sums = len(members.room), [0.0] * (len(members.room) + 1 + len(table.ports))
        for parcel in members.finished[len(partial.picked) - 1]:
            least = members.least(self.nest, by_name, parcel)
            if not least:
                return None
            sums = list(map(add, sums, least))
        held = tuple(map(add, partial.held_bytes, sums[:caps]))
        if any(map(gt, held, members.room)):
            return None
        return Partial(
            partial.picked,
            partial.looped,
            partial.cycles,
            partial.energy_pj + sums[caps],
            tuple(map(add, partial.port_seconds, sums[caps + 1 :])),
            held,
            partial.foreign,
            None,
        )

    def _foreign(self, picked: tuple[Assignment, ...]) -> frozenset[tuple[str, str]]:
        """Operands that pass between the last Einsum and another one on a different unit."""
        units, last = {a.einsum: a.unit for a in picked}, picked[-1].einsum
        return frozenset(
            (tensor, reader)
            for tensor, maker, reader in self.members.passing[last]
            if maker in units and reader in units and units[maker] != units[reader]
        )

    def face(self, partial: Partial) -> tuple[object, ...]:
        """Combinations with equal faces differ in nothing that later choices, tiles or keeping could see."""
        at = len(partial.picked)
        behind = self._behind[at]
        units = tuple(a.unit if a.einsum in behind else "" for a in partial.picked)
        return (partial.looped & self._ahead[at][1], *(a.face for a in partial.picked), *units)


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
    """Every nest; batch coordinates are spread by all or by none."""
    for nest in nests(members.known.problem, members.einsums):
        for alone in dict.fromkeys((members.batch, frozenset[str]())):
            yield Regime(members, nest, alone | members.steady)


def picked_of(partial: Partial) -> Mapping[str, Assignment]:
    """Einsum to assignment."""
    return {assignment.einsum: assignment for assignment in partial.picked}


def _plus(cycles: Cycles, unit: str, more: float, units: Sequence[str]) -> Cycles:
    return tuple([c + more if unit == other else c for c, other in zip(cycles, units, strict=True)])
