"""Sums of the vector engine: one is rescaled and another added, and at the end they are divided."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature

from accelsim.formats import FixedFormat
from rtl.block import Block
from rtl.divide import Division
from rtl.fixed import round_half_up, shape_of
from rtl.layer.instruction import completion_signature
from rtl.layer.pads import pad_write
from rtl.layer.vector_form import VectorForm, VectorStages, factor_word
from rtl.layer.vector_issue import word_layout
from rtl.pipeline import later, wire


class Merge(Block):
    """A sum and what is added to it, one of them times a factor, at every edge, without streams.

    The product is rounded once; the other is as it was, since its factor is 1. Latency `rescale_stages` +
    `add_stages` edges.

    Ports:
        so_far: input, the sum.
        added: input, what is added, with the same bits behind its point.
        factors: input of `factor_word`.
        total: output, the new sum; belongs to the inputs of so many edges before.
    """

    def __init__(self, form: VectorForm, total: FixedFormat) -> None:
        self.fraction = form.formats.factors.fraction
        self.stages = form.stages
        sums = shape_of(total)
        super().__init__({"so_far": In(sums), "added": In(sums), "factors": In(factor_word(form)), "total": Out(sums)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        grows = self.factors.grows
        scaled = wire(m, "scaled", Mux(grows, self.so_far, self.added))
        other = Mux(grows, self.added, self.so_far)
        product, kept = later(
            m, "product", self.stages.rescale_stages, product=scaled * self.factors.factor, kept=other
        )
        total = Signal.like(self.total)
        m.d.comb += total.eq(round_half_up(product, self.fraction) + kept)
        m.d.comb += self.total.eq(later(m, "total", self.stages.add_stages, total=total)[0])
        return m


def merge_edges(stages: VectorStages) -> int:
    """The latency of `Merge`."""
    return stages.rescale_stages + stages.add_stages


class ScaleAdd(Block):
    """SCALE_ADD: accumulators times the factor of what was before, and P x V of a tile times that of the tile.

    SETP, and what has nothing to do, passes as a word that writes nothing, so that completions come one by one.
    Latency `merge_edges(stages)` edges, one word per edge.

    Ports:
        word: input of `word_layout`; present where it is a word for this pipeline.
        products: input, the word of the PV pad.
        sums: input, the word of accumulators.
        factors: input of `factor_word`.
        write: output, to the accumulators: enable, address and data.
        done: output, completions.
    """

    def __init__(self, form: VectorForm) -> None:
        self.form = form
        write = {"enable": Out(1), "address": Out(range(form.accumulators)), "data": Out(form.sum_word)}
        ports = {
            "word": In(word_layout(form)),
            "products": In(data.ArrayLayout(shape_of(form.formats.array), form.lanes)),
            "sums": In(form.sum_word),
            "factors": In(factor_word(form)),
            "write": Out(Signature(write)),
            "done": Out(completion_signature()),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        form, word = self.form, self.word
        for lane in range(form.lanes):
            m.submodules[f"lane_{lane}"] = merge = Merge(form, form.formats.accumulator)
            m.d.comb += [
                merge.so_far.eq(Mux(word.first, 0, self.sums[lane])),
                merge.added.eq(self.products[lane].shift_left(form.formats.guard)),
                merge.factors.eq(self.factors),
                self.write.data[lane].eq(merge.total),
            ]
        beside = {"writes": word.scale_add, "address": word.b[: len(self.write.address)], "post": word.post}
        present, writes, address, post, last = later(
            m, "word", merge_edges(form.stages), present=word.present, **beside, last=word.last
        )
        m.d.comb += [
            self.write.enable.eq(present & writes),
            self.write.address.eq(address),
            self.done.valid.eq(present & last),
            self.done.post.eq(post),
        ]
        return m


class Divide(Block):
    """DIVIDE: accumulators by the denominator of their row. Latency that of `Division`, one word per edge.

    Ports:
        word: input of `word_layout`; present where it is a word for this pipeline.
        sums: input, the word of accumulators.
        denominator: input, that of the row.
        o: output, of `pad_write`, to the O pad.
        done: output, completions.
        empty: output, whether a word of a row without a valid key, which is 0, has been written since the reset.
    """

    def __init__(self, form: VectorForm) -> None:
        self.form = form
        widths = (form.formats.accumulator.width, form.formats.denominator.highest.bit_length())
        self.division = Division(widths, form.formats.output, form.lanes, form.stages.division_bits)
        ports = {
            "word": In(word_layout(form)),
            "sums": In(form.sum_word),
            "denominator": In(shape_of(form.formats.denominator)),
            "o": Out(pad_write(form.o_pad)),
            "done": Out(completion_signature()),
            "empty": Out(1),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        word, division = self.word, self.division
        m.submodules.division = division
        m.d.comb += [division.denominator.eq(self.denominator), division.numerator.eq(self.sums)]
        beside = {"empty": self.denominator == 0, "address": word.dst[: len(self.o.word)], "post": word.post}
        present, empty, address, post, last = later(
            m, "word", division.stages, present=word.present, **beside, last=word.last
        )
        m.d.comb += [
            self.o.enable.eq(present),
            self.o.word.eq(address),
            self.done.valid.eq(present & last),
            self.done.post.eq(post),
        ]
        for lane in range(self.form.lanes):
            m.d.comb += self.o.data[lane].eq(division.quotient[lane])
        with m.If(present & empty):
            m.d.sync += self.empty.eq(1)
        return m
