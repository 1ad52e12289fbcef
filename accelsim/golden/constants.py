"""Powers of two and log2(e) as codes, computed with sixty digits: the mathematics behind tables and coefficients."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

DIGITS = 60  # far beyond the 128 bits of the widest format


def two_to(exponent: Fraction) -> Fraction:
    """2^exponent to sixty digits."""
    with localcontext(prec=DIGITS):
        return Fraction(Decimal(2) ** (Decimal(exponent.numerator) / Decimal(exponent.denominator)))


def log2_e() -> Fraction:
    """1 / ln 2 to sixty digits."""
    with localcontext(prec=DIGITS):
        return Fraction(1 / Decimal(2).ln())


def nearest_code(value: Fraction, fraction: int) -> int:
    """The code with `fraction` bits behind the point that is nearest to a value; half goes up.

    >>> nearest_code(log2_e(), 14)
    23637
    """
    return math.floor(value * (1 << fraction) + Fraction(1, 2))
