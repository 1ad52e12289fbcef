"""What machine it is: sizes of its array and of its scratchpads, formats, registers, and the forms of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from accelsim.program.instruction import FIELDS
from rtl.attention_formats import Formats
from rtl.block import check_size
from rtl.layer.array import WORD_LANES, ArrayEngineForm
from rtl.layer.vector_form import VectorForm, VectorStages

MOST_TILES = 64
LONGEST_QUEUE = 1 << 14


@dataclass(frozen=True)
class MachineForm:
    """Sizes of the machine.

    Attributes:
        formats: of every number.
        rows: queries of a tile: rows of the array.
        cols: keys of a tile: columns of the array and lanes of the vector engine.
        q_words, k_words, v_words: words of 8 elements in each bank of the pads of Q, K and V.
        tiles: tiles of scores, weights, factors and products that are kept.
        folds: parts of a row of the output, `cols` columns each, at most.
        copies: tiles of queries whose maxima, sums and outputs are kept.
        length: the longest row of keys.
        queue: instructions that each queue holds.
        input_registers, mac_registers, output_registers: of the array.
        stages: of the vector engine.

    Raises:
        AccelsimError: a parameter out of range.
    """

    formats: Formats
    rows: int = 8
    cols: int = 8
    q_words: int = 16
    k_words: int = 16
    v_words: int = 16
    tiles: int = 4
    folds: int = 4
    copies: int = 4
    length: int = 4096
    queue: int = 512
    input_registers: int = 1
    mac_registers: int = 1
    output_registers: int = 1
    stages: VectorStages = field(default_factory=VectorStages)

    def __post_init__(self) -> None:
        for name in ("tiles", "folds", "copies"):
            check_size(name, getattr(self, name), 1, MOST_TILES)
        check_size("queue", self.queue, 1, LONGEST_QUEUE)
        check_size("words of sums", self.copies * self.folds * self.rows, 1, 1 << FIELDS["a"])
        _ = self.array, self.vector

    @property
    def array(self) -> ArrayEngineForm:
        """The array engine, which has all pads but that of the output."""
        return ArrayEngineForm(
            rows=self.rows,
            cols=self.cols,
            q_words=self.q_words,
            k_words=self.k_words,
            v_words=self.v_words,
            p_words=self.tiles,
            s_words=self.tiles * self.rows,
            pv_words=self.tiles * self.folds * self.rows,
            input_registers=self.input_registers,
            mac_registers=self.mac_registers,
            output_registers=self.output_registers,
        )

    @property
    def vector(self) -> VectorForm:
        """The vector engine."""
        sums = self.copies * self.folds * self.rows
        return VectorForm(
            formats=self.formats,
            rows=self.rows,
            lanes=self.cols,
            slots=self.tiles,
            states=self.copies * self.rows,
            accumulators=sums,
            s_words=self.tiles * self.rows,
            pv_words=self.tiles * self.folds * self.rows,
            o_words=sums,
            length=self.length,
            stages=self.stages,
        )

    @property
    def banks(self) -> int:
        """Banks that a LOAD can name: of the pad that has the most."""
        return max(self.rows, self.cols)

    @property
    def word_elements(self) -> int:
        """Elements of Q, K and V in a word of memory."""
        return WORD_LANES
