"""The systolic array as a unit: streams in and out, and when the beats and the weights of a job may enter."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.systolic.form import ArrayForm, left_layout, result_layout, right_layout
from rtl.systolic.grid import Grid


class SystolicArray(Block):
    """A product of integer matrices, one tile per job; sums over K beyond a tile are added outside.

    A job, left M x K times right K x N, where lanes past the end of the tile are zeros and give zeros:

    - Outputs in place (M <= rows, N <= cols): K beats of `left` and `right` together, one column of the left and one
      row of the right operand. The result has `rows` rows.
    - Weights in place (K <= rows, N <= cols): `rows` rows of weights on `right`, then M beats of `left`, one row of
      the left operand. The result has M rows.

    One beat per edge, one row of results per edge. With s = input_registers + mac_registers + output_registers the
    first row leaves K - 1 + (cols - 1) + s edges after the job's first beat where outputs stay, and
    2 rows - 1 + (cols - 1) + s after its first weights where weights stay; jobs follow each other after the larger of K
    and `rows` edges, after `rows` + M - 1 with one weight buffer, after the larger of M and `rows` with two.

    A column's sums leave over one wire, one per edge. So where outputs stay, neither the first nor the last beat of a
    job enters less than `rows` edges after that of the job before: one of K < `rows` behind a longer one waits within.

    Ports:
        left: input stream of `left_layout`; ready when the beat may enter. Where outputs stay, `left` and `right` move
            together; where weights stay, a beat enters when its job's weights have.
        right: input stream of `right_layout`; where weights stay, ready from the last beat of the job before on with
            one weight buffer, from its first beat on with two.
        result: output stream of `result_layout`; valid when a row leaves. While it stalls everything stands still.

    After a reset no beat, no weights and no job are held.
    """

    def __init__(self, form: ArrayForm) -> None:
        self.form = form
        ports = {
            "left": In(stream.Signature(left_layout(form))),
            "right": In(stream.Signature(right_layout(form))),
            "result": Out(stream.Signature(result_layout(form))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        grid = Grid(self.form)
        goes = Signal()
        m.submodules.grid = grid
        m.d.comb += [
            self.result.valid.eq(grid.present),
            self.result.payload.eq(grid.result),
            goes.eq(~grid.present | self.result.ready),
            grid.goes.eq(goes),
            grid.west.eq(self.left.payload.data),
            grid.north.eq(self.right.payload.data),
            grid.step.last.eq(self.left.payload.last),
        ]
        if self.form.dataflow == "os":
            self._admit_pairs(m, grid, goes)
        elif self.form.weight_buffers == 1:
            self._admit_after(m, grid, goes)
        else:
            self._admit_beside(m, grid, goes)
        return m

    def _admit_pairs(self, m: Module, grid: Grid, goes: Signal) -> None:
        """Both operands of a beat at once, when neither end of the job comes too close behind that of another."""
        begins = Signal(init=1)
        free = Signal()
        last = self.left.payload.last
        m.d.comb += [
            free.eq(~(begins & grid.recent.first | last & grid.recent.last)),
            self.left.ready.eq(self.right.valid & free & goes),
            self.right.ready.eq(self.left.valid & free & goes),
            grid.step.valid.eq(self.left.valid & self.right.valid & free),
            grid.step.first.eq(begins),
        ]
        with m.If(self.left.valid & self.left.ready):
            m.d.sync += begins.eq(last)

    def _admit_after(self, m: Module, grid: Grid, goes: Signal) -> None:
        """One weight buffer: weights enter until the tile is whole, then beats, and weights again with the last one."""
        whole = Signal()
        ends = self.left.valid & self.left.payload.last
        m.d.comb += [
            self.left.ready.eq(whole & goes),
            self.right.ready.eq((~whole | ends) & goes),
            grid.step.valid.eq(self.left.valid & whole),
            grid.weights.valid.eq(self.right.valid & (~whole | ends)),
        ]
        with m.If(self.left.ready & ends):
            m.d.sync += whole.eq(0)
        self._take_weights(m, grid, whole)

    def _admit_beside(self, m: Module, grid: Grid, goes: Signal) -> None:
        """Two weight buffers: a tile's weights may enter as soon as the first beat has put those before to use."""
        whole = Signal()
        within = Signal()
        begins = self.left.valid & ~within
        m.d.comb += [
            self.left.ready.eq((within | whole) & goes),
            self.right.ready.eq((~whole | begins) & goes),
            grid.step.valid.eq(self.left.valid & (within | whole)),
            grid.step.first.eq(~within),
            grid.weights.valid.eq(self.right.valid & (~whole | begins)),
        ]
        with m.If(self.left.valid & self.left.ready):
            m.d.sync += within.eq(~self.left.payload.last)
            with m.If(~within):
                m.d.sync += whole.eq(0)
        self._take_weights(m, grid, whole)

    def _take_weights(self, m: Module, grid: Grid, whole: Signal) -> None:
        """The row with `last` makes a tile's weights whole, also when the ones before have just been used."""
        fresh = Signal(init=1)
        m.d.comb += grid.weights.first.eq(fresh)
        with m.If(self.right.valid & self.right.ready):
            m.d.sync += fresh.eq(self.right.payload.last)
            with m.If(self.right.payload.last):
                m.d.sync += whole.eq(1)
