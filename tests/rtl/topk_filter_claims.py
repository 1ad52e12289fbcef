"""What is claimed of FILTER, which all top-k engines share: of a job, scores and verdict that the solver picks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from amaranth.lib import wiring

from rtl.formal import Claims
from rtl.pipeline import wire
from rtl.topk.filter import Filter

STAGES = 3  # beside those that are parameters: read, packed, sent
JOBS = 2  # the job that is watched is one of the first: one that finds nothing on its way, or one behind another


@dataclass(frozen=True)
class Watched:
    """A job: what must be kept of its scores, and when it is read and leaves.

    Attributes:
        scores: of every place, those past the end too.
        kept: of every place whether it must leave.
        rows: how many rows it has.
        reads: whether a row of it is read; `leaves`: whether a beat of it is there.
    """

    scores: Sequence[Value]
    kept: Sequence[Value]
    rows: Value
    tag: Value
    reads: Value
    leaves: Value


def keeps_exactly_those(claims: Claims, unit: wiring.Component) -> None:
    """What is above the threshold, and of what equals it the first, leaves in order and in full beats; nothing else."""
    assert isinstance(unit, Filter)
    m, form, beat = claims.m, unit.form, unit.kept.payload
    seen = _watched(claims, unit)
    following, before = Signal(range(form.most + 1)), Signal(range(form.most + 1))
    least: Value = following
    rises, right = [], []
    kept, scores = Array(seen.kept), Array(seen.scores)
    for lane in range(form.input_lanes):
        used, place = beat.count > lane, beat.index[lane]
        rises.append(~used | ((place >= least) & (place < form.most)))
        is_it = kept[place] & (scores[place] == beat.score[lane])
        right.append(Mux(used, is_it, (place == 0) & (beat.score[lane] == 0)))
        least = Mux(used, place + 1, least)
    total = wire(m, "left_with_this", before + beat.count)
    leaves, ends = seen.leaves, seen.leaves & beat.last
    with m.If(leaves & unit.kept.ready):
        m.d.sync += [following.eq(least), before.eq(total)]
    claims.always("places_rise", ~leaves | Cat(rises).all())
    claims.always("kept_with_its_score", ~leaves | Cat(right).all())
    claims.always("all_that_are_kept", ~ends | (total == reduce(add, seen.kept)))
    claims.always("beats_are_dense", ~leaves | beat.last | (beat.count == form.input_lanes))
    claims.always("no_beat_too_many", ~leaves | (beat.count != 0) | (before == 0))
    claims.always("says_whose_it_is", ~leaves | (beat.tag == seen.tag))
    claims.reached("nothing_is_kept", ends & (total == 0))
    claims.reached("ends_with_a_full_beat", ends & (total == 2 * form.input_lanes))
    claims.reached("drops_some", ends & (total == form.input_lanes + 1) & (seen.rows == form.input_rows))


def leaves_in_time(claims: Claims, unit: wiring.Component) -> None:
    """While the output is taken, the last beat leaves a fixed number of edges after the job's last row is read."""
    assert isinstance(unit, Filter)
    m = claims.m
    seen = _watched(claims, unit)
    claims.given("kept_is_taken", unit.kept.ready)
    stages = unit.stages.compare_stages + unit.stages.close_stages + STAGES
    read = Signal(range(stages + 2), name="edges_since_the_last_row")
    m.d.sync += read.eq(Mux(seen.reads & unit.last, 1, Mux((read != 0) & (read <= stages), read + 1, 0)))
    ends = seen.leaves & unit.kept.payload.last
    claims.always("leaves_at_that_edge", ends == (read == stages))
    claims.reached("leaves", ends)


def _watched(claims: Claims, unit: Filter) -> Watched:
    """The environment: a copy with the same scores for each job, a verdict for each, and the job that is watched."""
    m, form = claims.m, unit.form
    scores = [claims.constant(f"score_{place}", form.score_bits) for place in range(form.most)]
    n, verdict = claims.constant("scores_of_job", range(form.most + 1)), unit.verdict.payload
    claims.given("scores_fit", n <= form.most)
    last = Mux(n == 0, 0, n - 1) // form.input_lanes
    _read(claims, unit, scores, n, last)
    job = claims.constant("job", range(JOBS))
    came, went = Signal(8, name="jobs_read"), Signal(8, name="jobs_left")
    m.d.sync += [
        came.eq(came + (unit.verdict.valid & unit.verdict.ready)),
        went.eq(went + (unit.kept.valid & unit.kept.ready & unit.kept.payload.last)),
    ]
    mine = wire(m, "watched_is_read", unit.verdict.valid & (came == job))
    waits = claims.past(unit.verdict.valid & ~unit.verdict.ready)
    same = unit.verdict.valid & (Value.cast(verdict) == claims.past(Value.cast(verdict)))
    claims.given("verdict_keeps", ~waits | same)
    threshold = claims.constant("threshold", form.score_bits)
    equal = claims.constant("equal", range(form.most + 1))
    tag = claims.constant("tag", form.tag_bits)
    is_it = (verdict.threshold == threshold) & (verdict.equal == equal) & (verdict.tag == tag)
    claims.given("verdict_is_its", ~mine | is_it)
    claims.given("equal_ones_fit", verdict.equal <= form.most)
    kept, before = [], Const(0)
    for place, score in enumerate(scores):
        same = score == threshold
        kept.append(wire(m, f"must_keep_{place}", (n > place) & ((score > threshold) | (same & (before < equal)))))
        before = wire(m, f"equal_before_{place + 1}", before + same)
    return Watched(scores, kept, last + 1, tag, mine & unit.moves, unit.kept.valid & (went == job))


def _read(claims: Claims, unit: Filter, scores: Sequence[Value], n: Value, last: Value) -> None:
    """Rows of the copy as they are read; what stands in lanes that are not used may be anything."""
    form = unit.form
    claims.given("ends_at_the_last", unit.last == (unit.place == last))
    claims.given("lanes_used", unit.count == Mux(unit.last, n - last * form.input_lanes, form.input_lanes))
    for lane in range(form.input_lanes):
        place = unit.place * form.input_lanes + lane
        element = unit.row[lane]
        is_it = (element.score == Array(scores)[place]) & (element.index == place)
        claims.given(f"lane_{lane}_is_its", (unit.count <= lane) | is_it)
