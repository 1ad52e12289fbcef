"""Width converters: elements side by side in words, and back."""

from __future__ import annotations

from amaranth.hdl import Module, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_payload, check_size
from rtl.streams.packet import packet_layout, word_layout

MOST_LANES = 1024


class Widen(Block):
    """Gathers elements into words of `lanes`; a packet that ends early leaves a word that is only part-filled.

    Latency 1 edge from the element that completes a word, one element per edge: a word leaves at the very edge at which
    the first element of the next comes in. Lanes that are not filled are 0.

    Ports:
        i: input stream of `packet_layout(element)`; ready unless a complete word waits.
        o: output stream of `word_layout(element, lanes)`; valid when a word is complete.

    After a reset no element is held.
    """

    def __init__(self, element: ShapeLike, lanes: int) -> None:
        check_payload("element of a width converter", element)
        check_size("lanes of a width converter", lanes, 1, MOST_LANES)
        self.element = element
        self.lanes = lanes
        self.place = Signal(range(lanes))
        ports = {
            "i": In(stream.Signature(packet_layout(element))),
            "o": Out(stream.Signature(word_layout(element, lanes))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        ends = Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            ends.eq(self.i.payload.last | (self.place == self.lanes - 1)),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & ends)
        with m.If(self.i.ready & self.i.valid):
            for lane in range(self.lanes):
                with m.If(self.place == lane):
                    m.d.sync += self.o.payload.data[lane].eq(self.i.payload.data)
                with m.Elif(self.place == 0):
                    m.d.sync += Value.cast(self.o.payload.data[lane]).eq(0)
            m.d.sync += [
                self.o.payload.filled.eq(self.place),
                self.o.payload.last.eq(self.i.payload.last),
                self.place.eq(self.place + 1),
            ]
            with m.If(ends):
                m.d.sync += self.place.eq(0)
        return m


class Narrow(Block):
    """Sends the filled lanes of words one after the other, lane 0 first.

    Latency 1 edge, one element per edge: the next word comes in at the very edge at which the last element leaves.

    Ports:
        i: input stream of `word_layout(element, lanes)`; ready when no word is held or its last element leaves.
        o: output stream of `packet_layout(element)`; valid while a word is held.

    After a reset no word is held.
    """

    def __init__(self, element: ShapeLike, lanes: int) -> None:
        check_payload("element of a width converter", element)
        check_size("lanes of a width converter", lanes, 1, MOST_LANES)
        self.element = element
        self.lanes = lanes
        self.place = Signal(range(lanes))
        self.word = Signal(word_layout(element, lanes))
        ports = {
            "i": In(stream.Signature(word_layout(element, lanes))),
            "o": Out(stream.Signature(packet_layout(element))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        ends = Signal()
        m.d.comb += [
            ends.eq(self.place == self.word.filled),
            self.i.ready.eq(~self.o.valid | (self.o.ready & ends)),
            self.o.payload.data.eq(self.word.data[self.place]),
            self.o.payload.last.eq(self.word.last & ends),
        ]
        with m.If(self.i.ready):
            m.d.sync += [self.word.eq(self.i.payload), self.o.valid.eq(self.i.valid), self.place.eq(0)]
        with m.Elif(self.o.ready):
            m.d.sync += self.place.eq(self.place + 1)
        return m
