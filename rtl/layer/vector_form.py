"""Parameters of the vector engine, checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from amaranth.lib import data

from accelsim.errors import AccelsimError
from rtl.attention_formats import LONGEST, Formats, check_accumulator, check_denominator
from rtl.block import check_size
from rtl.divide import division_stages
from rtl.exp import ExpStages
from rtl.fixed import check_reach, shape_of
from rtl.layer.pads import PadForm
from rtl.pipeline import check_stages

MOST_ROWS = 64
MOST_LANES = 64
MOST_WORDS = 1 << 16  # what a field of an instruction can name
MOST_SLOTS = MOST_WORDS // MOST_ROWS
OUTPUT_BITS = 32


@dataclass(frozen=True)
class VectorStages:
    """Registers behind each step; of the two trees over lanes, behind each level; bits that a divider stage gives.

    Attributes:
        scale_stages: behind the product of a score and the scale.
        round_stages: behind the rounding of that product.
        maximum_stages: behind each level of the tree of maxima.
        difference_stages: behind the difference of a score and its tile's maximum.
        exp: of the exp units.
        sum_stages: behind each level of the adder tree of P.
        rescale_stages: behind the product of a sum and its factor.
        add_stages: behind the sum of that product and what is added.
        division_bits: bits of a quotient that one stage of the division gives.
    """

    scale_stages: int = 1
    round_stages: int = 1
    maximum_stages: int = 1
    difference_stages: int = 1
    exp: ExpStages = field(default_factory=ExpStages)
    sum_stages: int = 1
    rescale_stages: int = 1
    add_stages: int = 1
    division_bits: int = 1

    def __post_init__(self) -> None:
        check_stages(self)


@dataclass(frozen=True)
class VectorForm:
    """What vector engine it is.

    Attributes:
        formats: of every number; P is signed, and the output has at most 32 bits.
        rows: queries of a tile.
        lanes: keys of a tile, and elements of a word of the pads.
        slots: tiles whose P and factors are kept.
        states: rows whose maximum and denominator are kept.
        accumulators: words of sums of P x V.
        s_words: words of the S pad.
        pv_words: words of the PV pad.
        o_words: words of the O pad.
        length: the longest row of keys.
        stages: registers.

    Raises:
        AccelsimError: a parameter out of range, or a sum that could overflow.
    """

    formats: Formats
    rows: int = 8
    lanes: int = 8
    slots: int = 2
    states: int = 16
    accumulators: int = 64
    s_words: int = 16
    pv_words: int = 32
    o_words: int = 64
    length: int = 4096
    stages: VectorStages = field(default_factory=VectorStages)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rows", 2, MOST_ROWS),
            ("lanes", 2, MOST_LANES),
            ("slots", 1, MOST_SLOTS),
            ("states", self.rows, MOST_WORDS),
            ("accumulators", self.rows, MOST_WORDS),
            ("s_words", self.rows, MOST_WORDS),
            ("pv_words", self.rows, MOST_WORDS),
            ("o_words", self.rows, MOST_WORDS),
            ("length", 1, LONGEST),
        ):
            check_size(name, getattr(self, name), low, high)
        formats, v = self.formats, self.formats.v
        check_size("division_bits", self.stages.division_bits, 1, formats.output.width + 1)
        if not formats.p.signed:
            raise AccelsimError(f'p: must be signed, as operands of the array are, got "{formats.p}"')
        if formats.output.width > OUTPUT_BITS:
            raise AccelsimError(f'output: must be at most {OUTPUT_BITS} bits, got "{formats.output}"')
        most = self.lanes * formats.most_p
        check_reach(f"array with tiles of {self.lanes} keys", (most * v.lowest, most * v.highest), formats.array)
        check_denominator(formats, self.length)
        check_accumulator(formats, self.length)

    @property
    def factors(self) -> int:
        """Words of the store of factors: one for each row of each slot."""
        return self.slots * self.rows

    @property
    def division_stages(self) -> int:
        """Registers of the division."""
        return division_stages(self.formats.output, self.stages.division_bits)

    @property
    def s_pad(self) -> PadForm:
        """The pad of scores: a word is a row."""
        return PadForm(1, self.s_words, self.lanes, self.formats.array.width)

    @property
    def pv_pad(self) -> PadForm:
        """The pad of products of P and V."""
        return PadForm(1, self.pv_words, self.lanes, self.formats.array.width)

    @property
    def p_pad(self) -> PadForm:
        """The pad of P: a bank for each row of a tile, a word in it for each slot."""
        return PadForm(self.rows, self.slots, self.lanes, self.formats.p.width)

    @property
    def o_pad(self) -> PadForm:
        """The pad of outputs: codes, sign-extended."""
        return PadForm(1, self.o_words, self.lanes, OUTPUT_BITS)

    @property
    def sum_word(self) -> data.ArrayLayout:
        """A word of accumulators."""
        return data.ArrayLayout(shape_of(self.formats.accumulator), self.lanes)


def factor_word(form: VectorForm) -> data.StructLayout:
    """Factors of a row of a tile: whether its maximum `grows`; then `factor` is that of the sums, else of the tile."""
    return data.StructLayout({"grows": 1, "factor": shape_of(form.formats.factors)})
