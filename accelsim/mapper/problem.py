"""A step on an architecture as the mapper sees it: Einsums, who makes and reads what, and exact amounts.

Every amount of the analytic rule is a number of distinct (iteration, element) pairs of an access. Where each index
names a coordinate of its own and no point is masked, that number is a product: elements times the trips of the loops
that do not index the tensor. Everything else (masks, shared or shifted indices, lookups) is asked of the exact counter
of depth `analytic`, once for each set of tiles. Tiles may be arrays, with an entry for each candidate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from accelsim.arch import Arch
from accelsim.cost.images import Counter, Visit, operands, tells_apart
from accelsim.einsum.ast import Access, Coordinate, Index, IndexExpr
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates
from accelsim.mapper.lone import is_lone, pairs_along
from accelsim.mapping.bind import is_start
from accelsim.mapping.extent import tile_elements
from accelsim.workload import Step

Amount: TypeAlias = "float | NDArray[Any]"
Tiles: TypeAlias = "Mapping[str, int | NDArray[np.int64]]"
"""Coordinate to what one iteration of its innermost loop spans; a coordinate without loops is not in it."""


@dataclass(frozen=True, eq=False)
class Touch:
    """The accesses of one Einsum to one tensor: its target, or what it reads. Compared by identity."""

    einsum: Einsum
    accesses: tuple[Access, ...]

    @property
    def tensor(self) -> str:
        return self.accesses[0].tensor

    @cached_property
    def names(self) -> frozenset[str]:
        """The coordinates that index the tensor."""
        return frozenset(coordinates(*self.accesses))

    @cached_property
    def plain(self) -> frozenset[str]:
        """The coordinates that are themselves an index of each access."""
        each = [
            {i.expr.name for i in a.indices if isinstance(i.expr, Coordinate) and not i.edge} for a in self.accesses
        ]
        return frozenset(set.intersection(*each))


@dataclass(frozen=True)
class _Parts:
    """A step whose coordinates have these parts: all that the size of a tile depends on."""

    step: Step
    digits: Mapping[str, tuple[tuple[str, int], ...]]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be mapped.

    Attributes:
        exact: answers of the exact counter.
        shapes_of: how many elements a touch has, and its lone indices.
        loose_of: the coordinates of a touch that amounts are products over.
        waited: what is summed over between two Einsums.
        without: of a touch that writes, results of reductions over no points.
        factors: for an access (by identity) what the size of its tile is a product of.
    """

    arch: Arch
    step: Step
    exact: dict[tuple[object, ...], int] = field(default_factory=dict)
    shapes_of: dict[Touch, tuple[int, tuple[Index, ...]]] = field(default_factory=dict)
    loose_of: dict[Touch, frozenset[str]] = field(default_factory=dict)
    waited: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    without: dict[Touch, int] = field(default_factory=dict)
    factors: dict[int, tuple[tuple[int, tuple[str, ...], bool], ...] | None] = field(default_factory=dict)

    @cached_property
    def einsums(self) -> tuple[Einsum, ...]:
        """Those that do work: in the order written, but behind what makes their operands."""
        cascade, found = self.step.shapes.cascade, list[Einsum]()
        part_of = {cascade.einsums[at].name: part for part in cascade.components for at in part}
        rest = [e for e in cascade.einsums if not is_start(e)]
        while rest:
            ahead = {e.tensor: part_of[e.name] for e in rest}
            ready = next(e for e in rest if all(ahead.get(a.tensor) in (None, part_of[e.name]) for a in e.reads))
            found.append(ready)
            rest.remove(ready)
        return tuple(found)

    @cached_property
    def coordinates(self) -> tuple[str, ...]:
        """All of them, in the order in which the Einsums name them."""
        return tuple(dict.fromkeys(c for e in self.einsums for c in e.coordinates))

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        return self.step.shapes.sizes

    @cached_property
    def makers(self) -> dict[str, Einsum]:
        return {e.tensor: e for e in self.einsums}

    @cached_property
    def reads(self) -> dict[str, tuple[Touch, ...]]:
        """Einsum to what it reads, a touch for each tensor."""
        return {e.name: tuple(_reads(e)) for e in self.einsums}

    @cached_property
    def writes(self) -> dict[str, Touch]:
        return {e.name: Touch(e, (e.target,)) for e in self.einsums}

    @cached_property
    def users(self) -> dict[str, tuple[str, ...]]:
        """Tensor to the Einsums that read it."""
        found: dict[str, tuple[str, ...]] = {}
        for einsum in self.einsums:
            for tensor in dict.fromkeys(access.tensor for access in einsum.reads):
                found[tensor] = (*found.get(tensor, ()), einsum.name)
        return found

    @cached_property
    def recurs(self) -> dict[str, str]:
        """Einsum to the coordinate along which it or its operands recur: its steps come one after the other."""
        cascade = self.step.shapes.cascade
        found = {}
        for component, along in zip(cascade.components, cascade.iterative, strict=True):
            for at in component if along else ():
                found[cascade.einsums[at].name] = along or ""
        return found

    @cached_property
    def components(self) -> tuple[frozenset[str], ...]:
        """Einsums that need each other: they can only run in the same group."""
        cascade = self.step.shapes.cascade
        names = [frozenset(cascade.einsums[at].name for at in component) for component in cascade.components]
        return tuple(found for found in names if len(found) > 1)

    @cached_property
    def uneven(self) -> frozenset[str]:
        """Coordinates along which equally many tiles of another size may move other amounts.

        A mask cuts them differently, and so do indices that several values share.
        """
        found: set[str] = set()
        for einsum in self.einsums:
            for touch in (self.writes[einsum.name], *self.reads[einsum.name]):
                found |= set(einsum.coordinates) - self.loose(touch)
                found |= {c for index in self._shape(touch)[1] for c in coordinates(index)}
        return frozenset(found)

    def waits(self, maker: Einsum, reader: Einsum) -> frozenset[str]:
        """Coordinates summed over between two Einsums: the reader waits for all that the maker makes along them."""
        key = (maker.name, reader.name)
        if key not in self.waited:
            between = self._above(reader) & self._below(maker)
            self.waited[key] = frozenset(c for e in self.einsums if e.name in between for c in e.reduced)
        return self.waited[key]

    def _above(self, einsum: Einsum) -> set[str]:
        """Einsums that one depends on."""
        found: set[str] = set()
        ahead = [einsum]
        while ahead:
            makers = [self.makers[a.tensor] for a in ahead.pop().reads if a.tensor in self.makers]
            ahead += [maker for maker in makers if maker.name not in found]
            found |= {maker.name for maker in makers}
        return found

    def _below(self, einsum: Einsum) -> set[str]:
        """Einsums that depend on one."""
        found: set[str] = set()
        ahead = [einsum]
        while ahead:
            names = set(self.users.get(ahead.pop().tensor, ())) - found
            found |= names
            ahead += [e for e in self.einsums if e.name in names]
        return found

    @cached_property
    def _present(self) -> Counter:
        return Counter.over(self.step.shapes, {c: ((c, 1),) for e in self.einsums for c in e.coordinates})

    def word(self, tensor: str) -> float:
        """Bytes of an element."""
        return float(self.step.types[tensor].bytes)

    @cached_property
    def single(self) -> dict[str, tuple[tuple[Touch, ...], ...]]:
        """Einsum to its reads again, a touch for each access."""
        return {
            name: tuple(tuple(Touch(t.einsum, (access,)) for access in t.accesses) for t in touches)
            for name, touches in self.reads.items()
        }

    def counter(self, digits: Mapping[str, tuple[tuple[str, int], ...]]) -> Counter:
        """The exact counter for coordinates with these parts."""
        return replace(self._present, digits=digits)

    def is_product(self, touch: Touch) -> bool:
        """Whether every coordinate of the accesses is an index of its own and every point exists."""
        return len(self.loose(touch)) == len(touch.einsum.coordinates)

    def loose(self, touch: Touch) -> frozenset[str]:
        """The coordinates that amounts are products over: no mask and no index ties them to another one."""
        if touch not in self.loose_of:
            self.loose_of[touch] = frozenset(touch.einsum.coordinates) - self._tied(touch)
        return self.loose_of[touch]

    def indifferent(self, touch: Touch) -> frozenset[str]:
        """Coordinates whose tiles make no difference to what passes in all iterations: each value has its elements."""
        return touch.plain & self.loose(touch)

    def _tied(self, touch: Touch) -> set[str]:
        every, first = set(touch.einsum.coordinates), touch.accesses[0]
        masks = self._present.presences[touch.einsum.name], self._present.elements.get(touch.tensor)
        never = any(mask is not None and not coordinates(mask) for mask in masks)
        if never or len(set(map(indices_of, touch.accesses))) > 1:
            return every
        presence, exists = masks
        each = [set(coordinates(index)) for index in first.indices]
        found = set(coordinates(presence)) | {c for c in every if sum(c in names for names in each) > 1}
        dims = self.step.shapes.cascade.tensors[touch.tensor]
        for name in coordinates(exists):
            found |= each[dims.index(name)] if name in dims else every
        for index, names in zip(first.indices, each, strict=True):
            if names and not self._names_one(index) and not is_lone(first, index, self.sizes):
                found |= names
        while more := {c for names in each if names & found for c in names - found}:
            found |= more
        return found

    def elements(self, touch: Touch) -> int:
        """Elements that the accesses touch at all."""
        return self._shape(touch)[0]

    def _shape(self, touch: Touch) -> tuple[int, tuple[Index, ...]]:
        """How many elements a touch has, and its indices that several values of one coordinate share."""
        if touch not in self.shapes_of:
            elements = self._volume(touch) if self.is_product(touch) else self._counted([touch], {}, {})
            loose = self.loose(touch)
            indices = [(i, set(coordinates(i))) for i in touch.accesses[0].indices]
            lone = [i for i, names in indices if names and names <= loose and not self._names_one(i)]
            self.shapes_of[touch] = elements, tuple(lone)
        return self.shapes_of[touch]

    def _names_one(self, index: Index) -> bool:
        return index.edge is None and tells_apart(index.expr, self.step.shapes.cascade.splits)

    def _volume(self, touch: Touch) -> int:
        """The product over indices, at most what the tensor has: parts of a split whose rank ends early touch fewer."""
        shape = self.step.shapes.shapes[touch.tensor]
        whole = 1
        for index, size in zip(touch.accesses[0].indices, shape, strict=True):
            if coordinates(index) and not self._names_one(index):
                (c,) = coordinates(index)
                whole *= pairs_along(index.expr, self.sizes[c], self.values, 0, 0)
            else:
                whole *= min(size, prod(self.sizes[c] for c in coordinates(index)))
        return whole

    @cached_property
    def values(self) -> tuple[tuple[str, int], ...]:
        """Names of sizes and parameters with their numbers."""
        return tuple(self._present.values.items())

    def pairs(self, touch: Touch, tiles: Tiles, pes: Mapping[str, int] | None = None) -> Amount:
        """Distinct (iteration of the loops, PE along the coordinates in `pes`, element) of a touch."""
        own = {c: tile for c, tile in tiles.items() if c in touch.einsum.coordinates}
        lanes = {c: n for c, n in (pes or {}).items() if c in touch.einsum.coordinates}
        loose = self.loose(touch)
        tied = {c: n for c, n in own.items() if c not in loose}
        on_pes = {c: n for c, n in lanes.items() if c not in loose}
        found: Amount = self._each([touch], tied, on_pes) if tied or on_pes else self.elements(touch)
        for c in touch.einsum.coordinates:
            if c not in touch.names and c in loose:
                found = found * places(self.sizes[c], own.get(c), lanes.get(c))
        for index in self._shape(touch)[1] if own or lanes else ():
            (c,) = coordinates(index)
            whole = pairs_along(index.expr, self.sizes[c], self.values, 0, 0)
            found = found * self._along(index.expr, c, own.get(c), lanes.get(c)) / whole
        return found

    def _along(self, expr: IndexExpr, c: str, tile: int | NDArray[np.int64] | None, pes: int | None) -> Amount:
        """Distinct (iteration, PE, index) along one coordinate."""
        if not isinstance(tile, np.ndarray):
            return pairs_along(expr, self.sizes[c], self.values, int(tile or 0), pes or 0)
        different, back = np.unique(tile, return_inverse=True)
        counts = [pairs_along(expr, self.sizes[c], self.values, int(each), pes or 0) for each in different]
        return np.array(counts, np.float64)[back.reshape(-1)]

    def pairs_together(self, touches: Sequence[Touch], tiles: Tiles) -> Amount:
        """Distinct (iteration, element) of several touches of one tensor that run in the same loops."""
        first = touches[0]
        if len(touches) == 1:
            return self.pairs(first, tiles)
        where = indices_of(first.accesses[0])
        same = all(indices_of(t.accesses[0]) == where and self.is_product(t) for t in touches)
        if same:
            return max((self.pairs(touch, tiles) for touch in touches), key=lambda found: float(np.max(found)))
        return self._each(touches, tiles, {})

    def untouched(self, maker: Touch) -> int:
        """Results of a reduction over no points: elements that exist and that no point writes."""
        if maker.tensor in self.step.shapes.cascade.generative:
            return 0
        if maker not in self.without:
            self.without[maker] = self._present.results(maker.tensor) - self.elements(maker)
        return self.without[maker]

    @cached_property
    def indexed(self) -> dict[str, tuple[tuple[frozenset[str], tuple[frozenset[str], ...]], ...]]:
        """Einsum to the coordinates of its target and of each operand: all of them, and those of each index."""
        found = {}
        for einsum in self.einsums:
            accesses = (einsum.target, *operands(einsum))
            each = [tuple(frozenset(coordinates(index)) for index in access.indices) for access in accesses]
            found[einsum.name] = tuple((frozenset().union(*names), names) for names in each)
        return found

    def _each(self, touches: Sequence[Touch], tiles: Tiles, lanes: Mapping[str, int]) -> Amount:
        """The exact count for every different set of tiles."""
        arrays = {c: tile for c, tile in tiles.items() if isinstance(tile, np.ndarray)}
        plain = {c: int(tile) for c, tile in tiles.items() if c not in arrays}
        if not arrays:
            return self._counted(touches, plain, lanes)
        rows = np.stack(list(arrays.values()), axis=1)
        different, back = np.unique(rows, axis=0, return_inverse=True)
        counts = [
            self._counted(touches, {**plain, **dict(zip(arrays, map(int, row), strict=True))}, lanes)
            for row in different
        ]
        return np.array(counts, np.float64)[back.reshape(-1)]

    def _counted(self, touches: Sequence[Touch], tiles: Mapping[str, int], lanes: Mapping[str, int]) -> int:
        visits = [Visit(touch.einsum, access) for touch in touches for access in touch.accesses]
        named = tuple((visit.einsum.name, visit.access) for visit in visits)
        key = (named, tuple(sorted(tiles.items())), tuple(sorted(lanes.items())))
        if key not in self.exact:
            digits = _digits([c for touch in touches for c in touch.einsum.coordinates], tiles, lanes)
            loops = [digits[c][0][0] for c in tiles]
            spread = {digits[c][-1][0]: ("lanes", n) for c, n in lanes.items()}
            self.exact[key] = self.counter(digits).images(visits, loops, spread)
        return self.exact[key]

    def held(self, touches: Sequence[tuple[Touch, Tiles]]) -> Amount:
        """The most elements of a tensor that one iteration of the loops touches, by all touches together."""
        dims, whole = self._current[touches[0][0].tensor]
        largest: dict[tuple[object, ...], Amount] = {}
        for touch, tiles in touches:
            for access in touch.accesses:
                place = tuple([access.indices[at].expr for at in dims])
                tile = self._tile(touch.einsum, access, tiles)
                largest[place] = np.maximum(largest[place], tile) if place in largest else tile
        return np.minimum(sum(largest.values(), 0), whole)

    @cached_property
    def _current(self) -> dict[str, tuple[tuple[int, ...], int]]:
        """Tensor to its dimensions but the one of a recurrence, and how many elements they have."""
        cascade, shapes = self.step.shapes.cascade, self.step.shapes.shapes
        found = {}
        for tensor, names in cascade.tensors.items():
            dims = tuple(at for at, name in enumerate(names) if name != cascade.generative.get(tensor))
            found[tensor] = dims, prod(shapes[tensor][at] for at in dims)
        return found

    def _tile(self, einsum: Einsum, access: Access, tiles: Tiles) -> Amount:
        factors = self._factors(access)
        if factors is None:
            return self._exact_tile(einsum, access, tiles)
        total: Amount = 1
        for size, names, lone in factors:
            inside: Amount = 1
            if lone:
                inside = self._lone_tile(einsum, access, names[0], tiles.get(names[0]))
            for c in () if lone else names:
                inside = inside * (np.minimum(tiles[c], self.sizes[c]) if c in tiles else self.sizes[c])
            total = total * (inside if isinstance(inside, int) and inside <= size else np.minimum(inside, size))
        return total

    def _lone_tile(self, einsum: Einsum, access: Access, c: str, tile: int | NDArray[np.int64] | None) -> Amount:
        """Values of the index of one coordinate within a tile: what the size of the tensor's tile has for it."""
        whole = self._tile_of(einsum, access, {})
        all_of_it = self._tile_of(einsum, access, {other: 1 for other in einsum.coordinates if other != c})
        if tile is None:
            return all_of_it
        different, back = np.unique(np.atleast_1d(tile), return_inverse=True)
        found = np.array([all_of_it * self._tile_of(einsum, access, {c: int(t)}) / whole for t in different])
        each = found[back.reshape(-1)]
        return each if isinstance(tile, np.ndarray) else float(each[0])

    def _factors(self, access: Access) -> tuple[tuple[int, tuple[str, ...], bool], ...] | None:
        """Size and coordinates of each dimension but the one of a recurrence, None where they are not independent."""
        key = id(access)
        if key not in self.factors:
            cascade, shape = self.step.shapes.cascade, self.step.shapes.shapes[access.tensor]
            state = cascade.generative.get(access.tensor)
            found: list[tuple[int, tuple[str, ...], bool]] | None = []
            for name, size, index in zip(cascade.tensors[access.tensor], shape, access.indices, strict=True):
                if name != state and found is not None:
                    names = coordinates(index)
                    one, lone = not names or self._names_one(index), is_lone(access, index, self.sizes)
                    found = [*found, (size, names, not one)] if one or lone else None
            self.factors[key] = None if found is None else tuple(found)
        return self.factors[key]

    def _exact_tile(self, einsum: Einsum, access: Access, tiles: Tiles) -> Amount:
        own = {c: tile for c, tile in tiles.items() if c in einsum.coordinates}
        rows = (
            np.stack(np.broadcast_arrays(*(np.atleast_1d(np.asarray(t)) for t in own.values())), axis=1)
            if own
            else None
        )
        if rows is None:
            return self._tile_of(einsum, access, {})
        different, back = np.unique(rows, axis=0, return_inverse=True)
        found = [self._tile_of(einsum, access, dict(zip(own, map(int, row), strict=True))) for row in different]
        return np.array(found, np.float64)[back.reshape(-1)]

    def _tile_of(self, einsum: Einsum, access: Access, tiles: Mapping[str, int]) -> int:
        key = ("tile", einsum.name, access, tuple(sorted(tiles.items())))
        if key not in self.exact:
            digits = _digits(einsum.coordinates, tiles, {})
            self.exact[key] = tile_elements(
                _Parts(self.step, digits), einsum, access, tuple(digits[c][0][0] for c in tiles)
            )
        return self.exact[key]


def indices_of(access: Access) -> tuple[object, ...]:
    """What an access reads or writes, wherever it stands in the text."""
    return tuple((index.expr, index.edge) for index in access.indices)


def places(size: int, tile: int | NDArray[np.int64] | None, pes: int | None) -> Amount:
    """Distinct (iteration, PE) along a coordinate: trips of its tiles, times the PEs that each has in use."""
    if tile is None:
        return 1 if pes is None else min(size, pes)
    if pes is None:
        return -(-size // tile)
    whole, rest = size // tile, size % tile
    return whole * np.minimum(tile, pes) + np.minimum(rest, pes)


def useful_tiles(size: int, unit: int) -> list[int]:
    """Multiples of `unit`, up to the whole, that give different numbers of tiles; for each number the smallest."""
    units = -(-size // unit)
    found, tile = [], 1
    while tile < units:
        found.append(tile * unit)
        trips = -(-units // tile)
        tile = -(-units // (trips - 1)) if trips > 1 else units
    return [*found, size]


def multiples(size: int, unit: int) -> list[int]:
    """All multiples of `unit` below the size, and the size."""
    return [*range(unit, size, unit), size]


def _reads(einsum: Einsum) -> Iterable[Touch]:
    accesses = operands(einsum)
    for tensor in dict.fromkeys(access.tensor for access in accesses):
        yield Touch(einsum, tuple(access for access in accesses if access.tensor == tensor))


def _digits(
    names: Sequence[str], tiles: Mapping[str, int], lanes: Mapping[str, int]
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Coordinates with a part for the loop and one for what is inside it."""
    return {c: ((f"{c}/loop", tiles[c]), (f"{c}/in", 1)) if c in tiles else ((f"{c}/in", 1),) for c in names}
