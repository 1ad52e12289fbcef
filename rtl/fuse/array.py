"""The array that does softmax itself as a unit: streams in and out, and which step enters when."""

from __future__ import annotations

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.fuse.element import EXP_OPS, LEFT_CONSTANTS
from rtl.fuse.form import OP_BITS, OPERAND, FuseForm, Op, Step, left_layout, result_layout, top_layout
from rtl.fuse.grid import FuseGrid


class FuseArray(Block):
    """Attention on tiles of keys, one per row, for a tile of queries, one per column, up to what needs other tiles.

    Scores stay in the elements, and so do P, the exp of what they lie below the maximum of the tile:

    - QK: K enters from the left and Q from above, E beats; each element adds up its score.
    - LM: the maximum goes down each column, leaves below, and waits for SLN.
    - SLN: taken up at the top, the maximum goes down again and is subtracted; six steps of exp follow.
    - SLNV: V enters from the left, F beats; sums of P x V go down the columns and leave below. One more beat whose
      values are 1 is SLD, the sum of P.

    One step enters per edge; SLN takes 7 edges, and enters at the earliest `rows` + 1 edges after LM. Beats of other
    steps may come between LM and SLN, such as SLNV of the tile before: scores and P are kept apart. An array of more
    than one tile keeps all of this for each of them, and takes steps of one between those of another. A result leaves
    `rows` + `cols` - 1 + input_registers + output_registers edges after its beat.

    Ports:
        left: input stream of `left_layout`; ready when its beat may enter, beside one of `top` where it is QK.
        top: input stream of `top_layout`; ready beside a beat of QK.
        result: output stream of `result_layout`; valid when a row leaves: one for LM, one for each beat of SLNV. While
            it stalls everything stands still.

    After a reset no beat is held and the next beat of QK begins anew; scores, P and maxima mean nothing.
    """

    def __init__(self, form: FuseForm) -> None:
        self.form = form
        ports = {
            "left": In(stream.Signature(left_layout(form))),
            "top": In(stream.Signature(top_layout(form))),
            "result": Out(stream.Signature(result_layout(form))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.grid = grid = FuseGrid(self.form)
        goes = Signal()
        m.d.comb += [
            self.result.valid.eq(grid.present),
            self.result.payload.eq(grid.result),
            goes.eq(~grid.present | self.result.ready),
            grid.goes.eq(goes),
            grid.north.eq(self.top.payload),
        ]
        turn = self._admit(m, grid, goes)
        self._drive(m, grid, turn)
        return m

    def _admit(self, m: Module, grid: FuseGrid, goes: Signal) -> Signal:
        """Which of the seven turns of SLN it is; 0 lets a beat of any step in."""
        beat = self.left.payload
        turn = Signal(range(len(EXP_OPS)))
        enters = Signal()
        pairs = beat.step == Step.QK
        free = (turn == 0) & ~((beat.step == Step.SLN) & grid.near)
        m.d.comb += [
            enters.eq(free & self.left.valid & (~pairs | self.top.valid)),
            self.left.ready.eq(free & goes & (~pairs | self.top.valid)),
            self.top.ready.eq(free & goes & pairs & self.left.valid),
            grid.step.valid.eq(enters | (turn != 0)),
        ]
        if self.form.tiles > 1:
            slot = Signal.like(beat.slot, reset_less=True)
            with m.If(turn == 0):
                m.d.sync += slot.eq(beat.slot)
            m.d.comb += grid.step.slot.eq(Mux(turn == 0, beat.slot, slot))
        with m.If(goes & (turn != 0)):
            m.d.sync += turn.eq(Mux(turn == len(EXP_OPS) - 1, 0, turn + 1))
        with m.Elif(goes & enters & (beat.step == Step.SLN)):
            m.d.sync += turn.eq(1)
        return turn

    def _drive(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        """The step of this edge and its operands from the left: those of the beat, or constants of exp."""
        beat = self.left.payload
        begins = Signal(init=1)
        with m.If(self.top.valid & self.top.ready):
            m.d.sync += begins.eq(beat.last)
        ops = {Step.QK: Op.MAC, Step.LM: Op.MAX, Step.SLN: Op.SUB, Step.SLNV: Op.MAC}
        constants = Array(Const(value, signed(OPERAND)) for value in LEFT_CONSTANTS)
        turns = Array(Const(op, OP_BITS) for op in EXP_OPS)
        down = beat.step == Step.SLNV
        m.d.comb += [grid.step.first.eq(begins), grid.step.last.eq(beat.last), grid.step.down.eq(down)]
        with m.If(turn != 0):
            m.d.comb += grid.step.op.eq(turns[turn])
            m.d.comb += [grid.west[row].eq(constants[turn]) for row in range(self.form.rows)]
        with m.Else():
            with m.Switch(beat.step):
                for step, op in ops.items():
                    with m.Case(step):
                        m.d.comb += grid.step.op.eq(op)
            shifts = beat.step == Step.SLN
            m.d.comb += [grid.west[row].eq(Mux(shifts, beat.shift, beat.data[row])) for row in range(self.form.rows)]
