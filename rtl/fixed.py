"""Integer codes of fixed-point numbers in hardware: the one rounding, saturation, rescaling, and what may overflow."""

from __future__ import annotations

from amaranth.hdl import Mux, Shape, Value

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat


def shape_of(number: FixedFormat) -> Shape:
    """The wires of a code."""
    return Shape(number.width, number.signed)


def round_half_up(value: Value, bits: int) -> Value:
    """floor(value / 2^bits + 1/2): the one rounding of every unit.

    The bit below the point is all that decides, so what lies further down is cut off first.
    """
    return (value.shift_right(bits - 1) + 1).shift_right(1) if bits else value


def round_by(value: Value, bits: Value) -> Value:
    """`round_half_up` by a number of bits that is a wire."""
    return ((value.shift_left(1) >> bits) + 1).shift_right(1)


def saturate(value: Value, target: FixedFormat) -> Value:
    """The nearest code that the format has. Bounds that the wires cannot pass are not compared with."""
    shape = value.shape()
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    high = (1 << (shape.width - shape.signed)) - 1
    if low < target.lowest:
        value = Mux(value < target.lowest, target.lowest, value)
    if high > target.highest:
        value = Mux(value > target.highest, target.highest, value)
    if len(value) < target.width:
        return value
    return value[: target.width].as_signed() if target.signed else value[: target.width]


def rescale(value: Value, factor: Value, fraction: int) -> Value:
    """A code times a factor with `fraction` bits behind its point, rounded once."""
    return round_half_up(value * factor, fraction)


def check_reach(name: str, reach: tuple[int, int], target: FixedFormat) -> None:
    """Raise AccelsimError, with the format that would do, unless all codes from `reach[0]` to `reach[1]` fit."""
    low, high = reach
    if target.lowest <= low and high <= target.highest:
        return
    signed = target.signed or low < 0
    bits = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + signed
    worst = low if low < target.lowest else high
    enough = FixedFormat(max(bits, target.fraction), target.fraction, signed)
    raise AccelsimError(f'{name}: must hold {worst}, which overflows "{target}"; {enough} would do')


def check_format(name: str, value: object) -> None:
    """Raise AccelsimError unless a value is a format."""
    if not isinstance(value, FixedFormat):
        raise AccelsimError(f'{name}: must be a number format such as s20.10, got "{value}"')
