"""Coefficients of the polynomial of degree 5 through 2^-f at f = 0, 1/5, ..., 1, computed from the mathematics."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

DEGREE = 5
FRACTION = 15
FINE = 64  # bits of 2^-f beyond the point


@cache
def coefficients() -> tuple[int, ...]:
    """c0 to c5 with 15 bits behind the point, rounded half up: the sum of Lagrange's polynomials, multiplied out."""
    found = [Fraction(0)] * (DEGREE + 1)
    for place in range(DEGREE + 1):
        basis = [Fraction(1)]
        for other in range(DEGREE + 1):
            if other != place:
                # times (f - other / 5) / (place / 5 - other / 5)
                shifted, scaled = [Fraction(0), *basis], [*basis, Fraction(0)]
                pairs = zip(shifted, scaled, strict=True)
                basis = [(a * DEGREE - b * other) / (place - other) for a, b in pairs]
        height = Fraction(fifth_root(1 << (DEGREE * FINE - place)), 1 << FINE)
        found = [a + height * b for a, b in zip(found, basis, strict=True)]
    return tuple((2 * c * (1 << FRACTION) + 1) // 2 for c in found)


def fifth_root(value: int) -> int:
    """The largest integer whose fifth power is at most `value`, bit by bit."""
    root = 0
    for bit in range(value.bit_length() // DEGREE, -1, -1):
        if (root | 1 << bit) ** DEGREE <= value:
            root |= 1 << bit
    return root
