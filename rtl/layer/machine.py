"""The machine: sequencer, DMA engines, scratchpads, array and vector engine; and a bench with a memory behind it."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.program.instruction import FIELDS, HEAD, QUEUES
from rtl.block import Block
from rtl.layer.array import ArrayEngine
from rtl.layer.dma import LoadEngine, StoreEngine
from rtl.layer.instruction import instruction_layout
from rtl.layer.machine_form import MachineForm
from rtl.layer.memory import LATENCY, FixedLatencyMemory
from rtl.layer.memory_port import WORD, read_ports, write_ports
from rtl.layer.pads import ColumnPad, RowPad
from rtl.layer.sequencer import Sequencer, status_layout
from rtl.layer.vector import VectorEngine
from rtl.streams import Fifo

PADS = ("q", "k", "v")
"""The pads that LOAD fills, by number."""
TICKS = 32  # bits of a tick
RECORDS = 16  # starts and writes that wait until they are taken


class Machine(Block):
    """One head of attention from instructions: tiles come through the memory port, and the output goes there.

    Ports:
        program, status: as those of the `Sequencer`.
        ar, r, aw, w, b: see `read_ports` and `write_ports`.
        started_<queue>: outputs, high before the edge at which an instruction of the queue starts.
        empty: output, whether a query without any key has been divided since the reset; always valid.

    After a reset no instruction is held; what lies in scratchpads stays and means nothing.
    """

    def __init__(self, form: MachineForm) -> None:
        self.form = form
        self.sequencer = Sequencer(form.queue)
        self.engines: dict[str, Any] = {
            "load": LoadEngine(form.banks),
            "array": ArrayEngine(form.array),
            "vector": VectorEngine(form.vector),
            "store": StoreEngine(form.rows, form.cols),
        }
        array, vector = form.array, form.vector
        self.pads: dict[str, Any] = {
            "q": ColumnPad(array.q),
            "k": ColumnPad(array.k),
            "v": RowPad(array.v, array.parts),
            "p": ColumnPad(array.p),
            "s": RowPad(array.s),
            "pv": RowPad(array.pv),
            "o": RowPad(vector.o_pad),
        }
        ports = {
            "program": In(stream.Signature(instruction_layout())),
            "status": Out(stream.Signature(status_layout())),
            **read_ports(),
            **write_ports(),
            **{f"started_{queue}": Out(1) for queue in QUEUES},
            "empty": Out(1),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        for name, pad in self.pads.items():
            m.submodules[f"{name}_pad"] = pad
        connect(m, flipped(self.program), sequencer.program)
        connect(m, sequencer.status, flipped(self.status))
        for queue, engine in self.engines.items():
            m.submodules[queue] = engine
            start = getattr(sequencer, f"start_{queue}")
            connect(m, start, engine.start)
            for port in range(sequencer.completions[queue]):
                connect(m, getattr(engine, f"done{port}"), getattr(sequencer, f"done_{queue}{port}"))
            m.d.comb += getattr(self, f"started_{queue}").eq(start.valid & start.ready)
        m.d.comb += self.empty.eq(self.engines["vector"].empty)
        self._compute(m)
        self._transfer(m)
        return m

    def _compute(self, m: Module) -> None:
        """The pads between the engines that write and read them."""
        array, vector, pads = self.engines["array"], self.engines["vector"], self.pads
        for name in ("q", "k", "v", "p"):
            connect(m, getattr(array, name), pads[name].read)
        for name in ("s", "pv"):
            connect(m, getattr(array, name), pads[name].write)
            connect(m, getattr(vector, name), pads[name].read)
        connect(m, vector.p, pads["p"].write)
        connect(m, vector.o, pads["o"].write)

    def _transfer(self, m: Module) -> None:
        """Words of the memory into the pads of Q, K and V, and from the pad of the output."""
        load, store = self.engines["load"], self.engines["store"]
        for name in ("ar", "aw", "w"):
            engine = load if name == "ar" else store
            connect(m, getattr(engine, name), flipped(getattr(self, name)))
        connect(m, flipped(self.r), load.r)
        connect(m, flipped(self.b), store.b)
        for number, name in enumerate(PADS):
            write = self.pads[name].write
            m.d.comb += [
                write.enable.eq(load.write.enable & (load.write.pad == number)),
                write.bank.eq(load.write.bank),
                write.word.eq(load.write.word),
                Value.cast(write.data).eq(load.write.data),
            ]
        read = self.pads["o"].read
        m.d.comb += [read.word.eq(store.read.address), store.read.data.eq(Value.cast(read.data))]


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

    def __init__(self, form: MachineForm, words: int) -> None:
        self.machine = Machine(form)
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
