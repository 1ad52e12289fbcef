"""An address generator for loop nests."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_size


def command_layout(loops: int, address_width: int, count_width: int) -> data.StructLayout:
    """A loop nest, loop 0 innermost: the first address, and of each loop the last index and the (signed) stride.

    A loop of n turns has the last index n - 1, so that each runs at least once.
    """
    return data.StructLayout(
        {
            "base": address_width,
            "final": data.ArrayLayout(count_width, loops),
            "stride": data.ArrayLayout(signed(address_width), loops),
        }
    )


def place_layout(loops: int, address_width: int) -> data.StructLayout:
    """`address`; bit k of `ends`: loop k and all inside it are in their last turn, so the top bit ends the nest."""
    return data.StructLayout({"address": address_width, "ends": loops})


class AddressGenerator(Block):
    """Walks through a loop nest: base + sum of index times stride, modulo 2**address_width, innermost loop fastest.

    Latency 1 edge, one address per edge; the next command comes in at the very edge at which the last address leaves.
    One adder: each loop keeps the address at which its present turn began.

    Ports:
        command: input stream of `command_layout`; ready when idle or when the last address leaves.
        o: output stream of `place_layout`; valid while a command is being walked through.

    After a reset it is idle.
    """

    def __init__(self, loops: int, address_width: int = 32, count_width: int = 16) -> None:
        check_size("loops of an address generator", loops, 1, 16)
        check_size("address width", address_width, 1, 64)
        check_size("count width", count_width, 1, 32)
        self.loops = loops
        self.address_width = address_width
        self.count_width = count_width
        command = command_layout(loops, address_width, count_width)
        self.final = Signal(command.members["final"])
        self.stride = Signal(command.members["stride"])
        self.index = Signal(data.ArrayLayout(count_width, loops))
        self.began = Signal(data.ArrayLayout(address_width, loops))
        ports = {
            "command": In(stream.Signature(command)),
            "o": Out(stream.Signature(place_layout(loops, address_width))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        ends = [Signal(name=f"ends_{loop}") for loop in range(self.loops)]
        for loop in range(self.loops):
            inner = ends[loop - 1] if loop else 1
            m.d.comb += ends[loop].eq((self.index[loop] == self.final[loop]) & inner)
        m.d.comb += [
            self.o.payload.address.eq(self.began[0]),
            self.o.payload.ends.eq(Cat(ends)),
            self.command.ready.eq(~self.o.valid | (self.o.ready & ends[-1])),
        ]
        with m.If(self.command.ready):
            m.d.sync += [
                self.o.valid.eq(self.command.valid),
                self.final.eq(self.command.payload.final),
                self.stride.eq(self.command.payload.stride),
            ]
            for loop in range(self.loops):
                m.d.sync += [self.index[loop].eq(0), self.began[loop].eq(self.command.payload.base)]
        with m.Elif(self.o.ready):
            self._step(m, ends)
        return m

    def _step(self, m: Module, ends: list[Signal]) -> None:
        """One loop turns: the innermost that has not ended. It and all inside it now begin at the same address."""
        address = Signal(self.address_width)
        began, stride = self.began[0], self.stride[0]
        for loop in range(1, self.loops):
            inner = ends[loop - 1]
            began, stride = Mux(inner, self.began[loop], began), Mux(inner, self.stride[loop], stride)
        m.d.comb += address.eq(began + stride)
        for loop in range(self.loops):
            with m.If(ends[loop - 1] if loop else 1):
                turned = Mux(ends[loop], 0, self.index[loop] + 1)
                m.d.sync += [self.began[loop].eq(address), self.index[loop].eq(turned)]
