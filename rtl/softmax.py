"""The vector unit with online softmax: P of tiles of keys, their factors, and the running denominator of a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add

from amaranth.hdl import Cat, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from rtl.attention_formats import LONGEST, Formats, check_denominator
from rtl.block import Block, check_size
from rtl.exp import ExpLane, ExpStages
from rtl.fixed import rescale, shape_of
from rtl.pipeline import check_stages, later, levels, tree, wire
from rtl.softmax_tile import TileStore, distance, rank_of

MOST_LANES = 256
LARGEST_TILE = 1 << 16
TOTAL = 1  # the register of a tile's sum
DENOMINATOR = 1  # that of the denominator


@dataclass(frozen=True)
class SoftmaxStages:
    """Registers behind each step; of the two trees over lanes, behind each level."""

    maximum_stages: int = 1
    difference_stages: int = 1
    exp: ExpStages = field(default_factory=ExpStages)
    sum_stages: int = 1

    def __post_init__(self) -> None:
        check_stages(self)


@dataclass(frozen=True)
class Beat:
    """What goes beside the P of a beat.

    Attributes:
        present: whether there is a beat.
        ends: whether it ends its tile.
        last: whether its tile is the last of the row.
        empty: whether no key of the row has been valid, up to the end of the tile.
        grows: whether the maximum grows with this tile: then `old` differs from 1, otherwise `new`.
    """

    present: Value
    ends: Value
    last: Value
    empty: Value
    grows: Value

    def later(self, m: Module, name: str, stages: int) -> Beat:
        """The same so many registers later."""
        return Beat(*later(m, name, stages, **vars(self)))


def scores_layout(formats: Formats, lanes: int) -> data.StructLayout:
    """A beat: `scores` of lanes, `valid`: which of them are keys that count, `last` of the row."""
    return data.StructLayout({"scores": data.ArrayLayout(shape_of(formats.scores), lanes), "valid": lanes, "last": 1})


def softmax_layout(formats: Formats, lanes: int) -> data.StructLayout:
    """A beat of a tile.

    `p` of lanes; `old` and `new`, the factors of its tile; `denominator` over all tiles of the row that are complete
    with this beat; `empty`: no valid key up to the end of the tile; `tile_last`, `row_last`.
    """
    factor = shape_of(formats.factors)
    p = data.ArrayLayout(shape_of(formats.p), lanes)
    sums = {"denominator": shape_of(formats.denominator), "empty": 1}
    return data.StructLayout({"p": p, "old": factor, "new": factor, **sums, "tile_last": 1, "row_last": 1})


class Softmax(Block):
    """Online softmax of rows of scores. One beat of `lanes` keys per edge; rows follow one another at once.

    A row is filled up to whole tiles by masked keys, while the input is not ready. Keys of a tile are stored until its
    maximum is known; then they are read, beat by beat, each place at or before the edge at which the next tile fills it
    again. P is exp of the tile's maximum less the score. The factor is exp of the distance between that maximum and
    the running one: it is `new` where the running one stays, `old` where it grows, and the other is 1. At the end of a
    tile one of denominator and sum of P over the tile is multiplied by it, rounded, and the other added. While the
    output waits the whole unit stands still.

    Ports:
        i: input stream of `scores_layout(formats, lanes)`, at most `length` keys per row; ready unless the output
            waits or a row is filled up.
        o: output stream of `softmax_layout(formats, lanes)`, whole tiles; valid when a beat has passed all stages.

    After a reset no key and no sum is held.
    """

    def __init__(self, formats: Formats, length: int, tile: int, lanes: int, stages: SoftmaxStages) -> None:
        check_size("length", length, 1, LONGEST)
        check_size("lanes", lanes, 1, MOST_LANES)
        check_size("tile", tile, 1, LARGEST_TILE)
        if tile % lanes:
            nearest = max(lanes, tile - tile % lanes)
            raise AccelsimError(f'tile: must be a multiple of the {lanes} lanes, such as {nearest}, got "{tile}"')
        check_denominator(formats, length)
        self.formats = formats
        self.tile = tile
        self.lanes = lanes
        self.beats = tile // lanes
        self.stages = stages
        self.store = TileStore(formats.scores.width + 1, lanes, self.beats, stages.maximum_stages)
        self.moves = Signal()
        ports = {
            "i": In(stream.Signature(scores_layout(formats, lanes))),
            "o": Out(stream.Signature(softmax_layout(formats, lanes))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Elaboratable:
        return EnableInserter(self.moves)(self.pipeline())

    def pipeline(self) -> Module:
        """The unit as it is while nothing waits."""
        m = Module()
        m.d.comb += self.moves.eq(~self.o.valid | self.o.ready)
        self._fill(m)
        self._sum(m, *self._exp(m))
        return m

    def _fill(self, m: Module) -> None:
        """Take beats, and fill a row up to whole tiles."""
        beat, store = self.i.payload, self.store
        place = Signal(range(self.beats))
        filling = Signal()
        m.submodules.tiles = store
        m.d.comb += [
            self.i.ready.eq(self.moves & ~filling),
            store.present.eq(self.i.valid | filling),
            store.ends.eq(place == self.beats - 1),
            store.last.eq(filling | beat.last),
        ]
        for lane in range(self.lanes):
            m.d.comb += store.ranks[lane].eq(rank_of(beat.scores[lane], beat.valid[lane] & ~filling))
        with m.If(store.present):
            m.d.sync += [place.eq(Mux(store.ends, 0, place + 1)), filling.eq(store.last & ~store.ends)]

    def _exp(self, m: Module) -> tuple[list[Value], Value, Beat]:
        """P of each lane and the factor of the tile, with what goes beside them."""
        store, formats, stages = self.store, self.formats, self.stages
        edges = stages.difference_stages + stages.exp.depth
        beat = Beat(
            store.o_present,
            store.o_ends,
            store.o_last,
            empty=~(store.own[-1] | store.earlier[-1]),
            grows=store.own > store.earlier,
        ).later(m, "exp", edges)
        found = []
        for lane in range(self.lanes):
            rank = store.o_ranks[lane]
            p = self._exp_of(m, f"lane_{lane}", formats.p, (store.own - rank)[: formats.scores.width])
            (valid,) = later(m, f"valid_{lane}", edges, valid=rank[-1])
            found.append(wire(m, f"p_{lane}", Mux(valid, p, 0)))
        factor = self._exp_of(m, "factor", formats.factors, distance(store.own, store.earlier))
        return found, factor, beat

    def _exp_of(self, m: Module, name: str, target: FixedFormat, below: Value) -> Value:
        """exp of minus a distance."""
        formats, stages = self.formats, self.stages
        m.submodules[name] = unit = ExpLane(formats.below, target, formats.segments, stages.exp)
        (difference,) = later(m, f"{name}_difference", stages.difference_stages, below=below)
        m.d.comb += unit.x.eq(difference)
        return unit.y

    def _sum(self, m: Module, p: list[Value], factor: Value, beat: Beat) -> None:
        """The sum of P over a tile, then the denominator, each in a register that takes a beat at every edge."""
        formats = self.formats
        edges = levels(self.lanes) * self.stages.sum_stages
        added = tree(m, "sum", self.stages.sum_stages, p, add)
        beat = beat.later(m, "sum", edges)
        codes, factor = later(m, "lanes", edges, p=Cat(p), factor=factor)
        total = Signal((self.tile * formats.most_p).bit_length(), reset_less=True)
        begins = Signal(init=1)
        with m.If(beat.present):
            m.d.sync += [total.eq(Mux(begins, 0, total) + added), begins.eq(beat.ends)]
        beat = beat.later(m, "total", TOTAL)
        codes, factor = later(m, "total", TOTAL, p=codes, factor=factor)
        self._add(m, total, factor, beat)
        old, new = Mux(beat.grows, factor, formats.one), Mux(beat.grows, formats.one, factor)
        self._give(m, beat, p=codes, old=old, new=new)

    def _add(self, m: Module, total: Value, factor: Value, beat: Beat) -> None:
        """Rescale the one of denominator and sum of a tile whose factor is not 1, and add the other."""
        denominator = self.o.payload.denominator
        first = Signal(init=1)
        before = wire(m, "so_far", Mux(first, 0, denominator))
        added = wire(m, "added", total.shift_left(self.formats.guard))
        scaled = rescale(Mux(beat.grows, before, added), factor, self.formats.factors.fraction)
        after = scaled + Mux(beat.grows, added, before)
        with m.If(beat.present):
            m.d.sync += [denominator.eq(Mux(beat.ends, after, before)), first.eq(beat.ends & beat.last)]

    def _give(self, m: Module, beat: Beat, **values: Value) -> None:
        """The output, beside the register of the denominator."""
        out = self.o.payload
        p, old, new = later(m, "out", DENOMINATOR, **values)
        beat = beat.later(m, "out", DENOMINATOR)
        m.d.comb += [
            self.o.valid.eq(beat.present),
            Value.cast(out.p).eq(p),
            out.old.eq(old),
            out.new.eq(new),
            out.empty.eq(beat.empty),
            out.tile_last.eq(beat.ends),
            out.row_last.eq(beat.ends & beat.last),
        ]
