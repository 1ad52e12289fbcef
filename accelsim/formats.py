"""The number formats that generated hardware and golden models share: data only, no arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass

from accelsim.errors import AccelsimError

WIDEST = 128
_TEXT = re.compile(r"([su])(\d{1,4})(?:\.(\d{1,4}))?")


@dataclass(frozen=True)
class FixedFormat:
    """Numbers raw * 2**-fraction, where raw is an integer of `width` bits, in two's complement if `signed`.

    >>> form = FixedFormat.parse("s20.10")
    >>> form.lowest, form.highest, str(form)
    (-524288, 524287, 's20.10')
    """

    width: int
    fraction: int = 0
    signed: bool = True

    def __post_init__(self) -> None:
        narrowest = 2 if self.signed else 1
        if not narrowest <= self.width <= WIDEST:
            raise AccelsimError(f'width of a number: must be from {narrowest} to {WIDEST} bits, got "{self.width}"')
        if not 0 <= self.fraction <= self.width:
            raise AccelsimError(f'fraction of a number: must be from 0 to {self.width} bits, got "{self.fraction}"')

    @property
    def lowest(self) -> int:
        """The smallest raw integer."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The largest raw integer."""
        return (1 << (self.width - self.signed)) - 1

    def __str__(self) -> str:
        tail = f".{self.fraction}" if self.fraction else ""
        return f"{'s' if self.signed else 'u'}{self.width}{tail}"

    @classmethod
    def parse(cls, text: str) -> FixedFormat:
        """The format that a text names: `s20.10` is signed, 20 bits, 10 of them fraction; `u8` has no fraction."""
        found = _TEXT.fullmatch(text)
        if not found:
            raise AccelsimError(f'format of a number: must look like s20.10 or u8, got "{text[:80]}"')
        return cls(int(found[2]), int(found[3] or 0), found[1] == "s")


@dataclass(frozen=True)
class FloatFormat:
    """Binary floating point as in IEEE 754: a sign, `exponent` bits with a bias, `fraction` bits below a leading 1.

    An exponent of all ones is infinity or NaN; one of 0 is zero, since subnormal numbers do not exist: whatever would
    be one is a zero of the same sign. The one NaN is positive and quiet.

    >>> hex(FP32.nan), FP32.width, BF16.bias
    ('0x7fc00000', 32, 127)
    """

    exponent: int
    fraction: int

    def __post_init__(self) -> None:
        for name, least in (("exponent", 2), ("fraction", 1)):
            value = getattr(self, name)
            if not least <= value <= WIDEST // 2:
                raise AccelsimError(f'{name} of a number: must be from {least} to {WIDEST // 2} bits, got "{value}"')

    @property
    def width(self) -> int:
        """All bits: sign, exponent and fraction, the fraction lowest."""
        return 1 + self.exponent + self.fraction

    @property
    def bias(self) -> int:
        """The exponent's code of numbers from 1 to below 2."""
        return (1 << (self.exponent - 1)) - 1

    @property
    def special(self) -> int:
        """The exponent's code of infinity and NaN."""
        return (1 << self.exponent) - 1

    @property
    def infinity(self) -> int:
        """The code of positive infinity."""
        return self.special << self.fraction

    @property
    def nan(self) -> int:
        """The code of the one NaN."""
        return self.infinity | (1 << (self.fraction - 1))


BF16 = FloatFormat(8, 7)
FP32 = FloatFormat(8, 23)
