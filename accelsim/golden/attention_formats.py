"""The number formats of attention in hardware: one value, with defaults, that a YAML file can change by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from accelsim.errors import AccelsimError, nearest
from accelsim.formats import FixedFormat
from accelsim.golden.exp import ExpUnit
from accelsim.golden.fixed import MOST_BITS, SCALE_BITS, check_sum

WIDEST_ARRAY = MOST_BITS - SCALE_BITS  # so that a sum times the scale is exact
WIDEST_SUM = MOST_BITS - 2
FINEST_FACTOR = 30  # as `rescale` needs it
FINEST_OUTPUT = 32

BYTE = FixedFormat(8)
WORD = FixedFormat(32)
SCORE = FixedFormat(20, 10)
P = FixedFormat(16, 15)
FACTOR = FixedFormat(25, 24, signed=False)
SUM = FixedFormat(48, 23)
OUTPUT = FixedFormat(24, 15)


@dataclass(frozen=True)
class AttentionFormats:
    """The formats of every number between Q, K, V and the output, and the segments of both exp units.

    Q, K, V are whole numbers, to be multiplied by steps that only scale what comes out. The default is for attention
    over tiles of keys: P against the maximum of its tile, 15 bits, sums with 8 guard bits behind those of P.

    Attributes:
        q, k, v: the inputs.
        array: accumulator of the array, an integer: Q x K, and P x V over a tile.
        scores: Q x K after the scale, rounded and saturated.
        p: exp of a score less a maximum, saturated where it does not hold 1.
        factors: what sums are multiplied by when a maximum grows; holds 1 exactly.
        denominator, accumulator: sums of P and of P x V over all keys, with the same bits behind the point.
        output: accumulator / denominator, rounded and saturated.
        segments: of 2^-f in both exp units.

    Raises:
        AccelsimError: formats that do not fit each other or are wider than what is modelled.
    """

    q: FixedFormat = BYTE
    k: FixedFormat = BYTE
    v: FixedFormat = BYTE
    array: FixedFormat = WORD
    scores: FixedFormat = SCORE
    p: FixedFormat = P
    factors: FixedFormat = FACTOR
    denominator: FixedFormat = SUM
    accumulator: FixedFormat = SUM
    output: FixedFormat = OUTPUT
    segments: int = 64

    def __post_init__(self) -> None:
        for name in ("q", "k", "v", "array"):
            self._check(name, getattr(self, name).fraction == 0, "must be a whole number, such as s8")
        for name in ("array", "scores", "accumulator", "output"):
            self._check(name, getattr(self, name).signed, "must be signed")
        for name, most in (("array", WIDEST_ARRAY), ("denominator", WIDEST_SUM), ("accumulator", WIDEST_SUM)):
            self._check(name, getattr(self, name).width <= most, f"must be at most {most} bits")
        for name, most in (("factors", FINEST_FACTOR), ("output", FINEST_OUTPUT)):
            self._check(name, getattr(self, name).fraction <= most, f"must have a fraction of at most {most} bits")
        self._check("factors", self.factors.highest >> self.factors.fraction > 0, "must hold 1, as u25.24 does")
        alike = self.denominator.fraction == self.accumulator.fraction
        self._check("denominator", alike, f"must have the fraction of accumulator, {self.accumulator}")
        self._check("accumulator", self.guard >= 0, f"must have at least the fraction of p, {self.p}")
        for name in ("p", "factors"):
            self._unit(name)

    def _check(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise AccelsimError(f"{name} {rule}, not {getattr(self, name)}")

    @property
    def guard(self) -> int:
        """Bits that sums have behind those of P."""
        return self.accumulator.fraction - self.p.fraction

    @property
    def largest_p(self) -> int:
        """The largest code of P: 1, or what is nearest below."""
        return min(1 << self.p.fraction, self.p.highest)

    @property
    def one(self) -> int:
        """The code of the factor 1."""
        return 1 << self.factors.fraction

    @property
    def p_unit(self) -> ExpUnit:
        """exp of a difference of scores, as P."""
        return self._unit("p")

    @property
    def factor_unit(self) -> ExpUnit:
        """exp of a difference of maxima, as a factor."""
        return self._unit("factors")

    def _unit(self, name: str) -> ExpUnit:
        """From a difference of two scores, which is below 2^width, to a format."""
        difference = FixedFormat(self.scores.width, self.scores.fraction, signed=False)
        try:
            return ExpUnit(difference, getattr(self, name), self.segments)
        except AccelsimError as error:
            raise AccelsimError(f"{name}: {error.message}") from None


TILED = AttentionFormats()
# One key per cycle has no tile whose maximum P could be against: P is as fine as the factors.
KEYED = replace(
    TILED,
    p=FACTOR,
    denominator=FixedFormat(48, 24),
    accumulator=FixedFormat(48, 24),
)


def read_formats(texts: Mapping[str, object], base: AttentionFormats = TILED) -> AttentionFormats:
    """The formats that a mapping of names to texts changes; `segments` is a number.

    >>> read_formats({"scores": "s22.12", "segments": 128}).scores
    FixedFormat(width=22, fraction=12, signed=True)

    Raises:
        AccelsimError: an unknown name, a text that is no format, or formats that do not fit each other.
    """
    known = [field.name for field in fields(AttentionFormats)]
    changed: dict[str, object] = {}
    for name, text in texts.items():
        if name not in known:
            raise AccelsimError(f'no format of attention is called "{name}"{nearest(str(name), known)}')
        changed[name] = _number(name, text) if name == "segments" else _format(name, text)
    return replace(base, **changed)  # type: ignore[arg-type]


def _format(name: str, text: object) -> FixedFormat:
    try:
        return FixedFormat.parse(str(text))
    except AccelsimError as error:
        raise AccelsimError(f"{name}: {error.message}") from None


def _number(name: str, text: object) -> int:
    if isinstance(text, bool) or not str(text).isascii() or not str(text).isdigit() or len(str(text)) > 9:
        raise AccelsimError(f'{name}: expected an integer, got "{text}"')
    return int(str(text))


def check_denominator(formats: AttentionFormats, length: int) -> None:
    """Refuse a denominator that can overflow over so many keys: every P is `largest_p` at most, no factor above 1.

    Raises:
        AccelsimError: naming the format that would do.
    """
    most = length * formats.largest_p << formats.guard
    check_sum(f"the denominator over {length} keys", 0, most, formats.denominator)


def check_accumulator(formats: AttentionFormats, length: int) -> None:
    """Refuse an accumulator of P x V that can overflow over so many keys, whatever V is.

    Raises:
        AccelsimError: naming the format that would do.
    """
    most = length * formats.largest_p << formats.guard
    name = f"the accumulator over {length} keys"
    check_sum(name, most * formats.v.lowest, most * formats.v.highest, formats.accumulator)
