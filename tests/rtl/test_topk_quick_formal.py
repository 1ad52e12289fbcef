"""Proofs of the quick-select engine and of FILTER: SELECT in all runs, whole jobs up to their worst case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from accelsim.hardware.topk_quick import UNIT, QuickSetup, build, params_of
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.quick import timing
from rtl.block import Block
from rtl.formal import Properties, prove, stream_rules, together
from rtl.topk.filter import Filter
from tests.rtl.picked import from_one_reset, picked
from tests.rtl.rigid import Lossy
from tests.rtl.topk_claims import alone, ends_within, jobs_are_right
from tests.rtl.topk_filter_claims import keeps_exactly_those, leaves_in_time
from tests.rtl.topk_quick import (
    TINY,
    Absolute,
    Crowded,
    Forgets,
    Hesitant,
    OneCopy,
    OneShort,
    Sticky,
    Unmasked,
    WrongSide,
    with_packer,
    with_part,
)
from tests.rtl.topk_quick_claims import (
    ends_in_time,
    finds_the_threshold,
    pivots_are_candidates,
    room_is_enough,
)

pytestmark = pytest.mark.slow
PATIENCE_S = 600
EIGHT: QuickSetup = replace(TINY, form=replace(TINY.form, index_bits=3, lanes=4, most=8))
THREE: QuickSetup = replace(TINY, form=replace(TINY.form, most=3))
SIZES = {"4 scores": TINY, "8 scores": EIGHT}
EACH = pytest.mark.parametrize("setup", SIZES.values(), ids=SIZES)


@pytest.mark.parametrize("name", ["default", "traced", "equal-lanes"])
def test_streams_keep_their_rules(name: str) -> None:
    assert prove(build(UNIT.configurations[name]), stream_rules, 2).holds


def test_rules_speak_of_runs_that_exist() -> None:
    assert prove(build(TINY), stream_rules, 16, "cover").holds


# SELECT, in all runs.


@EACH
def test_room_is_enough_and_sides_add_up(setup: QuickSetup) -> None:
    assert prove(build(setup), room_is_enough, 1, timeout_s=PATIENCE_S).holds


@EACH
def test_passes_shrink_and_select_ends_in_time(setup: QuickSetup) -> None:
    assert prove(build(setup), ends_in_time, 1, timeout_s=PATIENCE_S).holds


@EACH
def test_select_finds_the_threshold(setup: QuickSetup) -> None:
    assert prove(build(setup), finds_the_threshold, 1, timeout_s=PATIENCE_S, solver="bits").holds


def test_select_has_runs_that_take_that_long() -> None:
    """The longest job, from its first beat to the verdict: the bound is reached, not only kept."""
    depth = timing(params_of(TINY), Ranking(TINY.form.most, 1)).busy + 1
    assert prove(build(TINY), together(from_one_reset, ends_in_time), depth, "cover", PATIENCE_S).holds
    assert prove(build(TINY), finds_the_threshold, 20, "cover", PATIENCE_S).holds


# FILTER, two jobs one behind the other.


def filter_of(setup: QuickSetup) -> Filter:
    return Filter(setup.form, setup.stages)


WIDE: QuickSetup = replace(EIGHT, form=replace(EIGHT.form, input_lanes=4))
TWO_JOBS = 8  # edges: two rows of each, and the registers behind them


BOTH = pytest.mark.parametrize("setup", [TINY, WIDE], ids=["4 scores", "8 scores"])


@BOTH
def test_filter_keeps_exactly_those(setup: QuickSetup) -> None:
    claims = keeps_exactly_those
    assert prove(filter_of(setup), claims, TWO_JOBS, "bounded", PATIENCE_S, solver="bits").holds


def test_filter_has_jobs_that_keep_some() -> None:
    assert prove(filter_of(TINY), keeps_exactly_those, TWO_JOBS, "cover", PATIENCE_S).holds


@BOTH
def test_filter_leaves_in_time(setup: QuickSetup) -> None:
    assert prove(filter_of(setup), leaves_in_time, TWO_JOBS, "bounded", PATIENCE_S).holds
    assert prove(filter_of(setup), leaves_in_time, TWO_JOBS, "cover", PATIENCE_S).holds


# Whole jobs.


def last_of(setup: QuickSetup) -> int:
    """The last edge of the longest job."""
    return timing(params_of(setup), Ranking(setup.form.most, 1)).last


LAST = last_of(TINY)
OUTSIDE = together(alone, pivots_are_candidates, jobs_are_right)
WHOLE = together(from_one_reset, OUTSIDE)


@BOTH
def test_whole_jobs_are_right(setup: QuickSetup) -> None:
    assert prove(build(setup), WHOLE, last_of(setup) + 1, "bounded", 3 * PATIENCE_S, solver="bits").holds


def test_there_are_whole_jobs() -> None:
    assert prove(build(THREE), WHOLE, last_of(THREE) + 1, "cover", PATIENCE_S).holds


@pytest.mark.parametrize(("edges", "verdict"), [(LAST, "proved"), (LAST - 1, "refuted")])
def test_whole_jobs_end_in_time(edges: int, verdict: str) -> None:
    """No later than the worst case, which some job reaches."""
    claims = together(from_one_reset, pivots_are_candidates, ends_within(edges))
    assert prove(build(TINY), claims, LAST + 2, "bounded", PATIENCE_S, solver="bits").verdict == verdict


Build = Callable[[], Block]
BROKEN: list[tuple[str, Build, Properties, str]] = [
    ("OneShort", lambda: OneShort(TINY), finds_the_threshold, "keeps_as_many_as_sought"),
    ("WrongSide", lambda: WrongSide(TINY), finds_the_threshold, "those_above_follow"),
    ("Absolute", lambda: Absolute(TINY), finds_the_threshold, "sought_is_among_them"),
    ("Sticky", lambda: Sticky(TINY), ends_in_time, "candidates_shrink"),
    ("Hesitant", lambda: Hesitant(TINY), ends_in_time, "ends_in_time"),
    ("Unmasked", lambda: Unmasked(TINY), room_is_enough, "sides_add_up"),
    ("Crowded", lambda: Crowded(TINY), room_is_enough, "no_verdict_is_lost"),
    ("Forgets", lambda: Forgets(TINY.form, TINY.stages), keeps_exactly_those, "all_that_are_kept"),
    ("Hasty", lambda: with_packer(TINY).filter, keeps_exactly_those, "no_beat_too_many"),
    ("OneShort, seen from outside", lambda: OneShort(TINY), OUTSIDE, "as_many_as_sought"),
    ("OneCopy, seen from outside", lambda: with_part("copies", OneCopy(TINY.form), TINY), jobs_are_right, "a_has_come"),
    ("Lossy", lambda: Lossy(build(TINY), "scores", "kept"), stream_rules, "kept_keeps"),
]
SOON = 12  # edges in which each broken variant fails


@pytest.mark.parametrize(("kind", "claims", "broken"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_variant_is_refuted(kind: Build, claims: Properties, broken: str) -> None:
    proof = prove(kind(), together(from_one_reset, picked(broken, claims)), SOON, "bounded", PATIENCE_S)
    assert (proof.verdict, all(name.startswith(broken) for name in proof.broken)) == ("refuted", True)
