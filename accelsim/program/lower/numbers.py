"""Numbers by iteration as the expressions of a program: constants, ragged ends, conditions, and tables for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.affine import NEVER
from accelsim.einsum.ast import And, Coordinate, Index, IndexExpr, IndexOp, Int, Lookup, Predicate
from accelsim.errors import AccelsimError, Mark
from accelsim.memory.bursts import Run
from accelsim.program.lower.conditions import condition_of
from accelsim.program.lower.shares import Share, aligned
from accelsim.program.model import Places, Table

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
HERE = Mark("program", 1, 1)
MOST_ENTRIES = 1 << 23


@dataclass(frozen=True)
class Amount:
    """A number in every iteration of a nest: it does not exist where `present` is false.

    `share` keeps what changes: the loops along which it does, and the values.
    """

    expr: IndexExpr
    present: Predicate | None
    share: Share

    @property
    def largest(self) -> int:
        return int(self.share.values.max(initial=0))


@dataclass
class Tables:
    """The tables of a program while it is built; equal tables are one.

    `grains`: by channel the bytes of which all that moves on it is a multiple.
    """

    found: dict[tuple[tuple[int, ...], bytes], Table] = field(default_factory=dict)
    places: dict[tuple[tuple[int, ...], tuple[tuple[Run, ...], ...]], Places] = field(default_factory=dict)
    grains: dict[str, int] = field(default_factory=dict)

    def entry(self, share: Share) -> IndexExpr:
        """The value at the coordinates of an iteration."""
        key = share.values.shape, share.values.tobytes()
        if key not in self.found:
            values = tuple(share.values.ravel().tolist())
            self.found[key] = Table(f"T{len(self.found)}", share.values.shape, values)
        indices = tuple(Index(Coordinate(loop), None, HERE) for loop in share.loops)
        return Lookup(self.found[key].name, indices, HERE)

    def placed(self, shape: tuple[int, ...], tiles: tuple[tuple[Run, ...], ...]) -> str:
        """The name of the places of tiles in a DRAM."""
        name = f"P{len(self.places)}"
        return self.places.setdefault((shape, tiles), Places(name, shape, tiles)).name


def amount(tables: Tables, nest: Existing, shares: Sequence[Share], scale: Fraction = Fraction(1)) -> Amount:
    """The product of `shares` times `scale`, rounded up, where it is not 0."""
    factors = list(shares) if scale.denominator == 1 else [total(shares, nest.loops)]
    found = [_factor(tables, nest, share, Fraction(1) if at else scale) for at, share in enumerate(factors)]
    numbers = [item.expr for item in found if item.expr != Int(1)]
    whole = prod(expr.value for expr in numbers if isinstance(expr, Int))
    changing = [expr for expr in numbers if not isinstance(expr, Int)]
    return Amount(
        _times(whole, changing),
        conjunction_of(item.present for item in found),
        total([item.share for item in found], nest.loops),
    )


def tile_total(share: Share, parts: Sequence[str], extents: Mapping[str, int]) -> int:
    """The most that the iterations of the loops `parts` add up to."""
    axes = tuple(at for at, loop in enumerate(share.loops) if loop in parts)
    others = prod(extents[loop] for loop in parts if loop not in share.loops)
    return int(share.values.sum(axis=axes).max()) * others


def conjunction_of(parts: Iterable[Predicate | None]) -> Predicate | None:
    """All of several conditions, None being none."""
    said = tuple(dict.fromkeys(part for part in parts if part is not None))
    return And(said) if len(said) > 1 else next(iter(said), None)


def _factor(tables: Tables, nest: Existing, share: Share, scale: Fraction) -> Amount:
    there = nest.exists(share.loops)
    values = -(-share.values * scale.numerator // scale.denominator)
    positive = np.logical_and(there, values > 0)
    values = np.where(positive, values, 0)
    present: Predicate | None = None
    if not positive[there].all():
        flags = _condensed(Share(share.loops, positive.astype(np.int64)), there)[0]
        present = condition_of(flags, tables.entry) if flags.loops else NEVER
    kept, inside = _condensed(Share(share.loops, values), positive)
    return Amount(_expression(tables, kept, inside), present, kept)


def total(shares: Sequence[Share], loops: Sequence[str]) -> Share:
    """The product of factors over the loops that any of them has, in the order of `loops`."""
    used = tuple(loop for loop in loops if any(loop in share.loops for share in shares))
    found = [aligned(_plain(share), used) for share in shares]
    entries = int(np.prod(np.broadcast_shapes(*(a.shape for a in found)), dtype=object)) if found else 1
    if entries > MOST_ENTRIES:
        raise AccelsimError(f"a number that changes along {', '.join(used)} needs a table of {entries} entries")
    return _plain(Share(used, reduce(np.multiply, found, np.ones((1,) * len(used), dtype=np.int64))))


def less(shares: Sequence[Share], others: Sequence[Share], loops: Sequence[str]) -> Share:
    """One product less another, over the loops that either of them has."""
    pair = total(shares, loops), total(others, loops)
    used = tuple(loop for loop in loops if any(loop in share.loops for share in pair))
    return _plain(Share(used, aligned(pair[0], used) - aligned(pair[1], used)))


def _plain(share: Share) -> Share:
    """Without the loops along which nothing changes."""
    return _condensed(share, np.ones(share.values.shape, dtype=np.bool_))[0]


def _condensed(share: Share, there: Flags) -> tuple[Share, Flags]:
    """The share without the axes along which no entry that is there changes."""
    loops, values = list(share.loops), share.values
    least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    for axis in reversed(range(len(loops))):
        high = np.where(there, values, least).max(axis=axis, initial=least)
        low = np.where(there, values, most).min(axis=axis, initial=most)
        if ((high == low) | (high < low)).all():
            there = np.any(there, axis=axis)
            values = np.where(there, high, 0)
            del loops[axis]
    return Share(tuple(loops), values), there


def _expression(tables: Tables, share: Share, there: Flags) -> IndexExpr:
    """A constant, a constant with another at the very last iteration, or a table."""
    if not share.loops:
        return Int(int(share.values) if there.all() else 1)
    places = np.argwhere(there)
    last, first = tuple(places[-1].tolist()), tuple(places[0].tolist())
    usual, rest = int(share.values[first]), int(share.values[first] - share.values[last])
    digits = np.indices(there.shape)
    at_end = reduce(np.multiply, [digit // at for digit, at in zip(digits, last, strict=True) if at])
    if rest < 0 or (share.values[there] != usual - rest * at_end[there]).any():
        return tables.entry(share)
    ends: list[IndexExpr] = [
        IndexOp("//", Coordinate(loop), Int(at)) for loop, at in zip(share.loops, last, strict=True) if at
    ]
    return IndexOp("-", Int(usual), _times(rest, ends))


def _times(number: int, factors: Sequence[IndexExpr]) -> IndexExpr:
    whole: list[IndexExpr] = [Int(number)] if number != 1 or not factors else []
    return reduce(lambda left, right: IndexOp("*", left, right), [*whole, *factors])


@dataclass(frozen=True)
class Existing:
    """The loops of a nest, outer first: how many iterations each has at most, and how many by the loops outside it."""

    loops: tuple[str, ...]
    extents: Mapping[str, int]
    lengths: Mapping[str, Share]

    def exists(self, loops: Sequence[str]) -> Flags:
        """Which digits of `loops` are iterations, as far as these loops tell."""
        found = np.ones([self.extents[loop] for loop in loops], dtype=np.bool_)
        for at, loop in enumerate(loops):
            limit = self.lengths[loop]
            if all(other in loops for other in limit.loops):
                digit = np.arange(self.extents[loop]).reshape([-1 if i == at else 1 for i in range(len(loops))])
                found = np.logical_and(found, digit < aligned(limit, loops))
        return found
