"""Parts of the attention tile: the score of a key, and a sum that is rescaled as it grows."""

from __future__ import annotations

from operator import add

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from accelsim.formats import FixedFormat
from rtl.attention_formats import MOST_SHIFT, MULTIPLIER_BITS, Formats, check_dot
from rtl.block import Block, check_size
from rtl.fixed import rescale, round_by, saturate, shape_of
from rtl.pipeline import later, levels, tree

DEEPEST = 1024


def query_layout(formats: Formats, depth: int) -> data.StructLayout:
    """What a row begins with: elements of `q`, and the scale `multiplier` * 2^-`shift`."""
    q = data.ArrayLayout(shape_of(formats.q), depth)
    return data.StructLayout({"q": q, "multiplier": MULTIPLIER_BITS, "shift": range(MOST_SHIFT + 1)})


class Score(Block):
    """Q x K times a scale, rounded once and saturated, of one key at every edge, without streams.

    Latency `product_stages` + `level_stages` for each level of the adder tree + `scale_stages` + `round_stages` edges.

    Ports:
        query: input of `query_layout(formats, depth)`.
        k: input, `depth` elements.
        score: output, a code of `formats.scores`; belongs to the inputs of so many edges before.
    """

    def __init__(self, formats: Formats, depth: int, stages: tuple[int, int, int, int]) -> None:
        check_size("depth", depth, 1, DEEPEST)
        check_dot(formats, depth)
        self.formats = formats
        self.depth = depth
        self.stages = stages
        self.latency = stages[0] + levels(depth) * stages[1] + stages[2] + stages[3]
        ports = {
            "query": In(query_layout(formats, depth)),
            "k": In(data.ArrayLayout(shape_of(formats.k), depth)),
            "score": Out(shape_of(formats.scores)),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        product_stages, level_stages, scale_stages, round_stages = self.stages
        products = {f"v{place}": self.query.q[place] * self.k[place] for place in range(self.depth)}
        dot = Signal(shape_of(self.formats.array))
        m.d.comb += dot.eq(tree(m, "level", level_stages, later(m, "product", product_stages, **products), add))
        to_scale = product_stages + levels(self.depth) * level_stages
        multiplier, shift = later(m, "dot", to_scale, multiplier=self.query.multiplier, shift=self.query.shift)
        scaled, shift = later(m, "scale", scale_stages, scaled=dot * multiplier, shift=shift)
        rounded = Signal(shape_of(self.formats.scores))
        m.d.comb += rounded.eq(saturate(round_by(scaled, shift), self.formats.scores))
        m.d.comb += self.score.eq(later(m, "round", round_stages, score=rounded)[0])
        return m


class Sum(Block):
    """A sum that is multiplied by a factor, rounded, before the next number is added: one per edge, latency 1 edge.

    Ports:
        present: input, whether there is a number.
        fresh: input, whether it begins a new sum.
        factor: input, a code of `factors`, from 0 to 1.
        added: input, the number.
        total: output, the sum; valid from the edge after the number on.
    """

    def __init__(self, factors: FixedFormat, total: FixedFormat) -> None:
        self.fraction = factors.fraction
        ports = {
            "present": In(1),
            "fresh": In(1),
            "factor": In(shape_of(factors)),
            "added": In(shape_of(total)),
            "total": Out(shape_of(total)),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        before = Mux(self.fresh, 0, self.total)
        with m.If(self.present):
            m.d.sync += self.total.eq(rescale(before, self.factor, self.fraction) + self.added)
        return m
