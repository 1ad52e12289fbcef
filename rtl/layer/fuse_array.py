"""The engine around the array that does softmax itself: scores, weights and values of tiles in any order, by pads."""

from __future__ import annotations

from enum import IntEnum

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Out

from accelsim.program.instruction import FIELDS, FLAGS, OPS, SEMAPHORES
from rtl.block import Block
from rtl.fuse import FuseArray, Step
from rtl.fuse.element import EXP_OPS
from rtl.fuse.form import SHIFT_BITS
from rtl.layer.fuse_array_form import FuseEngineForm
from rtl.layer.instruction import engine_ports
from rtl.layer.pads import column_read, pad_write
from rtl.pipeline import later, wire
from rtl.streams import Fifo


class Work(IntEnum):
    """What an instruction does."""

    SCORES = 0  # MATMUL with flag transpose
    WEIGHTS = 1  # SOFTMAX
    VALUES = 2  # MATMUL without it
    NOTHING = 3  # SETP: all is done when it has started


TRANSPOSE = FLAGS.index("transpose")
COUNT = FIELDS["imm"]
WORK_BITS = 2


class FuseEngine(Block):
    """MATMUL and SOFTMAX on a `FuseArray` that holds `tiles` tiles: operands from pads, maxima and sums into pads.

    Where a word has n elements, element e of word w is that of number e % n in word w + e // n, for any e. `imm` is 1
    to 4095 beats, `rows` the keys that the tile has, 1 to all rows of the array; `slot` below is that of a tile.

    - MATMUL with flag `transpose`, the scores of tile `dst`: QK, `imm` beats, beat e with element e of word `a` of
      all banks of the Q pad above, and of word `b` of all banks of the K pad on the left; then LM, one beat. The maxima
      over `rows` keys go to word `dst` of the M pad.
    - SOFTMAX, the weights of tile `dst`: SLN, seven edges; then the sums of P over `rows` keys, those that its scores
      had, one beat. They go to word `dst` of the D pad.
    - MATMUL without it, the values of tile `a`: SLNV, `imm` beats, beat f with element f of word `b` of all banks of
      the V pad on the left. The sums of P x V go to word dst + f of the PV pad. P is 0 of keys that SOFTMAX left out.
    - SETP: `b` is by how much scores are shifted from now on. It passes the array as a beat that adds up nothing and is
      not written, so that no two instructions complete at the same edge.

    Other fields of an instruction mean nothing here. A place beyond the end of a pad and scores longer than `length`
    are not found out.

    With edge 0 that of the transfer of `start`, beat 0 enters the array at edge 2: at 1 the pads have taken its place.
    The next instruction starts as soon as the last place has been put to the pads. No beat waits: SOFTMAX of a tile
    must not start before its scores are complete, when SLN may long enter. All other orders do.

    Ports:
        start: input stream of instructions; ready when none is being read, or the last of its beats is.
        done0: output; valid before the edge at which the last result of an instruction is written.
        q, k, v: output, of `column_read`.
        m, d, pv: output, of `pad_write`.
        shift: output, by how much scores are shifted; changes at the edge at which SETP starts.

    After a reset no instruction is under way, scores are shifted by 0, and what the array holds means nothing.
    """

    def __init__(self, form: FuseEngineForm) -> None:
        self.form = form
        self.array = FuseArray(form.array)
        self.slot = Signal(range(form.tiles)).shape()
        self.keys = Signal(range(form.rows + 1)).shape()
        order = data.StructLayout({"work": WORK_BITS, "dst": FIELDS["dst"], "post": SEMAPHORES})
        self.orders = Fifo(order, form.under_way)
        self.running = Signal()
        self.beat = Signal(COUNT, reset_less=True)
        bases = {"a": FIELDS["a"], "b": FIELDS["b"], "last_beat": COUNT}
        issued = data.StructLayout({"work": WORK_BITS, "slot": self.slot, "keys": self.keys, **bases})
        self.issued = Signal(issued, reset_less=True)
        reads = {name: column_read(pad) for name, pad in (("q", form.q), ("k", form.k), ("v", form.v))}
        writes = {name: pad_write(pad) for name, pad in (("m", form.m), ("d", form.m), ("pv", form.pv))}
        ports = {name: Out(signature) for name, signature in {**reads, **writes}.items()}
        super().__init__({**engine_ports(), **ports, "shift": Out(SHIFT_BITS)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.array = self.array
        m.submodules.orders = self.orders
        ends = wire(m, "ends", self.beat == self.issued.last_beat)
        self._begin(m, ends)
        self._address(m)
        self._feed(m, ends)
        self._give(m)
        return m

    def _begin(self, m: Module, ends: Value) -> None:
        """Count beats; take an instruction when none is left."""
        given, order = self.start.payload, self.orders.i
        work = self._work(m)
        m.d.sync += self.beat.eq(self.beat + 1)
        m.d.comb += [
            self.start.ready.eq(~self.running | ends),
            order.valid.eq(self.start.valid & self.start.ready),
            order.payload.work.eq(work),
            order.payload.dst.eq(given.dst),
            order.payload.post.eq(given.post),
        ]
        with m.If(self.start.ready):
            m.d.sync += [
                self.running.eq(self.start.valid),
                self.beat.eq(0),
                self.issued.work.eq(work),
                self.issued.a.eq(given.a),
                self.issued.b.eq(given.b),
            ]
            self._take(m, work)

    def _work(self, m: Module) -> Signal:
        """What the instruction at `start` does."""
        given = self.start.payload
        work = Signal(WORK_BITS)
        with m.Switch(given.op):
            with m.Case(OPS.index("SOFTMAX")):
                m.d.comb += work.eq(Work.WEIGHTS)
            with m.Case(OPS.index("SETP")):
                m.d.comb += work.eq(Work.NOTHING)
            with m.Default():
                m.d.comb += work.eq(Mux(given.flags[TRANSPOSE], Work.SCORES, Work.VALUES))
        return work

    def _take(self, m: Module, work: Value) -> None:
        """Of an instruction that starts: its tile, its keys, its last beat; those of SOFTMAX hold for the values."""
        given, issued = self.start.payload, self.issued
        held = Array(Signal(self.keys, name=f"keys_{slot}", reset_less=True) for slot in range(self.form.tiles))
        slot = given.dst[: len(issued.slot)]
        m.d.sync += [issued.slot.eq(slot), issued.keys.eq(given.rows)]
        with m.Switch(work):
            with m.Case(Work.SCORES):
                m.d.sync += issued.last_beat.eq(given.imm)
            with m.Case(Work.WEIGHTS):
                m.d.sync += issued.last_beat.eq(len(EXP_OPS))
                with m.If(self.start.valid):
                    m.d.sync += held[slot].eq(given.rows)
            with m.Case(Work.VALUES):
                tile = given.a[: len(issued.slot)]
                m.d.sync += [issued.last_beat.eq(given.imm - 1), issued.slot.eq(tile), issued.keys.eq(held[tile])]
            with m.Case(Work.NOTHING):
                m.d.sync += [issued.last_beat.eq(0), issued.keys.eq(0)]
                with m.If(self.start.valid):
                    m.d.sync += self.shift.eq(given.b)

    def _address(self, m: Module) -> None:
        """The place of this beat's operands in each pad."""
        for port, base in ((self.q, self.issued.a), (self.k, self.issued.b), (self.v, self.issued.b)):
            inner = len(port.element)
            m.d.comb += [port.word.eq(base + (self.beat >> inner)), port.element.eq(self.beat[:inner])]

    def _feed(self, m: Module, ends: Value) -> None:
        """What the pads have given into the array; ones to see which keys there are, and zeros where there are none."""
        issued, left, top = self.issued, self.array.left, self.array.top
        step = Signal(Step)
        sums_up = (issued.work == Work.SCORES) | (issued.work == Work.WEIGHTS)
        turns = (issued.work == Work.WEIGHTS) & (self.beat != 0) & ~ends
        with m.Switch(issued.work):
            with m.Case(Work.SCORES):
                m.d.comb += step.eq(Mux(ends, Step.LM, Step.QK))
            with m.Case(Work.WEIGHTS):
                m.d.comb += step.eq(Mux(ends, Step.SLNV, Step.SLN))
            with m.Default():
                m.d.comb += step.eq(Step.SLNV)
        last = Mux(Value.cast(step) == Step.QK, self.beat + 1 == issued.last_beat, ends)
        values = {
            "step": Value.cast(step),
            "slot": issued.slot,
            "keys": issued.keys,
            "ones": sums_up & ends,
            "last": last,
        }
        present, now, slot, keys, ones, ended = later(m, "fetched", 1, present=self.running & ~turns, **values)
        pairs = wire(m, "pairs", now == Step.QK)
        m.d.comb += [
            left.valid.eq(present),
            left.payload.step.eq(now),
            left.payload.shift.eq(self.shift),
            left.payload.last.eq(ended),
            top.valid.eq(present & pairs),
            *(top.payload[col].eq(self.q.data[col]) for col in range(self.form.cols)),
        ]
        if self.form.tiles > 1:
            m.d.comb += left.payload.slot.eq(slot)
        for row in range(self.form.rows):
            operand = Mux(ones, 1, Mux(pairs, self.k.data[row], self.v.data[row]))
            m.d.comb += left.payload.data[row].eq(Mux(row < keys, operand, 0))

    def _give(self, m: Module) -> None:
        """Results to their places, and the end of their instruction."""
        result, order = self.array.result, self.orders.o
        beat = Signal(COUNT)
        ends = wire(m, "completes", result.valid & result.payload.last)
        with m.If(result.valid):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))
        m.d.comb += [
            result.ready.eq(1),
            order.ready.eq(ends),
            self.done0.valid.eq(ends),
            self.done0.post.eq(order.payload.post),
        ]
        for port, work in ((self.m, Work.SCORES), (self.d, Work.WEIGHTS), (self.pv, Work.VALUES)):
            m.d.comb += [
                port.enable.eq(result.valid & (order.payload.work == work)),
                port.word.eq(order.payload.dst + beat),
                port.data.eq(result.payload.data),
            ]
