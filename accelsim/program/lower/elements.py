"""Which elements of a tensor a tile has, by their numbers: the last dimension declared counts fastest.

The number of an element is a sum over dimensions, so coordinates that no mask and no index ties together contribute a
set each, and a tile is every sum of one of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import product
from math import prod

import numpy as np

from accelsim.cost.images import Counter, Visit
from accelsim.einsum.affine import Scope, mentioned
from accelsim.einsum.ast import Coordinate, Index, Lookup
from accelsim.einsum.fold import DROP
from accelsim.einsum.grid import Integers
from accelsim.einsum.indices import Tables, evaluated, flags_of, placed_at
from accelsim.einsum.walk import coordinates, walk
from accelsim.errors import AccelsimError
from accelsim.program.lower.drawn import drawn_indices
from accelsim.program.lower.numbers import HERE
from accelsim.program.lower.shares import MOST_POINTS, Axis, Look, simplified

NOTHING: Integers = np.zeros(0, np.int64)
Digits = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Elements:
    """What visits of one tensor touch while some loops stand still.

    Attributes:
        seen: loops in each iteration of which what they touch is touched anew.
        along: loops that stand still, those of `seen` besides.
        found: sets of numbers by (look, coordinates, their digits), once they are known.
    """

    counter: Counter
    visits: tuple[Visit, ...]
    seen: tuple[str, ...]
    along: tuple[str, ...]
    found: dict[tuple[int, tuple[str, ...], tuple[int, ...]], Integers] = field(default_factory=dict)

    @property
    def tensor(self) -> str:
        return self.visits[0].access.tensor

    @cached_property
    def axes(self) -> dict[str, Axis]:
        sizes, digits, pinned = self.counter.shapes.sizes, self.counter.digits, {*self.seen, *self.along}
        names = dict.fromkeys(c for visit in self.visits for c in visit.einsum.coordinates)
        return {c: Axis(c, sizes[c], digits[c], tuple(p for p, _ in digits[c] if p in pinned), DROP) for c in names}

    @cached_property
    def inner(self) -> tuple[tuple[str, int], ...]:
        """The loops of `seen` that go on inside a tile, with their extents."""
        extents = {part: n for axis in self.axes.values() for part, n in zip(axis.pinned, axis.extents, strict=True)}
        return tuple((loop, extents[loop]) for loop in self.seen if loop not in self.along and loop in extents)

    @cached_property
    def tables(self) -> Tables:
        """Maps; where an index depends on data, also the index tensors that are drawn for it."""
        maps = self.counter.shapes.cascade.maps
        indices = [index for look in self.looks for index, _ in look.places]
        gathers = any(isinstance(item, Lookup) for index in indices for item in walk(index))
        return {**maps, **drawn_indices(self.counter)} if gathers else maps

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        scope = Scope(self.counter.values, self.counter.shapes.sizes, self.counter.shapes.cascade.maps)
        shape = self.counter.shapes.shapes[self.tensor]
        distinct = {(visit.einsum.name, visit.access.indices): visit for visit in self.visits}
        return tuple(
            simplified(
                Look(
                    visit.einsum.coordinates,
                    self.counter.presences[visit.einsum.name],
                    tuple(zip(visit.access.indices, shape, strict=True)),
                ),
                scope,
            )
            for visit in distinct.values()
        )

    def at(self, digits: Digits) -> Iterator[Integers]:
        """The numbers of the elements in a tile, rising, for each iteration of what goes on inside it."""
        for place in product(*(range(extent) for _, extent in self.inner)):
            whole = {**digits, **dict(zip((loop for loop, _ in self.inner), place, strict=True))}
            sets = [self._touched(at, look, whole) for at, look in enumerate(self.looks)]
            yield sets[0] if len(sets) == 1 else np.unique(np.concatenate(sets))

    def _touched(self, at: int, look: Look, digits: Digits) -> Integers:
        """What one access touches; without a coordinate that others have it does so in the first iteration of it."""
        foreign = (axis for name, axis in self.axes.items() if name not in look.own)
        if any(digits.get(part, 0) for axis in foreign for part in axis.pinned):
            return NOTHING
        return sum_of(self._set(at, look, names, digits) for names in _components(look))

    def _set(self, at: int, look: Look, names: tuple[str, ...], digits: Digits) -> Integers:
        """What coordinates that belong together contribute."""
        place = tuple(digits.get(part, 0) for name in names for part in self.axes[name].pinned)
        key = at, names, place
        if key not in self.found:
            within = {
                name: self.axes[name].within([digits.get(part, 0) for part in self.axes[name].pinned]) for name in names
            }
            self.found[key] = numbers_of(look, within, self.tables)
        return self.found[key]


def numbers_of(look: Look, within: Mapping[str, Integers], maps: Tables) -> Integers:
    """What the dimensions whose coordinates are among those given contribute to the numbers of the elements.

    Raises:
        AccelsimError: more points than can be gone through, or an index that depends on data.
    """
    shape = [len(values) for values in within.values()]
    if prod(shape) > MOST_POINTS:
        raise AccelsimError(f"a tile of {prod(shape)} points over {', '.join(within)} is too large to be placed")
    grid = dict(zip(within, np.ix_(*within.values()), strict=True))
    found, inside = np.zeros(shape, np.int64), np.ones(shape, np.bool_)
    if look.present is not None and set(mentioned(look.present)) <= set(within):
        inside &= flags_of(look.present, grid, maps)
    for at, (index, size) in enumerate(look.places):
        if set(coordinates(index)) <= set(within) and (coordinates(index) or not within):
            place, kept = placed_at(evaluated(index.expr, grid, maps), index.edge, size)
            found, inside = found + place * prod(n for _, n in look.places[at + 1 :]), inside & kept
    return np.unique(found[inside])


def _components(look: Look) -> list[tuple[str, ...]]:
    """The coordinates of an access, each with those that a mask or an index ties it to; and none, for constants."""
    ties = [set(coordinates(index)) for index, _ in look.places]
    ties += [set(mentioned(look.present))] if look.present is not None else []
    found: list[set[str]] = [{name} for name in look.own]
    for tie in ties:
        joined = [part for part in found if part & tie]
        found = [part for part in found if not part & tie] + ([set().union(*joined)] if joined else [])
    return [tuple(name for name in look.own if name in part) for part in found] + [()]


def sum_of(sets: Iterator[Integers]) -> Integers:
    """Every sum of a number of each set, rising."""
    found: Integers = reduce(lambda left, right: (left[:, None] + right).ravel(), sets)
    return found if len(found) < 2 or (np.diff(found) > 0).all() else np.unique(found)


def existing(counter: Counter, tensor: str) -> Integers:
    """The numbers of the elements of a tensor that exist."""
    dims, shape = counter.shapes.cascade.tensors[tensor], counter.shapes.shapes[tensor]
    scope = Scope(counter.values, counter.shapes.sizes, counter.shapes.cascade.maps)
    places = tuple((Index(Coordinate(name), None, HERE), size) for name, size in zip(dims, shape, strict=True))
    look = simplified(Look(tuple(dims), counter.elements.get(tensor), places), scope)
    within = {name: np.arange(size, dtype=np.int64) for name, size in zip(dims, shape, strict=True)}
    parts = ({name: within[name] for name in names} for names in _components(look))
    return sum_of(numbers_of(look, part, counter.shapes.cascade.maps) for part in parts)


def touched_ever(elements: Elements) -> Integers:
    """The numbers of all that is touched, whatever stands still."""
    whole = Elements(elements.counter, elements.visits, (), ())
    return np.unique(np.concatenate(list(whole.at({}))))


def comes_again(elements: Elements, extents: Sequence[tuple[str, int]]) -> dict[tuple[int, ...], list[Integers]]:
    """By the digits of loops, outer first, the numbers in a tile that an earlier one has touched.

    Raises:
        AccelsimError: a tensor too large to remember what was touched of it.
    """
    size = prod(elements.counter.shapes.shapes[elements.tensor])
    if size > MOST_POINTS:
        raise AccelsimError(f"{size} elements of {elements.tensor} are too many to tell which come again")
    seen, found = np.zeros(size, np.bool_), {}
    for place in product(*(range(n) for _, n in extents)):
        again = list[Integers]()
        for numbers in elements.at(dict(zip((loop for loop, _ in extents), place, strict=True))):
            again.append(numbers[seen[numbers]])
            seen[numbers] = True
        found[place] = again
    return found
