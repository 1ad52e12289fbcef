"""The grid of elements, the registers that skew what enters it, the maxima on their way back, and what leaves it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, EnableInserter, Fragment, Module, Mux, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.fuse.element import SUM, TOP_CONSTANT, FusePe, of_tile, per_tile
from rtl.fuse.form import ACCUMULATOR, OP_BITS, OPERAND, FuseForm, Op, result_layout, slot_field, top_layout
from rtl.once import once
from rtl.pipeline import later


def step_layout(form: FuseForm) -> data.StructLayout:
    """What elements are to do: a token without its operand."""
    flags = dict.fromkeys(("down", "valid", "first", "last"), 1)
    return data.StructLayout({"op": OP_BITS, **flags, **slot_field(form.tiles)})


class FuseGrid(Block):
    """Elements and all registers around them, which move or stand still together.

    Row i waits i edges beyond the input registers, column j of the queries j edges, so that element (i, j) works i + j
    edges after element (0, 0). Column j of the result waits as much less: rows leave whole. A column's maximum,
    one for each tile, waits below the last row until SUB takes it into the first.

    Ports:
        goes: input, whether registers move at this edge.
        step: input, what all elements are to do, each at its time.
        west: input, an operand for each row; valid when `step.valid`.
        north: input, an element of each query; valid beside a MAC that is not `down`.
        near: output, whether a MAX of the step's tile entered at one of the `rows` edges before: too close for SUB.
        result: output, of `result_layout`; valid when `present`.
        present: output, whether there is one.
    """

    def __init__(self, form: FuseForm) -> None:
        self.form = form
        super().__init__(
            {
                "goes": In(1),
                "step": In(step_layout(form)),
                "west": In(data.ArrayLayout(signed(OPERAND), form.rows)),
                "north": In(top_layout(form)),
                "near": Out(1),
                "result": Out(result_layout(form)),
                "present": Out(1),
            }
        )

    def elaborate(self, platform: None) -> Fragment:
        m = Module()
        elements = self._elements(m)
        self._enter_left(m, [line[0] for line in elements])
        self._enter_top(m, elements)
        self._leave(m, elements[-1])
        return EnableInserter(self.goes)(m)

    def _elements(self, m: Module) -> list[list[FusePe]]:
        """The elements, each wired to its neighbours."""
        columns = range(self.form.cols)
        elements = [[FusePe(self.form.source, self.form.tiles) for _ in columns] for _ in range(self.form.rows)]
        for i, line in enumerate(elements):
            for j, element in enumerate(line):
                m.submodules[f"element_{i}_{j}"] = once("element", element)
                m.d.comb += element.goes.eq(self.goes)
                if j:
                    m.d.comb += element.left.eq(line[j - 1].right)
                if i:
                    m.d.comb += element.above.eq(elements[i - 1][j].below)
        return elements

    def _enter_left(self, m: Module, column: Sequence[FusePe]) -> None:
        """Skewed operands; a step goes beside the last row's, where all other rows tap it."""
        rows, registers = self.form.rows, self.form.input_registers
        names = [name for name, _ in step_layout(self.form) if name != "valid"]
        ages = [(self.step.valid, *(self.step[name] for name in names))]
        for age in range(max(registers + rows - 1, rows)):
            valid, *rest = ages[-1]
            ages.append(tuple(later(m, f"age_{age}", 1, present=valid, **dict(zip(names, rest, strict=True)))))
        for row, element in enumerate(column):
            (value,) = later(m, f"left_{row}", registers + row, value=self.west[row])
            valid, *rest = ages[registers + row]
            m.d.comb += [element.left.value.eq(value), element.left.valid.eq(valid)]
            m.d.comb += [element.left[name].eq(flag) for name, flag in zip(names, rest, strict=True)]
        op = 1 + names.index("op")
        close = [age[0] & (age[op] == Op.MAX) for age in ages[1 : rows + 1]]
        if self.form.tiles > 1:
            slot = 1 + names.index("slot")
            close = [near & (age[slot] == self.step.slot) for near, age in zip(close, ages[1:], strict=False)]
        m.d.comb += self.near.eq(Cat(close).any())

    def _enter_top(self, m: Module, elements: Sequence[Sequence[FusePe]]) -> None:
        """What is above the first row: queries, nothing, the least number, the column's maximum, or c5."""
        for col, (first, last) in enumerate(zip(elements[0], elements[-1], strict=True)):
            (query,) = later(m, f"top_{col}", self.form.input_registers + col, value=self.north[col])
            maxima = per_tile(f"maximum_{col}", SUM, self.form.tiles)
            with m.If(last.right.valid & (last.right.op == Op.MAX)):
                m.d.sync += of_tile(maxima, last.right).eq(last.below)
            with m.Switch(first.left.op):
                with m.Case(Op.MAC):
                    m.d.comb += first.above.eq(Mux(first.left.down, 0, query))
                with m.Case(Op.MAX):
                    m.d.comb += first.above.eq(ACCUMULATOR.lowest)
                with m.Case(Op.SUB):
                    m.d.comb += first.above.eq(of_tile(maxima, first.left))
                with m.Case(Op.RANGE):
                    m.d.comb += first.above.eq(TOP_CONSTANT)

    def _leave(self, m: Module, line: Sequence[FusePe]) -> None:
        """Below the last row maxima and sums leave, the first column waiting for the last, which says when."""
        final, registers = len(line) - 1, self.form.output_registers
        for col, element in enumerate(line):
            (value,) = later(m, f"result_{col}", registers + final - col, value=element.below)
            m.d.comb += self.result.data[col].eq(value)
        token = line[-1].right
        is_maximum = token.op == Op.MAX
        leaves = token.valid & (is_maximum | ((token.op == Op.MAC) & token.down))
        present, maximum, last = later(m, "result", registers, present=leaves, maximum=is_maximum, last=token.last)
        m.d.comb += [self.present.eq(present), self.result.maximum.eq(maximum), self.result.last.eq(last)]
