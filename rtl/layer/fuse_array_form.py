"""Parameters of the engine around the array that does softmax itself, checked, and the pads that it works on."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.errors import AccelsimError
from rtl.block import check_size
from rtl.fuse import FuseForm
from rtl.layer.array import MOST_RESULTS, MOST_WORDS, SIDES, SUM, WORD_LANES
from rtl.layer.pads import PadForm

QUERY_LANES = 4  # elements of Q in a word of memory
QUERY, KEY = 16, 8  # bits of an element of Q, and of one of K and V


@dataclass(frozen=True)
class FuseEngineForm:
    """What engine it is, and how large the pads are that it reads and writes.

    Attributes:
        rows: keys of a tile: rows of the array, banks of the K and of the V pad.
        cols: queries of a tile: columns of the array, banks of the Q pad.
        tiles: tiles whose scores and P the array holds: slots, and words of the M and of the D pad.
        length: the largest E.
        q_words: words of 4 elements in a bank of the Q pad.
        k_words: words of 8 elements in a bank of the K pad.
        v_words: the same of the V pad.
        pv_words: words of `cols` sums in the PV pad.
        input_registers: registers between the pads and the array.
        output_registers: registers between the array and the pads.

    Raises:
        AccelsimError: a parameter out of range, or scores of that length could overflow.
    """

    rows: int = 8
    cols: int = 8
    tiles: int = 4
    length: int = 64
    q_words: int = 16
    k_words: int = 32
    v_words: int = 32
    pv_words: int = 128
    input_registers: int = 1
    output_registers: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            if (side := getattr(self, name)) not in SIDES or isinstance(side, bool):
                raise AccelsimError(f'{name}: must be one of {", ".join(map(str, SIDES))}, got "{side}"')
        for name, most in (
            ("q_words", MOST_WORDS),
            ("k_words", MOST_WORDS),
            ("v_words", MOST_WORDS),
            ("pv_words", MOST_RESULTS),
        ):
            check_size(name, getattr(self, name), 1, most)
        _ = self.array

    @property
    def array(self) -> FuseForm:
        """The array. AccelsimError where it cannot be."""
        return FuseForm(
            self.rows,
            self.cols,
            query=QUERY,
            key=KEY,
            length=self.length,
            tiles=self.tiles,
            input_registers=self.input_registers,
            output_registers=self.output_registers,
        )

    @property
    def drain(self) -> int:
        """Edges from the earliest start of the next instruction to the last result of an instruction.

        The last beat leaves the pads with the edge of that start, enters the array at the next, and its result leaves
        when it has come down `rows` elements and across cols - 1, and all registers.
        """
        return 1 + self.rows + self.cols - 1 + self.input_registers + self.output_registers

    @property
    def under_way(self) -> int:
        """Instructions that have started and not yet completed, at most, when another starts, and that one.

        Those are not yet complete whose last beat was put to the pads at that edge or one of `drain` before it.
        """
        return self.drain + 1 + 1

    @property
    def q(self) -> PadForm:
        """The Q pad, a `ColumnPad`."""
        return PadForm(self.cols, self.q_words, QUERY_LANES, QUERY)

    @property
    def k(self) -> PadForm:
        """The K pad, a `ColumnPad`."""
        return PadForm(self.rows, self.k_words, WORD_LANES, KEY)

    @property
    def v(self) -> PadForm:
        """The V pad, a `ColumnPad`."""
        return PadForm(self.rows, self.v_words, WORD_LANES, KEY)

    @property
    def m(self) -> PadForm:
        """The M pad, a `RowPad`; the D pad is its like."""
        return PadForm(1, self.tiles, self.cols, SUM)

    @property
    def pv(self) -> PadForm:
        """The PV pad, a `RowPad`."""
        return PadForm(1, self.pv_words, self.cols, SUM)
