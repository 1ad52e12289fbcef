"""GEMV units that are wrong on purpose, and the small one that stands for all."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Mux, Signal, Value

from accelsim.formats import FP32
from accelsim.hardware.gemv import UNIT, GemvSetup, build
from rtl.block import Block
from rtl.floating import AdderStages, FloatSum
from rtl.gemv import Beat, Gemv
from rtl.gemv_parts import GemvStages, LaneSum, Turns, VectorStore
from tests.rtl.floating import SignOfLarger, TiesAway
from tests.rtl.rigid import common_variants

DRAWN: GemvSetup = UNIT.read(
    {
        **{"lanes": 3, "vectors": 2, "outputs": 2, "words": 3},
        **{"read_stages": 0, "sum_stages": 0, "normal_stages": 0},
    }
)
"""For faults that are drawn."""
SMALL: GemvSetup = replace(DRAWN, form=replace(DRAWN.form, lanes=2, vectors=1))
"""For faults made by hand, of which there are many in one model."""
TINY: GemvSetup = replace(DRAWN, form=replace(DRAWN.form, lanes=1, vectors=1, words=2))
"""For proofs: the values of numbers do not matter there."""


class Hasty(Turns):
    """Lets a row's next beat enter one edge before its sum is there."""

    def __init__(self, outputs: int, words: int, spacing: int) -> None:
        super().__init__(outputs, words, spacing - 1)


class Slow(Turns):
    """Waits also after a group's last beats, when there is no sum to wait for."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.taken & self.ends & self.last_word):
            m.d.sync += self.wait.eq(1)
        return m


class Overwrites(VectorStore):
    """Puts the next vectors where those in use are."""

    def _address(self, buffer: Value, place: Value) -> Value:
        return super()._address(Const(0), place)


class RemembersPlace(VectorStore):
    """Vectors that came in part before a reset are gone on with after it."""

    def __init__(self, lanes: int, vectors: int, words: int, buffers: int) -> None:
        super().__init__(lanes, vectors, words, buffers)
        self.word_place = Signal(range(words), reset_less=True)


class OneTurn(VectorStore):
    """Goes on to fill the buffer that is in use."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.sync += self.fills.eq(self.fills)
        return m


class KnowsOneEnd(VectorStore):
    """Takes the last word of the vectors that came last for that of those in use."""

    def _know_last_word(self, m: Module, ends: Value) -> None:
        last_word = Signal.like(self.word_place)
        with m.If(ends):
            m.d.sync += last_word.eq(self.word_place)
        m.d.comb += self.last_word.eq(self.place == last_word)


class FromZero(Gemv):
    """Sums begin with +0, so that -0 is lost."""

    def _add(self, m: Module, beat: Beat, terms: list[Value]) -> None:
        minus = 1 << (FP32.width - 1)
        super()._add(m, beat, [Mux(term == minus, 0, term) for term in terms])


class AddsTwice(LaneSum):
    """Takes the first lane in the place of the last."""

    def _level(self, m: Module, level: int, values: list[Value]) -> list[Value]:
        return super()._level(m, level, [*values[:-1], values[0]])


class WithLaneTwice(Gemv):
    def lane_sum(self) -> LaneSum:
        return AddsTwice(self.form.lanes, self.stages.product_stages, self.stages.adder)


def with_sum(kind: type[FloatSum]) -> Gemv:
    """With another addition to the sum of a row."""

    class Changed(Gemv):
        def row_sum(self) -> FloatSum:
            return kind(FP32, self.stages.adder)

    return Changed(SMALL.form, SMALL.stages)


def with_turns(kind: type[Turns]) -> Gemv:
    found = build(SMALL)
    found.turns = kind(SMALL.form.outputs, SMALL.form.words, found.spacing)
    return found


def with_store(kind: type[VectorStore]) -> Gemv:
    found, form = build(SMALL), SMALL.form
    found.store = kind(form.lanes, form.vectors, form.words, form.vector_buffers)
    return found


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong."""
    sooner = replace(SMALL, stages=GemvStages(0, 0, SMALL.stages.adder))
    quicker = replace(SMALL, stages=GemvStages(0, 1, AdderStages(1, 0, 0, 0)))
    return {
        **common_variants(lambda: build(SMALL), "w"),
        **{kind.__name__: with_turns(kind) for kind in (Hasty, Slow)},
        **{kind.__name__: with_store(kind) for kind in (Overwrites, OneTurn, RemembersPlace, KnowsOneEnd)},
        **{kind.__name__: kind(SMALL.form, SMALL.stages) for kind in (FromZero, WithLaneTwice)},
        **{kind.__name__: with_sum(kind) for kind in (TiesAway, SignOfLarger)},
        "sooner": build(sooner),
        "quicker": build(quicker),
    }
