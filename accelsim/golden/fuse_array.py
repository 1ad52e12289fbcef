"""A tile of attention on an array whose elements do MACs, maxima and exp themselves: every bit.

An element keeps the score of one key and one query. All numbers are integer codes:

1. QK: score = sum of Q x K over E, exactly, in 32 bits. Q is folded with the scale of the scores (`folded`), so that a
   shift by `shift` bits is all that lies between a score and the source of exp.
2. LM: the maximum of a query's scores over the keys of the tile.
3. SLN: SUB, the score less the maximum, shifted, rounded half up and saturated to the 16-bit source; then the six steps
   of `horner`. A difference is rounded once, and where it saturates its exp is below half a step of P: scores of any
   size do no harm.
4. SLD: the sum of P over the keys, exactly; SLNV: the sum of P x V, exactly. Both have 15 bits behind the point of P.

Running maxima, factors and the division over tiles belong to a vector unit. Source of the steps: FuseMax (MICRO 2024,
arXiv 2406.10491), cascade 5; there SLN is against the running maximum, here against that of the tile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes, check_codes, check_sum, round_half_up, saturate
from accelsim.golden.horner import OPERAND, SOURCE, HornerExp, horner_exponential

ACCUMULATOR = FixedFormat(32)
MOST_SHIFT = 31


@dataclass(frozen=True)
class FuseUnit:
    """The array: keys of a tile, bits of elements of Q and of K and V, the largest E, the source of exp.

    Raises:
        AccelsimError: no operand of 16 bits, a sum that could overflow 32 bits, or a source too short for scores.
    """

    rows: int
    query: int = 16
    key: int = 8
    length: int = 256
    source: FixedFormat = SOURCE

    def __post_init__(self) -> None:
        for name, least, most in (("rows", 1, 2**16), ("query", 2, 16), ("key", 2, 16), ("length", 1, 2**30)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise AccelsimError(f"{name} must be an integer from {least} to {most}, not {value!r}")
        if horner_exponential(HornerExp(self.source), self.source.lowest):
            raise AccelsimError(
                f"the source must reach down to where exp is 0, such as {SOURCE}, not {self.source}: "
                f"scores further below the maximum saturate"
            )
        largest = 1 << (self.query + self.key - 2)
        check_sum(f"a score of {self.length} products", -self.length * largest, self.length * largest, ACCUMULATOR)
        total = self.rows * OPERAND.highest << (self.key - 1)
        check_sum(f"P x V over {self.rows} keys", -total, total, ACCUMULATOR)


@dataclass(frozen=True)
class KeyTile:
    """What a tile gives for its queries: codes of P [queries, keys], maximum and sum [queries], P x V [queries, F]."""

    p: Codes
    maximum: Codes
    total: Codes
    pv: Codes


@dataclass(frozen=True)
class Operands:
    """Codes of a tile: Q [queries, E], K [keys, E], V [keys, F], and how far scores are shifted."""

    queries: ArrayLike
    keys: ArrayLike
    values: ArrayLike
    shift: int


def key_tile(unit: FuseUnit, operands: Operands) -> KeyTile:
    """One tile of keys.

    Raises:
        AccelsimError: operands of other shapes or beyond their widths, more keys than rows, or a shift beyond 31.
    """
    q, k, v = _checked(unit, operands)
    scores = q @ k.T
    maximum = scores.max(axis=1)
    p = horner_exponential(HornerExp(unit.source), differences(unit, scores, operands.shift))
    return KeyTile(p, maximum, p.sum(axis=1), p @ v)


def differences(unit: FuseUnit, scores: Codes, shift: int) -> Codes:
    """SUB: what exp is taken of, from the scores [queries, keys] of a tile."""
    return saturate(round_half_up(scores - scores.max(axis=1, keepdims=True), shift), unit.source)


def folded(unit: FuseUnit, queries: ArrayLike, scale: float) -> tuple[Codes, int]:
    """Queries times the scale of the scores, and the shift: score x 2^-shift is then a code of the source of exp.

    The shift is the largest, 31 at most, with which all fit; products are rounded half up in double precision.

    Raises:
        AccelsimError: a scale that is not above 0 or with which even a shift of 0 makes them too large.
    """
    q, form = np.asarray(queries, np.int64), FixedFormat(unit.query)
    largest = max(1, int(np.abs(q).max()))
    if not 0 < scale * largest * 2.0**unit.source.fraction < form.highest:
        raise AccelsimError(f"the scale of scores must be above 0 and make queries fit {form}, not {scale:g}")
    factor = scale * 2.0**unit.source.fraction
    shift = max(s for s in range(MOST_SHIFT + 1) if factor * largest * 2.0**s < form.highest)
    return np.floor(q * (factor * 2.0**shift) + 0.5).astype(np.int64), shift


def _checked(unit: FuseUnit, operands: Operands) -> tuple[Codes, Codes, Codes]:
    q = check_codes("queries", operands.queries, FixedFormat(unit.query), 2)
    k = check_codes("keys", operands.keys, FixedFormat(unit.key), 2)
    v = check_codes("values", operands.values, FixedFormat(unit.key), 2)
    if not (1 <= q.shape[1] == k.shape[1] <= unit.length):
        raise AccelsimError(
            f"queries {list(q.shape)} and keys {list(k.shape)} must share an E from 1 to {unit.length}: "
            f"a longer sum could overflow"
        )
    if not (1 <= len(k) == len(v) <= unit.rows):
        raise AccelsimError(f"keys and values must be as many, from 1 to {unit.rows}, not {len(k)} and {len(v)}")
    if not 0 <= operands.shift <= MOST_SHIFT:
        raise AccelsimError(f"the shift of scores must be from 0 to {MOST_SHIFT}, not {operands.shift}")
    return q, k, v
