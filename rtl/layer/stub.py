"""Engines that only take time, and a bench in which they stand behind the sequencer."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.program.instruction import QUEUES
from rtl.block import Block, check_size
from rtl.layer.instruction import engine_ports, instruction_layout
from rtl.layer.sequencer import Sequencer, status_layout
from rtl.streams import Fifo

TICKS = 16  # bits of a duration


class StubEngine(Block):
    """Takes field `a` of an instruction as the edges to the next, and `b` as those from then to its completion.

    Each has so many `bits`. An instruction that started at edge s completes so that others may start at edge s + a + b.
    There are `slots` places for those under way: no instruction may complete later than `slots` - 1 starts after its
    own.

    Ports:
        start, done<slot>: as those of an engine; the last port is for those that complete at the edge of their start.
    """

    def __init__(self, slots: int, bits: int = TICKS) -> None:
        check_size("slots", slots, 1, 64)
        check_size("bits of a duration", bits, 1, TICKS)
        self.slots = slots
        self.bits = bits
        self.left = Signal(bits)
        self.turn = Signal(range(slots))
        super().__init__(engine_ports(slots + 1))

    def elaborate(self, platform: None) -> Module:
        m = Module()
        left, turn = self.left, self.turn
        ticks = Signal(self.bits + 1)
        begins = Signal()
        m.d.comb += [
            self.start.ready.eq(left == 0),
            begins.eq(self.start.valid & self.start.ready),
            ticks.eq(self.start.payload.a + self.start.payload.b),
        ]
        m.d.sync += left.eq(left - (left != 0))
        with m.If(begins):
            m.d.sync += [left.eq(self.start.payload.a - 1), turn.eq((turn + 1)[: len(turn)])]
            with m.If(turn == self.slots - 1):
                m.d.sync += turn.eq(0)
        for slot in range(self.slots):
            self._slot(m, slot, begins & (turn == slot) & (ticks != 1), ticks)
        at_once = getattr(self, f"done{self.slots}")
        m.d.comb += [at_once.valid.eq(begins & (ticks == 1)), at_once.post.eq(self.start.payload.post)]
        return m

    def _slot(self, m: Module, slot: int, begins: Signal, ticks: Signal) -> None:
        left = Signal(self.bits + 1, name=f"left_{slot}")
        post = Signal.like(self.start.payload.post, name=f"post_{slot}")
        done = getattr(self, f"done{slot}")
        m.d.comb += [done.valid.eq(left == 1), done.post.eq(post)]
        with m.If(begins):
            m.d.sync += [left.eq(ticks - 1), post.eq(self.start.payload.post)]
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)


def record_layout() -> data.StructLayout:
    """`tag`: field `dst` of an instruction; `tick`: edges from where the program began to run to its start."""
    return data.StructLayout({"tag": TICKS, "tick": TICKS})


class SequencerBench(Block):
    """The sequencer with a stub engine behind each queue, and a record of every start.

    Ports:
        program, status: as those of the sequencer.
        started_<queue>: output streams of `record_layout`, kept until they are taken.
    """

    def __init__(self, depth: int, slots: int, bits: int = TICKS) -> None:
        self.sequencer = Sequencer(depth, dict.fromkeys(QUEUES, slots + 1))
        self.engines = {queue: StubEngine(slots, bits) for queue in QUEUES}
        self.records = {queue: Fifo(record_layout(), depth) for queue in QUEUES}
        program, record = stream.Signature(instruction_layout()), stream.Signature(record_layout())
        ports = {"program": In(program), "status": Out(stream.Signature(status_layout()))}
        super().__init__({**ports, **{f"started_{queue}": Out(record) for queue in QUEUES}})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        tick = Signal(TICKS)
        m.d.sync += tick.eq(Mux(sequencer.running, tick + 1, 0))
        connect(m, flipped(self.program), sequencer.program)
        connect(m, sequencer.status, flipped(self.status))
        for queue, engine in self.engines.items():
            m.submodules[f"engine_{queue}"] = engine
            m.submodules[f"record_{queue}"] = record = self.records[queue]
            start = getattr(sequencer, f"start_{queue}")
            connect(m, start, engine.start)
            m.d.comb += [
                record.i.valid.eq(start.valid & start.ready),
                record.i.payload.tag.eq(start.payload.dst),
                record.i.payload.tick.eq(tick),
            ]
            connect(m, record.o, flipped(getattr(self, f"started_{queue}")))
            for port in range(engine.slots + 1):
                connect(m, getattr(engine, f"done{port}"), getattr(sequencer, f"done_{queue}{port}"))
        return m
