"""SOFTMAX of the vector engine: a row of scores per edge becomes P, a factor, and a new maximum and denominator."""

from __future__ import annotations

from dataclasses import dataclass
from operator import add

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out, Signature

from accelsim.formats import FixedFormat
from accelsim.program.instruction import FIELDS
from rtl.attention_formats import MOST_SHIFT, MULTIPLIER_BITS
from rtl.block import Block
from rtl.exp import ExpLane
from rtl.fixed import round_by, saturate, shape_of
from rtl.layer.instruction import completion_signature
from rtl.layer.pads import pad_write
from rtl.layer.vector_form import VectorForm, factor_word
from rtl.layer.vector_issue import word_layout
from rtl.layer.vector_sums import Merge, merge_edges
from rtl.pipeline import later, levels, tree, wire
from rtl.softmax_tile import distance, larger, rank_of

DIAGONAL = 1 << (FIELDS["imm"] - 1)  # the `imm` that stands for 0


def scale_layout() -> data.StructLayout:
    """What scores are multiplied by: `multiplier` * 2^-`shift`."""
    return data.StructLayout({"multiplier": MULTIPLIER_BITS, "shift": range(MOST_SHIFT + 1)})


@dataclass(frozen=True)
class Row:
    """What goes beside the keys of a row.

    Attributes:
        present: whether there is a row.
        place: its row of the tile.
        slot: the slot of its tile.
        state: the word of its maximum and denominator.
        first: whether it is as before any key.
        last: whether it ends its instruction.
        post: the semaphores of that.
    """

    present: Value
    place: Value
    slot: Value
    state: Value
    first: Value
    last: Value
    post: Value

    def later(self, m: Module, name: str, stages: int) -> Row:
        """The same so many registers later."""
        return Row(*later(m, name, stages, **vars(self)))


class RowSoftmax(Block):
    """Online softmax of rows of one tile each, without streams. One row per edge.

    A row passes: scale, rounding, tree of maxima; there its maximum is compared with the one of its state, which is
    then replaced; difference, exp; there P and factor leave; tree of sums, and `Merge` with the denominator of its
    state, which is then replaced. As in `rtl.softmax`, P is against the maximum of the tile, and one of both factors
    is 1. Rows of the same state must not be less than `merge_edges(stages)` edges apart.

    Ports:
        word: input of `word_layout`; present where it is a word for this pipeline.
        scores: input, the word of the S pad.
        scale: input of `scale_layout`.
        p: output, of `pad_write`, to the P pad: its `bank` is the row of the tile, its `word` the slot.
        factors: output, to the store of factors: enable, address and data.
        done: output, completions.
        state: input, a row's state that is read without delay.
        denominator: output, its denominator.
    """

    def __init__(self, form: VectorForm) -> None:
        self.form = form
        formats = form.formats
        write = {"enable": Out(1), "address": Out(range(form.factors)), "data": Out(factor_word(form))}
        ports = {
            "word": In(word_layout(form)),
            "scores": In(data.ArrayLayout(shape_of(formats.array), form.lanes)),
            "scale": In(scale_layout()),
            "p": Out(pad_write(form.p_pad)),
            "factors": Out(Signature(write)),
            "done": Out(completion_signature()),
            "state": In(range(form.states)),
            "denominator": Out(shape_of(formats.denominator)),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        row, ranks = self._ranks(m)
        row, own, earlier, ranks = self._maximum(m, row, ranks)
        row, p, factors = self._exp(m, row, own, earlier, ranks)
        self._weights(m, row, p, factors)
        self._denominator(m, row, p, factors)
        return m

    def _ranks(self, m: Module) -> tuple[Row, list[Value]]:
        """Each score times the scale, rounded and saturated, as a rank; that of a key that does not count is 0."""
        form, stages, word = self.form, self.form.stages, self.word
        behind = Mux(word.mask, word.imm + word.row, (1 << len(word.imm)) + form.rows)
        counts = Cat((lane < word.cols) & (lane + DIAGONAL <= behind) for lane in range(form.lanes))
        products = {f"v{lane}": self.scores[lane] * self.scale.multiplier for lane in range(form.lanes)}
        shift, *scaled = later(m, "scale", stages.scale_stages, shift=self.scale.shift, **products)
        scores = {}
        for lane, value in enumerate(scaled):
            scores[f"v{lane}"] = score = Signal(shape_of(form.formats.scores), name=f"score_{lane}")
            m.d.comb += score.eq(saturate(round_by(value, shift), form.formats.scores))
        rounded = later(m, "round", stages.round_stages, **scores)
        edges = stages.scale_stages + stages.round_stages
        (valid,) = later(m, "counts", edges, valid=counts)
        places = {"place": word.row, "slot": word.dst[: len(self.p.word)], "state": word.b[: len(self.state)]}
        row = Row(word.present, **places, first=word.first, last=word.last, post=word.post)
        ranks = [wire(m, f"rank_{lane}", rank_of(score, valid[lane])) for lane, score in enumerate(rounded)]
        return row.later(m, "scores", edges), ranks

    def _maximum(self, m: Module, row: Row, ranks: list[Value]) -> tuple[Row, Value, Value, list[Value]]:
        """The largest rank of the row and that of the tiles before it; the state gets the larger of the two."""
        edges = levels(self.form.lanes) * self.form.stages.maximum_stages
        own = wire(m, "own", tree(m, "maximum", self.form.stages.maximum_stages, ranks, larger))
        row = row.later(m, "maximum", edges)
        ranks = later(m, "ranks", edges, **{f"v{lane}": rank for lane, rank in enumerate(ranks)})
        m.submodules.maxima = store = memory.Memory(shape=len(own), depth=self.form.states, init=[])
        read, write = store.read_port(domain="comb"), store.write_port()
        earlier = wire(m, "earlier", Mux(row.first, 0, read.data))
        m.d.comb += [
            read.addr.eq(row.state),
            write.addr.eq(row.state),
            write.data.eq(larger(own, earlier)),
            write.en.eq(row.present),
        ]
        return row, own, earlier, ranks

    def _exp(
        self, m: Module, row: Row, own: Value, earlier: Value, ranks: list[Value]
    ) -> tuple[Row, list[Value], data.View]:
        """P of each lane, and the factor."""
        formats, stages = self.form.formats, self.form.stages
        edges = stages.difference_stages + stages.exp.depth
        found = []
        for lane, rank in enumerate(ranks):
            p = self._exp_of(m, f"lane_{lane}", formats.p, (own - rank)[: formats.scores.width])
            (valid,) = later(m, f"valid_{lane}", edges, valid=rank[-1])
            found.append(wire(m, f"p_{lane}", Mux(valid, p, 0)))
        factors = Signal(factor_word(self.form))
        m.d.comb += factors.factor.eq(self._exp_of(m, "factor", formats.factors, distance(own, earlier)))
        m.d.comb += factors.grows.eq(later(m, "exp", edges, grows=own > earlier)[0])
        return row.later(m, "exp", edges), found, factors

    def _exp_of(self, m: Module, name: str, target: FixedFormat, below: Value) -> Value:
        """exp of minus a distance."""
        formats, stages = self.form.formats, self.form.stages
        m.submodules[name] = unit = ExpLane(formats.below, target, formats.segments, stages.exp)
        (difference,) = later(m, f"{name}_difference", stages.difference_stages, below=below)
        m.d.comb += unit.x.eq(difference)
        return unit.y

    def _weights(self, m: Module, row: Row, p: list[Value], factors: data.View) -> None:
        m.d.comb += [
            self.p.enable.eq(row.present),
            self.p.bank.eq(row.place),
            self.p.word.eq(row.slot),
            self.factors.enable.eq(row.present),
            self.factors.address.eq(row.slot * self.form.rows + row.place),
            self.factors.data.eq(factors),
            *(self.p.data[lane].eq(value) for lane, value in enumerate(p)),
        ]

    def _denominator(self, m: Module, row: Row, p: list[Value], factors: data.View) -> None:
        """The sum of P over the row is merged into the denominator of its state."""
        stages, formats = self.form.stages, self.form.formats
        added = tree(m, "sum", stages.sum_stages, p, add)
        edges = levels(self.form.lanes) * stages.sum_stages
        row = row.later(m, "sum", edges)
        (beside,) = later(m, "sum_factors", edges, factors=Value.cast(factors))
        kept = {"shape": shape_of(formats.denominator), "depth": self.form.states, "init": []}
        m.submodules.denominators = store = memory.Memory(**kept)
        read, other, write = store.read_port(domain="comb"), store.read_port(domain="comb"), store.write_port()
        m.submodules.merge = merge = Merge(self.form, formats.denominator)
        m.d.comb += [
            read.addr.eq(row.state),
            other.addr.eq(self.state),
            self.denominator.eq(other.data),
            merge.so_far.eq(Mux(row.first, 0, read.data)),
            merge.added.eq(added.shift_left(formats.guard)),
            Value.cast(merge.factors).eq(beside),
        ]
        row = row.later(m, "merge", merge_edges(stages))
        m.d.comb += [
            write.addr.eq(row.state),
            write.data.eq(merge.total),
            write.en.eq(row.present),
            self.done.valid.eq(row.present & row.last),
            self.done.post.eq(row.post),
        ]
