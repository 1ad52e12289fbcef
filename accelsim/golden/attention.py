"""Attention in hardware: Q x K, scale, online softmax, P x V, division, over tiles of keys or one key per cycle.

How hardware computes it, every number an integer code (`AttentionFormats`); steps of softmax as in `softmax`:

- score = Q x K (exact) times the scale, rounded once, saturated.
- With tiles of keys: P against the maximum of its tile; P x V and the sum of P over a tile are exact, moved up by the
  guard bits, multiplied by `new` and rounded; sums so far are multiplied by `old` and rounded; the two are added.
- With one key per cycle: M is the running maximum with this key; sums so far are multiplied by exp(M - M before) and
  rounded; P = exp(M - score), and P x V and P, moved up by the guard bits, are added. Where the maximum stays the
  factor is exactly 1, so sums are rounded only when it grows. A masked key changes nothing.
- output = accumulator / denominator, rounded once, saturated; 0 and a flag for a row without a valid key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.golden.attention_formats import TILED, AttentionFormats, check_accumulator, check_denominator
from accelsim.golden.fixed import (
    Codes,
    Flags,
    Scale,
    check_codes,
    check_sum,
    divide,
    requantise,
    rescale,
    saturate,
)
from accelsim.golden.softmax import (
    MOST_TILE,
    Rows,
    check_at_most,
    check_size,
    check_valid,
    factor,
    in_tiles,
    no_keys,
    probabilities,
    running_maximum,
    tile_softmax,
)

CHUNK = 2**18  # scores at once: a few MiB of temporaries


@dataclass(frozen=True)
class AttentionUnit:
    """The unit: elements of a query and a key, the longest row of keys, keys per tile, formats.

    Without a `tile` it takes one key per cycle, for which the formats `KEYED` are meant.

    Raises:
        AccelsimError: sizes out of range; a score, a tile's sum, a denominator or an accumulator that could overflow.
    """

    depth: int
    length: int
    tile: int | None = None
    formats: AttentionFormats = TILED

    def __post_init__(self) -> None:
        check_size("depth", self.depth)
        check_size("length", self.length)
        formats, v = self.formats, self.formats.v
        products = [q * k for q in (formats.q.lowest, formats.q.highest) for k in (formats.k.lowest, formats.k.highest)]
        check_sum(f"Q x K of depth {self.depth}", self.depth * min(products), self.depth * max(products), formats.array)
        if self.tile is not None:
            check_size("tile", self.tile, MOST_TILE)
            most = self.tile * formats.largest_p
            check_sum(f"P x V over a tile of {self.tile} keys", most * v.lowest, most * v.highest, formats.array)
        check_denominator(formats, self.length)
        check_accumulator(formats, self.length)


@dataclass(frozen=True)
class Attention:
    """What the unit gives: `output` [rows, columns of V] in its format, and which rows had no valid key, [rows].

    `denominator` [rows] and `accumulator` [rows, columns of V] are what was divided.
    """

    output: Codes
    empty: Flags
    denominator: Codes
    accumulator: Codes


@dataclass(frozen=True)
class _Job:
    """Checked inputs; V has a column of ones behind its own, so that the denominator is one more sum."""

    q: Codes
    k: Codes
    v: Codes
    scale: Scale
    valid: Flags


@dataclass(frozen=True)
class _Sums:
    """What a row carries: its maximum, and sums [rows, columns of V + 1], the denominator last."""

    rows: Rows
    sums: Codes


def attend(
    unit: AttentionUnit, q: ArrayLike, k: ArrayLike, v: ArrayLike, scale: Scale, valid: ArrayLike | None = None
) -> Attention:
    """Attention of queries [rows, depth] over keys [keys, depth] and values [keys, columns].

    Args:
        scale: what Q x K is multiplied by to give codes of a score.
        valid: [rows, keys], whether a query sees a key; all where it is not given.

    Raises:
        AccelsimError: arrays of other shapes, codes outside their formats, or more keys than the unit is built for.
    """
    job = _checked(unit, q, k, v, scale, valid)
    formats = unit.formats
    found = _Sums(no_keys(formats, len(job.q)), np.zeros((len(job.q), job.v.shape[1]), dtype=np.int64))
    for keys in _chunks(unit, job):
        scores = requantise(job.q @ job.k[keys].T, scale, formats.scores)
        found = _add(unit, found, scores, job.valid[:, keys], job.v[keys])
    started = found.rows.started
    denominator, accumulator = found.sums[:, -1], found.sums[:, :-1]
    quotient = divide(accumulator, np.where(started, denominator, 1)[:, None], formats.output.fraction)
    return Attention(saturate(quotient, formats.output), ~started, denominator, accumulator)


def _checked(
    unit: AttentionUnit, q: ArrayLike, k: ArrayLike, v: ArrayLike, scale: Scale, valid: ArrayLike | None
) -> _Job:
    formats = unit.formats
    queries, keys = check_codes("q", q, formats.q, 2), check_codes("k", k, formats.k, 2)
    values = check_codes("v", v, formats.v, 2)
    for name, array in (("q", queries), ("k", keys)):
        if array.shape[1] != unit.depth:
            raise AccelsimError(f"{name} must have {unit.depth} columns, not shape {list(array.shape)}")
    if len(values) != len(keys):
        raise AccelsimError(f"v must have {len(keys)} rows as k has, not shape {list(values.shape)}")
    check_at_most("keys", len(keys), unit.length)
    flags = check_valid(valid, (len(queries), len(keys)))
    ones = np.ones((len(values), 1), dtype=np.int64)
    return _Job(queries, keys, np.hstack([values, ones]), scale, flags)


def _chunks(unit: AttentionUnit, job: _Job) -> Iterator[slice]:
    """Whole tiles of keys, few enough that the scores of all rows are a small array."""
    tile = unit.tile or 1
    keys = tile * max(1, CHUNK // (max(1, len(job.q)) * tile))
    return (slice(at, at + keys) for at in range(0, len(job.k), keys))


def _add(unit: AttentionUnit, so_far: _Sums, scores: Codes, valid: Flags, v: Codes) -> _Sums:
    if unit.tile is None:
        return _add_keys(unit.formats, so_far, scores, valid, v)
    return _add_tiles(unit.formats, unit.tile, so_far, scores, valid, v)


def _add_tiles(formats: AttentionFormats, tile: int, so_far: _Sums, scores: Codes, valid: Flags, v: Codes) -> _Sums:
    tiles = tile_softmax(formats, so_far.rows, *in_tiles(scores, valid, tile))
    values = np.pad(v, ((0, -len(v) % tile), (0, 0))).reshape(-1, tile, v.shape[1])
    products = tiles.p.transpose(1, 0, 2) @ values  # [tiles, rows, columns]
    fraction = formats.factors.fraction
    added = rescale(products << formats.guard, tiles.new.T[:, :, None], fraction)
    sums = so_far.sums
    for old, more in zip(tiles.old.T, added, strict=True):
        sums = rescale(sums, old[:, None], fraction) + more
    return _Sums(tiles.running.rows, sums)


def _add_keys(formats: AttentionFormats, so_far: _Sums, scores: Codes, valid: Flags, v: Codes) -> _Sums:
    """Key by key; keys at which no row's maximum grows multiply by 1, so they are added together exactly."""
    running = running_maximum(formats, so_far.rows, scores, valid)
    p = probabilities(formats, running.after - scores, valid) << formats.guard
    old = factor(formats, running.after - running.before, running.started)
    grown = np.flatnonzero((old != formats.one).any(axis=0))
    starts = np.union1d([0], grown)
    sums = so_far.sums
    for start, end in zip(starts, [*starts[1:], len(v)], strict=True):
        keys = slice(start, end)
        sums = rescale(sums, old[:, start, None], formats.factors.fraction) + p[:, keys] @ v[keys]
    return _Sums(running.rows, sums)
