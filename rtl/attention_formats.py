"""The number formats of attention in hardware, and what they must hold."""

from __future__ import annotations

from dataclasses import dataclass, fields

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from rtl.exp import check_exp
from rtl.fixed import check_format, check_reach

MULTIPLIER_BITS = 16
MOST_SHIFT = 47
WIDEST_SUM = 60
FINEST_FACTOR = 30
LONGEST = 1 << 31  # keys of a row


@dataclass(frozen=True)
class Formats:
    """The formats of every number between Q, K, V and the output, and the segments of exp.

    Attributes:
        q, k, v: the inputs, whole numbers.
        array: Q x K, a whole number.
        scores: Q x K after the scale, rounded and saturated.
        p: exp of a score less a maximum.
        factors: what sums are multiplied by when a maximum grows; holds 1 exactly.
        denominator, accumulator: sums of P and of P x V, with the same bits behind the point.
        output: accumulator / denominator.

    Raises:
        AccelsimError: led by the name of a format that does not fit the others.
    """

    q: FixedFormat
    k: FixedFormat
    v: FixedFormat
    array: FixedFormat
    scores: FixedFormat
    p: FixedFormat
    factors: FixedFormat
    denominator: FixedFormat
    accumulator: FixedFormat
    output: FixedFormat
    segments: int

    def __post_init__(self) -> None:
        for each in fields(self)[:-1]:
            check_format(each.name, getattr(self, each.name))
        for name in ("q", "k", "v", "array"):
            self._check(name, getattr(self, name).fraction == 0, "be a whole number, such as s8")
        for name in ("array", "scores", "accumulator", "output"):
            self._check(name, getattr(self, name).signed, "be signed")
        for name in ("denominator", "accumulator"):
            self._check(name, getattr(self, name).width <= WIDEST_SUM, f"be at most {WIDEST_SUM} bits")
        self._check("factors", self.factors.fraction <= FINEST_FACTOR, f"have {FINEST_FACTOR} bits of fraction at most")
        self._check("factors", self.factors.highest >= self.one, "hold 1, as u25.24 does")
        fraction = self.accumulator.fraction
        self._check("denominator", self.denominator.fraction == fraction, f"have the fraction of {self.accumulator}")
        self._check("accumulator", fraction >= self.p.fraction, f"have at least the fraction of p, {self.p}")
        self._check("output", self.output.fraction < self.output.width, "hold -1, as s24.15 does")
        for name in ("p", "factors"):
            self._check_exp(name)

    def _check(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise AccelsimError(f'{name}: must {rule}, got "{getattr(self, name)}"')

    def _check_exp(self, name: str) -> None:
        try:
            check_exp(self.below, getattr(self, name), self.segments)
        except AccelsimError as error:
            raise AccelsimError(error.message.replace("target:", f"{name}:")) from None

    @property
    def below(self) -> FixedFormat:
        """How far a score or maximum lies below another."""
        return FixedFormat(self.scores.width, self.scores.fraction, signed=False)

    @property
    def one(self) -> int:
        """The code of the factor 1."""
        return 1 << self.factors.fraction

    @property
    def guard(self) -> int:
        """Bits that sums have behind those of P."""
        return self.accumulator.fraction - self.p.fraction

    @property
    def most_p(self) -> int:
        """The largest code of P."""
        return min(1 << self.p.fraction, self.p.highest)


def check_dot(formats: Formats, depth: int) -> None:
    """Raise AccelsimError where Q x K of so many elements can overflow the array's format."""
    ends = [q * k for q in _ends(formats.q) for k in _ends(formats.k)]
    check_reach(f"array with a depth of {depth}", (depth * min(ends), depth * max(ends)), formats.array)


def check_denominator(formats: Formats, length: int) -> None:
    """Raise AccelsimError where the sum of P over so many keys can overflow; factors make it no larger."""
    most = length * formats.most_p << formats.guard
    check_reach(f"denominator with a length of {length}", (0, most), formats.denominator)


def check_accumulator(formats: Formats, length: int) -> None:
    """Raise AccelsimError where P x V over so many keys can overflow; factors make it no larger."""
    most = length * formats.most_p << formats.guard
    low, high = (most * end for end in _ends(formats.v))
    check_reach(f"accumulator with a length of {length}", (low, high), formats.accumulator)


def _ends(number: FixedFormat) -> tuple[int, int]:
    return number.lowest, number.highest
