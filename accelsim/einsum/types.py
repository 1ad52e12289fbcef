"""Data types: how many bytes an element takes, and which numbers it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from accelsim.errors import AccelsimError, nearest
from accelsim.yamlfile import Node


@dataclass(frozen=True)
class DataType:
    """One number format.

    Attributes:
        bytes: storage of one element (a half for int4, three quarters for int6; tf32 is stored in four).
        lowest, highest: the ends of the finite values.
        precision: significant bits, the hidden one included; 0 for integers.
        step: distance of the values next to 0: the smallest subnormal number, 1 for integers.
    """

    name: str
    bytes: Fraction
    lowest: float
    highest: float
    kind: Literal["float", "int", "bool"]
    precision: int
    step: float


def _floating(name: str, width: Fraction, precision: int, least: int, highest: float) -> DataType:
    """`least` is the exponent of the smallest normal number; subnormals go on below it."""
    return DataType(name, width, -highest, highest, "float", precision, 2.0 ** (least - precision + 1))


def _integer(name: str, bits: int, signed: bool = True) -> DataType:
    """Ends beyond 2**53 are rounded towards 0 to the next double."""
    highest = float(2 ** (bits - signed) - (1 if bits < 54 else 1024))
    lowest = -float(2 ** (bits - 1)) if signed else 0.0
    return DataType(name, Fraction(bits, 8), lowest, highest, "int", 0, 1.0)


# fp8: OCP 8-bit floating point specification, revision 1.0 (e4m3 has no infinity and ends at 448).
_ALL = (
    _floating("fp64", Fraction(8), 53, -1022, (2 - 2.0**-52) * 2.0**1023),
    _floating("fp32", Fraction(4), 24, -126, (2 - 2.0**-23) * 2.0**127),
    _floating("tf32", Fraction(4), 11, -126, (2 - 2.0**-10) * 2.0**127),
    _floating("bf16", Fraction(2), 8, -126, (2 - 2.0**-7) * 2.0**127),
    _floating("fp16", Fraction(2), 11, -14, 65504.0),
    _floating("fp8_e4m3", Fraction(1), 4, -6, 448.0),
    _floating("fp8_e5m2", Fraction(1), 3, -14, 57344.0),
    _integer("int64", 64),
    _integer("int32", 32),
    _integer("int16", 16),
    _integer("int12", 12),
    _integer("int10", 10),
    _integer("int8", 8),
    _integer("int6", 6),
    _integer("int4", 4),
    _integer("uint8", 8, signed=False),
    DataType("bool", Fraction(1), 0.0, 1.0, "bool", 0, 1.0),
)
TYPES = {kind.name: kind for kind in _ALL}


def data_type(node: Node) -> DataType:
    """The type that a YAML value names.

    >>> TYPES["int4"].bytes, TYPES["fp16"].lowest
    (Fraction(1, 2), -65504.0)
    """
    name = node.string()
    if name not in TYPES:
        raise AccelsimError(f'{node.path}: no data type "{name}"{nearest(name, TYPES)}', node.mark)
    return TYPES[name]
