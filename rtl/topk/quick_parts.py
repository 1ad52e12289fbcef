"""Parts of the quick-select engine: the sides of a partition, and draws for pivots."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.pipeline import later, wire
from rtl.topk.form import TopkForm
from rtl.topk.parts import Packer, ZeroEliminator

DRAW_BITS = 16
FIRST_DRAW = 0x2A6D


class Side(Block):
    """Packs what belongs to one side of a partition, and counts it.

    Latency from a row to the one that it completes: close_stages edges; to the last of the pass one more.

    Ports:
        present, ends: input, whether a row of a pass is there, and whether it is the last.
        chosen: input, which of its lanes belong to this side.
        row: input, its lanes.
        o_present, o_last: output, whether a row is to be written at this edge, and whether it is the last of the pass.
        o_place, o_row: output, where, and what; lanes that are left are 0.
        size: output, how many there are, up to the rows that have been packed: all of them with `o_last`.

    After a reset there is nothing.
    """

    def __init__(self, form: TopkForm, close_stages: int) -> None:
        self.close_stages = close_stages
        self.gaps = ZeroEliminator(form.score_bits, form.lanes)
        self.packer = Packer(form.score_bits, form.lanes)
        row = data.ArrayLayout(form.score_bits, form.lanes)
        given = {"present": In(1), "ends": In(1), "chosen": In(form.lanes), "row": In(row)}
        shown = {"o_present": Out(1), "o_last": Out(1), "o_place": Out(range(form.rows)), "o_row": Out(row)}
        super().__init__({**given, **shown, "size": Out(range(form.most + 1))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.gaps, m.submodules.packer = gaps, packer = self.gaps, self.packer
        m.d.comb += [gaps.kept.eq(self.chosen), gaps.values.eq(self.row)]
        present, ends, row, count = later(
            m,
            "closed",
            self.close_stages,
            present=self.present,
            ends=self.ends,
            row=Value.cast(gaps.row),
            count=gaps.count,
        )
        m.d.comb += [
            packer.present.eq(present),
            packer.ends.eq(ends),
            Value.cast(packer.row).eq(row),
            packer.count.eq(count),
            self.o_present.eq(packer.o_present),
            self.o_last.eq(packer.o_last),
            self.o_row.eq(packer.o_row),
        ]
        before = wire(m, "size_before", Mux(packer.o_last, 0, self.size))
        m.d.sync += self.size.eq(Mux(present, before + count, before))
        with m.If(packer.o_present):
            m.d.sync += self.o_place.eq(Mux(packer.o_last, 0, self.o_place + 1))
        return m


class Draws(Block):
    """A place among so many, each as likely as another: a generator of 16 bits that are shifted and added, times size.

    All numbers but 0 come once before the first comes again; one is drawn for each place, so that a place depends on
    how many have been drawn since the reset, and on nothing else.

    Source: G. Marsaglia, Xorshift RNGs, 2003, with shifts 7, 9, 8.

    Ports:
        drawn: input, whether the place is used at this edge; the next one is there from then on.
        size: input, of how many a place is drawn.
        place: output; always valid, below `size`.
    """

    def __init__(self, form: TopkForm) -> None:
        self.draw = Signal(DRAW_BITS, init=FIRST_DRAW)
        super().__init__({"drawn": In(1), "size": In(range(form.most + 1)), "place": Out(range(form.most))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        first = wire(m, "first", (self.draw ^ (self.draw << 7))[:DRAW_BITS])
        second = wire(m, "second", first ^ (first >> 9))
        m.d.comb += self.place.eq((self.draw * self.size) >> DRAW_BITS)
        with m.If(self.drawn):
            m.d.sync += self.draw.eq((second ^ (second << 8))[:DRAW_BITS])
        return m
