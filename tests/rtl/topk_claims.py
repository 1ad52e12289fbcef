"""What is claimed of every top-k engine, seen from outside: of one job that the solver picks, and two of its scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import wiring

from rtl.formal import Claims, Properties
from rtl.pipeline import wire

JOBS = 2  # the job that is watched is one of the first


@dataclass(frozen=True)
class Watched:
    """One job, as registers beside the engine know it.

    Attributes:
        k, n: of the command, and how many scores have come.
        a, b: two places among them; `score_a`, `score_b`: their scores; `kept_a`, `kept_b`: whether they have left.
        leaves: whether a beat of the job's output is there; `ends`: whether it also is taken and the last.
        left: how many have left, with the beat that is there.
        age: edges since its first beat was taken.
    """

    k: Value
    n: Value
    a: Value
    b: Value
    score_a: Value
    score_b: Value
    kept_a: Value
    kept_b: Value
    leaves: Value
    ends: Value
    left: Value
    age: Value


def jobs_are_right(claims: Claims, unit: wiring.Component) -> None:
    """As many are kept as are sought, in the order in which they came, none twice; none that is dropped is better."""
    seen = watched(claims, unit)
    kept: Any = getattr(unit, "kept").payload  # noqa: B009
    more = Mux(seen.k < seen.n, seen.k, seen.n)
    better = (seen.score_a > seen.score_b) | (seen.score_a == seen.score_b) & (seen.a < seen.b)
    a_not_b = seen.ends & seen.kept_a & ~seen.kept_b & (seen.b < seen.n)
    claims.always("as_many_as_sought", ~seen.ends | (seen.left == more))
    claims.always("none_dropped_is_better", ~a_not_b | better)
    claims.reached("some_are_dropped", seen.ends & (seen.left != 0) & (seen.left < seen.n))
    claims.reached("of_equal_ones_one_is_dropped", a_not_b & (seen.score_a == seen.score_b))
    claims.reached("nothing_is_kept", seen.ends & (kept.count == 0))


def ends_within(edges: int) -> Properties:
    """With willing neighbours the last beat of a job leaves at most so many edges after its first was taken."""

    def properties(claims: Claims, unit: wiring.Component) -> None:
        seen = watched(claims, unit, within=edges + 1)
        for name, member in unit.signature.members.items():
            port = getattr(unit, name)
            claims.given(f"{name}_is_willing", port.valid if member.flow == wiring.In else port.ready)
        claims.always("ends_in_time", seen.age <= edges)
        claims.reached("takes_that_long", seen.ends & (seen.age == edges))

    return properties


def alone(claims: Claims, unit: wiring.Component) -> None:
    """One job, with willing neighbours."""
    port: Any = unit
    over = Signal(name="job_is_in")
    with claims.m.If(port.scores.valid & port.scores.ready & port.scores.payload.last):
        claims.m.d.sync += over.eq(1)
    for name, member in unit.signature.members.items():
        given = getattr(unit, name)
        if name in ("cmd", "scores"):
            claims.given(f"{name}_is_there", given.valid == ~over)
        else:
            claims.given(f"{name}_is_willing", given.valid if member.flow == wiring.In else given.ready)


def watched(claims: Claims, unit: Any, within: int = 1) -> Watched:
    """Follow one of the first jobs; inputs are as the engine's ports say, and each score is named by its place."""
    m, form = claims.m, unit.form
    job = claims.constant("job", range(JOBS))
    taken, left = (wire(m, name, port.valid & port.ready) for name, port in _ends(unit))
    came, went = Signal(8), Signal(8)
    m.d.sync += [came.eq(came + (taken & unit.scores.payload.last)), went.eq(went + (left & unit.kept.payload.last))]
    n = _inputs(claims, unit, taken)
    mine, leaves = taken & (came == job), unit.kept.valid & (went == job)
    k, tag, number = Signal(range(form.most + 1)), Signal(form.tag_bits), Signal(range(form.most + 1))
    with m.If(mine):
        m.d.sync += number.eq(n + unit.scores.payload.count)
    with m.If(unit.cmd.valid & unit.cmd.ready & (came == job)):
        m.d.sync += [k.eq(unit.cmd.payload.k), tag.eq(unit.cmd.payload.tag)]
    ends = wire(m, "watched_ends", leaves & unit.kept.ready & unit.kept.payload.last)
    age = Signal(range(within + 1))
    began, over = Signal(), Signal()
    m.d.sync += [began.eq(began | mine), over.eq(over | ends)]
    m.d.sync += age.eq(Mux((mine | began) & ~over & ~ends & (age != within), age + 1, age))
    claims.always("comes_before_it_leaves", ~leaves | (came > job))
    claims.always("says_whose_it_is", ~leaves | (unit.kept.payload.tag == tag))
    total = _order(claims, unit, leaves)
    found = [_follow(claims, unit, name, (mine, leaves, n, number)) for name in ("a", "b")]
    (a, score_a, kept_a), (b, score_b, kept_b) = found
    return Watched(k, number, a, b, score_a, score_b, kept_a, kept_b, leaves, ends, total, age)


def _ends(unit: Any) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return ("beat_is_taken", unit.scores), ("beat_leaves", unit.kept)


def _inputs(claims: Claims, unit: Any, taken: Value) -> Value:
    """Full beats but the last, no more scores than there may be, each named by its place; scores of the job so far."""
    m, form, beat = claims.m, unit.form, unit.scores.payload
    number = Signal(range(form.most + 1))
    with m.If(taken):
        m.d.sync += number.eq(Mux(beat.last, 0, number + beat.count))
    claims.given("beats_are_full", (beat.count == form.input_lanes) | (beat.last & (beat.count < form.input_lanes)))
    claims.given("scores_fit", number + beat.count <= form.most)
    claims.given("beats_are_few", beat.last | (number + beat.count < form.most))
    claims.given("k_fits", unit.cmd.payload.k <= form.most)
    for lane in range(form.input_lanes):
        claims.given(f"named_by_place_{lane}", (beat.count <= lane) | (beat.index[lane] == number + lane))
    return number


def _order(claims: Claims, unit: Any, leaves: Value) -> Value:
    """Places rise from each that leaves to the next, and beats are full; how many have left with this beat."""
    m, form, beat = claims.m, unit.form, unit.kept.payload
    following, before = Signal(range(form.most + 1)), Signal(range(form.most + 1))
    least: Value = following
    rises = []
    for lane in range(form.input_lanes):
        used = beat.count > lane
        rises.append(~used | (beat.index[lane] >= least))
        least = Mux(used, beat.index[lane] + 1, least)
    total = wire(m, "left_with_this", (before + beat.count)[: len(before) + 1])
    with m.If(leaves & unit.kept.ready):
        m.d.sync += [following.eq(least), before.eq(total)]
    claims.always("places_rise", ~leaves | Cat(rises).all())
    claims.always("lanes_fit", ~leaves | (beat.count <= form.input_lanes))
    claims.always("beats_are_dense", ~leaves | beat.last | (beat.count == form.input_lanes))
    claims.always("no_beat_too_many", ~leaves | (beat.count != 0) | (before == 0))
    return total


def _follow(
    claims: Claims, unit: Any, name: str, seen: tuple[Value, Value, Value, Value]
) -> tuple[Value, Value, Value]:
    """One place of the job: which it is, its score, and whether it has left, with the beat that is there.

    What leaves at that place has come at that place, with the score that it has.
    """
    m, form = claims.m, unit.form
    mine, leaves, n, number = seen
    given, sent = unit.scores.payload, unit.kept.payload
    place = claims.constant(f"place_{name}", range(form.most))
    claims.given(f"place_{name}_fits", place < form.most)
    score, left = Signal(form.score_bits, name=f"score_{name}"), Signal(name=f"left_{name}")
    for lane in range(form.input_lanes):
        with m.If(mine & (given.count > lane) & (n + lane == place)):
            m.d.sync += score.eq(given.score[lane])
    shown = []
    for lane in range(form.input_lanes):
        is_it = leaves & (sent.count > lane) & (sent.index[lane] == place)
        shown.append(is_it)
        claims.always(f"{name}_has_come_{lane}", ~is_it | ((place < number) & (sent.score[lane] == score)))
    kept = wire(m, f"kept_{name}", left | reduce(or_, shown))
    with m.If(leaves & unit.kept.ready):
        m.d.sync += left.eq(kept)
    return place, score, kept
