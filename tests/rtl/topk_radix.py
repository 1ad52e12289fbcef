"""Radix engines that are wrong on purpose, and the small one that stands for all."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Signal, Value

from accelsim.hardware.topk_radix import UNIT, build
from rtl.block import Block
from rtl.topk.digits import DigitCount
from rtl.topk.radix import RadixSelect, RadixSetup
from tests.rtl.rigid import common_variants

SMALL: RadixSetup = UNIT.read(
    {
        **{"score_bits": 5, "index_bits": 3, "input_lanes": 2, "lanes": 4, "most": 9, "tag_bits": 1},
        **{"digit_bits": 2, "early_exit": "yes", "read_stages": 0, "compare_stages": 0},
    }
)


class Stale(DigitCount):
    """Goes on with the counts of the pass before."""

    def elaborate(self, platform: None) -> Module:
        self.first = Const(0)
        return super().elaborate(platform)


class Unmasked(DigitCount):
    """Counts what stands in lanes that are not used."""

    def _digit(self, place: int, score: Value, used: Value) -> Value:
        return super()._digit(place, score, Const(1))


class Blind(DigitCount):
    """Counts also those that do not agree in the digits found."""

    def _digit(self, place: int, score: Value, used: Value) -> Value:
        low, width = self.digits.low(place), self.digits.width(place)
        return super()._digit(place, score & (1 << low + width) - 1 | self.known >> low + width << low + width, used)


class Hesitant(DigitCount):
    """Says an edge later that counts are complete."""

    def _find(self, m: Module, complete: Value) -> None:
        after = Signal()
        m.d.sync += after.eq(complete)
        super()._find(m, after)


def with_count(kind: type[DigitCount], setup: RadixSetup) -> RadixSelect:
    """The engine with another counting part."""
    engine = RadixSelect(setup)
    engine.count = kind(setup.digits, setup.form.lanes, setup.form.most, setup.stages)
    return engine


class Next(RadixSelect):
    """Finds the digit of the one after the one sought."""

    def _read(self, m: Module) -> None:
        super()._read(m)
        m.d.comb += self.count.sought.eq(self.sought + 1)


class Unheld(RadixSelect):
    """Filters by what SELECT has, although that may be of the next job by then."""

    def _filter(self, m: Module, hands_on: Value) -> None:
        super()._filter(m, hands_on)
        m.d.comb += [
            self.filter.verdict.payload.threshold.eq(self.known),
            self.filter.verdict.payload.equal.eq(self.sought),
        ]


class Crowded(RadixSelect):
    """Lets a job in while the one before still waits for FILTER."""

    def _fill(self, m: Module, hands_on: Value) -> None:
        super()._fill(m, hands_on)
        m.d.comb += self.intake.open.eq(~self.selecting)


class Idle(RadixSelect):
    """Lets no job in at the edge at which the one before goes to FILTER."""

    def _fill(self, m: Module, hands_on: Value) -> None:
        super()._fill(m, hands_on)
        m.d.comb += self.intake.open.eq(~self.selecting & ~self.done)


class Dropped(RadixSelect):
    """Keeps one of the largest where none is wanted."""

    def _decide(self, m: Module, hands_on: Value) -> None:
        super()._decide(m, hands_on)
        with m.If(self.intake.ends & (self.intake.k == 0)):
            m.d.sync += self.sought.eq(1)


class Absolute(RadixSelect):
    """Does not take off those that are above the digit found."""

    def _decide(self, m: Module, hands_on: Value) -> None:
        super()._decide(m, hands_on)
        with m.If(self.count.found & ~self.intake.ends):
            m.d.sync += self.sought.eq(self.sought)


class Swapped(RadixSelect):
    """Names two elements by each other's names where a beat is full."""

    def _filter(self, m: Module, hands_on: Value) -> None:
        super()._filter(m, hands_on)
        names, made = self.kept.payload.index, self.filter.kept.payload
        with m.If(made.count == self.form.input_lanes):
            m.d.comb += [names[0].eq(made.index[1]), names[1].eq(made.index[0])]


class RemembersPlace(RadixSelect):
    """Goes on after a reset with the digit at which it was before."""

    def __init__(self, setup: RadixSetup) -> None:
        super().__init__(setup)
        self.place = Signal(self.place.shape(), reset_less=True)


class RemembersRow(RadixSelect):
    """Goes on after a reset with the row at which it was before."""

    def __init__(self, setup: RadixSetup) -> None:
        super().__init__(setup)
        self.row = Signal(self.row.shape(), reset_less=True)


def late_exit() -> RadixSelect:
    """Finds all digits in any case."""
    return build(replace(SMALL, radix=replace(SMALL.radix, early_exit="no")))


def slower_filter() -> RadixSelect:
    """A register more in FILTER."""
    return build(replace(SMALL, filter=replace(SMALL.filter, compare_stages=1)))


def quicker() -> RadixSelect:
    """A register less in SELECT."""
    return build(replace(SMALL, stages=replace(SMALL.stages, match_stages=0)))


def variants() -> dict[str, Block]:
    """All faults made by hand."""
    counts = {kind.__name__: with_count(kind, SMALL) for kind in (Stale, Unmasked, Blind, Hesitant)}
    kinds = (Next, Unheld, Crowded, Idle, Dropped, Absolute, Swapped, RemembersPlace, RemembersRow)
    engines = {kind.__name__: kind(SMALL) for kind in kinds}
    timing = {"late exit": late_exit(), "slower filter": slower_filter(), "quicker": quicker()}
    return {**common_variants(lambda: build(SMALL), "scores", "kept"), **counts, **engines, **timing}


TIMING = ("later", "bubble", "Hesitant", "Idle", "late exit", "slower filter", "quicker")
"""Those whose bits are right."""
