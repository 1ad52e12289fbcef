"""The store of a tile of keys, which gives them back when the tile's maximum is known."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.pipeline import later, levels, tree, wire


def rank_of(score: Value, valid: Value) -> Value:
    """What keys are compared by: the score with its sign bit inverted below a bit that is 1; 0 for a masked key.

    The largest rank is that of the largest valid score; its top bit says whether there is one.
    """
    return Mux(valid, Cat(score[:-1], ~score[-1], 1), 0)


def larger(one: Value, other: Value) -> Value:
    return Mux(one > other, one, other)


def distance(one: Value, other: Value) -> Value:
    """How far two ranks lie apart; 0 where one is that of no key."""
    both = one[-1] & other[-1]
    return Mux(both, Mux(one > other, one - other, other - one), 0)[: len(one) - 1]


class TileStore(Block):
    """Takes a beat of ranks per edge and gives the beats of a complete tile, one per edge, without streams.

    The first beat of a tile is given at the edge after its last was taken, and `levels(lanes) * maximum_stages` edges
    for the tree of maxima. A place is read at the latest at the edge at which the next tile fills it again.

    Ports:
        present, ends, last: input, whether there is a beat, ends its tile, and is of the last tile of its row.
        ranks: input, a rank for each lane.
        o_present, o_ends, o_last, o_ranks: output, the same of the beat that is given.
        own: output, the largest rank of its tile.
        earlier: output, the largest of all tiles before it in the row.
    """

    def __init__(self, bits: int, lanes: int, beats: int, maximum_stages: int) -> None:
        self.bits = bits
        self.lanes = lanes
        self.beats = beats
        self.maximum_stages = maximum_stages
        self.edges = levels(lanes) * maximum_stages
        self.place = Signal(range(beats))
        self.read = Signal(range(beats))
        ranks = data.ArrayLayout(bits, lanes)
        flags = ("present", "ends", "last")
        ports = {**dict.fromkeys(flags, In(1)), "ranks": In(ranks), **{f"o_{flag}": Out(1) for flag in flags}}
        super().__init__({**ports, "o_ranks": Out(ranks), "own": Out(bits), "earlier": Out(bits)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        best = tree(m, "maximum", self.maximum_stages, list(self._lanes()), larger)
        beside = {"ends": self.ends, "last": self.last, "ranks": Value.cast(self.ranks)}
        present, ends, last, ranks = later(m, "fill", self.edges, present=self.present, **beside)
        self._keep(m, present, ends, ranks)
        self._compare(m, present, ends, last, best)
        return m

    def _lanes(self) -> Iterator[Value]:
        return (self.ranks[lane] for lane in range(self.lanes))

    def _keep(self, m: Module, present: Value, ends: Value, ranks: Value) -> None:
        """Write beats where they come, and read from the edge on after a tile has ended."""
        m.submodules.places = store = memory.Memory(shape=len(ranks), depth=self.beats, init=[])
        write = store.write_port()
        read = store.read_port(domain="comb")
        m.d.comb += [write.addr.eq(self.place), write.data.eq(ranks), write.en.eq(present)]
        m.d.comb += [read.addr.eq(self.read), Value.cast(self.o_ranks).eq(read.data)]
        m.d.comb += self.o_ends.eq(self.read == self.beats - 1)
        with m.If(present):
            m.d.sync += self.place.eq(Mux(ends, 0, self.place + 1))
        with m.If(self.o_present):
            m.d.sync += [self.read.eq(Mux(self.o_ends, 0, self.read + 1)), self.o_present.eq(~self.o_ends)]
        with m.If(present & ends):
            m.d.sync += self.o_present.eq(1)

    def _compare(self, m: Module, present: Value, ends: Value, last: Value, best: Value) -> None:
        """The largest rank of the tile so far, and of the row before it."""
        tile_best = Signal(self.bits)
        row_best = Signal(self.bits)
        so_far = wire(m, "so_far", larger(tile_best, best))
        with m.If(present):
            m.d.sync += tile_best.eq(Mux(ends, 0, so_far))
        with m.If(present & ends):
            m.d.sync += [self.own.eq(so_far), self.earlier.eq(row_best), self.o_last.eq(last)]
            m.d.sync += row_best.eq(Mux(last, 0, larger(row_best, so_far)))
