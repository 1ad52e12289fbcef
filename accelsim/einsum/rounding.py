"""Rounding to a data type: half to even, once, from double precision; what does not fit is told, not clipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.types import DataType

Floats = NDArray[np.float64]
EXACT = 2.0**53


def round_to(values: Floats, kind: DataType) -> Floats:
    """The nearest value of the type, ties to the even one, as doubles.

    Overflow of a floating type is an infinity. An integer that is out of range, or beyond 2**53 where doubles have
    gaps, becomes NaN.

    >>> from accelsim.einsum.types import TYPES
    >>> round_to(np.array([2049.0, 2051.0, 65520.0]), TYPES["fp16"]).tolist()
    [2048.0, 2052.0, inf]
    """
    if kind.name == "fp64":
        return values
    if kind.kind != "float":
        nearest = np.rint(values)
        fits = (nearest >= kind.lowest) & (nearest <= kind.highest) & (np.abs(nearest) <= EXACT)
        return np.where(fits, nearest, np.nan)
    exponent = np.frexp(values)[1] - kind.precision
    exponent = np.maximum(exponent, int(np.log2(kind.step)))
    rounded: Floats = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
    return np.where(np.abs(rounded) > kind.highest, np.copysign(np.inf, rounded), rounded)
