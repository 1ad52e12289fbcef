"""Parts of the GEMV unit: the store of vectors, the turns of a group's rows, and the sum of products over lanes."""

from __future__ import annotations

from dataclasses import dataclass, field

from amaranth.hdl import Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out

from accelsim.formats import BF16, FP32
from rtl.block import Block
from rtl.floating import AdderStages, FloatProduct, FloatSum
from rtl.once import once
from rtl.pipeline import check_stages, later, levels


@dataclass(frozen=True)
class GemvStages:
    """Registers behind each step; those of an addition are the same in the tree and in the sum of a row."""

    read_stages: int = 1
    product_stages: int = 1
    adder: AdderStages = field(default_factory=AdderStages)

    def __post_init__(self) -> None:
        check_stages(self)


def lanes_layout(lanes: int) -> data.ArrayLayout:
    """BF16 codes side by side."""
    return data.ArrayLayout(BF16.width, lanes)


class VectorStore(Block):
    """Holds the vectors of one job, or of two: those in use, and behind them those of the next.

    A word of each vector in turn comes in, all words 0 first. What is read is there without delay.

    Ports:
        present, last, word: input, whether a word comes in, whether it ends its job's vectors, and its elements.
        done: input, whether the vectors in use are given up.
        full: output, whether no word can be taken.
        held: output, whether there are vectors to use.
        place: input, which word is read.
        words: output, that word of each of the vectors in use.
        last_word: output, whether it is their last.
    """

    def __init__(self, lanes: int, vectors: int, words: int, buffers: int) -> None:
        self.vectors = vectors
        self.words_each = words
        self.buffers = buffers
        self.jobs = Signal(range(buffers + 1))
        self.vector = Signal(range(vectors))
        self.word_place = Signal(range(words))
        self.fills = Signal()
        self.uses = Signal()
        layout = lanes_layout(lanes)
        ports = {"present": In(1), "last": In(1), "word": In(layout), "done": In(1), "full": Out(1), "held": Out(1)}
        shown = {"words": Out(data.ArrayLayout(layout, vectors)), "last_word": Out(1)}
        super().__init__({**ports, "place": In(range(words)), **shown})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        ends = self.present & self.last
        m.d.comb += [self.full.eq(self.jobs == self.buffers), self.held.eq(self.jobs != 0)]
        m.d.sync += self.jobs.eq(self.jobs + ends - self.done)
        if self.buffers == 2:
            m.d.sync += [self.fills.eq(self.fills ^ ends), self.uses.eq(self.uses ^ self.done)]
        self._count(m)
        self._keep(m)
        self._know_last_word(m, ends)
        return m

    def _count(self, m: Module) -> None:
        """Which vector the next word is of, and which of its words it is."""
        turns = self.vector == self.vectors - 1
        with m.If(self.present):
            m.d.sync += self.vector.eq(Mux(turns, 0, self.vector + 1))
            with m.If(turns):
                m.d.sync += self.word_place.eq(Mux(self.last, 0, self.word_place + 1))

    def _keep(self, m: Module) -> None:
        depth = self.buffers * self.words_each
        for vector in range(self.vectors):
            m.submodules[f"vector_{vector}"] = store = memory.Memory(shape=self.word.shape(), depth=depth, init=[])
            write = store.write_port()
            read = store.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(self._address(self.fills, self.word_place)),
                write.data.eq(self.word),
                write.en.eq(self.present & (self.vector == vector)),
                read.addr.eq(self._address(self.uses, self.place)),
                self.words[vector].eq(read.data),
            ]

    def _address(self, buffer: Value, place: Value) -> Value:
        return Mux(buffer, place + self.words_each, place)

    def _know_last_word(self, m: Module, ends: Value) -> None:
        finals = []
        for buffer in range(self.buffers):
            final = Signal(range(self.words_each), name=f"final_{buffer}", reset_less=True)
            with m.If(ends & (self.fills == buffer)):
                m.d.sync += final.eq(self.word_place)
            finals.append(final)
        m.d.comb += self.last_word.eq(self.place == Mux(self.uses, finals[-1], finals[0]))


class Turns(Block):
    """Which sum and which word of the vectors a beat of weights belongs to, and when the next may enter.

    A group's rows take turns. A row's sum is read at the start of an addition and written `spacing` edges later, so its
    next beat must not enter sooner: after the last row of a turn, `spacing` less the rows of the group are waited.

    Ports:
        taken: input, whether a beat enters.
        ends: input, whether it is of the last row of its group.
        last_word: input, whether `word` is that of the last word of a row.
        ready: output, whether a beat may enter.
        word: output, the place of the beat in its row.
        slot: output, the place of its row in the group.
    """

    def __init__(self, outputs: int, words: int, spacing: int) -> None:
        self.outputs = outputs
        self.spacing = spacing
        self.wait = Signal(range(spacing))
        ports = {"taken": In(1), "ends": In(1), "last_word": In(1), "ready": Out(1)}
        super().__init__({**ports, "word": Out(range(words)), "slot": Out(range(outputs))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.d.comb += self.ready.eq(self.wait == 0)
        short = self.slot < self.spacing - 1
        with m.If(self.taken):
            m.d.sync += self.slot.eq(Mux(self.ends, 0, self.slot + 1))
            with m.If(self.ends):
                m.d.sync += [
                    self.word.eq(Mux(self.last_word, 0, self.word + 1)),
                    self.wait.eq(Mux(short & ~self.last_word, self.spacing - 1 - self.slot, 0)),
                ]
        with m.Elif(~self.ready):
            m.d.sync += self.wait.eq(self.wait - 1)
        return m


class LaneSum(Block):
    """The sum of products of lanes at every edge, without streams: neighbours in pairs, level by level.

    Latency: `product_stages` edges, and `adder.depth` for each level of the tree.

    Ports:
        goes: input, whether its registers move.
        a, b: input, BF16 codes of each lane.
        sum: output, an FP32 code; belongs to the inputs of so many edges before.
    """

    def __init__(self, lanes: int, product_stages: int, adder: AdderStages) -> None:
        self.lanes = lanes
        self.product_stages = product_stages
        self.adder = adder
        self.latency = product_stages + levels(lanes) * adder.depth
        layout = lanes_layout(lanes)
        super().__init__({"goes": In(1), "a": In(layout), "b": In(layout), "sum": Out(FP32.width)})

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        values: list[Value] = []
        for lane in range(self.lanes):
            product = FloatProduct(BF16, FP32)
            m.submodules[f"product_{lane}"] = once("product", product)
            m.d.comb += [product.a.eq(self.a[lane]), product.b.eq(self.b[lane])]
            values += later(m, f"product_{lane}", self.product_stages, code=product.product)
        for level in range(levels(self.lanes)):
            values = self._level(m, level, values)
        m.d.comb += self.sum.eq(values[0])
        return EnableInserter(self.goes)(m)

    def _level(self, m: Module, level: int, values: list[Value]) -> list[Value]:
        """Neighbours added; one without a neighbour comes as many edges later as it is."""
        found: list[Value] = []
        for place in range(len(values) // 2):
            unit = FloatSum(FP32, self.adder)
            m.submodules[f"sum_{level}_{place}"] = once("sum", unit)
            m.d.comb += [unit.goes.eq(self.goes), unit.a.eq(values[2 * place]), unit.b.eq(values[2 * place + 1])]
            found.append(unit.sum)
        if len(values) % 2:
            found += later(m, f"odd_{level}", self.adder.depth, code=values[-1])
        return found
