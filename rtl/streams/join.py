"""A join: one payload of each of several inputs makes one of the output."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_payload, check_size


def joined_layout(shapes: Sequence[ShapeLike]) -> data.StructLayout:
    """The payloads of all inputs side by side: field `p0` is that of the first."""
    return data.StructLayout({f"p{place}": shape for place, shape in enumerate(shapes)})


class Join(Block):
    """Waits for all inputs and takes them together.

    Latency 0 edges, one payload per edge.

    Ports:
        i0, i1, ...: input streams, one per shape; ready when the output is and all inputs are valid.
        o: output stream of `joined_layout(shapes)`; valid when all inputs are.

    It holds no state.
    """

    def __init__(self, shapes: Sequence[ShapeLike]) -> None:
        check_size("inputs of a join", len(shapes), 1, 256)
        for shape in shapes:
            check_payload("payload of a join", shape)
        self.shapes = tuple(shapes)
        inputs = {f"i{place}": In(stream.Signature(shape)) for place, shape in enumerate(shapes)}
        super().__init__({**inputs, "o": Out(stream.Signature(joined_layout(shapes)))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        inputs = [getattr(self, f"i{place}") for place in range(len(self.shapes))]
        valid = inputs[0].valid
        for port in inputs[1:]:
            valid = valid & port.valid
        m.d.comb += self.o.valid.eq(valid)
        for place, port in enumerate(inputs):
            m.d.comb += [port.ready.eq(valid & self.o.ready), self.o.payload[f"p{place}"].eq(port.payload)]
        return m
