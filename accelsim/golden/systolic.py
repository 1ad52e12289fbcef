"""The integer systolic array: products of matrices whose sums cannot overflow, so that no order of adding matters.

Output stationary adds over K inside an element, weight stationary passes partial sums down the rows of a fold. No
sum overflows, nothing is rounded, and so both dataflows, every array size and every fold give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.fixed import MOST_BITS, Codes, check_codes


@dataclass(frozen=True)
class ArrayWidths:
    """Widths of an array, all signed integers: left operand (inputs), right operand (weights), accumulator.

    Raises:
        AccelsimError: an accumulator that is too narrow for one product, or beyond what is modelled.
    """

    left: int = 16
    right: int = 8
    accumulator: int = 32

    def __post_init__(self) -> None:
        for name in ("left", "right", "accumulator"):
            width = getattr(self, name)
            if not isinstance(width, int) or isinstance(width, bool) or not 2 <= width <= MOST_BITS:
                raise AccelsimError(f"{name} must be an integer from 2 to {MOST_BITS} bits, not {width!r}")
        if largest_k(self) < 1:
            raise AccelsimError(
                f"accumulator must be at least {self.left + self.right} bits for products of {self.left} by "
                f"{self.right} bits, not {self.accumulator}"
            )


def largest_k(widths: ArrayWidths) -> int:
    """How many products an accumulator holds whatever the operands are: the largest is 2^(left - 1 + right - 1).

    >>> largest_k(ArrayWidths(8, 8, 32))
    131071
    """
    high = (1 << (widths.accumulator - 1)) - 1
    return high >> (widths.left + widths.right - 2)


def multiply(widths: ArrayWidths, left: ArrayLike, right: ArrayLike) -> Codes:
    """left [M, K] times right [K, N], exactly.

    Raises:
        AccelsimError: operands of other shapes or beyond their widths, or a K for which an accumulator could overflow.
    """
    a, b = _operands(widths, left, right)
    return a @ b


def partial_sums(widths: ArrayWidths, left: ArrayLike, right: ArrayLike, rows: int) -> Codes:
    """What a weight-stationary array of so many rows gives for each fold of K: [ceil(K / rows), M, N].

    Raises:
        AccelsimError: as `multiply`; or fewer rows than one.
    """
    if rows < 1:
        raise AccelsimError(f"rows must be at least 1, not {rows}")
    a, b = _operands(widths, left, right)
    return np.stack([a[:, at : at + rows] @ b[at : at + rows] for at in range(0, a.shape[1], rows)])


def _operands(widths: ArrayWidths, left: ArrayLike, right: ArrayLike) -> tuple[Codes, Codes]:
    a = check_codes("left", left, FixedFormat(widths.left, 0), 2)
    b = check_codes("right", right, FixedFormat(widths.right, 0), 2)
    if a.shape[1] != b.shape[0] or not a.shape[1]:
        raise AccelsimError(f"left {list(a.shape)} and right {list(b.shape)} must share a K of at least 1")
    if a.shape[1] > largest_k(widths):
        raise AccelsimError(
            f"K must be at most {largest_k(widths)} for an accumulator of {widths.accumulator} bits and operands of "
            f"{widths.left} and {widths.right} bits, not {a.shape[1]}: a sum could overflow"
        )
    return a, b
