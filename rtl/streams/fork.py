"""A fork: every payload goes to each of several outputs, once."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_payload, check_size


class Fork(Block):
    """Copies a stream; an output that has taken a payload waits until all others have.

    Latency 0 edges, one payload per edge while all outputs are ready.

    Ports:
        i: input stream; ready when each output has taken the payload or takes it now.
        o[k]: output streams; valid when the input is and this output has not yet taken the payload.

    After a reset no output has taken anything.
    """

    def __init__(self, shape: ShapeLike, outputs: int) -> None:
        check_payload("payload of a fork", shape)
        check_size("outputs of a fork", outputs, 1, 256)
        self.shape = shape
        self.taken = Signal(outputs)
        ports = {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)).array(outputs)}
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        done = self.taken | Cat(out.ready for out in self.o)
        m.d.comb += self.i.ready.eq(done.all())
        for out, taken in zip(self.o, self.taken, strict=True):
            m.d.comb += [out.valid.eq(self.i.valid & ~taken), out.payload.eq(self.i.payload)]
        with m.If(self.i.valid):
            m.d.sync += self.taken.eq(Cat(bit & ~self.i.ready for bit in done))
        return m
