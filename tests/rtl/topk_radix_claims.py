"""What is claimed of the radix engine, seen from inside; engines without registers between the steps of SELECT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

from amaranth.hdl import Array, Cat, Mux, Value
from amaranth.lib import wiring

from rtl.formal import Claims
from rtl.pipeline import wire
from rtl.topk.filter import COPIES
from rtl.topk.radix import RadixSelect

Test = Callable[[int, Value], Value]
"""Of a digit's place and a score."""


def finds_the_threshold(claims: Claims, unit: wiring.Component) -> None:
    """In all runs: counters add up, and FILTER gets the same scores and a verdict that keeps as many as are sought.

    Scores are looked up in the memory of SELECT. What is no longer sought lies above the digits found. From pass to
    pass there is a digit more, and never a candidate more; where all are equal there are none less.
    """
    assert isinstance(unit, RadixSelect)
    _inputs(claims, unit)
    _control(claims, unit)
    _jobs(claims, unit)
    scores = [wire(claims.m, f"score_{place}", score) for place, score in enumerate(_scores(claims, unit))]
    there = [wire(claims.m, f"there_{place}", unit.intake.counted > place) for place in range(len(scores))]
    _copied(claims, unit, scores, there)
    _digits(claims, unit, scores, there)
    _counts(claims, unit, scores, there)
    above = _sum([used & (score > unit.known) for used, score in zip(there, scores, strict=True)])
    equal = _sum([used & (score == unit.known) for used, score in zip(there, scores, strict=True)])
    k, n = unit.intake.command.k, unit.intake.counted
    kept = above + Mux(equal < unit.sought, equal, unit.sought)
    claims.always("keeps_as_many_as_sought", ~unit.done | (kept == Mux(k < n, k, n)))
    claims.reached("drops_equal_ones", unit.done & (equal > unit.sought) & (unit.sought != 0) & (above != 0))
    claims.reached("waits_for_filter", unit.done & unit.filtering)


def _inputs(claims: Claims, unit: RadixSelect) -> None:
    beat, form = unit.scores.payload, unit.form
    claims.given("scores_fit", unit.intake.n <= form.most)
    claims.given("beats_fit", ~unit.scores.valid | beat.last | (unit.copies.place_in < form.input_rows - 1))
    claims.given("lanes_fit", beat.count <= form.input_lanes)
    claims.given("beats_are_full", beat.last | (beat.count == form.input_lanes))
    claims.given("k_fits", unit.cmd.payload.k <= form.most)


def _control(claims: Claims, unit: RadixSelect) -> None:
    """What SELECT does, step by step."""
    intake, digits, rows = unit.intake, unit.setup.digits, unit.scores_of_job
    last_row = unit.end >> (unit.form.lanes - 1).bit_length()
    claims.always("one_step", (unit.selecting + unit.done + intake.begun) <= 1)
    claims.always("reads_in_select", unit.selecting == (unit.reading | unit.count.found))
    claims.always("reads_or_finds", ~(unit.reading & unit.count.found))
    claims.always("row_is_there", Mux(unit.reading, unit.row <= last_row, unit.row == 0))
    claims.always("place_is_there", Mux(unit.selecting, unit.place < digits.passes, unit.place == 0))
    claims.always("end_is_last", ~unit.selecting | (unit.end + 1 == intake.counted))
    claims.always("most_fit", intake.counted <= unit.form.most)
    claims.always("parts_are_rows", rows.part_in == Mux(intake.begun, unit.copies.place_in, 0))
    claims.always("rows_are_full", ~intake.begun | (rows.part_in * unit.form.input_lanes == intake.counted))
    claims.always("place_in_is_0", intake.begun | (unit.copies.place_in == 0))
    claims.always("k_is_there", intake.command.k <= unit.form.most)


def _jobs(claims: Claims, unit: RadixSelect) -> None:
    """Of two copies none is filled that is yet to be read."""
    copies = unit.copies
    full = unit.filtering + (unit.selecting | unit.done)
    claims.always("copies_are_enough", full + copies.taken <= COPIES + (unit.done & ~unit.filtering))
    claims.always("copies_take_turns", (copies.fills ^ copies.reads) == full[0])
    claims.always("fills_the_other_copy", ~copies.taken | (full == 0) | (copies.fills != copies.reads))
    claims.reached("fills_beside_filter", copies.taken & unit.filtering)
    claims.reached("two_are_full", full == COPIES)


def _scores(claims: Claims, unit: RadixSelect) -> list[Value]:
    """What lies in the memory of SELECT, in the order in which it came."""
    found = []
    for row in range(unit.form.rows):
        spy = unit.scores_of_job.words.read_port(domain="comb")
        claims.m.d.comb += spy.addr.eq(row)
        word = Value.cast(spy.data)
        found += [word.word_select(lane, unit.form.score_bits) for lane in range(unit.form.lanes)]
    return found[: unit.form.most]


def _copied(claims: Claims, unit: RadixSelect, scores: Sequence[Value], there: Sequence[Value]) -> None:
    """FILTER will see the scores that SELECT has seen."""
    copies, width = unit.copies, unit.form.input_lanes
    held = unit.intake.begun | unit.selecting | unit.done
    newest = wire(claims.m, "newest_copy", copies.fills ^ ~unit.intake.begun)
    same = []
    for row in range(unit.form.input_rows):
        spy = copies.rows.read_port(domain="comb")
        claims.m.d.comb += spy.addr.eq(row + Mux(newest, unit.form.input_rows, 0))
        lanes = range(row * width, min((row + 1) * width, len(scores)))
        same += [~there[place] | (spy.data[place - row * width].score == scores[place]) for place in lanes]
    claims.always("filter_sees_the_same", ~held | Cat(same).all())


def _digits(claims: Claims, unit: RadixSelect, scores: Sequence[Value], there: Sequence[Value]) -> None:
    """Those that agree in the digits found have the one sought among them; all others that are kept are above."""
    digits = unit.setup.digits

    def up_to(place: int) -> int:
        return digits.low(place) + digits.width(place)

    agree = _of_place(unit, scores, there, lambda place, s: s[up_to(place) :] == unit.known[up_to(place) :])
    above = _of_place(unit, scores, there, lambda place, s: s[up_to(place) :] > unit.known[up_to(place) :])
    left = wire(claims.m, "candidates", _sum(agree))
    claims.always("sought_is_among_them", ~unit.selecting | ((unit.sought != 0) & (unit.sought <= left)))
    claims.always("others_are_above", ~unit.selecting | (_sum(above) + unit.sought == unit.intake.command.k))
    rest = Array([unit.known[: up_to(place)] == 0 for place in range(digits.passes)])[unit.place]
    claims.always("rest_is_not_known", ~unit.selecting | rest)
    claims.always("counters_add_up", ~unit.count.found | (_sum(unit.count.counters) == left))
    claims.always("never_a_candidate_more", ~unit.count.found | (unit.count.equal <= left))
    before, again = claims.past(unit.place), claims.past(unit.count.found) & unit.selecting
    claims.always("a_digit_more_each_pass", ~again | (unit.place == before + 1))
    claims.reached("all_agree_to_the_end", unit.count.found & (left == unit.form.most) & (unit.place != 0))
    claims.reached("some_fall_away", unit.count.found & (unit.count.equal < left) & (unit.count.above != 0))


def _counts(claims: Claims, unit: RadixSelect, scores: Sequence[Value], there: Sequence[Value]) -> None:
    """Each counter has counted, of the rows so far, those that agree and have its digit."""
    digits, form = unit.setup.digits, unit.form
    whole = wire(claims.m, "whole_pass", unit.count.found | unit.intake.begun)
    counts = wire(claims.m, "counts", unit.count.found | unit.reading & (unit.row != 0))
    if unit.setup.radix.first_digit == "fill":
        counts = wire(claims.m, "counts_too", counts | unit.intake.begun)
    for value, counter in enumerate(unit.count.counters):

        def has(place: int, s: Value, value: int = value) -> Value:
            low, end = digits.low(place), digits.low(place) + digits.width(place)
            return (s[low:end] == value) & (s[end:] == unit.known[end:])

        found = _of_place(unit, scores, there, has)
        seen = [one & (whole | (unit.row > place // form.lanes)) for place, one in enumerate(found)]
        claims.always(f"counter_{value}_is_right", ~counts | (counter == _sum(seen)))


def _of_place(unit: RadixSelect, scores: Sequence[Value], there: Sequence[Value], test: Test) -> list[Value]:
    """Of each score whether it is there and passes a test that depends on the digit at hand."""
    passes = range(unit.setup.digits.passes)
    found = [Array([test(place, score) for place in passes])[unit.place] for score in scores]
    return [used & one for used, one in zip(there, found, strict=True)]


def _sum(values: Sequence[Value]) -> Value:
    return reduce(add, values)
