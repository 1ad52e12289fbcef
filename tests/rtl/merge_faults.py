"""Merge engines that are wrong on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data

from accelsim.hardware.merge import build
from rtl.block import Block
from rtl.exp import ExpStages
from rtl.layer.merge import MergeEngine, MergeIssue
from rtl.layer.merge_bench import MergeBench
from rtl.layer.merge_form import MergeForm
from rtl.pipeline import later
from tests.rtl.merge import OTHER, setup_of
from tests.rtl.rigid import Around, Later

SMALL = setup_of(2, 2, states=2, accumulators=9, pv_words=9, o_words=8, division_bits=6, **OTHER)


WHOLE = SMALL.form.formats.below.width - SMALL.form.formats.below.fraction  # bits of a distance before the point


class Pause(Around):
    """Takes nothing at the edge behind the start of an instruction."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        wait = Signal()
        m.d.sync += wait.eq(outer.valid & outer.ready & (outer.payload.target == 0))
        m.d.comb += [inner.valid.eq(outer.valid & ~wait), outer.ready.eq(inner.ready & ~wait)]


class NeverFirst(MergeIssue):
    """Goes on from what is there."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.word.first.eq(0)
        return m


class OnePlace(MergeIssue):
    """Does not move on in the PV pad."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.word.pv.eq(self.start.payload.a)
        return m


class OneState(MergeIssue):
    """Has one state only."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.word.b.eq(0)
        return m


class LateHead(MergeIssue):
    """Adds sums of P to the denominator as the second word."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        heads = Signal()
        m.d.sync += heads.eq(self.word.scale_add & self.start.ready & ~self.word.heads)
        m.d.comb += self.word.heads.eq(heads & self.word.scale_add)
        return m


class OtherFactor(MergeEngine):
    """Takes the factor of the sums for that of the tile."""

    def _factor(self, m: Module, lane: int, own: Value, earlier: Value, shift: Value) -> Value:
        return super()._factor(m, lane, own, earlier, shift) ^ 1


class OneLane(MergeEngine):
    """All queries have the factors of the first."""

    def _factors(self, m: Module, given: data.View, word: data.View) -> list[Value]:
        found = super()._factors(m, given, word)
        return [found[0]] * len(found)


class LateShift(MergeEngine):
    """Takes the shift an edge late."""

    def _factor(self, m: Module, lane: int, own: Value, earlier: Value, shift: Value) -> Value:
        return super()._factor(m, lane, own, earlier, self.shift)


class Unshifted(MergeEngine):
    """Drops the lowest bit of the shift."""

    def _factor(self, m: Module, lane: int, own: Value, earlier: Value, shift: Value) -> Value:
        return super()._factor(m, lane, own, earlier, shift & 30)


class Wraps(MergeEngine):
    """Distances wrap around where they should saturate."""

    def _factor(self, m: Module, lane: int, own: Value, earlier: Value, shift: Value) -> Value:
        kept = (Const(1) << (shift + SMALL.shifted + WHOLE)) - 1
        near = Mux(own > earlier, earlier + ((own - earlier) & kept), own + ((earlier - own) & kept))
        return super()._factor(m, lane, Mux(own > earlier, near, own), Mux(own > earlier, earlier, near), shift)


class Fleeting(MergeEngine):
    """Factors stay for one word only."""

    def _factors(self, m: Module, given: data.View, word: data.View) -> list[Value]:
        found = super()._factors(m, given, word)
        (near,) = later(m, "near", 2, near=word.heads)
        one = Const(2 << self.form.formats.factors.fraction)
        return [Mux(near, one, each)[: len(each)] for each in found]


class ForgetsMaximum(MergeEngine):
    """Keeps the maximum of the last tile."""

    def _maxima(self, m: Module, given: data.View) -> tuple[data.View, data.View, Value]:
        own, before, first = super()._maxima(m, given)
        for lane in range(self.form.lanes):
            m.d.comb += m.submodules.maxima.write_ports[0].data[lane].eq(own[lane])
        return own, before, first


class OneDenominator(MergeEngine):
    """Divides all queries by the denominator of the first."""

    def _divide(self, m: Module, word: data.View, sums: data.View, denominators: data.View) -> None:
        super()._divide(m, word, sums, denominators)
        for lane in range(self.form.lanes):
            m.d.comb += getattr(m.submodules, f"division_{lane}").denominator.eq(denominators[0])


class Silent(MergeEngine):
    """Never raises `empty`."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.sync += self.empty.eq(0)
        return m


class EarlyDone(MergeEngine):
    """Completes when sums are read."""

    def _divide(self, m: Module, word: data.View, sums: data.View, denominators: data.View) -> None:
        super()._divide(m, word, sums, denominators)
        m.d.comb += [self.done0.valid.eq(word.present & word.last & ~word.divide), self.done0.post.eq(word.post)]


def with_issue(kind: type[MergeIssue]) -> MergeBench:
    """The bench whose engine has another issue."""
    found = build(SMALL)
    found.engine.issue = kind(found.form)
    return found


def with_engine(kind: type[MergeEngine]) -> MergeBench:
    """The bench with another engine."""
    found = build(SMALL)
    found.engine = kind(found.form)
    return found


def with_form(**changes: Any) -> MergeBench:
    form: MergeForm = replace(SMALL.form, **changes)
    return MergeBench(form)


def with_stages(**changes: Any) -> MergeBench:
    return with_form(stages=replace(SMALL.stages, **changes))


TIMED = ("later factors", "sooner factors", "later sums", "sooner quotients", "pause", "later")


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong; those in TIMED in their edges only."""
    issues = (NeverFirst, OnePlace, OneState, LateHead)
    engines = (OtherFactor, OneLane, LateShift, Unshifted, Wraps, Fleeting, ForgetsMaximum, OneDenominator)
    return {
        "later factors": with_stages(difference_stages=2),
        "sooner factors": with_stages(exp=ExpStages(shift_stages=0)),
        "later sums": with_stages(add_stages=2),
        "sooner quotients": with_stages(division_bits=9),
        "pause": Pause(build(SMALL)),
        "later": Later(build(SMALL)),
        "coarse": with_form(shifted=SMALL.shifted + 1),
        **{kind.__name__: with_issue(kind) for kind in issues},
        **{kind.__name__: with_engine(kind) for kind in (*engines, Silent, EarlyDone)},
    }
