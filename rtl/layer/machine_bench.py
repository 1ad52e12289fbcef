"""A machine with a memory of fixed latency behind it: an image and a program go in, what happens comes out."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.program.instruction import FIELDS, HEAD, QUEUES
from rtl.block import Block
from rtl.layer.instruction import instruction_layout
from rtl.layer.machine import Machine
from rtl.layer.memory import LATENCY, FixedLatencyMemory
from rtl.layer.memory_port import WORD
from rtl.streams import Fifo

TICKS = 32  # bits of a tick
RECORDS = 16  # starts and writes that wait until they are taken


def start_layout() -> data.StructLayout:
    """`op` and `dst` of an instruction, and `tick`: edges from where the program began to run to its start."""
    return data.StructLayout({"op": HEAD["op"], "dst": FIELDS["dst"], "tick": TICKS})


def written_layout(words: int) -> data.StructLayout:
    """A word of memory that the machine has written."""
    return data.StructLayout({"word": range(words), "data": WORD})


def picture_layout(words: int) -> data.StructLayout:
    """A word of memory that is there before the program runs, and whether it is the `last` of them."""
    return data.StructLayout({"word": range(words), "data": WORD, "last": 1})


def end_layout() -> data.StructLayout:
    """`error` of the sequencer's status, whether a query was `empty`, whether a rule of the `port` was broken."""
    return data.StructLayout({"error": 2, "empty": 1, "port": 1})


class MachineBench(Block):
    """The machine with a memory of fixed latency: an image and a program go in, what happens comes out.

    Ports:
        latency: input, that of the memory in edges, from 1 on.
        image: input stream of `picture_layout`; ready until the last word, and again when a program has ended.
        program: input stream of instructions; ready when the image is there and the machine takes it.
        started_<queue>: output streams of `start_layout`, one for each instruction at the edge behind its start.
        wrote: output stream of `written_layout`, one for each word at the edge behind that at which it is written.
        status: output stream of `end_layout`, when the program has ended.
    """

    def __init__(self, machine: Machine, words: int) -> None:
        self.machine = machine
        self.memory = FixedLatencyMemory(words)
        self.words = words
        starts = {f"started_{queue}": Out(stream.Signature(start_layout())) for queue in QUEUES}
        ports = {
            "latency": In(LATENCY),
            "image": In(stream.Signature(picture_layout(words))),
            "program": In(stream.Signature(instruction_layout())),
            **starts,
            "wrote": Out(stream.Signature(written_layout(words))),
            "status": Out(stream.Signature(end_layout())),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.machine = machine = self.machine
        m.submodules.memory = memory = self.memory
        for name in ("ar", "aw", "w"):
            connect(m, getattr(machine, name), getattr(memory, name))
        for name in ("r", "b"):
            connect(m, getattr(memory, name), getattr(machine, name))
        loaded = Signal()
        m.d.comb += [
            memory.latency.eq(self.latency),
            memory.image.valid.eq(self.image.valid & ~loaded),
            memory.image.payload.word.eq(self.image.payload.word),
            memory.image.payload.data.eq(self.image.payload.data),
            self.image.ready.eq(~loaded & memory.image.ready),
            machine.program.valid.eq(self.program.valid & loaded),
            machine.program.payload.eq(self.program.payload),
            self.program.ready.eq(machine.program.ready & loaded),
            self.status.valid.eq(machine.status.valid),
            machine.status.ready.eq(self.status.ready),
            self.status.payload.error.eq(machine.status.payload.error),
            self.status.payload.empty.eq(machine.empty),
            self.status.payload.port.eq(memory.error),
        ]
        with m.If(self.image.valid & self.image.ready & self.image.payload.last):
            m.d.sync += loaded.eq(1)
        with m.Elif(self.status.valid & self.status.ready):
            m.d.sync += loaded.eq(0)
        self._record(m)
        return m

    def _record(self, m: Module) -> None:
        sequencer = self.machine.sequencer
        tick = Signal(TICKS)
        m.d.sync += tick.eq(Mux(sequencer.running, tick + 1, 0))
        for queue in QUEUES:
            record = Fifo(start_layout(), RECORDS)
            m.submodules[f"record_{queue}"] = record
            given = getattr(sequencer, f"start_{queue}").payload
            m.d.comb += [
                record.i.valid.eq(getattr(self.machine, f"started_{queue}")),
                record.i.payload.op.eq(given.op),
                record.i.payload.dst.eq(given.dst),
                record.i.payload.tick.eq(tick),
            ]
            connect(m, record.o, flipped(getattr(self, f"started_{queue}")))
        wrote = Fifo(written_layout(self.words), RECORDS)
        m.submodules.wrote = wrote
        m.d.comb += [
            wrote.i.valid.eq(self.memory.wrote.enable),
            wrote.i.payload.word.eq(self.memory.wrote.word),
            wrote.i.payload.data.eq(self.memory.wrote.data),
        ]
        connect(m, wrote.o, flipped(self.wrote))
