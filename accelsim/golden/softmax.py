"""The vector unit with online softmax: a row of scores, tile by tile, with one running maximum and denominator.

How hardware computes a row, every number an integer code (`AttentionFormats`):

1. A tile's maximum m is that of its valid scores. P = exp(m - score) of each valid key, 0 of a masked one. A tile
   without a valid key has no maximum and changes nothing: its P are 0 and both of its factors 1.
2. The running maximum M becomes max(M, m). Sums so far are multiplied by `old` = exp(M after - M before) and rounded;
   sums over the tile, moved up by the guard bits, by `new` = exp(M after - m). One of the two is always exactly 1,
   so one multiplier is enough and there is one rounding. Before the first valid key `old` is 1: the sums are 0.
3. At the end sums are divided by the denominator. Of a row without any valid key every output is 0 and `empty` is set.

Each maximum has a valid bit; codes of masked scores mean nothing. A tile of one key, or of one beat of lanes, is the
unit that stores no scores. Lanes share no rounding, so how many there are changes no bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.golden.attention_formats import TILED, AttentionFormats, check_denominator
from accelsim.golden.exp import exponential
from accelsim.golden.fixed import Codes, Flags, check_codes, divide, rescale, saturate

MOST_KEYS = 2**31
MOST_TILE = 2**16  # a row is filled up to whole tiles


@dataclass(frozen=True)
class Rows:
    """What rows carry from tile to tile: the running maximum, and whether there has been a valid key. Both [rows]."""

    maximum: Codes
    started: Flags


@dataclass(frozen=True)
class Running:
    """The running maximum before and after each tile, and whether a valid key came before it: [rows, tiles] each."""

    before: Codes
    after: Codes
    started: Flags
    rows: Rows


@dataclass(frozen=True)
class Tiles:
    """P of tiles [rows, tiles, tile]; both factors, maxima (running and `own`), and `some` valid key [rows, tiles]."""

    p: Codes
    old: Codes
    new: Codes
    running: Running
    own: Codes
    some: Flags


@dataclass(frozen=True)
class SoftmaxUnit:
    """The unit: the longest row, keys per tile, keys per beat, formats.

    Raises:
        AccelsimError: sizes out of range, a tile that is not made of whole beats, or a denominator that could overflow.
    """

    length: int
    tile: int
    lanes: int = 1
    formats: AttentionFormats = TILED

    def __post_init__(self) -> None:
        check_size("length", self.length)
        check_size("tile", self.tile, MOST_TILE)
        check_size("lanes", self.lanes, MOST_TILE)
        if self.tile % self.lanes:
            raise AccelsimError(f"tile must be a multiple of the {self.lanes} lanes, not {self.tile}")
        check_denominator(self.formats, self.length)


@dataclass(frozen=True)
class Softmax:
    """What the unit gives for rows of scores.

    Attributes:
        p: P against the maximum of its tile [rows, tiles, tile], 0 past the last key.
        old, new: factors of each tile [rows, tiles].
        denominator: as it is after each tile [rows, tiles].
        output: P / denominator, both against the last maximum [rows, keys], in the format `output`.
        empty: rows without a valid key [rows].
    """

    p: Codes
    old: Codes
    new: Codes
    denominator: Codes
    output: Codes
    empty: Flags


def softmax(unit: SoftmaxUnit, scores: ArrayLike, valid: ArrayLike | None = None) -> Softmax:
    """Softmax of each row of `scores` [rows, keys] over its valid keys, all where `valid` [rows, keys] is not given.

    For the output, P of a tile is multiplied by exp(last maximum - its own) at the precision of the sums, rounded, and
    divided by the denominator.

    Raises:
        AccelsimError: arrays of other shapes, codes outside the format, or rows longer than the unit is built for.
    """
    formats = unit.formats
    codes = check_codes("scores", scores, formats.scores, 2)
    flags = check_valid(valid, codes.shape)
    check_at_most("keys", codes.shape[1], unit.length)
    tiles = tile_softmax(formats, no_keys(formats, len(codes)), *in_tiles(codes, flags, unit.tile))
    weighted = tiles.p << formats.guard
    denominator = _denominators(formats, tiles, weighted.sum(axis=2))
    started = tiles.running.rows.started
    last = factor(formats, tiles.running.rows.maximum[:, None] - tiles.own, tiles.some)
    final = rescale(weighted, last[:, :, None], formats.factors.fraction)
    total = np.where(started, denominator[:, -1], 1)
    output = saturate(divide(final, total[:, None, None], formats.output.fraction), formats.output)
    shown = output.reshape(len(codes), -1)[:, : codes.shape[1]]
    return Softmax(tiles.p, tiles.old, tiles.new, denominator, shown, ~started)


def tile_softmax(formats: AttentionFormats, rows: Rows, scores: Codes, valid: Flags) -> Tiles:
    """Steps 1 and 2 for `scores` and `valid` [rows, tiles, tile], going on from `rows`."""
    some: Flags = np.any(valid, axis=2)
    own = np.where(valid, scores, formats.scores.lowest).max(axis=2)
    running = running_maximum(formats, rows, own, some)
    p = probabilities(formats, own[:, :, None] - scores, valid)
    old = factor(formats, running.after - running.before, running.started)
    new = factor(formats, running.after - own, some)
    return Tiles(p, old, new, running, own, some)


def running_maximum(formats: AttentionFormats, rows: Rows, maxima: Codes, some: Flags) -> Running:
    """The running maximum over tiles; where there is none (not `some`) the lowest code is neutral."""
    start = np.where(rows.started, rows.maximum, formats.scores.lowest)
    each = np.hstack([start[:, None], np.where(some, maxima, formats.scores.lowest)])
    running = np.maximum.accumulate(each, axis=1)
    started = np.logical_or.accumulate(np.hstack([rows.started[:, None], some]), axis=1)
    return Running(running[:, :-1], running[:, 1:], started[:, :-1], Rows(running[:, -1], started[:, -1]))


def probabilities(formats: AttentionFormats, below: Codes, valid: Flags) -> Codes:
    """P of scores that are so far below a maximum; 0 where masked."""
    return np.where(valid, exponential(formats.p_unit, np.where(valid, below, 0)), 0)


def factor(formats: AttentionFormats, below: Codes, present: Flags) -> Codes:
    """The factor of a maximum that is so far below another; 1 where there is none."""
    return exponential(formats.factor_unit, np.where(present, below, 0))


def no_keys(formats: AttentionFormats, rows: int) -> Rows:
    """Rows before their first key."""
    return Rows(np.full(rows, formats.scores.lowest, dtype=np.int64), np.zeros(rows, dtype=np.bool_))


def in_tiles(scores: Codes, valid: Flags, tile: int) -> tuple[Codes, Flags]:
    """[rows, keys] as [rows, tiles, tile]; keys past the last one are masked."""
    rows, keys = scores.shape
    spare = ((0, 0), (0, -keys % tile))
    return np.pad(scores, spare).reshape(rows, -1, tile), np.pad(valid, spare).reshape(rows, -1, tile)


def causal(rows: int, keys: int, first: int = 0) -> Flags:
    """The valid bits [rows, keys] of queries that see themselves and what came before; row 0 is query `first`."""
    return np.arange(keys) <= np.arange(first, first + rows)[:, None]


def check_size(name: str, value: object, most: int = MOST_KEYS) -> None:
    """Refuse what is no integer from 1 to the most."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise AccelsimError(f"{name} must be an integer from 1 to {most}, not {value!r}")


def check_at_most(name: str, size: int, most: int) -> None:
    """Refuse an array that is empty or longer than a unit is built for."""
    if not 1 <= size <= most:
        raise AccelsimError(f"{name}: the unit is built for 1 to {most}, not {size}")


def check_valid(valid: ArrayLike | None, shape: tuple[int, ...]) -> Flags:
    """Valid bits of a shape, all set where none are given."""
    flags = np.ones(shape, dtype=np.bool_) if valid is None else np.asarray(valid)
    if flags.dtype != np.bool_ or flags.shape != shape:
        raise AccelsimError(
            f"valid must be booleans of shape {list(shape)}, not {flags.dtype} of shape {list(flags.shape)}"
        )
    return flags


def _denominators(formats: AttentionFormats, tiles: Tiles, totals: Codes) -> Codes:
    """The denominator after each tile, from sums of P over each."""
    added = rescale(totals, tiles.new, formats.factors.fraction)
    found = np.empty_like(added)
    sums: Codes = np.zeros(len(added), dtype=np.int64)
    for at in range(added.shape[1]):
        sums = rescale(sums, tiles.old[:, at], formats.factors.fraction) + added[:, at]
        found[:, at] = sums
    return found
