"""How far attention in fixed point is from attention in double precision: one metric, over families and lengths."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.golden.attention import AttentionUnit, attend
from accelsim.golden.attention_formats import AttentionFormats
from accelsim.golden.fixed import Scale, scale_of
from accelsim.golden.inputs import FAMILIES, Floats, Sample, Sizes, sample

LONGEST = 2**18
MOST_ROWS = 2**10
DEPTH = 64
MOST_ELEMENTS = LONGEST * DEPTH
ROWS = 16
TILE = 64


@dataclass(frozen=True)
class Row:
    """The error over one family at one length.

    Attributes:
        error: max over rows of ||o - ref||2 / ||ref||2, `ref` being attention of the
            integer inputs in double precision.
        peak: max |o - ref| / max |V|.
        input_error: the same as `error` of `ref` itself, against attention of the inputs before they were made 8 bits;
            None where a family is made of integers.
    """

    family: str
    length: int
    error: float
    peak: float
    input_error: float | None


def accuracy(
    formats: AttentionFormats,
    lengths: Iterable[int],
    families: Iterable[str] = tuple(FAMILIES),
    seed: int = 0,
    *,
    tile: int | None = TILE,
) -> tuple[Row, ...]:
    """The errors of 16 queries of 64 elements for each family at each length, in this order.

    Args:
        tile: keys per tile; None is the unit that takes one key per cycle.

    Raises:
        AccelsimError: an unknown family, a length beyond 2^18, or formats that could overflow at a length.
    """
    units = [AttentionUnit(DEPTH, _length(length), tile, formats) for length in lengths]
    return tuple(measure(unit, family, seed) for family in families for unit in units)


def measure(unit: AttentionUnit, family: str, seed: int = 0, rows: int = ROWS) -> Row:
    """The error of a unit with as many keys as it is built for. Raises as `accuracy`, and where it would need GiBs."""
    if not 1 <= rows <= MOST_ROWS:
        raise AccelsimError(f"rows must be from 1 to {MOST_ROWS}, not {rows}")
    if unit.depth * unit.length > MOST_ELEMENTS:
        raise AccelsimError(f"depth times length must be at most {MOST_ELEMENTS}, not {unit.depth * unit.length}")
    inputs = sample(family, Sizes(rows, _length(unit.length), unit.depth), seed)
    found = attended(unit, inputs)
    expected = exact(inputs)
    largest = float(np.abs(inputs.v).max()) * inputs.value_step
    peak = float(np.abs(found - expected).max()) / largest
    return Row(family, unit.length, relative_error(found, expected), peak, _input_error(inputs, expected))


def attended(unit: AttentionUnit, inputs: Sample) -> Floats:
    """What a unit gives for a sample, as values [rows, columns]."""
    output = attend(unit, inputs.q, inputs.k, inputs.v, score_scale(unit.formats, inputs.score_step)).output
    values: Floats = output.astype(np.float64) * (2.0**-unit.formats.output.fraction * inputs.value_step)
    return values


def score_scale(formats: AttentionFormats, score_step: float) -> Scale:
    """The scale from Q x K to codes of scores, one unit of Q x K being `score_step` of a score."""
    return scale_of(Fraction(score_step) * 2**formats.scores.fraction)


def exact(inputs: Sample) -> Floats:
    """Attention of the integer inputs in double precision."""
    scores = inputs.q.astype(np.float64) @ inputs.k.astype(np.float64).T * inputs.score_step
    return softmax_attention(scores, inputs.v.astype(np.float64) * inputs.value_step)


def softmax_attention(scores: Floats, v: Floats) -> Floats:
    """Softmax of scores [rows, keys] times values [keys, columns]."""
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = weights @ v / weights.sum(axis=1, keepdims=True)
    return result


def relative_error(found: Floats, expected: Floats) -> float:
    """max over rows of ||found - expected||2 / ||expected||2, infinite where a row of zeros is missed."""
    off, size = np.linalg.norm(found - expected, axis=1), np.linalg.norm(expected, axis=1)
    ratios = np.divide(off, size, out=np.where(off > 0, np.inf, 0.0), where=size > 0)
    return float(ratios.max())


def _input_error(inputs: Sample, expected: Floats) -> float | None:
    if inputs.floats is None:
        return None
    q, k, v = inputs.floats
    return relative_error(expected, softmax_attention(q @ k.T / math.sqrt(q.shape[1]), v))


def _length(length: int) -> int:
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= LONGEST:
        raise AccelsimError(f"length must be an integer from 1 to {LONGEST}, not {length!r}")
    return length
