"""The attention tile: Q x K, online softmax and P x V, one key per edge, and the division at the end of a row."""

from __future__ import annotations

from dataclasses import dataclass, field

from amaranth.hdl import Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from rtl.attention_formats import LONGEST, Formats, check_accumulator, check_denominator
from rtl.attention_parts import Score, Sum, query_layout
from rtl.block import Block, check_size
from rtl.divide import Division
from rtl.exp import ExpLane, ExpStages
from rtl.fixed import shape_of
from rtl.pipeline import check_stages, later

MOST_COLUMNS = 256


@dataclass(frozen=True)
class AttentionStages:
    """Registers behind each step, and the bits of a quotient that one stage of the division gives."""

    product_stages: int = 1
    level_stages: int = 1
    scale_stages: int = 1
    round_stages: int = 1
    difference_stages: int = 1
    exp: ExpStages = field(default_factory=ExpStages)
    weigh_stages: int = 1
    division_bits: int = 1

    def __post_init__(self) -> None:
        check_stages(self)


def key_layout(formats: Formats, depth: int, columns: int) -> data.StructLayout:
    """A key: elements of `k` and `v`, `valid`: whether the query sees it, `last` of the row."""
    k, v = data.ArrayLayout(shape_of(formats.k), depth), data.ArrayLayout(shape_of(formats.v), columns)
    return data.StructLayout({"k": k, "v": v, "valid": 1, "last": 1})


def row_layout(formats: Formats, columns: int) -> data.StructLayout:
    """A row's `output` in each column, and whether it was `empty`, without a valid key; then it is 0."""
    return data.StructLayout({"output": data.ArrayLayout(shape_of(formats.output), columns), "empty": 1})


@dataclass(frozen=True)
class Key:
    """What goes beside the score of a key: whether there is one, whether it is seen, ends its row, and its values."""

    present: Value
    valid: Value
    last: Value
    v: Value

    def later(self, m: Module, name: str, stages: int) -> Key:
        """The same so many registers later."""
        return Key(*later(m, name, stages, **vars(self)))


class Attention(Block):
    """Attention of one query at a time. One key per edge; a row may follow another without an edge between them.

    A key passes: products, adder tree, scale, rounding to a score; the running maximum, kept in a register; exp;
    P x V; the sums, kept in registers. At each key either the maximum stays, then sums stay as they are and P is exp
    of the difference, or it grows to the score, then P is 1 and sums are multiplied by exp of the difference: so there
    is one exp unit. When the last key is in the sums they enter the division, which is pipelined as well. Latency from
    the last key to the row: as many edges as there are registers, 1 of them that of the sums. While the output waits
    the whole unit stands still.

    Ports:
        q: input stream of `query_layout`, one per row; ready when no query is held, or its last key is taken now.
        kv: input stream of `key_layout`, at most `length` per row; ready when a query is held.
        o: output stream of `row_layout`; valid when a row has passed the division.

    After a reset no query, key or sum is held.
    """

    def __init__(self, formats: Formats, depth: int, columns: int, length: int, stages: AttentionStages) -> None:
        check_size("columns", columns, 1, MOST_COLUMNS)
        check_size("length", length, 1, LONGEST)
        check_denominator(formats, length)
        check_accumulator(formats, length)
        if formats.p != formats.factors:
            raise AccelsimError(f'p: must be the format of factors, {formats.factors}, got "{formats.p}"')
        dot_stages = (stages.product_stages, stages.level_stages, stages.scale_stages, stages.round_stages)
        widths = (formats.accumulator.width, formats.denominator.highest.bit_length())
        self.formats = formats
        self.depth = depth
        self.columns = columns
        self.stages = stages
        self.score = Score(formats, depth, dot_stages)
        self.division = Division(widths, formats.output, columns, stages.division_bits)
        self.query = Signal(query_layout(formats, depth))
        self.held = Signal()
        self.moves = Signal()
        ports = {
            "q": In(stream.Signature(query_layout(formats, depth))),
            "kv": In(stream.Signature(key_layout(formats, depth, columns))),
            "o": Out(stream.Signature(row_layout(formats, columns))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Elaboratable:
        return EnableInserter(self.moves)(self.pipeline())

    def pipeline(self) -> Module:
        """The unit as it is while nothing waits."""
        m = Module()
        m.d.comb += self.moves.eq(~self.o.valid | self.o.ready)
        key, present = self._take(m)
        m.submodules.dot = score = self.score
        m.d.comb += [score.query.eq(self.query), score.k.eq(key.k)]
        beat = Key(present, key.valid, key.last, Value.cast(key.v)).later(m, "score", score.latency)
        grows, below = self._maximum(m, beat)
        p, factor, beat = self._exp(m, grows, below, beat)
        self._sums(m, p, factor, beat)
        return m

    def _take(self, m: Module) -> tuple[data.View, Value]:
        """The key at the input, and whether it is taken; the query is held until its last key is."""
        key = self.kv.payload
        taken = Signal()
        m.d.comb += [
            taken.eq(self.kv.valid & self.held),
            self.kv.ready.eq(self.held & self.moves),
            self.q.ready.eq((~self.held | (taken & key.last)) & self.moves),
        ]
        with m.If(~self.held | (taken & key.last)):
            m.d.sync += [self.held.eq(self.q.valid), self.query.eq(self.q.payload)]
        return key, taken

    def _maximum(self, m: Module, key: Key) -> tuple[Value, Value]:
        """Whether a key's score is the first of its row or above all before, and its distance to the maximum."""
        score = self.score.score
        maximum = Signal(score.shape(), reset_less=True)
        started = Signal()
        grows = Signal()
        below = Signal(shape_of(self.formats.below))
        above = score > maximum
        m.d.comb += grows.eq(key.valid & (~started | above))
        with m.If(started):
            m.d.comb += below.eq(Mux(above, score - maximum, maximum - score))
        with m.If(key.present):
            m.d.sync += started.eq((started | key.valid) & ~key.last)
            with m.If(grows):
                m.d.sync += maximum.eq(score)
        return grows, below

    def _exp(self, m: Module, grows: Value, below: Value, key: Key) -> tuple[Value, Value, Key]:
        """P and the factor of a key, and the key as many edges later."""
        formats, stages = self.formats, self.stages
        m.submodules.exp = exp = ExpLane(formats.below, formats.factors, formats.segments, stages.exp)
        m.d.comb += exp.x.eq(later(m, "difference", stages.difference_stages, below=below)[0])
        edges = stages.difference_stages + stages.exp.depth
        (grows,) = later(m, "exp", edges, grows=grows)
        key = key.later(m, "exp", edges)
        p = Mux(key.valid, Mux(grows, formats.one, exp.y), 0)
        return p, Mux(grows, exp.y, formats.one), key

    def _sums(self, m: Module, p: Value, factor: Value, key: Key) -> None:
        """Add P x V and P to the sums, and divide those of a row that ends."""
        formats, stages = self.formats, self.stages
        v = data.View(data.ArrayLayout(shape_of(formats.v), self.columns), key.v)
        totals = [*[formats.accumulator] * self.columns, formats.denominator]
        added = [p * v[column] for column in range(self.columns)]
        terms = {}
        for place, (value, total) in enumerate(zip([*added, p], totals, strict=True)):
            terms[f"term_{place}"] = term = Signal(shape_of(total), name=f"term_{place}")
            m.d.comb += term.eq(value.shift_left(formats.guard))
        factor, *weighed = later(m, "weigh", stages.weigh_stages, factor=factor, **terms)
        key = key.later(m, "weigh", stages.weigh_stages)
        fresh = Signal(init=1)
        some = Signal(reset_less=True)
        with m.If(key.present):
            m.d.sync += [fresh.eq(key.last), some.eq(key.valid | (some & ~fresh))]
        sums = []
        for place, (term, total) in enumerate(zip(weighed, totals, strict=True)):
            m.submodules[f"sum_{place}"] = unit = Sum(formats.factors, total)
            m.d.comb += [
                unit.present.eq(key.present),
                unit.fresh.eq(fresh),
                unit.factor.eq(factor),
                unit.added.eq(term),
            ]
            sums.append(unit.total)
        (ended,) = later(m, "sums", 1, present=key.present & key.last)
        self._divide(m, sums, ended, ~some)

    def _divide(self, m: Module, sums: list[Value], present: Value, empty: Value) -> None:
        m.submodules.division = division = self.division
        m.d.comb += division.denominator.eq(sums[-1])
        m.d.comb += [division.numerator[place].eq(total) for place, total in enumerate(sums[:-1])]
        present, empty = later(m, "row", division.stages, present=present, empty=empty)
        m.d.comb += [
            self.o.valid.eq(present),
            self.o.payload.output.eq(division.quotient),
            self.o.payload.empty.eq(empty),
        ]
