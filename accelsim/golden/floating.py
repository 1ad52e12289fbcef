"""BF16 products and FP32 sums, bit for bit: round to nearest even, no subnormal numbers, one NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from accelsim.errors import AccelsimError
from accelsim.formats import FP32

Singles = NDArray[np.float32]
Words = NDArray[np.uint32]
BF16_BITS = 16
SMALLEST = np.float32(2.0 ** (1 - FP32.bias))  # of magnitudes that are not zero


def multiply(left: ArrayLike, right: ArrayLike) -> Singles:
    """Products of BF16 codes: two significands of 8 bits have one of 16, so that only zero and infinity round.

    >>> multiply([0x3FC0], [0xC000])  # 1.5 and -2
    array([-3.], dtype=float32)

    Raises:
        AccelsimError: what is no array of 16-bit codes.
    """
    return _rounded(np.multiply, flushed(from_bf16(left)), flushed(from_bf16(right)))


def add(left: Singles, right: Singles) -> Singles:
    """Sums, each rounded once; x + -x is 0, and -0 added to anything changes nothing."""
    return _rounded(np.add, flushed(left), flushed(right))


def flushed(values: Singles) -> Singles:
    """Zero of the same sign for a subnormal number, and the one NaN for any."""
    kept = np.where(np.abs(values) < SMALLEST, np.copysign(np.float32(0), values), values)
    found: Singles = np.where(np.isnan(kept), codes_to_singles(FP32.nan), kept)
    return found


def from_bf16(codes: ArrayLike) -> Singles:
    """The numbers that BF16 codes stand for: the upper half of a single. AccelsimError for other codes."""
    array: NDArray[Any] = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise AccelsimError(f"BF16 codes must be integers, not {array.dtype}")
    wrong = array[(array < 0) | (array >= 1 << BF16_BITS)]
    if wrong.size:
        raise AccelsimError(f"BF16 codes must be from 0 to {(1 << BF16_BITS) - 1}, not {wrong[0]}")
    return codes_to_singles(array.astype(np.uint32) << np.uint32(BF16_BITS))


def to_bf16(values: ArrayLike) -> NDArray[np.int64]:
    """Codes of the nearest BF16 numbers, ties to even, subnormals to zero; for tests and inputs, no unit does it."""
    codes = singles_to_codes(flushed(np.asarray(values, np.float32))).astype(np.int64)
    nearest = (codes + ((codes >> BF16_BITS) & 1) + (1 << (BF16_BITS - 1)) - 1) >> BF16_BITS
    found: NDArray[np.int64] = np.where(codes == FP32.nan, FP32.nan >> BF16_BITS, nearest)
    return found


def codes_to_singles(codes: ArrayLike) -> Singles:
    """The numbers that have these 32 bits."""
    return np.asarray(codes, np.uint32).view(np.float32)


def singles_to_codes(values: Singles) -> Words:
    """The 32 bits of each number."""
    return np.asarray(values, np.float32).view(np.uint32)


def _rounded(operator: Callable[[Singles, Singles], Singles], left: Singles, right: Singles) -> Singles:
    """The operator in IEEE single precision; what comes out subnormal is exact there, so that no tie is flushed."""
    with np.errstate(all="ignore"):
        return flushed(operator(left, right))
