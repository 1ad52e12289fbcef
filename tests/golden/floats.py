"""A second way to every bit of floating point: one number at a time, in fractions, of any format."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accelsim.formats import FloatFormat


@dataclass(frozen=True)
class Number:
    """A sign and a magnitude; None stands for infinity. NaN is no number."""

    negative: bool
    magnitude: Fraction | None


def number(form: FloatFormat, code: int) -> Number | None:
    """What a code stands for; nothing for NaN."""
    fraction = code & ((1 << form.fraction) - 1)
    exponent = (code >> form.fraction) & form.special
    negative = bool(code >> (form.width - 1))
    if exponent == form.special:
        return None if fraction else Number(negative, None)
    if not exponent:
        return Number(negative, Fraction(0))
    return Number(negative, (1 + Fraction(fraction, 1 << form.fraction)) * Fraction(2) ** (exponent - form.bias))


def code_of(form: FloatFormat, found: Number | None) -> int:
    """The code of a number, rounded to nearest even; a magnitude below the smallest normal one is 0."""
    if found is None:
        return form.nan
    sign = int(found.negative) << (form.width - 1)
    if found.magnitude is None:
        return sign | (form.special << form.fraction)
    if found.magnitude < Fraction(2) ** (1 - form.bias):
        return sign
    exponent = found.magnitude.numerator.bit_length() - found.magnitude.denominator.bit_length()
    exponent -= Fraction(2) ** exponent > found.magnitude
    steps = round(found.magnitude / Fraction(2) ** (exponent - form.fraction))
    rounded = ((exponent + form.bias - 1) << form.fraction) + steps
    return sign | min(rounded, form.special << form.fraction)


def sum_code(form: FloatFormat, left: int, right: int) -> int:
    """x + -x is +0; of two zeros the sum is -0 where both are."""
    a, b = number(form, left), number(form, right)
    if a is None or b is None:
        return form.nan
    if a.magnitude is None or b.magnitude is None:
        if a.magnitude is None and b.magnitude is None and a.negative != b.negative:
            return form.nan
        return code_of(form, a if a.magnitude is None else b)
    total = signed(a) + signed(b)
    negative = total < 0 or (a.negative and b.negative)
    return code_of(form, Number(negative, abs(total)))


def product_code(operand: FloatFormat, result: FloatFormat, left: int, right: int) -> int:
    a, b = number(operand, left), number(operand, right)
    if a is None or b is None:
        return result.nan
    negative = a.negative != b.negative
    if a.magnitude is None or b.magnitude is None:
        return result.nan if 0 in (a.magnitude, b.magnitude) else code_of(result, Number(negative, None))
    return code_of(result, Number(negative, a.magnitude * b.magnitude))


def signed(found: Number) -> Fraction:
    magnitude = found.magnitude or Fraction(0)
    return -magnitude if found.negative else magnitude
