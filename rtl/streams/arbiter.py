"""A round-robin arbiter: several streams share one."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from rtl.block import Block, check_payload, check_size


def granted_layout(shape: ShapeLike, inputs: int) -> data.StructLayout:
    """`payload`: what the input sent; `source`: which input it was."""
    return data.StructLayout({"payload": shape, "source": range(inputs)})


class Arbiter(Block):
    """Grants inputs in turn, beginning with the one after the last that was granted.

    Latency 0 edges, one payload per edge. A payload that waits for `o.ready` keeps its grant. With `packets` an input
    keeps it until the payload whose field `last` is 1 has gone over; without, every payload is a packet. An input
    that is valid is served after at most one packet of each other.

    Ports:
        i[k]: input streams; ready when granted and the output is ready.
        o: output stream of `granted_layout(shape, inputs)`; valid when a granted input is.

    After a reset input 0 comes first.
    """

    def __init__(self, shape: ShapeLike, inputs: int, *, packets: bool = False) -> None:
        check_payload("payload of an arbiter", shape)
        check_size("inputs of an arbiter", inputs, 1, 256)
        if packets and not (isinstance(shape, data.StructLayout) and "last" in shape.members):
            raise AccelsimError("payload of an arbiter: must have a field last where it arbitrates packets")
        self.shape = shape
        self.inputs = inputs
        self.packets = packets
        self.turn = Signal(range(inputs))
        self.held = Signal()
        ports = {
            "i": In(stream.Signature(shape)).array(inputs),
            "o": Out(stream.Signature(granted_layout(shape, inputs))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        grant = Signal(range(self.inputs))
        valids = Array(port.valid for port in self.i)
        m.d.comb += [
            grant.eq(Mux(self.held, self.turn, self._next_valid())),
            self.o.valid.eq(valids[grant]),
            self.o.payload.payload.eq(Array(port.payload for port in self.i)[grant]),
            self.o.payload.source.eq(grant),
        ]
        for place, port in enumerate(self.i):
            m.d.comb += port.ready.eq(self.o.ready & (grant == place))
        end = self.o.payload.payload.last if self.packets else 1
        with m.If(self.o.valid):
            done = self.o.ready & end
            m.d.sync += [self.held.eq(~done), self.turn.eq(Mux(done, self._after(grant), grant))]
        return m

    def _after(self, place: Value) -> Value:
        return Mux(place == self.inputs - 1, 0, place + 1)

    def _next_valid(self) -> Value:
        """The first valid input from `turn` on, round and round; `turn` itself where there is none."""
        found = self.turn
        for place in reversed(range(self.inputs)):
            found = Mux(self.i[place].valid, place, found)
        for place in reversed(range(self.inputs)):
            found = Mux(self.i[place].valid & (place >= self.turn), place, found)
        return found
