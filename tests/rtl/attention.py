"""Attention tiles that are wrong on purpose."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Mux, Signal, Value

from accelsim.formats import FixedFormat
from accelsim.hardware.attention import UNIT, AttentionSetup, build, formats_of
from rtl.attention import Attention, Key
from rtl.attention_parts import Score
from rtl.block import Block
from rtl.fixed import saturate, shape_of
from rtl.pipeline import later, wire
from tests.rtl.rigid import Later, Tired, common_variants

SMALL: AttentionSetup = UNIT.configurations["small"]


class KeepsMaximum(Attention):
    """The running maximum survives the end of a row."""

    def _maximum(self, m: Module, key: Key) -> tuple[Value, Value]:
        return super()._maximum(m, replace(key, last=Const(0)))


class SeesMasked(Attention):
    """A masked key may raise the maximum."""

    def _maximum(self, m: Module, key: Key) -> tuple[Value, Value]:
        return super()._maximum(m, replace(key, valid=Const(1)))


class NeverEmpty(Attention):
    """Does not tell of a row without a valid key."""

    def _divide(self, m: Module, sums: list[Value], present: Value, empty: Value) -> None:
        super()._divide(m, sums, present, Const(0))


class Unscaled(Attention):
    """Does not multiply the sums when the maximum grows."""

    def _sums(self, m: Module, p: Value, factor: Value, key: Key) -> None:
        super()._sums(m, p, Const(self.formats.one, shape_of(self.formats.factors)), key)


class Remembers(Attention):
    """The query of a row that was begun before a reset is still held after it."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.held = Signal(reset_less=True)


class TieShort(Attention):
    """P of a key whose score equals the maximum is just below 1."""

    def _sums(self, m: Module, p: Value, factor: Value, key: Key) -> None:
        tie = key.valid & (p == self.formats.one) & (factor == self.formats.one)
        super()._sums(m, Mux(tie, p - 1, p)[: len(p)], factor, key)


class ChangedScore(Score):
    """A score that is wrong in a corner: `change` says how."""

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.right = right = Score(self.formats, self.depth, self.stages)
        m.d.comb += [right.query.eq(self.query), right.k.eq(self.k), self.score.eq(self.changed(right.score))]
        return m

    def changed(self, score: Value) -> Value:
        raise NotImplementedError


class SaturatesShort(ChangedScore):
    """The lowest score is one above the lowest code."""

    def changed(self, score: Value) -> Value:
        low = self.formats.scores.lowest
        return Mux(score == low, low + 1, score)


class WrapsHigh(ChangedScore):
    """The highest score becomes the lowest."""

    def changed(self, score: Value) -> Value:
        return Mux(score == self.formats.scores.highest, self.formats.scores.lowest, score)


class HalfDown(Score):
    """A score halfway between two codes is rounded down."""

    def elaborate(self, platform: None) -> Module:
        m = Module()
        half = wire(m, "half", (Const(1) << self.query.shift) >> 1)
        below = dot_of(m, self) * self.query.multiplier + half - half.any()
        rounded = saturate(below >> self.query.shift, self.formats.scores)
        m.d.comb += self.score.eq(later(m, "late", self.latency, score=rounded)[0])
        return m


class NarrowProduct(Score):
    """The largest of all products wraps around."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        largest = self.depth * self.formats.q.lowest * self.formats.k.lowest
        (wraps,) = later(m, "wraps", self.latency, wraps=dot_of(m, self) == largest)
        with m.If(wraps):
            m.d.comb += self.score.eq(self.formats.scores.lowest)
        return m


def dot_of(m: Module, score: Score) -> Value:
    """Q x K, exactly."""
    return wire(m, "exact", Value.cast(sum(score.query.q[place] * score.k[place] for place in range(score.depth))))


def with_score(kind: type[Score]) -> Attention:
    found = build(SMALL)
    found.score = kind(found.formats, found.depth, found.score.stages)
    return found


def narrow_sums() -> Attention:
    """Sums that have a bit less than their format."""
    formats = replace(SMALL.formats, accumulator=FixedFormat(23, 14), denominator=FixedFormat(23, 14))
    return build(replace(SMALL, length=31, formats=formats))


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong."""
    parts = (formats_of(SMALL.formats), SMALL.depth, SMALL.columns, SMALL.length, SMALL.stages)
    kinds = (KeepsMaximum, SeesMasked, NeverEmpty, Unscaled, Remembers, TieShort)
    scores = (SaturatesShort, WrapsHigh, HalfDown, NarrowProduct)
    return {
        **common_variants(lambda: build(SMALL), "kv"),
        **{kind.__name__: kind(*parts) for kind in kinds},
        **{kind.__name__: with_score(kind) for kind in scores},
        "narrow sums": narrow_sums(),
        "tired": Tired(build(SMALL), "kv"),
        "later": Later(build(SMALL), "q"),
        "sooner": build(replace(SMALL, stages=replace(SMALL.stages, weigh_stages=0))),
        "later division": build(replace(SMALL, stages=replace(SMALL.stages, division_bits=2))),
        "other output": build(replace(SMALL, formats=replace(SMALL.formats, output=FixedFormat(9, 4)))),
    }
