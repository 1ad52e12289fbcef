"""Processing elements of a systolic array: a multiplier, an adder, and registers to the neighbours."""

from __future__ import annotations

from amaranth.hdl import EnableInserter, Fragment, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.pipeline import later
from rtl.systolic.form import ArrayForm


def token_layout(form: ArrayForm) -> data.StructLayout:
    """What moves from left to right: an operand, whether there is one, and whether it is its job's first or last.

    Weights in place: also `catch`, whether the weight that passes from above is for this row.
    """
    flags = ("valid", "first", "last", *(("catch",) if form.dataflow == "ws" else ()))
    return data.StructLayout({"value": signed(form.left), **dict.fromkeys(flags, 1)})


class Element(Block):
    """What both kinds of element have: operands come from the left and from above, and go on after one edge.

    Ports:
        goes: input, whether registers move at this edge.
        left: input, token of `token_layout`.
        right: output, the same token one edge later.
        above: input, an element of the right operand.
        below: output, the same one edge later.
        sum: output, see the kinds; the registers of the MAC lie before it.
        done: output, whether `sum` is one that leaves.
        ends: output, whether it is the last of its job; valid when `done`.
        sum_above: input of the kind that keeps weights, the sum of the element above.
    """

    def __init__(self, form: ArrayForm) -> None:
        self.form = form
        ports = {
            "goes": In(1),
            "left": In(token_layout(form)),
            "right": Out(token_layout(form)),
            "above": In(signed(form.right)),
            "below": Out(signed(form.right)),
            "sum": Out(form.sum_shape),
            "done": Out(1),
            "ends": Out(1),
        }
        super().__init__({**ports, "sum_above": In(form.sum_shape)} if form.dataflow == "ws" else ports)

    def elaborate(self, platform: None) -> Fragment:
        m = Module()
        self.pass_on(m)
        self.work(m)
        return EnableInserter(self.goes)(m)

    def work(self, m: Module) -> None:
        """What the element does with its operands."""
        raise NotImplementedError

    def pass_on(self, m: Module) -> None:
        """Operands move to the neighbours."""
        flags = {key: self.left[key] for key, _ in token_layout(self.form) if key not in ("value", "valid")}
        values = {"value": self.left.value, **flags}
        present, *moved = later(m, "passed", 1, present=self.left.valid, **values)
        m.d.comb += [self.right.valid.eq(present), *(self.right[k].eq(v) for k, v in zip(values, moved, strict=True))]
        m.d.sync += self.below.eq(self.above)


class KeepOutputs(Element):
    """Adds up products in place. `sum` is the total with the last product, at the edge at which it is added, else 0."""

    def work(self, m: Module) -> None:
        kept = Signal(self.form.sum_shape, reset_less=True)
        total = Signal(self.form.sum_shape)
        product = Signal(self.form.product_shape)
        m.d.comb += product.eq(self.left.value * self.above)
        valid, first, last, ready = later(
            m,
            "mac",
            self.form.mac_registers,
            present=self.left.valid,
            first=self.left.first,
            last=self.left.last,
            product=product,
        )
        m.d.comb += [
            total.eq(ready + Mux(first, 0, kept)),
            self.done.eq(valid & last),
            self.ends.eq(1),
            self.sum.eq(Mux(self.done, total, 0)),
        ]
        with m.If(valid):
            m.d.sync += kept.eq(total)


class KeepWeights(Element):
    """Multiplies by the weight that it holds. `sum` is the product and the sum from above, which waits an edge.

    With two weights the job's first operand puts the one that waits to use, at the same edge.
    """

    def work(self, m: Module) -> None:
        above = Signal(self.form.sum_shape, reset_less=True)
        product = Signal(self.form.product_shape)
        m.d.comb += product.eq(self.left.value * self._weight(m))
        valid, last, ready = later(
            m, "mac", self.form.mac_registers, present=self.left.valid, last=self.left.last, product=product
        )
        m.d.sync += above.eq(self.sum_above)
        m.d.comb += [self.sum.eq(ready + above), self.done.eq(valid), self.ends.eq(last)]

    def _weight(self, m: Module) -> Signal:
        """The weight to multiply by; the catching of a weight that passes."""
        held = Signal(signed(self.form.right), reset_less=True)
        if self.form.weight_buffers == 1:
            with m.If(self.left.catch):
                m.d.sync += held.eq(self.above)
            return held
        waiting = Signal.like(held)
        used = Signal.like(held)
        m.d.comb += used.eq(Mux(self.left.valid & self.left.first, waiting, held))
        m.d.sync += held.eq(used)
        with m.If(self.left.catch):
            m.d.sync += waiting.eq(self.above)
        return used
