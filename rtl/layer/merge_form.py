"""Parameters of the merge engine, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp

from amaranth.lib import data

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.program.instruction import FIELDS
from rtl.attention_formats import LONGEST, Formats
from rtl.block import check_size
from rtl.divide import division_stages
from rtl.exp import ExpStages
from rtl.fixed import shape_of
from rtl.layer.pads import PadForm
from rtl.layer.vector_form import MOST_LANES, MOST_ROWS, MOST_WORDS, OUTPUT_BITS, VectorForm, VectorStages
from rtl.pipeline import check_stages

FARTHEST = 62  # bits of a distance of maxima before it is shifted
MOST_SUMS = 1 << FIELDS["imm"]  # what SCALE_ADD can name


@dataclass(frozen=True)
class MergeStages:
    """Registers behind each step, and bits that a divider stage gives.

    Attributes:
        difference_stages: behind the distance of two maxima.
        round_stages: behind its shift and rounding.
        exp: of the exp units.
        rescale_stages: behind the product of a sum and its factor.
        add_stages: behind the sum of that product and what is added.
        division_bits: bits of a quotient that one stage of the division gives.
    """

    difference_stages: int = 1
    round_stages: int = 1
    exp: ExpStages = field(default_factory=ExpStages)
    rescale_stages: int = 1
    add_stages: int = 1
    division_bits: int = 1

    def __post_init__(self) -> None:
        check_stages(self)

    @property
    def factor_edges(self) -> int:
        """Edges from maxima to factors."""
        return self.difference_stages + self.round_stages + self.exp.depth


@dataclass(frozen=True)
class MergeForm:
    """What merge engine it is.

    Attributes:
        formats: of P, V and all behind them; `below` of `scores` is that of a distance of maxima.
        rows: keys of a tile.
        lanes: queries of a tile, and elements of a word of the pads.
        slots: words of the M and of the D pad.
        states: words of maxima and denominators that are kept.
        accumulators: words of sums of P x V that are kept.
        pv_words: words of the PV pad.
        o_words: words of the O pad.
        length: the longest row of keys.
        shifted: bits behind the point of a maximum that is shifted.
        stages: registers.

    Raises:
        AccelsimError: a parameter out of range, a sum that could overflow, or a source of exp that is too coarse or
            ends before its result does.
    """

    formats: Formats
    rows: int = 8
    lanes: int = 8
    slots: int = 4
    states: int = 2
    accumulators: int = 128
    pv_words: int = 256
    o_words: int = 128
    length: int = 4096
    shifted: int = 11
    stages: MergeStages = field(default_factory=MergeStages)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rows", 2, MOST_ROWS),
            ("lanes", 2, MOST_LANES),
            ("slots", 1, MOST_WORDS),
            ("states", 1, MOST_WORDS),
            ("accumulators", 1, MOST_SUMS),
            ("pv_words", 1, MOST_WORDS),
            ("o_words", 1, MOST_WORDS),
            ("length", 1, LONGEST),
            ("shifted", 0, self.formats.below.fraction),
        ):
            check_size(name, getattr(self, name), low, high)
        self._check_distance()
        _ = self.merge

    def _check_distance(self) -> None:
        """Where a distance saturates, exp must be 0 in its own steps: below a quarter of one of the factors."""
        below, factors = self.formats.below, self.formats.factors
        check_size("bits of a distance", self.formats.array.width + self.finer, 1, FARTHEST)
        if exp(-below.highest * 2.0**-below.fraction) * 2 ** (factors.fraction + 2) >= 1:
            raise AccelsimError(f'scores: must reach to where factors of {factors} are 0, got "{self.formats.scores}"')

    @property
    def finer(self) -> int:
        """Bits that the source of exp has behind those of a shifted maximum."""
        return self.formats.below.fraction - self.shifted

    @property
    def merge(self) -> VectorForm:
        """What `rtl.layer.vector_sums.Merge` is made from; its checks of formats, sums and stages are those of here."""
        own = self.stages
        stages = VectorStages(
            rescale_stages=own.rescale_stages, add_stages=own.add_stages, division_bits=own.division_bits
        )
        return VectorForm(self.formats, lanes=self.rows, length=self.length, stages=stages)

    @property
    def division_stages(self) -> int:
        """Registers of the division."""
        return division_stages(self.formats.output, self.stages.division_bits)

    @property
    def m_pad(self) -> PadForm:
        """The pad of maxima of tiles: a word is a slot."""
        return PadForm(1, self.slots, self.lanes, self.formats.array.width)

    @property
    def d_pad(self) -> PadForm:
        """The pad of sums of P of tiles: a word is a slot."""
        return self.m_pad

    @property
    def pv_pad(self) -> PadForm:
        """The pad of products of P and V."""
        return PadForm(1, self.pv_words, self.lanes, self.formats.array.width)

    @property
    def o_pad(self) -> PadForm:
        """The pad of outputs: codes, sign-extended."""
        return PadForm(1, self.o_words, self.lanes, OUTPUT_BITS)

    def word_of(self, number: FixedFormat) -> data.ArrayLayout:
        """A word of what is kept inside: a number for each query."""
        return data.ArrayLayout(shape_of(number), self.lanes)
