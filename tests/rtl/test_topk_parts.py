"""Parts that all top-k engines share, for all inputs: gaps are closed, and rows are packed in order."""

from __future__ import annotations

from functools import reduce
from operator import add

import pytest
from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from rtl.formal import Claims, prove
from rtl.pipeline import wire
from rtl.topk.parts import Packer, ZeroEliminator
from tests.rtl.topk_quick import Hasty

pytestmark = pytest.mark.slow
BITS = 2


def gaps_are_closed(claims: Claims, block: wiring.Component) -> None:
    """Any lane that is kept lies behind those that are kept before it, and what is behind all of them is 0."""
    assert isinstance(block, ZeroEliminator)
    lane = claims.constant("lane", range(block.lanes))
    claims.given("lane_fits", lane < block.lanes)
    before = wire(claims.m, "kept_before", _sum([block.kept[at] & (lane > at) for at in range(block.lanes)]))
    is_kept, value = (Array(part)[lane] for part in (list(block.kept), [block.values[at] for at in range(block.lanes)]))
    row = Array(block.row[at] for at in range(block.lanes))
    claims.always("all_are_counted", block.count == _sum(list(block.kept)))
    claims.always("lies_behind_those_before", ~is_kept | (row[before] == value))
    claims.always("nothing_is_beyond", (block.count > lane) | (row[lane] == 0))
    claims.reached("every_other", block.kept == sum(1 << at for at in range(1, block.lanes, 2)))


def _sum(values: list[Value]) -> Value:
    return reduce(add, values)


@pytest.mark.parametrize("lanes", [1, 2, 5, 8])
def test_gaps_are_closed(lanes: int) -> None:
    assert prove(ZeroEliminator(BITS, lanes), gaps_are_closed, 1).holds
    assert prove(ZeroEliminator(BITS, lanes), gaps_are_closed, 1, "cover").holds


class HighestFirst(ZeroEliminator):
    """Moves by the highest bit first, so that lanes meet."""

    def _moved(
        self, m: Module, level: int, gaps: list[Value], values: list[Value], present: list[Value]
    ) -> tuple[list[Value], list[Value], list[Value]]:
        return super()._moved(m, (self.lanes - 1).bit_length() - 1 - level, gaps, values, present)


def test_lanes_that_meet_are_found() -> None:
    proof = prove(HighestFirst(BITS, 4), gaps_are_closed, 1)
    assert (proof.verdict, proof.broken) == ("refuted", ("lies_behind_those_before",))


def rows_are_packed(claims: Claims, block: wiring.Component) -> None:
    """Any one of a packet's elements leaves at its place of that packet's rows, and only the last row is not full.

    `came` and `went` count elements of the packet that comes in and of the one that leaves; each is the other's end.
    """
    assert isinstance(block, Packer)
    m, lanes = claims.m, block.lanes
    claims.given("part_fits", block.count <= lanes)
    for at in range(lanes):
        claims.given(f"lane_{at}_is_used", (block.count > at) | (block.row[at] == 0))
    came, went, whole = (Signal(range(MOST + 1), name=name) for name in ("came", "went", "whole"))
    watched = claims.constant("watched", range(MOST))
    value = Signal(BITS)
    claims.given("packets_are_short", came + block.count < MOST)
    with m.If(block.present):
        m.d.sync += came.eq(Mux(block.ends, 0, came + block.count))
        with m.If(block.ends):
            m.d.sync += whole.eq(came + block.count)
    place = wire(m, "lane_of_watched", (watched - came)[: len(watched)])
    given = wire(m, "watched_as_it_comes", Array(block.row[at] for at in range(lanes))[place])
    comes = block.present & (watched >= came) & (watched < came + block.count)
    leaves = block.o_present & (watched >= went) & (watched < went + block.o_count)
    with m.If(comes):
        m.d.sync += value.eq(given)
    with m.If(block.o_present):
        m.d.sync += went.eq(Mux(block.o_last, 0, went + block.o_count))
    lane = wire(m, "lane_that_leaves", (watched - went)[: len(watched)])
    shown = Array(block.o_row[at] for at in range(lanes))[lane]
    ends, nothing = block.o_present & block.o_last, block.o_count == 0
    beyond = Cat((block.o_count > at) | (block.o_row[at] == 0) for at in range(lanes))
    claims.always("leaves_as_it_came", ~leaves | (shown == Mux(comes & ~block.ended, given, value)))
    claims.always("full_but_the_last", ~block.o_present | block.o_last | (block.o_count == lanes))
    claims.always("none_is_lost", ~ends | (went + block.o_count == whole))
    claims.always("no_row_too_many", ~(ends & nothing) | (whole == 0))
    claims.always("nothing_is_beyond", ~block.o_present | beyond.all())
    claims.reached("begins_as_another_ends", block.o_last & block.present & (went != 0))
    claims.reached("ends_full", block.o_last & (block.o_count == lanes) & (went != 0))


DEPTH = 5  # edges
MOST = 12  # elements of a packet, and one more


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_rows_are_packed(lanes: int) -> None:
    assert prove(Packer(BITS, lanes), rows_are_packed, DEPTH, "bounded").holds
    assert prove(Packer(BITS, lanes), rows_are_packed, DEPTH, "cover").holds


def test_a_row_that_is_sent_too_soon_is_found() -> None:
    proof = prove(Hasty(BITS, 2), rows_are_packed, DEPTH, "bounded")
    assert (proof.verdict, proof.broken) == ("refuted", ("no_row_too_many",))
