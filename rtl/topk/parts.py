"""Parts that make dense rows: counts before each lane, gaps closed, and rows that are filled from parts of rows."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.block import Block, check_payload, check_size
from rtl.pipeline import levels, wire

MOST_LANES = 64


def counts_up_to(m: Module, name: str, flags: Sequence[Value]) -> list[Value]:
    """Of each lane how many of its flag and those before it are 1: log2(lanes) levels of adders."""
    counts: list[Value] = list(flags)
    for level in range(levels(len(flags))):
        step = 1 << level
        counts = [
            wire(m, f"{name}_{level}_{lane}", count + counts[lane - step]) if lane >= step else count
            for lane, count in enumerate(counts)
        ]
    return counts


class ZeroEliminator(Block):
    """Closes the gaps of a row: lanes that are kept move down to the first ones, in order; the others are 0.

    A lane moves by the number of gaps before it, a level of multiplexers for each bit of that number. From the lowest
    bit on no two ever meet: two kept lanes are at least one more apart than their numbers of gaps differ, and what is
    left of these numbers up to any bit differs by no more.

    Latency 0 edges. Source: SpAtten (HPCA 2021), its zero eliminator.

    Ports:
        kept: input, a bit for each lane.
        values: input, lanes.
        row: output, what is kept, the first in lane 0, then zeros; always valid.
        count: output, how many are kept; always valid.
    """

    def __init__(self, element: ShapeLike, lanes: int) -> None:
        check_payload("element of a row", element)
        check_size("lanes of a row", lanes, 1, MOST_LANES)
        self.lanes = lanes
        row = data.ArrayLayout(element, lanes)
        super().__init__({"kept": In(lanes), "values": In(row), "row": Out(row), "count": Out(range(lanes + 1))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        counts = counts_up_to(m, "kept_up_to", list(self.kept))
        m.d.comb += self.count.eq(counts[-1])
        gaps: list[Value] = [lane + 1 - count for lane, count in enumerate(counts)]
        values = [Value.cast(self.values[lane]) for lane in range(self.lanes)]
        present: list[Value] = list(self.kept)
        for level in range(levels(self.lanes)):
            gaps, values, present = self._moved(m, level, gaps, values, present)
        for lane, value in enumerate(values):
            m.d.comb += Value.cast(self.row[lane]).eq(Mux(self.count > lane, value, 0))
        return m

    def _moved(
        self, m: Module, level: int, gaps: list[Value], values: list[Value], present: list[Value]
    ) -> tuple[list[Value], list[Value], list[Value]]:
        """The lanes after those have moved whose number of gaps has this bit."""
        step = 1 << level
        moves = [there & gap[level] for there, gap in zip(present, gaps, strict=True)]
        found: tuple[list[Value], list[Value], list[Value]] = ([], [], [])
        for lane in range(self.lanes):
            stays = present[lane] & ~moves[lane]
            parts = (gaps[lane], values[lane], stays)
            if lane + step < self.lanes:
                comes = moves[lane + step]
                parts = (
                    Mux(comes, gaps[lane + step], gaps[lane]),
                    Mux(comes, values[lane + step], values[lane]),
                    stays | comes,
                )
            for name, values_found, part in zip(("gaps", "value", "present"), found, parts, strict=True):
                values_found.append(wire(m, f"{name}_{level}_{lane}", part))
        return found


class Packer(Block):
    """Fills rows of `lanes` from dense parts of rows, and knows which is the last of a packet.

    It holds what has come, up to a whole row. A row leaves when more comes than fits, and the last one, be it full,
    partial or empty, at the edge after the one at which the packet ended: only then it is known to be the last. At that
    edge the next packet may begin. A part that comes at every edge is always taken.

    Latency 1 edge from the end of a packet to its last row.

    Ports:
        present, ends: input, whether a part comes in, and whether it ends the packet.
        row, count: input, the part: elements in the first `count` lanes, the others 0.
        o_present, o_last: output, whether a row leaves at this edge, and whether it ends the packet.
        o_row, o_count: output, elements in the first lanes, the others 0; valid with `o_present`.

    After a reset nothing is held.
    """

    def __init__(self, element: ShapeLike, lanes: int) -> None:
        check_payload("element of a row", element)
        check_size("lanes of a row", lanes, 1, MOST_LANES)
        self.lanes = lanes
        self.row_layout = row = data.ArrayLayout(element, lanes)
        self.held = Signal(row)
        self.level = Signal(range(lanes + 1))
        self.ended = Signal()
        given = {"present": In(1), "ends": In(1), "row": In(row), "count": In(range(lanes + 1))}
        shown = {"o_present": Out(1), "o_last": Out(1), "o_row": Out(row), "o_count": Out(range(lanes + 1))}
        super().__init__({**given, **shown})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        width = len(Value.cast(self.held))
        level = wire(m, "level_before", Mux(self.ended, 0, self.level))
        total = wire(m, "total", level + self.count)
        both = wire(m, "both", Mux(self.ended, 0, Value.cast(self.held)) | self._behind(m, level))
        overflows = wire(m, "overflows", self.present & (total > self.lanes))
        m.d.comb += [
            self.o_present.eq(self.ended | overflows),
            self.o_last.eq(self.ended),
            Value.cast(self.o_row).eq(Mux(self.ended, Value.cast(self.held), both[:width])),
            self.o_count.eq(Mux(self.ended, self.level, self.lanes)),
        ]
        m.d.sync += self.ended.eq(self.present & self.ends)
        with m.If(self.present):
            m.d.sync += [
                Value.cast(self.held).eq(Mux(overflows, both[width:], both[:width])),
                self.level.eq(Mux(overflows, total - self.lanes, total)),
            ]
        with m.Elif(self.ended):
            m.d.sync += [Value.cast(self.held).eq(0), self.level.eq(0)]
        return m

    def _behind(self, m: Module, level: Value) -> Value:
        """What comes in, moved up by what is held, in two rows."""
        width = len(Value.cast(self.held))
        found: Value = Value.cast(self.row)
        for place in range(len(level)):
            moved = found.shift_left(width // self.lanes << place)[: 2 * width]
            found = wire(m, f"moved_{place}", Mux(level[place], moved, found))
        return found
