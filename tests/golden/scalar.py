"""A second way to every bit: one number at a time, in Python's integers and fractions, constants from integer roots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import floor, isqrt

from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import AttentionFormats

HALF = Fraction(1, 2)


def rounded(value: Fraction) -> int:
    return floor(value + HALF)


def clipped(code: int, target: FixedFormat) -> int:
    return max(target.lowest, min(target.highest, code))


@cache
def ln2(terms: int = 200) -> Fraction:
    """The sum of 1 / (k 2^k)."""
    return sum((Fraction(1, k << k) for k in range(1, terms)), Fraction(0))


@cache
def root_code(index: int, segments: int, bits: int) -> int:
    """2^(-index/segments) with `bits` behind the point: nested square roots of a power of two, which floor exactly."""
    value = 1 << ((bits + 1) * segments - index)
    for _ in range(segments.bit_length() - 1):
        value = isqrt(value)
    return (value + 1) >> 1


@cache
def exp_code(x: int, source: FixedFormat, target: FixedFormat, segments: int) -> int:
    """exp(-x) as the exp unit's description says it, in fractions."""
    w = target.fraction + 2
    factor = rounded(2**w / ln2())
    phase = Fraction(rounded(Fraction(x * factor, 1 << source.fraction)), 1 << w)
    octave, f = floor(phase), phase - floor(phase)
    segment = floor(f * segments)
    start, end = root_code(segment, segments, w), root_code(segment + 1, segments, w)
    mantissa = start - rounded((start - end) * (f * segments - segment))
    return clipped(rounded(Fraction(mantissa, 1 << (octave + 2))), target)


@dataclass
class State:
    """What a row carries: a maximum once there is one, and the sums of P x V and of P."""

    maximum: int | None
    sums: list[int]


def p_code(formats: AttentionFormats, below: int) -> int:
    difference = FixedFormat(formats.scores.width, formats.scores.fraction, signed=False)
    return exp_code(below, difference, formats.p, formats.segments)


def factor_code(formats: AttentionFormats, below: int) -> int:
    difference = FixedFormat(formats.scores.width, formats.scores.fraction, signed=False)
    return exp_code(below, difference, formats.factors, formats.segments)


def times(formats: AttentionFormats, code: int, factor: int) -> int:
    return rounded(Fraction(code * factor, 1 << formats.factors.fraction))


def add_tile(formats: AttentionFormats, state: State, keys: Sequence[tuple[int, Sequence[int]]]) -> tuple[int, int]:
    """A tile of (score, values and 1) of valid keys; the factors of what was before and of the tile."""
    if not keys:
        return formats.one, formats.one
    own = max(score for score, _ in keys)
    after = own if state.maximum is None else max(own, state.maximum)
    old = formats.one if state.maximum is None else factor_code(formats, after - state.maximum)
    new = factor_code(formats, after - own)
    weights = [p_code(formats, own - score) for score, _ in keys]
    for column in range(len(state.sums)):
        total = sum(p * values[column] for p, (_, values) in zip(weights, keys, strict=True))
        moved = total << (formats.accumulator.fraction - formats.p.fraction)
        state.sums[column] = times(formats, state.sums[column], old) + times(formats, moved, new)
    state.maximum = after
    return old, new


def add_key(formats: AttentionFormats, state: State, score: int, values: Sequence[int]) -> None:
    after = score if state.maximum is None else max(score, state.maximum)
    old = formats.one if state.maximum is None else factor_code(formats, after - state.maximum)
    p = p_code(formats, after - score) << (formats.accumulator.fraction - formats.p.fraction)
    state.sums = [times(formats, s, old) + p * value for s, value in zip(state.sums, values, strict=True)]
    state.maximum = after


def attention_row(
    formats: AttentionFormats,
    tile: int | None,
    scores: Sequence[int],
    v: Sequence[Sequence[int]],
    valid: Sequence[bool],
) -> list[int]:
    """The output codes of one row, 0 where no key is valid."""
    state = State(None, [0] * (len(v[0]) + 1))
    keys = [(score, [*values, 1], ok) for score, values, ok in zip(scores, v, valid, strict=True)]
    for at in range(0, len(keys), tile or 1):
        seen = [(score, values) for score, values, ok in keys[at : at + (tile or 1)] if ok]
        if tile is not None:
            add_tile(formats, state, seen)
        elif seen:
            add_key(formats, state, *seen[0])
    if state.maximum is None:
        return [0] * len(v[0])
    *sums, denominator = state.sums
    return [clipped(rounded(Fraction(s << formats.output.fraction, denominator)), formats.output) for s in sums]
