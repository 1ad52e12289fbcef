"""Vector units with online softmax that are wrong on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value

from accelsim.hardware.attention import formats_of
from accelsim.hardware.softmax import UNIT, SoftmaxSetup, build
from rtl.block import Block
from rtl.exp import ExpStages
from rtl.softmax import Beat, Softmax, SoftmaxStages
from rtl.softmax_tile import TileStore, rank_of
from tests.rtl.rigid import Around, common_variants

SMALL: SoftmaxSetup = UNIT.read(
    {
        "lanes": 2,
        "tile": 6,
        "length": 100,
        "scores": "s9.4",
        "p": "u7.6",
        "factors": "u11.10",
        "denominator": "s18.9",
        "accumulator": "s18.9",
        "segments": 4,
    }
)


class KeepsDenominator(Softmax):
    """The denominator is that of all rows so far."""

    def _add(self, m: Module, total: Value, factor: Value, beat: Beat) -> None:
        super()._add(m, total, factor, replace(beat, last=Const(0)))


class OtherFactor(Softmax):
    """Rescales the sum of the tile where it should rescale the denominator."""

    def _add(self, m: Module, total: Value, factor: Value, beat: Beat) -> None:
        super()._add(m, total, factor, replace(beat, grows=~beat.grows))


class NeverEmpty(Softmax):
    """Does not tell of a row without a valid key."""

    def _give(self, m: Module, beat: Beat, **values: Value) -> None:
        super()._give(m, replace(beat, empty=Const(0)), **values)


class Swapped(Softmax):
    """Gives each factor in the place of the other."""

    def _give(self, m: Module, beat: Beat, **values: Value) -> None:
        super()._give(m, beat, p=values["p"], old=values["new"], new=values["old"])


class Filled(Softmax):
    """Keys that only fill a row up count, with whatever is on the wires."""

    def _fill(self, m: Module) -> None:
        super()._fill(m)
        beat = self.i.payload
        for lane in range(self.lanes):
            m.d.comb += self.store.ranks[lane].eq(rank_of(beat.scores[lane], beat.valid[lane]))


class TieShort(Softmax):
    """Where a tile's maximum equals that of the tiles before, the factor is just below 1."""

    def _add(self, m: Module, total: Value, factor: Value, beat: Beat) -> None:
        tie = ~beat.grows & (factor == self.formats.one)
        super()._add(m, total, Mux(tie, factor - 1, factor)[: len(factor)], beat)


class NarrowTotal(Softmax):
    """The sum of P over a tile wraps around where all P are 1."""

    def _add(self, m: Module, total: Value, factor: Value, beat: Beat) -> None:
        super()._add(m, Mux(total == self.tile * self.formats.most_p, 0, total), factor, beat)


class LateKey(Softmax):
    """A row is empty unless its first tile has a valid key."""

    def _give(self, m: Module, beat: Beat, **values: Value) -> None:
        first = Signal(init=1)
        empty = Signal()
        with m.If(beat.present):
            m.d.sync += [first.eq(beat.ends & beat.last), empty.eq(Mux(first, beat.empty, empty))]
        super()._give(m, replace(beat, empty=Mux(first, beat.empty, empty)), **values)


class LowestMasked(Softmax):
    """The lowest score counts as masked."""

    def _fill(self, m: Module) -> None:
        super()._fill(m)
        for lane in range(self.lanes):
            with m.If(self.i.payload.scores[lane] == self.formats.scores.lowest):
                m.d.comb += self.store.ranks[lane].eq(0)


class RemembersPlace(TileStore):
    """A tile that was begun before a reset is gone on with after it."""

    def __init__(self, bits: int, lanes: int, beats: int, maximum_stages: int) -> None:
        super().__init__(bits, lanes, beats, maximum_stages)
        self.place = Signal(range(beats), reset_less=True)


class KeepsMaximum(TileStore):
    """The running maximum of a row survives its end."""

    def _compare(self, m: Module, present: Value, ends: Value, last: Value, best: Value) -> None:
        super()._compare(m, present, ends, Const(0), best)
        with m.If(present & ends):
            m.d.sync += self.o_last.eq(last)


def with_store(kind: type[TileStore]) -> Softmax:
    found = build(SMALL)
    store = found.store
    found.store = kind(store.bits, store.lanes, store.beats, store.maximum_stages)
    return found


class NarrowDenominator(Around):
    """The denominator lacks the highest bit that the longest row needs."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        formats = formats_of(SMALL.formats)
        most = SMALL.length * formats.most_p << formats.guard
        m.d.comb += self.o.payload.denominator[most.bit_length() - 1].eq(0)


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong."""
    parts = (formats_of(SMALL.formats), SMALL.length, SMALL.tile, SMALL.lanes, SMALL.stages)
    kinds = (KeepsDenominator, OtherFactor, NeverEmpty, Swapped, Filled, TieShort, NarrowTotal, LateKey, LowestMasked)
    return {
        **common_variants(lambda: build(SMALL)),
        **{kind.__name__: kind(*parts) for kind in kinds},
        "narrow denominator": NarrowDenominator(build(SMALL)),
        "sooner": build(replace(SMALL, stages=SoftmaxStages(exp=ExpStages(shift_stages=0)))),
        "remembers": with_store(RemembersPlace),
        "keeps maximum": with_store(KeepsMaximum),
    }
