"""The merge engine between its pads, with streams only, so that the bench can run it."""

from __future__ import annotations

from amaranth.hdl import Cat, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.program.instruction import SEMAPHORES
from rtl.block import Block
from rtl.fuse.form import SHIFT_BITS
from rtl.layer.instruction import instruction_layout
from rtl.layer.merge import MergeEngine
from rtl.layer.merge_form import MergeForm
from rtl.layer.pads import RowPad
from rtl.layer.vector_bench import UNDER_WAY

TARGETS = ("engine", "m", "d", "pv", "shift")  # where a step goes, by number


def step_layout(form: MergeForm) -> data.StructLayout:
    """An instruction, a word for a pad, or a shift.

    `target`: by number in TARGETS; what is not for the engine is for word `instruction.dst` of a pad, `data`, or the
    shift, which becomes `instruction.dst`. `waits`: an instruction that starts when all before it have completed.
    """
    words = form.word_of(form.formats.array)
    return data.StructLayout({"instruction": instruction_layout(), "target": 3, "waits": 1, "data": words})


def o_layout(form: MergeForm) -> data.StructLayout:
    """A write into the O pad; `empty` is the pin before it."""
    return data.StructLayout({"word": range(form.o_words), "data": form.o_pad.word, "empty": 1})


class MergeBench(Block):
    """An engine, an M, a D and a PV pad, the shift, and a sequencer that knows whether everything before has completed.

    All stands still while any output waits; an output that has moved meanwhile does not move again.

    Ports:
        i: input stream of `step_layout(form)`; ready for words and shifts always, for an instruction when the engine is
            and, where it waits, when all before it have completed or do so at this edge; never while an output waits.
        o: output stream of `o_layout(form)`; valid at an edge at which the engine writes the O pad.
        done0, done1: output streams of masks of semaphores; valid when the engine completes an instruction.
    """

    def __init__(self, form: MergeForm) -> None:
        self.form = form
        self.engine = MergeEngine(form)
        self.moves = Signal()
        outputs = {"o": o_layout(form), "done0": SEMAPHORES, "done1": SEMAPHORES}
        self.outputs = tuple(outputs)
        ports = {name: Out(stream.Signature(layout)) for name, layout in outputs.items()}
        super().__init__({"i": In(stream.Signature(step_layout(form))), **ports})

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        m.submodules.machine = EnableInserter(self.moves)(self._machine())
        engine = self.engine
        events = [engine.o.enable, engine.done0.valid, engine.done1.valid]
        waiting = []
        for name, event in zip(self.outputs, events, strict=True):
            port, moved = getattr(self, name), Signal(name=f"{name}_moved")
            m.d.comb += port.valid.eq(event & ~moved)
            m.d.sync += moved.eq(~self.moves & (moved | (port.valid & port.ready)))
            waiting.append(port.valid & ~port.ready)
        m.d.comb += [
            self.moves.eq(~Cat(waiting).any()),
            self.o.payload.word.eq(engine.o.word),
            self.o.payload.data.eq(engine.o.data),
            self.o.payload.empty.eq(engine.empty),
            self.done0.payload.eq(engine.done0.post),
            self.done1.payload.eq(engine.done1.post),
        ]
        return m

    def _machine(self) -> Module:
        """Engine, pads, shift and the count of what is under way, as they are while nothing waits."""
        m = Module()
        step, engine = self.i.payload, self.engine
        m.submodules.engine = engine
        given = {name: self.i.valid & (step.target == number) for number, name in enumerate(TARGETS)}
        under_way = Signal(range(UNDER_WAY))
        left = Signal(range(UNDER_WAY))
        goes = Signal()
        m.d.comb += [
            left.eq(under_way - engine.done0.valid - engine.done1.valid),
            goes.eq(~step.waits | (left == 0)),
            engine.start.valid.eq(given["engine"] & goes),
            engine.start.payload.eq(step.instruction),
            self.i.ready.eq(self.moves & Mux(step.target == 0, engine.start.ready & goes, 1)),
        ]
        m.d.sync += under_way.eq(left + (engine.start.valid & engine.start.ready))
        shift = Signal(SHIFT_BITS)
        m.d.comb += engine.shift.eq(shift)
        with m.If(given["shift"]):
            m.d.sync += shift.eq(step.instruction.dst)
        for name, form in (("m", self.form.m_pad), ("d", self.form.d_pad), ("pv", self.form.pv_pad)):
            m.submodules[name] = pad = RowPad(form)
            port = getattr(engine, name)
            m.d.comb += [
                pad.write.enable.eq(given[name]),
                pad.write.word.eq(step.instruction.dst),
                Value.cast(pad.write.data).eq(Value.cast(step.data)),
                pad.read.word.eq(port.word),
                port.data.eq(pad.read.data),
            ]
        return m
