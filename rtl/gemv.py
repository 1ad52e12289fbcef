"""The GEMV unit of memory with logic: weights stream past vectors that are held, and each output leaves as a sum."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out

from accelsim.formats import FP32
from rtl.block import Block, check_size
from rtl.floating import FloatSum, neutral
from rtl.gemv_parts import GemvStages, LaneSum, Turns, VectorStore, lanes_layout
from rtl.once import once
from rtl.pipeline import later
from rtl.streams import packet_layout

MOST_LANES = 256
MOST_VECTORS = 64
MOST_OUTPUTS = 1 << 12
MOST_WORDS = 1 << 12
STORE = 1  # the register of a sum


@dataclass(frozen=True)
class GemvForm:
    """Sizes: `lanes` weights per beat, `vectors` that share them, `outputs` whose sums are held, `words` of a vector.

    `vector_buffers`: one, or two, so that the next job's vectors enter beside the weights of this one.
    """

    lanes: int = 4
    vectors: int = 1
    outputs: int = 8
    words: int = 16
    vector_buffers: int = 2

    def __post_init__(self) -> None:
        check_size("lanes", self.lanes, 1, MOST_LANES)
        check_size("vectors", self.vectors, 1, MOST_VECTORS)
        check_size("outputs", self.outputs, 1, MOST_OUTPUTS)
        check_size("words", self.words, 1, MOST_WORDS)
        check_size("vector_buffers", self.vector_buffers, 1, 2)


def weights_layout(lanes: int) -> data.StructLayout:
    """A beat of a row: `data`, BF16 codes; `ends`: the row is the last of its group; `last`: the job's last beat."""
    return data.StructLayout({"data": lanes_layout(lanes), "ends": 1, "last": 1})


def sums_layout(vectors: int) -> data.StructLayout:
    """An output: `sums`, an FP32 code for each vector; `last` of the job."""
    return data.StructLayout({"sums": data.ArrayLayout(FP32.width, vectors), "last": 1})


@dataclass(frozen=True)
class Beat:
    """What goes beside a beat: whether there is one, its row's place in the group, and what it begins and ends."""

    present: Value
    slot: Value
    first: Value
    final: Value
    last: Value

    def later(self, m: Module, name: str, stages: int) -> Beat:
        """The same so many registers later."""
        return Beat(*later(m, name, stages, **vars(self)))


class Gemv(Block):
    """Products of rows of weights with a few vectors, in BF16, added in FP32; a beat of `lanes` weights per edge.

    A job: words of `lanes` elements of each vector in turn, word 0 of all first; then weights in groups of at most
    `outputs` rows: word 0 of each row of the group, then word 1 of each, to the last. What lies past the end of a row
    is 0. Products of a beat are added in a tree, neighbours first; the sum is added to that of its row's earlier beats,
    which begins with -0. That addition takes `spacing` = adder.depth + 1 edges, so groups of at least as many rows take
    a beat at every edge, and smaller ones wait. The last beat of each row gives an output.

    Latency from a beat to its sum: read_stages + product_stages + (ceil(log2(lanes)) + 1) x adder.depth + 1 edges.
    While the output waits the whole unit stands still.

    Ports:
        x: input stream of packets of a word, one packet per job; ready unless all buffers hold vectors.
        w: input stream of `weights_layout(lanes)`; ready when vectors are held and the sum of the row is in its place.
        o: output stream of `sums_layout(vectors)`, an output per row, in order; valid when a row has all its products.

    After a reset no vector, beat or sum is held.
    """

    def __init__(self, form: GemvForm, stages: GemvStages) -> None:
        self.form = form
        self.stages = stages
        self.spacing = stages.adder.depth + STORE
        self.store = VectorStore(form.lanes, form.vectors, form.words, form.vector_buffers)
        self.turns = Turns(form.outputs, form.words, self.spacing)
        self.moves = Signal()
        ports = {
            "x": In(stream.Signature(packet_layout(lanes_layout(form.lanes)))),
            "w": In(stream.Signature(weights_layout(form.lanes))),
            "o": Out(stream.Signature(sums_layout(form.vectors))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Elaboratable:
        return EnableInserter(self.moves)(self.pipeline())

    def pipeline(self) -> Module:
        """The unit as it is while nothing waits."""
        m = Module()
        m.d.comb += self.moves.eq(~self.o.valid | self.o.ready)
        self._hold(m)
        beat = self._take(m)
        self._add(m, *self._sum(m, beat))
        return m

    def lane_sum(self) -> LaneSum:
        """What adds the products of a beat with one vector."""
        return LaneSum(self.form.lanes, self.stages.product_stages, self.stages.adder)

    def row_sum(self) -> FloatSum:
        """What adds to the sum of a row."""
        return FloatSum(FP32, self.stages.adder)

    def _hold(self, m: Module) -> None:
        """Take words of vectors as long as there is room."""
        store, word = self.store, self.x.payload
        m.submodules.store = store
        m.d.comb += [
            self.x.ready.eq(~store.full & self.moves),
            store.present.eq(self.x.valid & ~store.full),
            store.last.eq(word.last),
            store.word.eq(word.data),
        ]

    def _take(self, m: Module) -> Beat:
        """Take a beat of weights, and find what it belongs to."""
        store, turns, weights = self.store, self.turns, self.w.payload
        taken = Signal()
        m.submodules.turns = turns
        m.d.comb += [
            self.w.ready.eq(store.held & turns.ready & self.moves),
            taken.eq(self.w.valid & store.held & turns.ready),
            turns.taken.eq(taken),
            turns.ends.eq(weights.ends),
            turns.last_word.eq(store.last_word),
            store.place.eq(turns.word),
            store.done.eq(taken & weights.last),
        ]
        return Beat(taken, turns.slot, turns.word == 0, store.last_word, weights.last)

    def _sum(self, m: Module, beat: Beat) -> tuple[Beat, list[Value]]:
        """The sum of products over lanes, with each vector."""
        form, stages = self.form, self.stages
        words, weights = later(
            m,
            "read",
            stages.read_stages,
            words=Value.cast(self.store.words),
            weights=Value.cast(self.w.payload.data),
        )
        found: list[Value] = []
        for vector in range(form.vectors):
            unit = self.lane_sum()
            m.submodules[f"vector_{vector}"] = once("vector", unit)
            word = words.word_select(vector, len(weights))
            m.d.comb += [unit.goes.eq(self.moves), Value.cast(unit.a).eq(word), Value.cast(unit.b).eq(weights)]
            found.append(unit.sum)
        return beat.later(m, "beat", stages.read_stages + unit.latency), found

    def _add(self, m: Module, beat: Beat, terms: list[Value]) -> None:
        """Add to the sums of the row, which are kept, or leave if nothing is missing."""
        form = self.form
        m.submodules.sums = store = memory.Memory(shape=FP32.width * form.vectors, depth=form.outputs, init=[])
        write = store.write_port()
        read = store.read_port(domain="comb")
        m.d.comb += read.addr.eq(beat.slot)
        totals: list[Value] = []
        for vector, term in enumerate(terms):
            unit = self.row_sum()
            m.submodules[f"total_{vector}"] = once("total", unit)
            before = Mux(beat.first, neutral(FP32), read.data.word_select(vector, FP32.width))
            m.d.comb += [unit.goes.eq(self.moves), unit.a.eq(before), unit.b.eq(term)]
            totals.append(unit.sum)
        beat = beat.later(m, "total", self.stages.adder.depth)
        m.d.comb += [write.addr.eq(beat.slot), write.data.eq(Cat(totals)), write.en.eq(beat.present & ~beat.final)]
        out = self.o.payload
        m.d.sync += [
            self.o.valid.eq(beat.present & beat.final),
            Value.cast(out.sums).eq(Cat(totals)),
            out.last.eq(beat.last),
        ]
