"""exp on a processing element of an array: six steps on one 16-bit multiplier and a 32-bit accumulator.

RANGE splits x * log2(e) into an octave and a fraction f, four HORNER steps and one HORNER_LAST evaluate a polynomial of
degree 5 for 2^-f, the last one shifting by the octave. Source of the six steps: FuseMax (MICRO 2024, arXiv 2406.10491).

The polynomial goes through 2^-f at f = 0, 1/5, 2/5, 3/5, 4/5 and 1: it is off by 2e-7 at most, exact at both ends and
so continuous from octave to octave. (The Taylor series of this degree is off by 1.4e-4.) Its coefficients are rounded
half up to 15 bits behind the point; that of degree 0 is 1, which HORNER_LAST adds by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.constants import log2_e, nearest_code, two_to
from accelsim.golden.fixed import Codes, check_codes, round_half_up, saturate

DEGREE = 5
OPERAND = FixedFormat(16, 15)
SOURCE = FixedFormat(16, 11)  # from -16, whose exp is below a step of the result
LOG2_E_BITS = 14  # log2(e) = 1.44 as a 16-bit operand
ERROR_BOUND = 1e-4


@dataclass(frozen=True)
class HornerExp:
    """exp(x) for x <= 0. `source` is the format of the 16-bit operand x; the result is `s16.15`, 1 saturated.

    Raises:
        AccelsimError: a source that is not signed, not 16 bits wide, or has no bit behind its point.
    """

    source: FixedFormat = SOURCE

    def __post_init__(self) -> None:
        if (
            not self.source.signed
            or self.source.width != OPERAND.width
            or not 1 <= self.source.fraction <= OPERAND.fraction
        ):
            raise AccelsimError(f"the source of exp on an array must be one of s16.1 to s16.15, not {self.source}")


@lru_cache(maxsize=1)
def coefficients() -> tuple[int, ...]:
    """c0 to c5 of the polynomial in powers of f, with 15 bits behind the point.

    >>> coefficients()
    (32768, -22713, 7870, -1812, 302, -31)
    """
    places = [Fraction(i, DEGREE) for i in range(DEGREE + 1)]
    return tuple(nearest_code(c, OPERAND.fraction) for c in _powers(places, _divided_differences(places)))


def _divided_differences(places: Sequence[Fraction]) -> list[Fraction]:
    """Newton's coefficients of the polynomial through 2^-f at the places."""
    row, found = [two_to(-place) for place in places], []
    for distance in range(1, len(places) + 1):
        found.append(row[0])
        steps = zip(pairwise(row), places, places[distance:], strict=False)
        row = [(right - left) / (end - start) for (left, right), start, end in steps]
    return found


def _powers(places: Sequence[Fraction], newton: Sequence[Fraction]) -> list[Fraction]:
    """Coefficients of powers of f from those of Newton's form, by multiplying out from the innermost bracket."""
    found: list[Fraction] = []
    for place, coefficient in zip(reversed(places), reversed(newton), strict=True):
        shifted = [Fraction(0), *found]
        found = [a - place * b for a, b in zip(shifted, [*found, Fraction(0)], strict=True)]
        found[0] += coefficient
    return found


def range_step(unit: HornerExp, x: Codes) -> tuple[Codes, Codes]:
    """RANGE: octave and fraction f (15 bits) of -x log2(e).

    The accumulator, x times -log2(e) with 14 bits behind its point, is rounded half up to 15 bits behind the point.
    """
    product = x * -nearest_code(log2_e(), LOG2_E_BITS)
    phase = round_half_up(product, unit.source.fraction + LOG2_E_BITS - OPERAND.fraction)
    return phase >> OPERAND.fraction, phase & OPERAND.highest


def horner_step(value: Codes, f: Codes, coefficient: int) -> Codes:
    """HORNER: coefficient + value * f in the accumulator (30 bits behind the point), rounded to an operand."""
    return round_half_up((coefficient << OPERAND.fraction) + value * f, OPERAND.fraction)


def last_step(value: Codes, f: Codes, octave: Codes) -> Codes:
    """HORNER_LAST: 1 + value * f in the accumulator, shifted by the octave and rounded once; 1 saturates."""
    accumulator = (1 << 2 * OPERAND.fraction) + value * f
    # An accumulator below 2^31 shifted by 32 bits or more is 0 after rounding.
    return saturate(round_half_up(accumulator, np.minimum(octave + OPERAND.fraction, 32)), OPERAND)


def horner_exponential(unit: HornerExp, x: ArrayLike) -> Codes:
    """Codes of exp(x), of any shape; `x` are codes of the source.

    Raises:
        AccelsimError: an x above 0 or outside the source.
    """
    codes = check_codes("x", x, unit.source)
    if (codes > 0).any():
        raise AccelsimError(f"x must be at most 0, not {codes.max()}")
    octave, f = range_step(unit, codes)
    value: Codes = np.full_like(codes, coefficients()[DEGREE])
    for degree in range(DEGREE - 1, 0, -1):
        value = horner_step(value, f, coefficients()[degree])
    return last_step(value, f, octave)
