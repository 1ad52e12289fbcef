"""What is claimed of the quick-select engine, seen from inside; engines without registers between its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate
from operator import add, or_
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from amaranth.lib import wiring

from rtl.formal import Claims
from rtl.pipeline import wire
from rtl.topk.filter import COPIES
from rtl.topk.quick import DECIDE, PICK, SPLIT, TAKE, QuickSelect
from rtl.topk.quick_parts import Side


@dataclass(frozen=True)
class Split:
    """The pass of an engine, as it is before an edge.

    Attributes:
        packed: rows that have been packed; those behind are unread, or in the register of a row that is read.
        ended: whether all have, so that the pass is decided at this edge.
        equal: how many of the packed ones equal the pivot.
    """

    packed: Value
    ended: Value
    equal: Value


def pivots_are_candidates(claims: Claims, unit: wiring.Component) -> None:
    """What comes from outside is one of the candidates of the pass."""
    assert isinstance(unit, QuickSelect)
    found = []
    for place, rows in enumerate(zip(*(_rows(claims, unit, name) for name in unit.sides), strict=True)):
        for lane in range(unit.form.lanes):
            smaller, larger = (row[lane] for row in rows)
            score = Mux(unit.from_larger, larger, smaller)
            found.append((unit.size > place * unit.form.lanes + lane) & (score == unit.pivot.payload))
    claims.given("pivot_is_a_candidate", (unit.step != PICK) | ~unit.pivot.valid | reduce(or_, found))


def room_is_enough(claims: Claims, unit: wiring.Component) -> None:
    """Rows and jobs lie within their memories, none is written over that is to be read, and sides add up to a pass.

    In all runs, whatever pivots come. What is equal to the pivot is counted beside the engine.
    """
    assert isinstance(unit, QuickSelect)
    _room(claims, unit)


def _room(claims: Claims, unit: QuickSelect) -> Split:
    _jobs(claims, unit)
    split = _split(claims, unit)
    packed, ended, equal = split.packed, split.ended, split.equal
    smaller, larger = unit.sides.values()
    total = wire(claims.m, "on_all_sides", smaller.size + larger.size + equal)
    claims.always("sides_add_up", total == Mux(ended, unit.size, packed * unit.form.lanes))
    for name, side in unit.sides.items():
        _packs(claims, unit, name, side)
        writes = side.o_present & ~side.o_last
        claims.always(f"{name}_is_read_before_it_is_written", ~writes | (side.o_place < packed))
        claims.always(f"{name}_has_room", ~side.o_present | (side.o_place < unit.form.rows))
    claims.reached("decides_between_all", ended & (smaller.size != 0) & (larger.size != 0) & (equal != 0))
    claims.reached("all_but_one_are_larger", ended & (larger.size == unit.form.most - 1))
    return split


def _jobs(claims: Claims, unit: QuickSelect) -> None:
    """Of two copies none is filled that is yet to be read, and each job has its verdict, for which there is room."""
    copies, jobs, verdict = unit.copies, unit.verdicts, unit.verdicts.i
    selecting = unit.step != TAKE
    beat = unit.scores.payload
    claims.given("scores_fit", unit.intake.n <= unit.form.most)
    claims.given("beats_fit", ~unit.scores.valid | beat.last | (copies.place_in < unit.form.input_rows - 1))
    claims.given("lanes_fit", beat.count <= unit.form.input_lanes)
    claims.given("none_is_empty_but_the_last", beat.last | (beat.count == unit.form.input_lanes))
    claims.given("k_fits", unit.cmd.payload.k <= unit.form.most)
    end = jobs.head + jobs.level
    claims.always("verdicts_fit", jobs.level <= COPIES)
    claims.always("verdicts_in_place", jobs.tail == Mux(end >= COPIES, end - COPIES, end))
    claims.always("room_for_a_verdict", ~(selecting | unit.intake.begun) | (jobs.level < COPIES))
    claims.always("no_verdict_is_lost", ~verdict.valid | verdict.ready)
    claims.always("copies_take_turns", (copies.fills ^ copies.reads) == (jobs.level + selecting)[0])
    counted, begun = unit.intake.counted, unit.intake.begun
    written = copies.place_in * unit.form.input_lanes
    claims.always("beats_have_come", Mux(begun, written == counted, written == 0))
    claims.always("begun_in_time", ~(unit.intake.begun & selecting))
    other = copies.fills != copies.reads
    claims.always("fills_the_other_copy", ~copies.taken | (jobs.level == 0) | other)
    claims.reached("fills_beside_filter", copies.taken & jobs.o.valid)
    claims.reached("two_wait", jobs.level == COPIES)


def _split(claims: Claims, unit: QuickSelect) -> Split:
    packed, ended = _passes(claims, unit)
    return Split(packed, ended, _equal(claims, unit, ended))


def _passes(claims: Claims, unit: QuickSelect) -> tuple[Value, Value]:
    """How many rows of the pass have been packed, and whether all have: before the edge of the decision."""
    m, form = claims.m, unit.form
    side = unit.sides["smaller"]
    ended = wire(m, "pass_has_ended", side.packer.ended)
    selecting = unit.step != TAKE
    last = (unit.size - 1)[: len(unit.size)] >> unit.lane_bits
    read = Mux(unit.step == DECIDE, last + 1, unit.place)
    packed = wire(m, "packed_rows", read - side.present)
    claims.always("size_fits", ~selecting | ((unit.size != 0) & (unit.size <= form.most)))
    claims.always("sought_is_among_them", ~selecting | ((unit.sought != 0) & (unit.sought <= unit.size)))
    claims.always("place_fits", Mux(unit.step == SPLIT, unit.place <= last, unit.place == 0))
    claims.always("reads_in_a_pass", ~side.present | ((unit.step == SPLIT) & (unit.place != 0)) | (unit.step == DECIDE))
    claims.always("ends_at_the_last", (side.present & side.ends) == (side.present & (unit.step == DECIDE)))
    claims.always("ended_or_on_the_way", (side.present ^ ended) | (unit.step != DECIDE))
    claims.always("ends_in_a_pass", ~ended | (unit.step == DECIDE))
    claims.always("rows_follow", (unit.step != SPLIT) | (side.present == (unit.place != 0)))
    return packed, ended


def _equal(claims: Claims, unit: QuickSelect, ended: Value) -> Value:
    """How many of the rows that have been packed are on neither side."""
    m, form = claims.m, unit.form
    smaller, larger = unit.sides.values()
    equal = Signal.like(unit.size, name="on_neither_side")
    chosen = smaller.chosen | larger.chosen
    there = Mux(smaller.ends, (unit.size - 1)[: unit.lane_bits] + 1, form.lanes)
    lanes = wire(m, "lanes_chosen", sum(chosen[lane] for lane in range(form.lanes)))
    before = Mux(ended, 0, equal)
    m.d.sync += equal.eq(Mux(smaller.present, before + there - lanes, before))
    for lane in range(form.lanes):
        claims.always(f"lane_{lane}_is_there", ~(smaller.present & chosen[lane]) | (there > lane))
        claims.always(f"lane_{lane}_is_on_one_side", ~(smaller.chosen[lane] & larger.chosen[lane]))
    return equal


def _packs(claims: Claims, unit: QuickSelect, name: str, side: Side) -> None:
    """What a side has is in its rows and in the packer."""
    first, packer = unit.sides["smaller"], side.packer
    claims.always(f"{name}_is_as_the_other", (side.present == first.present) & (side.ends == first.ends))
    claims.always(f"{name}_ends_as_the_other", packer.ended == first.packer.ended)
    claims.always(f"{name}_is_whole", side.size == side.o_place * unit.form.lanes + packer.level)
    claims.always(f"{name}_level_fits", (packer.level <= unit.form.lanes) & ((packer.level != 0) | (side.size == 0)))
    beyond = Cat((packer.level > lane) | (packer.held[lane] == 0) for lane in range(unit.form.lanes))
    claims.always(f"{name}_holds_nothing_beyond", beyond.all())
    idle = (unit.step == TAKE) | (unit.step == PICK)
    claims.always(f"{name}_begins_empty", ~idle | (side.size == 0))


def finds_the_threshold(claims: Claims, unit: wiring.Component) -> None:
    """In all runs: what FILTER is told keeps as many as are sought, all that are above and some that are equal.

    Scores are looked up in the copy that waits for FILTER, and in memories and packers of both sides. For any value:
    candidates are those that follow, in falling order, the ones that have been taken off; of equal scores all are
    candidates or none. That holds for a pass that is not complete too, its candidates being those on either side, those
    that equal the pivot, and those that are unread.
    """
    assert isinstance(unit, QuickSelect)
    split = _room(claims, unit)
    selecting, n = unit.step != TAKE, unit.intake.counted
    value = claims.constant("value", unit.form.score_bits)
    job = _scores_of_job(claims, unit)
    candidates = _candidates(claims, unit, split)
    above, equal = (wire(claims.m, f"{name}_of_job", _count(job, test(value))) for name, test in TESTS.items())
    left, same = (wire(claims.m, f"{name}_left", _count(candidates, test(value))) for name, test in TESTS.items())
    of_pivot = Mux(split.ended | (unit.step == SPLIT) | (unit.step == DECIDE), split.equal, 0)
    left = wire(claims.m, "above_in_all", left + Mux(unit.threshold > value, of_pivot, 0))
    same = wire(claims.m, "equal_in_all", same + Mux(unit.threshold == value, of_pivot, 0))
    gone = unit.intake.command.k - unit.sought
    claims.always("counted_is_size", ~selecting | (unit.size <= n))
    claims.always("fills_what_it_copies", ~unit.intake.begun | ((left == above) & (same == equal)))
    claims.always("more_are_sought", ~selecting | (unit.sought <= unit.intake.command.k))
    claims.always("those_above_follow", ~selecting | (left == _between(above, gone, unit.size)))
    claims.always("those_equal_follow", ~selecting | (left + same == _between(above + equal, gone, unit.size)))
    claims.always("all_equal_ones_or_none", ~selecting | (same == 0) | (same == equal))
    verdict = unit.verdicts.i
    found = selecting & verdict.valid & (verdict.payload.threshold == value)
    missing = verdict.payload.equal
    claims.always("keeps_as_many_as_sought", ~found | (above + missing == unit.intake.command.k))
    claims.always("keeps_some_that_are_there", ~found | ((missing != 0) & (missing <= equal)))
    claims.reached("drops_equal_ones", found & (missing < equal) & (above != 0))


TESTS: dict[str, Callable[[Value], Callable[[Value], Value]]] = {
    "above": lambda value: lambda score: score > value,
    "equal": lambda value: lambda score: score == value,
}


def _between(number: Value, gone: Value, most: Value) -> Value:
    """What is left of a number, at most so many."""
    return Mux(number <= gone, 0, Mux(number - gone < most, number - gone, most))


def _count(scores: Sequence[tuple[Value, Value]], test: Callable[[Value], Value]) -> Value:
    """How many of the scores that are there pass a test."""
    return reduce(add, (there & test(score) for there, score in scores))


def _scores_of_job(claims: Claims, unit: QuickSelect) -> list[tuple[Value, Value]]:
    """Of the job that comes in or is in SELECT: whether each score is there, and the score."""
    form, copies = unit.form, unit.copies
    found = []
    copy = copies.fills ^ (unit.step != TAKE)
    for place in range(form.input_rows):
        spy = copies.rows.read_port(domain="comb")
        claims.m.d.comb += spy.addr.eq(Mux(copy, place + form.input_rows, place))
        for lane in range(form.input_lanes):
            found.append((unit.intake.counted > place * form.input_lanes + lane, spy.data[lane].score))
    return found[: form.most]


def _candidates(claims: Claims, unit: QuickSelect, split: Split) -> list[tuple[Value, Value]]:
    """Those of a pass but the packed ones that equal its pivot; while a job comes in, what has been written of it.

    None of the smaller ones is as large as the pivot, and none of the larger ones as small. A row that has been read
    is what lies in the memory, since nothing is written there before it is packed.
    """
    form = unit.form
    number = Mux(unit.step == TAKE, unit.intake.counted, unit.size)
    first = Mux(unit.step == TAKE, 0, split.packed)
    found = []
    memories = {name: _rows(claims, unit, name) for name in unit.sides}
    for place in range(form.rows):
        for lane in range(form.lanes):
            smaller, larger = (rows[place][lane] for rows in memories.values())
            score = Mux((unit.step != TAKE) & unit.from_larger, larger, smaller)
            found.append(((number > place * form.lanes + lane) & (first <= place), score))
    for side, rows in zip(unit.sides.values(), memories.values(), strict=True):
        for place, row in enumerate(rows):
            found += [((unit.step != TAKE) & (side.o_place > place), row[lane]) for lane in range(form.lanes)]
        found += [
            ((unit.step != TAKE) & (side.packer.level > lane), side.packer.held[lane]) for lane in range(form.lanes)
        ]
    _compare(claims, unit, found[form.rows * form.lanes :])
    _row_read(claims, unit, split)
    return found


def _compare(claims: Claims, unit: QuickSelect, packed: Sequence[tuple[Value, Value]]) -> None:
    half = len(packed) // 2
    for name, part in (("smaller", packed[:half]), ("larger", packed[half:])):
        right = [(score < unit.threshold) if name == "smaller" else (score > unit.threshold) for _, score in part]
        each = Cat(~there | one for (there, _), one in zip(part, right, strict=True))
        claims.always(f"{name}_are_{name}", each.all())


def _row_read(claims: Claims, unit: QuickSelect, split: Split) -> None:
    side, rows = unit.sides["smaller"], []
    for store in unit.stores.values():
        spy = store.read_port(domain="comb")
        claims.m.d.comb += spy.addr.eq(split.packed)
        rows.append(Value.cast(spy.data))
    row = Mux(unit.from_larger, rows[1], rows[0])
    claims.always("reads_what_is_there", ~side.present | (Value.cast(side.row) == row))


def _rows(claims: Claims, unit: QuickSelect, name: str) -> list[Any]:
    """All rows of the memory of a side."""
    found = []
    for place in range(unit.form.rows):
        spy = unit.stores[name].read_port(domain="comb")
        claims.m.d.comb += spy.addr.eq(place)
        found.append(spy.data)
    return found


def ends_in_time(claims: Claims, unit: wiring.Component) -> None:
    """In all runs with pivots that are candidates and there at once: passes shrink, and SELECT ends by its worst case.

    That is a pass over n candidates, one over n - 1, up to one over 1.
    """
    assert isinstance(unit, QuickSelect)
    split = _room(claims, unit)
    form, m = unit.form, claims.m
    unread = _candidates(claims, unit, split)[: form.rows * form.lanes]
    claims.given("pivot_is_there", unit.pivot.valid)
    pivots_are_candidates(claims, unit)
    same = wire(m, "same_left", _count(unread, lambda score: score == unit.threshold))
    splits = (unit.step == SPLIT) | (unit.step == DECIDE)
    claims.always("pivot_is_among_them", ~splits | (same + split.equal != 0))
    smaller, larger = unit.sides.values()
    claims.always("candidates_shrink", ~split.ended | ((smaller.size < unit.size) & (larger.size < unit.size)))
    passes = [0, *(-(-size // form.lanes) + OVERHEAD for size in range(1, form.most + 1))]
    worst = Array([Const(edges) for edges in accumulate(passes)])
    spent = Signal(range(sum(passes) + 1), name="edges_of_select")
    m.d.sync += spent.eq(Mux(unit.step == TAKE, 0, spent + 1))
    rows = ((unit.size - 1) >> unit.lane_bits) + 1 - unit.place
    rest = Mux(unit.step == SPLIT, rows + 2, Mux(split.ended, 1, 2))
    left = Mux(unit.step == PICK, worst[unit.size], worst[(unit.size - 1)[: len(unit.size)]] + rest)
    claims.always("no_time_in_take", (unit.step != TAKE) | (spent <= worst[unit.intake.counted]))
    claims.always("ends_in_time", (unit.step == TAKE) | (spent + left <= worst[unit.intake.counted]))
    claims.always("size_is_of_the_job", (unit.step == TAKE) | (unit.size <= unit.intake.counted))
    verdict = unit.verdicts.i
    claims.reached("takes_that_long", (unit.step == DECIDE) & verdict.valid & (spent + 1 == sum(passes)))


OVERHEAD = 3
"""Edges of a pass beyond its rows: the pivot, packing the last row, the decision."""
