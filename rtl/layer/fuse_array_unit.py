"""The engine around the array that does softmax itself, with the pads that it reads, as a unit of its own."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.program.instruction import OPS, SEMAPHORES
from rtl.block import Block
from rtl.fuse.form import SHIFT_BITS
from rtl.layer.fuse_array import TRANSPOSE, FuseEngine
from rtl.layer.fuse_array_form import FuseEngineForm
from rtl.layer.instruction import instruction_layout
from rtl.layer.pads import ColumnPad, PadForm, load_layout, place_pads
from rtl.streams import Fifo

WRITTEN = ("", "m", "d", "pv")
"""Pads that are written, by number; 0 is none, for an instruction that only completes."""


def pad_forms(form: FuseEngineForm) -> dict[str, PadForm]:
    """The pads that are loaded, by name."""
    return {"q": form.q, "k": form.k, "v": form.v}


def row_layout(form: FuseEngineForm) -> data.StructLayout:
    """A word as it is written.

    `sums` of all columns, the `word` and the `pad`, by its number in WRITTEN, that they go to; `done` if the
    instruction completes with it, and then what it posts. Of pad 0 there is only the `shift` that SETP has set.
    """
    sums = data.ArrayLayout(signed(form.pv.bits), form.cols)
    place = {"pad": range(len(WRITTEN)), "word": range(max(form.tiles, form.pv_words))}
    return data.StructLayout({**place, "sums": sums, "done": 1, "post": SEMAPHORES, "shift": SHIFT_BITS})


class FuseEngineUnit(Block):
    """A `FuseEngine` with its Q, K and V pads. Words that would be written leave through a stream.

    An instruction is not begun before what it reads is there and there are places for its words, as a sequencer would
    see to: none starts before a word with `last` has been loaded, nor while too many words wait because `o` does, and
    no SOFTMAX while scores of its tile are under way. Where `o` is always ready a word leaves at the edge at which the
    engine writes it.

    Ports:
        load: input stream of `load_layout`; always ready.
        start: input stream of instructions; ready as the engine is, once the instruction may begin.
        o: output stream of `row_layout`; valid when a word is written, an instruction completes, or one waits.

    After a reset nothing is loaded, though the words of the pads stay, and no instruction is under way.
    """

    def __init__(self, form: FuseEngineForm) -> None:
        self.form = form
        self.engine = FuseEngine(form)
        self.under_way = form.drain + 1  # words of instructions that have started when the next does, at most
        self.queue = Fifo(row_layout(form), self.under_way + form.pv_words)
        self.shifts = Fifo(SHIFT_BITS, form.under_way)
        ports = {
            "load": In(stream.Signature(load_layout(pad_forms(form)))),
            "start": In(stream.Signature(instruction_layout())),
            "o": Out(stream.Signature(row_layout(form))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.engine = self.engine
        m.submodules.queue = self.queue
        m.submodules.shifts = self.shifts
        pads = {name: ColumnPad(form) for name, form in pad_forms(self.form).items()}
        self._start(m, place_pads(m, self.load, pads, self.engine))
        self._give(m)
        return m

    def _start(self, m: Module, loaded: Value) -> None:
        """Words are promised when their instruction starts; the shift is seen an edge later."""
        given, engine = self.start.payload, self.engine
        promised = Signal(range(self.queue.depth + 1))
        may, starts, set_up = Signal(), Signal(), Signal()
        multiplies = given.op == OPS.index("MATMUL")
        words = Mux(multiplies & ~given.flags[TRANSPOSE], given.imm, 1)
        scored = self._scored(m, starts & multiplies & given.flags[TRANSPOSE])
        m.d.comb += [
            may.eq(loaded & (promised <= self.under_way) & ((given.op != OPS.index("SOFTMAX")) | scored)),
            engine.start.payload.eq(given),
            engine.start.valid.eq(self.start.valid & may),
            self.start.ready.eq(engine.start.ready & may),
            starts.eq(self.start.valid & self.start.ready),
            self.shifts.i.valid.eq(set_up),
            self.shifts.i.payload.eq(engine.shift),
        ]
        m.d.sync += promised.eq(promised + Mux(starts, words, 0) - (self.o.valid & self.o.ready))
        m.d.sync += set_up.eq(starts & (given.op == OPS.index("SETP")))

    def _scored(self, m: Module, begins: Value) -> Value:
        """Whether no scores are under way of the tile that the instruction at `start` names by `dst`."""
        slots = [Signal(range(self.form.under_way + 1), name=f"under_way_{n}") for n in range(self.form.tiles)]
        tile, done = self.start.payload.dst, self.engine.m
        for number, count in enumerate(slots):
            m.d.sync += count.eq(count + (begins & (tile == number)) - (done.enable & (done.word == number)))
        return Array(slots)[tile] == 0

    def _give(self, m: Module) -> None:
        """A word passes by the queue when nothing is before it and it may leave."""
        engine, done, queue = self.engine, self.engine.done0, self.queue
        row = Signal(row_layout(self.form))
        written = Signal()
        waits = queue.o.valid
        for number, name in enumerate(WRITTEN[1:], 1):
            port = getattr(engine, name)
            with m.If(port.enable):
                m.d.comb += [row.pad.eq(number), row.word.eq(port.word)]
                m.d.comb += Value.cast(row.sums).eq(Value.cast(port.data))
        m.d.comb += [
            written.eq(row.pad.any() | done.valid),
            row.done.eq(done.valid),
            row.post.eq(Mux(done.valid, done.post, 0)),
            row.shift.eq(Mux(row.pad == 0, self.shifts.o.payload, 0)),
            self.shifts.o.ready.eq(done.valid & (row.pad == 0)),
            queue.i.valid.eq(written & (waits | ~self.o.ready)),
            queue.i.payload.eq(row),
            queue.o.ready.eq(self.o.ready),
            self.o.valid.eq(written | waits),
            Value.cast(self.o.payload).eq(Mux(waits, Value.cast(queue.o.payload), Value.cast(row))),
        ]
