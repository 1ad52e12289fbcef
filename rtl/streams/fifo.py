"""A first-in first-out queue."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import memory, stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_payload, check_size


class Fifo(Block):
    """A queue of `depth` payloads, kept in a memory that is read without delay.

    Latency 1 edge, one payload per edge; a queue of depth 1 takes a payload every second edge, because `i.ready`
    does not depend on `o.ready`.

    Ports:
        i: input stream; ready when fewer than `depth` payloads are held.
        o: output stream; valid when one is held.
        level: output, how many are held; always valid.

    After a reset nothing is held.
    """

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        check_payload("payload of a queue", shape, 1)
        check_size("depth of a queue", depth)
        self.shape = shape
        self.depth = depth
        self.head = Signal(range(depth))
        self.tail = Signal(range(depth))
        self.memory = memory.Memory(shape=shape, depth=depth, init=[])
        ports = {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "level": Out(range(depth + 1))}
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.memory = self.memory
        write = self.memory.write_port()
        read = self.memory.read_port(domain="comb")
        push = Signal()
        pop = Signal()
        m.d.comb += [
            self.i.ready.eq(self.level != self.depth),
            self.o.valid.eq(self.level != 0),
            self.o.payload.eq(read.data),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
            write.addr.eq(self.tail),
            write.data.eq(self.i.payload),
            write.en.eq(push),
            read.addr.eq(self.head),
        ]
        m.d.sync += self.level.eq(self.level + push - pop)
        with m.If(push):
            m.d.sync += self.tail.eq(self.after(self.tail))
        with m.If(pop):
            m.d.sync += self.head.eq(self.after(self.head))
        return m

    def after(self, place: Value) -> Value:
        """The place that follows another, round and round."""
        return Mux(place == self.depth - 1, 0, place + 1)
