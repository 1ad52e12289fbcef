"""Integer codes of fixed-point numbers: the one rounding, saturation, rescaling, division, and what may not overflow.

A code stands for code * 2^-fraction. Codes are int64 arrays; every function is exact while what goes in and out stays
below 2^62, which the units check when they are built.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
MOST_BITS = 62
SCALE_BITS = 16
MOST_SHIFT = 47


def round_half_up(codes: Codes, bits: int | Codes) -> Codes:
    """floor(codes / 2^bits + 1/2): the one rounding of every unit. `bits`, at least 0, may differ by element."""
    half = np.left_shift(np.int64(1), bits) >> 1
    return (codes + half) >> bits


def saturate(codes: Codes, target: FixedFormat) -> Codes:
    """The nearest code that the format has."""
    return np.clip(codes, target.lowest, target.highest)


@dataclass(frozen=True)
class Scale:
    """A positive factor multiplier * 2^-shift, as hardware keeps it: 16 bits and how far the product is shifted.

    Raises:
        AccelsimError: a multiplier outside 1 to 65535, or a shift outside 0 to 47.
    """

    multiplier: int
    shift: int

    def __post_init__(self) -> None:
        if not 0 < self.multiplier < 1 << SCALE_BITS:
            raise AccelsimError(f"the multiplier of a scale must be from 1 to 65535, not {self.multiplier}")
        if not 0 <= self.shift <= MOST_SHIFT:
            raise AccelsimError(f"the shift of a scale must be from 0 to {MOST_SHIFT}, not {self.shift}")


def scale_of(value: Fraction) -> Scale:
    """The nearest scale; its multiplier has its top bit set where the shift allows that, so it is off by 2^-17 at most.

    >>> scale_of(Fraction(1, 8))
    Scale(multiplier=32768, shift=18)

    Raises:
        AccelsimError: a value that no scale comes near: not above 2^-48, or 65535.5 and more.
    """
    for shift in range(MOST_SHIFT, -1, -1):
        multiplier = int(value * 2**shift + Fraction(1, 2))
        if 0 < multiplier < 1 << SCALE_BITS:
            return Scale(multiplier, shift)
    raise AccelsimError(f"a scale must be above 2^-48 and below 65535.5, not {float(value):g}")


def requantise(codes: Codes, scale: Scale, target: FixedFormat) -> Codes:
    """Codes times a scale, rounded once and saturated."""
    return saturate(round_half_up(codes * scale.multiplier, scale.shift), target)


def rescale(codes: Codes, factor: Codes, fraction: int) -> Codes:
    """Codes times a factor from 0 to 1 with `fraction` bits behind its point (at most 30), rounded once.

    The product needs up to 92 bits. The part of a code above `fraction` bits times the factor is a whole number of
    results, so only the part below is rounded, and neither product leaves 62 bits.
    """
    below = codes & ((1 << fraction) - 1)
    return (codes >> fraction) * factor + round_half_up(below * factor, fraction)


def divide(numerator: Codes, denominator: Codes, fraction: int) -> Codes:
    """numerator / denominator with `fraction` bits behind the point, rounded once; the denominator is above 0.

    Long division, a bit of the quotient per step: nothing is wider than the denominator by more than a bit.
    """
    quotient, rest = np.divmod(numerator, denominator)
    for _ in range(fraction):
        rest = rest << 1
        bit = rest >= denominator
        quotient = (quotient << 1) | bit
        rest = rest - np.where(bit, denominator, 0)
    return quotient + ((rest << 1) >= denominator)


def check_codes(name: str, values: ArrayLike, target: FixedFormat, dimensions: int | None = None) -> Codes:
    """The values as codes of a format.

    Raises:
        AccelsimError: what is no array of integers, has other dimensions, or holds a code that the format has not.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind not in "iu" or (dimensions is not None and array.ndim != dimensions):
        wanted = f" with {dimensions} dimensions" if dimensions is not None else ""
        found = f"{array.dtype} of shape {list(array.shape)}"
        raise AccelsimError(f"{name} must be an array of integers{wanted}, not {found}")
    bad = (array < target.lowest) | (array > target.highest)
    if bad.any():
        at = np.argwhere(bad)[0].tolist()
        raise AccelsimError(
            f"{name} holds {array[tuple(at)]} at {at}; {target} has codes from {target.lowest} to {target.highest}"
        )
    return array.astype(np.int64, copy=False)


def check_sum(name: str, low: int, high: int, target: FixedFormat) -> None:
    """Refuse a sum that can leave its format.

    Raises:
        AccelsimError: naming the format that would do.
    """
    if target.lowest <= low and high <= target.highest:
        return
    worst = low if low < target.lowest else high
    signed = target.signed or low < 0
    bits = max((~low).bit_length() if low < 0 else 0, high.bit_length()) + signed
    enough = FixedFormat(bits, target.fraction, signed)
    raise AccelsimError(f"{name} can reach {worst}, which overflows {target}: take {enough}")
