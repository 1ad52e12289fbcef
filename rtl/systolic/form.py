"""Parameters of a systolic array, checked, and the payloads of its streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Shape, signed
from amaranth.lib import data

from accelsim.errors import AccelsimError
from rtl.block import check_choice, check_size
from rtl.pipeline import MOST_STAGES

Dataflow = Literal["os", "ws"]
MOST_LANES = 256
WIDEST_OPERAND = 32
WIDEST_ACCUMULATOR = 62
LONGEST = 1 << 30


@dataclass(frozen=True)
class ArrayForm:
    """What array it is. Operands and sums are signed integers.

    Attributes:
        rows: rows of processing elements.
        cols: columns of them.
        dataflow: what stays in place: outputs (`os`) or weights (`ws`).
        left: bits of an element of the left operand, the inputs.
        right: bits of an element of the right operand, the weights.
        accumulator: bits of a sum.
        length: the longest K. With weights in place a sum has at most `rows` products, whatever K is.
        weight_buffers: weights that an element holds: with 2 the next tile's enter during this one. 1 for `os`.
        input_registers: registers between an input and the array.
        mac_registers: registers between multiplier and adder.
        output_registers: registers between the array and the output.

    Raises:
        AccelsimError: a parameter out of range, or an accumulator that could overflow.
    """

    rows: int = 8
    cols: int = 8
    dataflow: Dataflow = "ws"
    left: int = 16
    right: int = 8
    accumulator: int = 32
    length: int = 256
    weight_buffers: int = 1
    input_registers: int = 1
    mac_registers: int = 1
    output_registers: int = 1

    def __post_init__(self) -> None:
        check_choice("dataflow", self.dataflow, ("os", "ws"))
        for name, low, high in (
            ("rows", 1, MOST_LANES),
            ("cols", 1, MOST_LANES),
            ("left", 2, WIDEST_OPERAND),
            ("right", 2, WIDEST_OPERAND),
            ("accumulator", 2, WIDEST_ACCUMULATOR),
            ("length", 1, LONGEST),
            ("weight_buffers", 1, 2 if self.dataflow == "ws" else 1),
            ("input_registers", 0, MOST_STAGES),
            ("mac_registers", 0, MOST_STAGES),
            ("output_registers", 0, MOST_STAGES),
        ):
            check_size(name, getattr(self, name), low, high)
        self._check_accumulator()

    @property
    def products(self) -> int:
        """How many products an accumulator must hold: K or, with weights in place, that part of it in one tile."""
        return self.length if self.dataflow == "os" else min(self.length, self.rows)

    def _check_accumulator(self) -> None:
        """The largest product is 2^(left - 1) times 2^(right - 1), and positive."""
        largest = self.products << (self.left + self.right - 2)
        enough = largest.bit_length() + 1
        if self.accumulator < enough:
            raise AccelsimError(
                f"accumulator: must be at least {enough} bits for {self.products} products of {self.left} by "
                f'{self.right} bits, got "{self.accumulator}": a sum could overflow'
            )

    @property
    def product_shape(self) -> Shape:
        return signed(self.left + self.right)

    @property
    def sum_shape(self) -> Shape:
        return signed(self.accumulator)


def left_layout(form: ArrayForm) -> data.StructLayout:
    """`data`: an element of the left operand for each row; `last`: ends the job.

    Outputs in place: a column of the tile, K of them. Weights in place: a row of the tile, from its K columns.
    """
    return data.StructLayout({"data": data.ArrayLayout(signed(form.left), form.rows), "last": 1})


def right_layout(form: ArrayForm) -> data.StructLayout:
    """`data`: a row of the right operand, an element for each column; weights in place: `last` in row `rows` - 1."""
    row = {"data": data.ArrayLayout(signed(form.right), form.cols)}
    return data.StructLayout({**row, "last": 1} if form.dataflow == "ws" else row)


def result_layout(form: ArrayForm) -> data.StructLayout:
    """`data`: a row of sums, one for each column; `last`: ends the job."""
    return data.StructLayout({"data": data.ArrayLayout(form.sum_shape, form.cols), "last": 1})
