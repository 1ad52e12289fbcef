"""How much of a count falls to each iteration: distinct images of the points of one tile, for every tile.

A count of the analytic rule is a number of distinct images over all points. Here the same images are counted with the
digits of some loops held still. Coordinates that no mask and no mixed index ties together contribute a factor each;
those that are tied are enumerated tile by tile, unless a tile lies wholly inside or outside the mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from accelsim.cost.images import Counter, View, Visit
from accelsim.einsum.affine import NEVER, Scope, conjunction, conjuncts, mentioned, simplify
from accelsim.einsum.ast import Index, IndexExpr, IndexOp, Int, MapCall, Predicate, Size
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.fold import DROP, Fold
from accelsim.einsum.grid import Flags, Integers
from accelsim.einsum.indices import evaluated, flags_of, placed_at
from accelsim.einsum.selection import searched
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.program.values import Values

MOST_TILES, MOST_POINTS = 1 << 21, 1 << 24


@dataclass(frozen=True)
class Share:
    """A factor of a count: `values` by the digits of `loops`, one axis each."""

    loops: tuple[str, ...]
    values: Integers


def aligned(share: Share, loops: Sequence[str]) -> Integers:
    """Values with one axis for each of `loops`, of length 1 where they do not change."""
    order = [share.loops.index(loop) for loop in loops if loop in share.loops]
    lengths = [share.values.shape[share.loops.index(loop)] if loop in share.loops else 1 for loop in loops]
    found: Integers = share.values.transpose(order).reshape(lengths)
    return found


@dataclass(frozen=True)
class Axis:
    """A coordinate: its size, digits (part, span), which of them stand still as `loops`, and how images collapse it."""

    name: str
    size: int
    digits: tuple[tuple[str, int], ...]
    loops: tuple[str, ...]
    fold: Fold

    @property
    def pinned(self) -> tuple[str, ...]:
        return tuple(part for part, _ in self.digits if part in self.loops)

    @property
    def extents(self) -> tuple[int, ...]:
        """How many values each pinned digit takes at most."""
        outside, found = self.size, []
        for part, span in self.digits:
            if part in self.loops:
                found.append(-(-min(outside, self.size) // span))
            outside = span
        return tuple(found)

    def within(self, place: Sequence[int]) -> Integers:
        """The values of the coordinate in a tile."""
        wanted = dict(zip(self.pinned, place, strict=True))
        spans = [span for part, span in self.digits if part in wanted]
        if self.is_prefix:
            start = sum(digit * span for digit, span in zip(place, spans, strict=True))
            return np.arange(start, max(start, self._end(place)), dtype=np.int64)
        values: Integers = np.arange(self.size, dtype=np.int64)
        outside = 0
        for part, span in self.digits:
            if part in wanted:
                values = values[(values % outside if outside else values) // span == wanted[part]]
            outside = span
        return values

    def count(self, place: Sequence[int]) -> int:
        """Distinct images in a tile."""
        if self.is_prefix:
            start = sum(d * s for d, (_, s) in zip(place, self.digits, strict=False))
            return self.fold.count(max(0, self._end(place) - start))
        return len(np.unique(self.fold.apply(self.within(place))))

    @property
    def is_prefix(self) -> bool:
        """Whether the pinned digits are the outermost: then a tile is a range, and looks like the first one."""
        return self.pinned == tuple(part for part, _ in self.digits[: len(self.pinned)])

    @property
    def is_still(self) -> bool:
        """Whether it has at most one value in every tile."""
        return self.size == 1 or (self.pinned == tuple(part for part, _ in self.digits) and self.digits[-1][1] == 1)

    def lengths(self) -> Integers:
        """How many values each tile has, where tiles are ranges."""
        start = np.zeros(self.extents, dtype=np.int64)
        end = np.full(self.extents, self.size, dtype=np.int64)
        for level, (_, span) in enumerate(self.digits[: len(self.pinned)]):
            shape = [-1 if at == level else 1 for at in range(len(self.extents))]
            start += np.arange(self.extents[level], dtype=np.int64).reshape(shape) * span
            end = np.minimum(end, start + span)
        found: Integers = np.maximum(end - start, 0)
        return found

    def _end(self, place: Sequence[int]) -> int:
        """The end of a tile's range: that of the tile, of every tile around it, and of the coordinate."""
        end, start = self.size, 0
        for digit, (_, span) in zip(place, self.digits, strict=False):
            start += digit * span
            end = min(end, start + span)
        return end


@dataclass(frozen=True)
class Look:
    """One access at the points that exist: which do, and the indices (with their dimension's size) that say where."""

    own: tuple[str, ...]
    present: Predicate | None
    places: tuple[tuple[Index, int], ...] = ()


def firings(placement: Placement, counter: Counter, einsum: Einsum, loops: Sequence[str]) -> tuple[Share, ...]:
    """Steps of the array in each iteration of `loops`."""
    spread = placement.spread(einsum)
    folds = {
        c: Fold(tuple((span, spread[part][1] if part in spread else 1) for part, span in counter.digits[c]))
        if c in searched(einsum)
        else DROP
        for c in einsum.coordinates
    }
    return shares(counter, folds, (Look(einsum.coordinates, counter.presences[einsum.name]),), loops)


def touched(counter: Counter, visits: Sequence[Visit], seen: Iterable[str], loops: Sequence[str]) -> tuple[Share, ...]:
    """Elements that visits of one tensor touch in each iteration of `loops`, anew in each iteration of those `seen`."""
    view = View.of(counter, visits, seen)
    return shares(counter, view.folds, _looks(view), loops)


def fresh(counter: Counter, visits: Sequence[Visit], loops: Sequence[str]) -> tuple[Share, ...]:
    """Elements that visits of one tensor touch in each iteration of `loops` and in none before it.

    The first iteration of an element whose coordinates fall into independent groups is the first one of each group, so
    this number has factors as well.
    """
    view = View.of(counter, visits, ())
    return shares(counter, view.folds, _looks(view), loops, first=True)


def _looks(view: View) -> tuple[Look, ...]:
    shape = view.counter.shapes.shapes[view.visits[0].access.tensor]
    return tuple(
        Look(
            visit.einsum.coordinates,
            view.counter.presences[visit.einsum.name],
            tuple((visit.access.indices[at], shape[at]) for at in view.tied),
        )
        for visit in view.visits
    )


def shares(
    counter: Counter, folds: Mapping[str, Fold], looks: Sequence[Look], loops: Sequence[str], first: bool = False
) -> tuple[Share, ...]:
    """The factors of a count of distinct images by iteration; `first`: of those that no earlier iteration has."""
    sizes, digits = counter.shapes.sizes, counter.digits
    scope = Scope(counter.values, sizes, counter.shapes.cascade.maps)
    simple = tuple(simplified(look, scope) for look in looks)
    tied = {name for look in simple for name in _tied(look)}
    if len(simple) > 1:
        tied |= {name for look in simple for name in folds if name not in look.own and folds[name] != DROP}
    axes = [Axis(c, sizes[c], digits[c], tuple(p for p, _ in digits[c] if p in loops), folds[c]) for c in folds]
    order = tuple(loops) if first else None
    found = [_alone(axis, order) for axis in axes if axis.name not in tied]
    joint = tuple(axis for axis in axes if axis.name in tied)
    if joint or any(look.present is not None for look in simple):
        maps = tuple((name, tuple(table)) for name, table in counter.shapes.cascade.maps.items())
        plain = order is None and _is_plain(simple)
        parts = _apart(joint, simple[0]) if plain else [(joint, simple)]
        found += _merged([_together(axes, looks, maps, order) for axes, looks in parts])
    return tuple(found)


def _merged(parts: Sequence[Share]) -> list[Share]:
    """The same product with a factor whose loops are among those of another in that one's values.

    So conditions that say the same in more or fewer parts give the same factors.
    """
    found: list[Share] = []
    for part in sorted(parts, key=lambda share: -len(share.loops)):
        at = next((at for at, other in enumerate(found) if set(part.loops) <= set(other.loops)), None)
        if at is None:
            found.append(part)
            continue
        loops = found[at].loops
        found[at] = Share(loops, found[at].values * aligned(part, loops))
    return found


def _apart(axes: Sequence[Axis], look: Look) -> list[tuple[tuple[Axis, ...], tuple[Look]]]:
    """A mask in parts that have only coordinates in common which stand still in every tile: a factor each.

    In a tile such a coordinate has one value, so `n < heads(t) and k < kept(t)` ties n to k in no tile of one t.
    """
    still = {axis.name for axis in axes if axis.is_still}
    groups: list[tuple[set[str], list[Predicate]]] = []
    for part in conjuncts(look.present) if look.present is not None else ():
        names = {name for name in mentioned(part) if name not in still}
        met = [group for group in groups if group[0] & names]
        groups = [group for group in groups if group not in met]
        groups.append((names.union(*(have for have, _ in met)), [*(one for _, parts in met for one in parts), part]))
    found = []
    for _, parts in groups:
        whole = conjunction(parts)
        seen = mentioned(*parts)
        own = tuple(axis for axis in axes if axis.name in seen)
        found.append((own, (Look(seen, NEVER if isinstance(whole, bool) else whole),)))
    return found


def simplified(look: Look, scope: Scope) -> Look:
    """The look with sizes as numbers and what is always so left out of its condition."""
    present = True if look.present is None else simplify(look.present, scope)
    kept = None if present is True else NEVER if present is False else present
    places = tuple((replace(index, expr=_numbers(index.expr, scope.values)), size) for index, size in look.places)
    return Look(look.own, kept, places)


def _tied(look: Look) -> set[str]:
    names = set(mentioned(look.present)) if look.present is not None else set()
    return names | {name for index, _ in look.places for name in coordinates(index)}


def _numbers(expr: IndexExpr, values: Mapping[str, int]) -> IndexExpr:
    """An index with sizes replaced by their values."""
    match expr:
        case Size(name):
            return Int(values[name])
        case IndexOp(op, left, right):
            return IndexOp(op, _numbers(left, values), _numbers(right, values))
        case MapCall(argument=argument):
            return replace(expr, argument=_numbers(argument, values))
    return expr


@lru_cache(maxsize=512)
def _alone(axis: Axis, order: tuple[str, ...] | None) -> Share:
    if order is not None and not axis.fold.distinct(axis.size):
        return _together((axis,), (Look((axis.name,), None),), (), order)
    if axis.is_prefix:
        lengths = axis.lengths()
        counts = {n: axis.fold.count(n) for n in np.unique(lengths).tolist()}
        return Share(axis.pinned, np.vectorize(counts.__getitem__, otypes=[np.int64])(lengths))
    values = np.array([axis.count(place) for place in product(*map(range, axis.extents))], dtype=np.int64)
    return Share(axis.pinned, values.reshape(axis.extents))


Maps = tuple[tuple[str, tuple[int, ...]], ...]


@lru_cache(maxsize=128)
def _together(axes: tuple[Axis, ...], looks: tuple[Look, ...], maps: Maps, order: tuple[str, ...] | None) -> Share:
    """Coordinates that masks and indices tie together, tile by tile; in an order, what no tile before has."""
    loops = tuple(part for axis in axes for part in axis.pinned)
    extents = tuple(n for axis in axes for n in axis.extents)
    if prod(extents) > MOST_TILES:
        raise AccelsimError(f"a mask over {_listed(axes)} cuts {prod(extents)} tiles; {MOST_TILES} can be told apart")
    values, tables = np.zeros(extents, dtype=np.int64), dict(maps)
    if order is None:
        for place in product(*map(range, extents)):
            values[place] = _count(axes, _parted(axes, place), looks, tables)
        return Share(loops, values)
    seen = _nothing(axes, looks)
    turns = sorted(range(len(loops)), key=lambda at: order.index(loops[at]))
    for digits in product(*(range(extents[at]) for at in turns)):
        place = tuple(digits[turns.index(at)] for at in range(len(loops)))
        found = _all_images(axes, _parted(axes, place), looks, tables)
        values[place] = np.count_nonzero(~seen[found])
        seen[found] = True
    return Share(loops, values)


def _nothing(axes: Sequence[Axis], looks: Sequence[Look]) -> Flags:
    """A flag for every image that there can be."""
    images = prod(axis.fold.places(axis.size) for axis in axes) * prod(size for _, size in looks[0].places)
    if images > MOST_POINTS:
        raise AccelsimError(f"{images} elements over {_listed(axes)} are too many to tell which come again")
    return np.zeros(images, dtype=np.bool_)


def _count(
    axes: Sequence[Axis], parts: Sequence[Sequence[int]], looks: Sequence[Look], maps: Mapping[str, tuple[int, ...]]
) -> int:
    """Distinct images in a tile."""
    inside = _inside(axes, parts, looks) if _is_plain(looks) else None
    if inside is True:
        return prod(axis.count(part) for axis, part in zip(axes, parts, strict=True))
    return 0 if inside is False else len(_enumerated(axes, parts, looks, maps))


def _is_plain(looks: Sequence[Look]) -> bool:
    """Whether only a mask says what a tile touches."""
    return len(looks) == 1 and not looks[0].places


def _all_images(
    axes: Sequence[Axis], parts: Sequence[Sequence[int]], looks: Sequence[Look], maps: Mapping[str, tuple[int, ...]]
) -> Integers:
    """The distinct images in a tile; one that lies wholly inside the mask is not gone through point by point."""
    inside = _inside(axes, parts, looks) if _is_plain(looks) else None
    if inside is None:
        return _enumerated(axes, parts, looks, maps)
    key = np.zeros(1 if inside else 0, dtype=np.int64)
    for axis, part in zip(axes, parts, strict=True):
        images = np.unique(axis.fold.apply(axis.within(part)))
        key = (key[:, None] * axis.fold.places(axis.size) + images).ravel()
    return key


def _parted(axes: Sequence[Axis], place: Sequence[int]) -> list[Sequence[int]]:
    """The pinned digits of each coordinate."""
    found, at = [], 0
    for axis in axes:
        found.append(place[at : at + len(axis.pinned)])
        at += len(axis.pinned)
    return found


def _inside(axes: Sequence[Axis], parts: Sequence[Sequence[int]], looks: Sequence[Look]) -> bool | None:
    """Whether the points of a tile exist: all, none, or (None) some, as far as intervals can tell."""
    ranges = {}
    for axis, part in zip(axes, parts, strict=True):
        values = axis.within(part)
        if not len(values):
            return False
        ranges[axis.name] = int(values[0]), int(values[-1])
    return Values({}).decide(looks[0].present, ranges)


def _enumerated(
    axes: Sequence[Axis], parts: Sequence[Sequence[int]], looks: Sequence[Look], maps: Mapping[str, tuple[int, ...]]
) -> Integers:
    """The distinct images of a tile, point by point; an access without a coordinate of the others stands at 0 of it."""
    within = {axis.name: axis.within(part) for axis, part in zip(axes, parts, strict=True)}
    found = [
        _images([a for a in axes if a.name in look.own], axes, within, look, maps)
        for look in looks
        if all(axis.name in look.own or 0 in within[axis.name] for axis in axes)
    ]
    images: Integers = np.unique(np.concatenate([*found, np.zeros(0, dtype=np.int64)]))
    return images


def _images(
    own: Sequence[Axis],
    axes: Sequence[Axis],
    within: Mapping[str, Integers],
    look: Look,
    maps: Mapping[str, tuple[int, ...]],
) -> Integers:
    """The images of the points of a tile that exist, one integer each."""
    shape = [len(within[axis.name]) for axis in own]
    if prod(shape) > MOST_POINTS:
        raise AccelsimError(f"a tile of {prod(shape)} points over {_listed(own)} is too large to be enumerated")
    grid = dict(zip((axis.name for axis in own), np.ix_(*(within[axis.name] for axis in own)), strict=True))
    key, inside = np.zeros(shape, dtype=np.int64), np.ones(shape, dtype=np.bool_)
    if look.present is not None:
        inside &= flags_of(look.present, grid, maps)
    for axis in axes:
        key = key * axis.fold.places(axis.size) + (axis.fold.apply(grid[axis.name]) if axis in own else 0)
    for index, size in look.places:
        place, kept = placed_at(evaluated(index.expr, grid, maps), index.edge, size)
        key, inside = key * size + place, inside & kept
    found: Integers = np.unique(key[inside])
    return found


def _listed(axes: Sequence[Axis]) -> str:
    return ", ".join(f"{axis.name} ({axis.size})" for axis in axes)
