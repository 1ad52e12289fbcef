"""The Einsums of a group: what is on offer for each, who touches a tensor, and what keeping it costs at least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, combinations, pairwise, product

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.bound import Bound
from accelsim.mapper.columns import Columns
from accelsim.mapper.floor import compulsory
from accelsim.mapper.grids import Grid
from accelsim.mapper.known import Kept, Known, Parcel, Spot, spot_of
from accelsim.mapper.nest import Nest, batch_of, steady, visible
from accelsim.mapper.tensors import Scene


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
    _spots: dict[tuple[Nest, tuple[str, ...]], Spot] = field(default_factory=dict)
    _choices: dict[frozenset[str], tuple[tuple[Choice, ...], ...]] = field(default_factory=dict)

    @cached_property
    def visible(self) -> tuple[str, ...]:
        return visible(self.known.problem, self.einsums)

    @cached_property
    def scene(self) -> Scene:
        """The group without loops and assignments."""
        return Scene(self.known.problem, self.einsums, Nest((), ()), {}, {}, self.known.limits)

    @property
    def moments(self) -> int:
        return self.scene.moments

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
            tensors = self._own(einsum)
            if alone and tensors:
                found.append(Parcel(tensors, (einsum,), tuple(map(self.scene.leaves, tensors)), alone))
        taken = {tensor for parcel in found for tensor in parcel.tensors}
        rest = {t: touching for t, touching in self.touching.items() if t not in taken}
        single = [Parcel((t,), touching, (self.scene.leaves(t),)) for t, touching in rest.items()]
        return (*found, *single)

    def _own(self, einsum: Einsum) -> tuple[str, ...]:
        """The tensors that no other Einsum of the group touches."""
        return tuple(t for t, touching in self.touching.items() if touching == (einsum,))

    def _may_loop(self, einsum: Einsum, c: str) -> bool:
        problem = self.known.problem
        return problem.sizes[c] > 1 and problem.recurs.get(einsum.name) != c

    @cached_property
    def finished(self) -> tuple[tuple[Parcel, ...], ...]:
        """For each Einsum the parcels that none after it touches."""
        return tuple(tuple(p for p in self.parcels if p.touching[-1] is e) for e in self.einsums)

    def kept(self, nest: Nest, picked: Mapping[str, Assignment], parcel: Parcel, units: Mapping[str, int]) -> Kept:
        """The ways to keep a parcel, with tiles of those units."""
        grid = Grid(nest, tuple(units.items()), self.steady)
        return self.known.kept(self.scene, picked, grid, parcel, self._spot(nest, parcel))

    def choices(self, alone: frozenset[str]) -> tuple[tuple[Choice, ...], ...]:
        """Of each Einsum; not on a unit on which it takes longer than all of them on their fastest ones in turn."""
        if alone not in self._choices:
            every = [list(self._offered(einsum, alone)) for einsum in self.einsums]
            longest = self.known.limits.slack * sum(min((c.assignment.cycles for c in e), default=0.0) for e in every)
            found = tuple(tuple(c for c in choices if c.assignment.cycles <= longest) for choices in every)
            self._choices[alone] = found if all(every) else ()
        return self._choices[alone]

    def _offered(self, einsum: Einsum, alone: frozenset[str]) -> Iterator[Choice]:
        passing, own = [c for c in self.visible if c in einsum.coordinates], self._own(einsum)
        for looped in map(frozenset, chain.from_iterable(combinations(passing, n) for n in range(len(passing) + 1))):
            for found in self.known.assignments(einsum, self.batch | self.steady | looped, alone):
                yield Choice(looped, found, self.bound.own_pj(found, einsum, own))

    def least(self, nest: Nest, picked: Mapping[str, Assignment], parcel: Parcel) -> tuple[float, ...]:
        """The least that a parcel can cost in each column, whatever the tiles of other Einsums are multiples of.

        Empty where it cannot be kept.
        """
        spot = self._spot(nest, parcel)
        key = (id(spot), *[picked[e.name].key for e in parcel.touching])
        if key not in self._least:
            units, found = units_of(parcel.touching, spot.nest, picked), list[tuple[float, ...]]()
            steady = self.steady.intersection(spot.nest.order)
            for each in self._units(spot.nest, parcel, units) if units is not None else ():
                grid = Grid(spot.nest, tuple(each.items()), steady)
                found.append(self.known.kept_within(self.scene, picked, grid, parcel, spot).least)
            self._least[key] = tuple(map(min, zip(*filter(None, found), strict=True)))
        return self._least[key]

    def _units(self, nest: Nest, parcel: Parcel, units: Mapping[str, int]) -> Iterator[dict[str, int]]:
        """What tiles may be multiples of, for any assignments of the other Einsums.

        Larger ones matter only where tiles of other sizes may cost less: with masks, and with ragged ends.
        """
        problem = self.known.problem
        touched = {c for einsum in parcel.touching for c in einsum.coordinates}.intersection(nest.order)
        differ = [c for c in units if c in touched and (c in problem.uneven or problem.sizes[c] % units[c])]
        larger = [[n for n in self._pes.get(c, ()) if n > units[c] and n % units[c] == 0] for c in differ]
        for chosen in product(*([units[c], *more] for c, more in zip(differ, larger, strict=True))):
            yield {**units, **dict(zip(differ, chosen, strict=True))}

    @cached_property
    def _pes(self) -> dict[str, tuple[int, ...]]:
        """Coordinate to the numbers of PEs that some assignment of some Einsum takes along it."""
        found: dict[str, set[int]] = {}
        for alone in (self.batch | self.steady, self.steady):
            for choice in chain.from_iterable(self.choices(alone)):
                for c, pes in choice.assignment.pes.items():
                    found.setdefault(c, set()).add(pes)
        return {c: tuple(sorted(each)) for c, each in found.items()}

    def _spot(self, nest: Nest, parcel: Parcel) -> Spot:
        key = (nest, parcel.tensors)
        if key not in self._spots:
            self._spots[key] = spot_of(self.scene, nest, parcel)
        return self._spots[key]


def units_of(einsums: Sequence[Einsum], nest: Nest, picked: Mapping[str, Assignment]) -> dict[str, int] | None:
    """What each coordinate of a nest is taken in multiples of; None where the PEs of any coordinate do not nest."""
    spans: dict[str, set[int]] = {}
    for einsum in einsums:
        for c, pes in picked[einsum.name].pes.items():
            spans.setdefault(c, {1}).add(pes)
    if any(len(found) > 2 and any(b % a for a, b in pairwise(sorted(found))) for found in spans.values()):
        return None
    units = {c: max(found) for c, found in spans.items()}
    return {c: units.get(c, 1) for c in (*nest.batch, *nest.order)}
