"""The array engine with the pads that it reads, as a unit of its own: streams load the pads and take the rows."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.program.instruction import SEMAPHORES
from rtl.block import Block
from rtl.layer.array import ArrayEngine, ArrayEngineForm, last_fold
from rtl.layer.instruction import instruction_layout
from rtl.layer.pads import ColumnPad, PadForm, RowPad, load_layout, place_pads
from rtl.streams import Fifo


def pad_forms(form: ArrayEngineForm) -> dict[str, PadForm]:
    """The pads that are loaded, by name; the first three as a LOAD names them."""
    return {"q": form.q, "k": form.k, "v": form.v, "p": form.p}


def row_layout(form: ArrayEngineForm) -> data.StructLayout:
    """A row as it is written.

    `sums` of all columns, the `word` that they go to, of the PV pad rather than the S pad if `pv`; `done` if the
    instruction completes with it, and then what it posts.
    """
    sums = data.ArrayLayout(signed(form.s.bits), form.cols)
    word = range(max(form.s_words, form.pv_words))
    return data.StructLayout({"pv": 1, "word": word, "sums": sums, "done": 1, "post": SEMAPHORES})


class ArrayUnit(Block):
    """An `ArrayEngine` with its Q, K, V and P pads. Rows that would be written leave through a stream.

    An instruction is not begun before what it reads is there and there are places for its rows, as a sequencer would
    see to: none starts before a word with `last` has been loaded, nor while too many rows wait because `o` does. Where
    `o` is always ready a row leaves at the edge at which the engine writes it.

    Ports:
        load: input stream of `load_layout`; always ready.
        start: input stream of instructions; ready as the engine is, once the pads are loaded and rows have places.
        o: output stream of `row_layout`; valid when a row is written, or one waits.

    After a reset nothing is loaded, though the words of the pads stay, and no instruction is under way.
    """

    def __init__(self, form: ArrayEngineForm) -> None:
        self.form = form
        self.engine = ArrayEngine(form)
        self.under_way = form.drain + 1  # rows of instructions that have started when the next does, at most
        self.queue = Fifo(row_layout(form), self.under_way + max(form.s_words, form.pv_words))
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
        forms, parts = pad_forms(self.form), self.form.parts
        pads = {name: RowPad(form, parts) if name == "v" else ColumnPad(form) for name, form in forms.items()}
        self._start(m, place_pads(m, self.load, pads, self.engine))
        self._give(m)
        return m

    def _start(self, m: Module, loaded: Value) -> None:
        """Rows are promised when their instruction starts."""
        promised = Signal(range(self.queue.depth + 1))
        may = Signal()
        starts = Signal()
        rows = (last_fold(self.start.payload.cols) + 1) * self.form.rows
        m.d.comb += [
            may.eq(loaded & (promised <= self.under_way)),
            self.engine.start.payload.eq(self.start.payload),
            self.engine.start.valid.eq(self.start.valid & may),
            self.start.ready.eq(self.engine.start.ready & may),
            starts.eq(self.start.valid & self.start.ready),
        ]
        m.d.sync += promised.eq(promised + Mux(starts, rows, 0) - (self.o.valid & self.o.ready))

    def _give(self, m: Module) -> None:
        """A row passes by the queue when nothing is before it and it may leave."""
        s, pv, done, queue = self.engine.s, self.engine.pv, self.engine.done0, self.queue
        row = Signal(row_layout(self.form))
        written = Signal()
        waits = queue.o.valid
        m.d.comb += [
            written.eq(s.enable | pv.enable | done.valid),
            row.pv.eq(pv.enable),
            row.word.eq(Mux(pv.enable, pv.word, s.word)),
            Value.cast(row.sums).eq(Mux(pv.enable, Value.cast(pv.data), Value.cast(s.data))),
            row.done.eq(done.valid),
            row.post.eq(Mux(done.valid, done.post, 0)),
            queue.i.valid.eq(written & (waits | ~self.o.ready)),
            queue.i.payload.eq(row),
            queue.o.ready.eq(self.o.ready),
            self.o.valid.eq(written | waits),
            Value.cast(self.o.payload).eq(Mux(waits, Value.cast(queue.o.payload), Value.cast(row))),
        ]
