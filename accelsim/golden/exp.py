"""The exp unit: exp(-x) for x >= 0 by range reduction and a piecewise linear 2^-f, monotone, 1 at 0 exactly.

How hardware computes it, every number an integer code. W = fraction bits of the target + 2 guard bits.

1. phase = round(x * L): L is log2(e) with W bits behind the point, rounded half up; the product is rounded half up
   to W bits behind the point. octave = phase >> W, and f is the lower W bits.
2. The top log2(segments) bits of f choose a segment i, the rest r (R = W - log2(segments) bits) is the place within.
3. mantissa = base[i] - round((base[i] - base[i+1]) * r / 2^R), where base[i] is 2^(-i/segments) with W bits behind the
   point, rounded half up, for i from 0 to segments (base[0] = 2^W, base[segments] = 2^(W-1)).
4. y = round(mantissa / 2^(octave + 2)), saturated to the target. From an octave of W on the result is 0.

The chord lies on the curve at both ends of each segment: exp(-0) is 1 exactly, so a maximum that stays leaves sums
as they are, and the function is continuous across segments and octaves, hence monotone in spite of rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.constants import log2_e, nearest_code, two_to
from accelsim.golden.fixed import MOST_BITS, Codes, round_half_up, saturate

GUARD_BITS = 2
SEGMENTS = (4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class ExpUnit:
    """exp(-x): `source` is the unsigned format of x, `target` that of the result.

    Raises:
        AccelsimError: a signed source, a number of segments that is not one of 4 to 128, more segments than the target
            has use for, a target that does not reach 1 - 2^-fraction, or formats whose products leave 62 bits.
    """

    source: FixedFormat
    target: FixedFormat
    segments: int = 64

    def __post_init__(self) -> None:
        if self.source.signed:
            raise AccelsimError(f"the source of an exp unit must be unsigned, not {self.source}")
        if self.segments not in SEGMENTS:
            raise AccelsimError(f"segments must be one of {', '.join(map(str, SEGMENTS))}, not {self.segments!r}")
        if self.segments > 1 << self.working:
            raise AccelsimError(f"segments must be at most {1 << self.working} for {self.target}, not {self.segments}")
        if self.target.highest < (1 << self.target.fraction) - 1:
            raise AccelsimError(
                f"the target of an exp unit must reach 1 - 2^-{self.target.fraction}; {self.target} does not"
            )
        if self.source.width + self.working + 1 > MOST_BITS:
            raise AccelsimError(f"exp of {self.source} to {self.target} needs products beyond {MOST_BITS} bits")

    @property
    def working(self) -> int:
        """W: bits behind the point of every intermediate."""
        return self.target.fraction + GUARD_BITS

    @property
    def place(self) -> int:
        """R: bits of the place within a segment."""
        return self.working - (self.segments.bit_length() - 1)


@lru_cache(maxsize=64)
def bases(segments: int, working: int) -> Codes:
    """base[i] = 2^(-i/segments) with `working` bits behind the point, for i from 0 to segments."""
    codes = [nearest_code(two_to(Fraction(-i, segments)), working) for i in range(segments + 1)]
    table = np.array(codes, dtype=np.int64)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=64)
def log2_e_code(working: int) -> int:
    """L = log2(e) with `working` bits behind the point."""
    return nearest_code(log2_e(), working)


def exponential(unit: ExpUnit, x: Codes) -> Codes:
    """Codes of exp(-x), of any shape; `x` are codes of the source."""
    phase = round_half_up(x * log2_e_code(unit.working), unit.source.fraction)
    octave, f = phase >> unit.working, phase & ((1 << unit.working) - 1)
    segment, place = f >> unit.place, f & ((1 << unit.place) - 1)
    table = bases(unit.segments, unit.working)
    start, fall = table[segment], (table[:-1] - table[1:])[segment]
    mantissa = start - round_half_up(fall * place, unit.place)
    # Two bits beyond the working width a mantissa is a quarter of a step: every octave further on gives 0 as well.
    shift = np.minimum(octave + GUARD_BITS, unit.working + 2)
    return saturate(round_half_up(mantissa, shift), unit.target)


def error_bound(unit: ExpUnit) -> float:
    """What |exponential(x) - exp(-x)| never exceeds, for any x of the source.

    The chord of a segment is off by ln(2)^2 / (8 segments^2). In steps of 2^-W: L is off by 1/2, which is
    x e^-x ln(2) / 2 <= 0.13 in the result; the rounded phase by ln(2) / 2 <= 0.35; a rounded base and a rounded
    product by 1/2 each: 1.5 altogether, or 0.375 steps of the target. Its own rounding is half a step. A target that
    does not hold 1 is a step off at 1.
    """
    chord = math.log(2) ** 2 / (8 * unit.segments**2)
    step = 2.0**-unit.target.fraction
    bound = 0.875 * step + chord
    return bound if unit.target.highest >> unit.target.fraction else max(step, bound)
