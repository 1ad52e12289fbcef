"""The grid of processing elements, the registers that skew what enters it and those that align what leaves it."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, EnableInserter, Fragment, Module, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.once import once
from rtl.pipeline import later
from rtl.systolic.element import Element, KeepOutputs, KeepWeights
from rtl.systolic.form import ArrayForm, result_layout

STEP = data.StructLayout({"valid": 1, "first": 1, "last": 1})
WEIGHTS = data.StructLayout({"valid": 1, "first": 1})
RECENT = data.StructLayout({"first": 1, "last": 1})


class Grid(Block):
    """Elements and all registers around them, which move or stand still together.

    Row i of the left operand waits i edges beyond the input registers, column j of the right one j edges, so that
    element (i, j) works i + j edges after element (0, 0). Column j of the result waits as much less: rows leave whole.

    Ports:
        goes: input, whether registers move at this edge.
        west: input, an element of the left operand for each row; valid when `step.valid`.
        north: input, an element of the right operand for each column; valid when `step.valid` where outputs stay, and
            when `weights.valid` where weights do.
        step: input, whether there is a beat, and whether it is its job's first or last.
        weights: input where weights stay, whether there is a row of weights, and whether it is its tile's first.
        recent: output where outputs stay, whether a first or a last beat entered in the `rows` - 1 edges before.
        result: output, a row of sums of `result_layout`; valid when `present`.
        present: output, whether there is one.
    """

    def __init__(self, form: ArrayForm) -> None:
        self.form = form
        ports = {
            "goes": In(1),
            "west": In(data.ArrayLayout(signed(form.left), form.rows)),
            "north": In(data.ArrayLayout(signed(form.right), form.cols)),
            "step": In(STEP),
            "result": Out(result_layout(form)),
            "present": Out(1),
        }
        super().__init__({**ports, **({"recent": Out(RECENT)} if form.dataflow == "os" else {"weights": In(WEIGHTS)})})

    def elaborate(self, platform: None) -> Fragment:
        m = Module()
        elements = self._elements(m)
        self._enter_left(m, elements)
        self._enter_top(m, elements[0])
        if self.form.dataflow == "ws":
            self._catch(m, elements)
        self._leave(m, elements)
        return EnableInserter(self.goes)(m)

    def _elements(self, m: Module) -> list[list[Element]]:
        """The elements, each wired to its neighbours."""
        kind = KeepOutputs if self.form.dataflow == "os" else KeepWeights
        columns = range(self.form.cols)
        elements: list[list[Element]] = [[kind(self.form) for _ in columns] for _ in range(self.form.rows)]
        for i, line in enumerate(elements):
            for j, element in enumerate(line):
                m.submodules[f"element_{i}_{j}"] = once("element", element)
                m.d.comb += element.goes.eq(self.goes)
                if j:
                    m.d.comb += element.left.eq(line[j - 1].right)
                if i:
                    m.d.comb += element.above.eq(elements[i - 1][j].below)
                if i and self.form.dataflow == "ws":
                    m.d.comb += element.sum_above.eq(elements[i - 1][j].sum)
        return elements

    def _enter_left(self, m: Module, elements: Sequence[Sequence[Element]]) -> None:
        """Skewed lanes of the left operand; the flags of a beat go beside the last lane, where all others tap them."""
        rows, registers = self.form.rows, self.form.input_registers
        flags = [(self.step.valid, self.step.first, self.step.last)]
        for age in range(1, registers + rows):
            valid, first, last = flags[-1]
            flags.append(tuple(later(m, f"age_{age}", 1, present=valid, first=first, last=last)))
        for row, line in enumerate(elements):
            (value,) = later(m, f"left_{row}", registers + row, value=self.west[row])
            token = line[0].left
            valid, first, last = flags[registers + row]
            m.d.comb += [token.value.eq(value), token.valid.eq(valid), token.first.eq(first), token.last.eq(last)]
        if self.form.dataflow == "os":
            near = flags[1:rows]
            m.d.comb += self.recent.first.eq(Cat(valid & first for valid, first, _ in near).any())
            m.d.comb += self.recent.last.eq(Cat(valid & last for valid, _, last in near).any())

    def _enter_top(self, m: Module, line: Sequence[Element]) -> None:
        for col, element in enumerate(line):
            (value,) = later(m, f"top_{col}", self.form.input_registers + col, value=self.north[col])
            m.d.comb += element.above.eq(value)

    def _catch(self, m: Module, elements: Sequence[Sequence[Element]]) -> None:
        """Each row keeps the first weight that comes past and makes the next the first for the row below."""
        valid, first = later(
            m, "weights", self.form.input_registers, present=self.weights.valid, first=self.weights.first
        )
        for row, line in enumerate(elements):
            catch = Signal(name=f"catch_{row}")
            caught = Signal(name=f"caught_{row}")
            m.d.comb += [catch.eq(valid & first), line[0].left.catch.eq(catch)]
            with m.If(valid):
                m.d.sync += caught.eq(first)
            valid, first = later(m, f"weights_below_{row}", 1, present=valid & ~first, first=caught)

    def _leave(self, m: Module, elements: Sequence[Sequence[Element]]) -> None:
        """Every column has one wire for what leaves it, from any row or from the last; the last column says when."""
        corner, final = elements[-1][-1], self.form.cols - 1
        leaving = elements if self.form.dataflow == "os" else elements[-1:]
        wires = [merged([line[col].sum for line in leaving]) for col in range(final + 1)]
        present, last = merged([line[final].done for line in leaving]), corner.done & corner.ends
        for col, wire in enumerate(wires):
            (value,) = later(m, f"result_{col}", self.form.output_registers + final - col, value=wire)
            m.d.comb += self.result.data[col].eq(value)
        present, last = later(m, "result", self.form.output_registers, present=present, last=last)
        m.d.comb += [self.present.eq(present), self.result.last.eq(last)]


def merged(values: Sequence[Value]) -> Value:
    """All values in one, of which at most one is not 0: a tree of gates."""
    if len(values) == 1:
        return values[0]
    return merged(values[: len(values) // 2]) | merged(values[len(values) // 2 :])
