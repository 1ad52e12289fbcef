"""The vector engine between its pads, with streams only, so that the bench can run it."""

from __future__ import annotations

from amaranth.hdl import Cat, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.program.instruction import SEMAPHORES
from rtl.block import Block
from rtl.fixed import shape_of
from rtl.layer.instruction import instruction_layout
from rtl.layer.pads import RowPad
from rtl.layer.vector import VectorEngine
from rtl.layer.vector_form import VectorForm

UNDER_WAY = 1 << 10  # instructions, at most: more than pipelines of MOST_STAGES registers at every step hold
TO_ENGINE, TO_S, TO_PV = range(3)  # where a step goes


def step_layout(form: VectorForm) -> data.StructLayout:
    """An instruction, or a word for a pad.

    `target`: TO_ENGINE, or the pad to which `data` is written, at word `instruction.dst`. `waits`: an instruction that
    starts when all before it have completed.
    """
    words = data.ArrayLayout(shape_of(form.formats.array), form.lanes)
    return data.StructLayout({"instruction": instruction_layout(), "target": 2, "waits": 1, "data": words})


def p_layout(form: VectorForm) -> data.StructLayout:
    """A write into the P pad."""
    return data.StructLayout({"bank": range(form.rows), "word": range(form.slots), "data": form.p_pad.word})


def o_layout(form: VectorForm) -> data.StructLayout:
    """A write into the O pad; `empty` is the pin before it."""
    return data.StructLayout({"word": range(form.o_words), "data": form.o_pad.word, "empty": 1})


class VectorBench(Block):
    """An engine, an S and a PV pad, and a sequencer that knows only whether everything before has completed.

    All stands still while any output waits; an output that has moved meanwhile does not move again.

    Ports:
        i: input stream of `step_layout(form)`; ready for words of pads always, for an instruction when the engine is
            and, where it waits, when all before it have completed or do so at this edge; never while an output waits.
        p: output stream of `p_layout(form)`; valid at an edge at which the engine writes P.
        o: output stream of `o_layout(form)`; the same for the O pad.
        done0, done1, done2: output streams of masks of semaphores; valid when the engine completes an instruction.
    """

    def __init__(self, form: VectorForm) -> None:
        self.form = form
        self.engine = VectorEngine(form)
        self.moves = Signal()
        outputs = {"p": p_layout(form), "o": o_layout(form), **{f"done{port}": SEMAPHORES for port in range(3)}}
        self.outputs = tuple(outputs)
        ports = {name: Out(stream.Signature(layout)) for name, layout in outputs.items()}
        super().__init__({"i": In(stream.Signature(step_layout(form))), **ports})

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        m.submodules.machine = EnableInserter(self.moves)(self._machine())
        engine = self.engine
        dones = (engine.done0, engine.done1, engine.done2)
        events = [engine.p.enable, engine.o.enable, *(done.valid for done in dones)]
        waiting = []
        for name, event in zip(self.outputs, events, strict=True):
            port, moved = getattr(self, name), Signal(name=f"{name}_moved")
            m.d.comb += port.valid.eq(event & ~moved)
            m.d.sync += moved.eq(~self.moves & (moved | (port.valid & port.ready)))
            waiting.append(port.valid & ~port.ready)
        m.d.comb += self.moves.eq(~Cat(waiting).any())
        m.d.comb += [
            self.p.payload.bank.eq(engine.p.bank),
            self.p.payload.word.eq(engine.p.word),
            self.p.payload.data.eq(engine.p.data),
            self.o.payload.word.eq(engine.o.word),
            self.o.payload.data.eq(engine.o.data),
            self.o.payload.empty.eq(engine.empty),
            *(getattr(self, f"done{port}").payload.eq(done.post) for port, done in enumerate(dones)),
        ]
        return m

    def _machine(self) -> Module:
        """Engine, pads and the count of what is under way, as they are while nothing waits."""
        m = Module()
        form, step, engine = self.form, self.i.payload, self.engine
        m.submodules.engine = engine
        m.submodules.s = s = RowPad(form.s_pad)
        m.submodules.pv = pv = RowPad(form.pv_pad)
        under_way = Signal(range(UNDER_WAY))
        left = Signal(range(UNDER_WAY))
        goes = Signal()
        started = Signal()
        m.d.comb += [
            left.eq(under_way - engine.done0.valid - engine.done1.valid - engine.done2.valid),
            goes.eq(~step.waits | (left == 0)),
            engine.start.valid.eq(self.i.valid & (step.target == TO_ENGINE) & goes),
            engine.start.payload.eq(step.instruction),
            self.i.ready.eq(self.moves & Mux(step.target == TO_ENGINE, engine.start.ready & goes, 1)),
            started.eq(engine.start.valid & engine.start.ready),
        ]
        m.d.sync += under_way.eq(left + started)
        for pad, port, target in ((s, engine.s, TO_S), (pv, engine.pv, TO_PV)):
            m.d.comb += [
                pad.write.enable.eq(self.i.valid & (step.target == target)),
                pad.write.word.eq(step.instruction.dst),
                Value.cast(pad.write.data).eq(Value.cast(step.data)),
                pad.read.word.eq(port.word),
                port.data.eq(pad.read.data),
            ]
        return m
