"""Parameters of the array that does softmax itself, checked; its steps, and the payloads of its streams."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import exp

from amaranth.hdl import signed
from amaranth.lib import data

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from rtl.block import check_choice, check_size
from rtl.fixed import check_format, check_reach
from rtl.pipeline import MOST_STAGES

OPERAND = 16  # bits of both operands of the multiplier
ACCUMULATOR = FixedFormat(32)
P = FixedFormat(OPERAND, OPERAND - 1)
SOURCE = FixedFormat(OPERAND, 11)  # from -16, whose exp is below half a step of P
SHIFT_BITS = 5
OP_BITS = 3
STEP_BITS = 2
MOST_LANES = 256
MOST_TILES = 256
LONGEST = 1 << 30


class Op(IntEnum):
    """What an element does at an edge."""

    MAC = 0
    MAX = 1
    SUB = 2
    RANGE = 3
    HORNER = 4
    HORNER_LAST = 5


class Step(IntEnum):
    """What a beat of the left operand is for."""

    QK = 0
    LM = 1
    SLN = 2
    SLNV = 3


@dataclass(frozen=True)
class FuseForm:
    """What array it is. All operands are signed integers; sums have 32 bits.

    Attributes:
        rows: rows of processing elements: the keys of a tile.
        cols: columns of them: its queries.
        dataflow: what stays in place: outputs (`os`), which is the only one that can take exp of them.
        operand: bits of both operands of a multiplier: 16, those of every step of exp.
        query: bits of an element of Q, which the scale of the scores is folded into.
        key: bits of an element of K and of V.
        length: the largest E.
        tiles: tiles whose scores and P an element holds: slots, by number.
        source: of which exp is taken: 16 bits that reach down to where exp is 0.
        input_registers: registers between an input and the array.
        output_registers: registers between the array and the output.

    Raises:
        AccelsimError: a parameter out of range, an array that cannot do exp, or a sum that could overflow.
    """

    rows: int = 8
    cols: int = 8
    dataflow: str = "os"
    operand: int = OPERAND
    query: int = OPERAND
    key: int = 8
    length: int = 256
    tiles: int = 1
    source: FixedFormat = SOURCE
    input_registers: int = 1
    output_registers: int = 1

    def __post_init__(self) -> None:
        self._check_exp()
        for name, low, high in (
            ("rows", 1, MOST_LANES),
            ("cols", 1, MOST_LANES),
            ("query", 2, OPERAND),
            ("key", 2, OPERAND),
            ("length", 1, LONGEST),
            ("tiles", 1, MOST_TILES),
            ("input_registers", 0, MOST_STAGES),
            ("output_registers", 0, MOST_STAGES),
        ):
            check_size(name, getattr(self, name), low, high)
        score = self.length << (self.query + self.key - 2)
        check_reach(f"accumulator of scores of {self.length} products", (-score, score), ACCUMULATOR)
        total = self.rows * P.highest << (self.key - 1)
        check_reach(f"accumulator of P x V over {self.rows} keys", (-total, total), ACCUMULATOR)

    def _check_exp(self) -> None:
        """exp in six steps needs scores in place, operands of 16 bits, and a source that reaches far enough."""
        check_choice("dataflow", self.dataflow, ("os", "ws"))
        if self.dataflow == "ws":
            raise AccelsimError(
                'dataflow: must be os for exp on the array, got "ws": where weights stay no score does; '
                "take systolic and the exp unit"
            )
        if self.operand != OPERAND:
            raise AccelsimError(
                f'operand: must be {OPERAND} bits for exp on the array, got "{self.operand}"; '
                f"for others take systolic and the exp unit"
            )
        check_format("source", self.source)
        lowest = self.source.lowest / 2.0**self.source.fraction
        fits = self.source.signed and self.source.width == OPERAND and self.source.fraction >= 1
        if not fits or exp(lowest) * 2 ** (P.fraction + 1) >= 1:
            raise AccelsimError(f'source: must be one of s16.1 to {SOURCE}, where exp ends at 0, got "{self.source}"')


def left_layout(form: FuseForm) -> data.StructLayout:
    """A beat, by its `step` (`Step`); `data` has an element for each row, `last` ends the step.

    Where the array holds more than one tile, `slot` says which one the step is of.

    QK: element e of each key. LM: 1 where a row has a key, else 0. SLN: `shift`, by how much scores are shifted, and no
    data. SLNV: element f of each value; the sum of P (SLD) is what values of 1 give. Rows without a key have zeros.
    """
    rows = data.ArrayLayout(signed(form.key), form.rows)
    return data.StructLayout(
        {"step": STEP_BITS, "data": rows, "shift": SHIFT_BITS, "last": 1, **slot_field(form.tiles)}
    )


def slot_field(tiles: int) -> dict[str, range]:
    """The field by which a step says which of so many tiles it is of; nothing where there is but one."""
    return {"slot": range(tiles)} if tiles > 1 else {}


def top_layout(form: FuseForm) -> data.ArrayLayout:
    """Element e of each query, beside a beat of QK."""
    return data.ArrayLayout(signed(form.query), form.cols)


def result_layout(form: FuseForm) -> data.StructLayout:
    """`data`: of each query a maximum (with `maximum`) or a sum of P x V; `last`: ends the step."""
    sums = data.ArrayLayout(signed(ACCUMULATOR.width), form.cols)
    return data.StructLayout({"data": sums, "maximum": 1, "last": 1})
