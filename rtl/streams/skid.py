"""A skid buffer: it cuts the paths of valid, ready and payload at full rate."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_payload


class SkidBuffer(Block):
    """Two registers: one for the output, one for the payload that was on its way when the output stalled.

    Latency 1 edge, one payload per edge; every output comes from a register.

    Ports:
        i: input stream; ready while the second register is empty.
        o: output stream; valid when the first register is full.

    After a reset both are empty.
    """

    def __init__(self, shape: ShapeLike) -> None:
        check_payload("payload of a skid buffer", shape)
        self.shape = shape
        self.spare = Signal(shape)
        self.full = Signal()
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.d.comb += self.i.ready.eq(~self.full)
        with m.If(self.o.valid & ~self.o.ready):
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += [self.spare.eq(self.i.payload), self.full.eq(1)]
        with m.Elif(self.full):
            m.d.sync += [self.o.payload.eq(self.spare), self.full.eq(0)]
        with m.Else():
            m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
        return m
