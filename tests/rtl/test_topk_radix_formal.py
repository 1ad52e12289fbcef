"""Proofs of the radix engine: SELECT in all runs, whole jobs up to their worst case, each with a variant that fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from amaranth.lib import wiring

from accelsim.hardware.topk import TopkJob
from accelsim.hardware.topk_radix import NO_STAGES, UNIT, build, edges
from rtl.block import Block
from rtl.formal import Claims, Properties, prove, stream_rules, together
from rtl.topk.radix import RadixSelect, RadixSetup
from tests.rtl.picked import from_one_reset, picked
from tests.rtl.rigid import Lossy
from tests.rtl.topk_claims import alone, ends_within, jobs_are_right
from tests.rtl.topk_radix import (
    Absolute,
    Blind,
    Crowded,
    Dropped,
    Hesitant,
    Next,
    Stale,
    Swapped,
    Unheld,
    Unmasked,
    with_count,
)
from tests.rtl.topk_radix_claims import finds_the_threshold

pytestmark = pytest.mark.slow
PATIENCE_S = 600
SOON = 12  # edges in which each broken variant fails


def tiny(**changes: object) -> RadixSetup:
    """Four scores of two bits, two at an edge, digits of a bit; no registers between the steps."""
    sizes = {"score_bits": 2, "index_bits": 2, "input_lanes": 2, "lanes": 2, "most": 4, "tag_bits": 1, "digit_bits": 1}
    found: RadixSetup = UNIT.read({**sizes, **NO_STAGES, **changes})
    return found


TINY = tiny()
SELECTS = {
    "4 scores": TINY,
    "4 scores, digit on fill": tiny(first_digit="fill", early_exit="yes"),
    "4 scores, uneven digits": tiny(lanes=4, score_bits=3, digit_bits=2),
    "8 scores": tiny(most=8, lanes=4, index_bits=3),
}
ROW = tiny(input_lanes=4, lanes=4)
WHOLE = {"two digits": ROW, "two rows": tiny(digit_bits=2), "8 scores": SELECTS["8 scores"]}


def worst(setup: RadixSetup) -> int:
    """Edges from the first beat of the longest job to its last."""
    n = setup.form.most
    return edges(setup, TopkJob((0,) * (n - 1) + (1,), (0,) * n, 1, 0)).last


def with_others(claims: Claims, unit: wiring.Component) -> None:
    """Any neighbours and any jobs."""


@pytest.mark.parametrize("name", ["default", "early", "bit-serial"])
def test_streams_keep_their_rules(name: str) -> None:
    assert prove(build(UNIT.configurations[name]), stream_rules, 2).holds


def test_rules_speak_of_runs_that_exist() -> None:
    assert prove(build(TINY), stream_rules, 16, "cover").holds


@pytest.mark.parametrize("name", SELECTS)
def test_select_finds_the_threshold(name: str) -> None:
    assert prove(build(SELECTS[name]), finds_the_threshold, 1, timeout_s=PATIENCE_S, solver="bits").holds


def test_select_has_runs_that_find_it() -> None:
    assert prove(build(TINY), finds_the_threshold, 25, "cover").holds


@pytest.mark.parametrize(
    ("setup", "around"),
    [(TINY, alone), (SELECTS["8 scores"], alone), (ROW, with_others)],
    ids=["a job of 4 scores", "a job of 8 scores", "jobs behind others"],
)
def test_whole_jobs_are_right(setup: RadixSetup, around: Properties) -> None:
    """Up to the edge at which the longest job ends; how SELECT and FILTER are right in all runs is proved beside."""
    claims = together(from_one_reset, around, jobs_are_right)
    assert prove(build(setup), claims, worst(setup) + 1, "bounded", PATIENCE_S, solver="bits").holds


@pytest.mark.parametrize(("setup", "around"), [(TINY, alone), (ROW, with_others)], ids=["a job", "jobs behind others"])
def test_there_are_whole_jobs(setup: RadixSetup, around: Properties) -> None:
    claims = together(from_one_reset, around, jobs_are_right)
    assert prove(build(setup), claims, worst(setup) + 1, "cover", PATIENCE_S).holds


@pytest.mark.parametrize("name", WHOLE)
def test_whole_jobs_end_in_time(name: str) -> None:
    """No later than the worst case, which some job reaches."""
    setup = WHOLE[name]
    for latest, verdict in ((worst(setup), "proved"), (worst(setup) - 1, "refuted")):
        claims = together(from_one_reset, ends_within(latest))
        found = prove(build(setup), claims, worst(setup) + 2, "bounded", PATIENCE_S, solver="bits")
        assert found.verdict == verdict


Build = Callable[[], Block]
BROKEN: list[tuple[str, Build, Properties, str]] = [
    ("Stale", lambda: with_count(Stale, TINY), finds_the_threshold, "counters_add_up"),
    ("Unmasked", lambda: with_count(Unmasked, TINY), finds_the_threshold, "counters_add_up"),
    ("Blind", lambda: with_count(Blind, TINY), finds_the_threshold, "counters_add_up"),
    ("Next", lambda: Next(TINY), finds_the_threshold, "sought_is_among_them"),
    ("Absolute", lambda: Absolute(TINY), finds_the_threshold, "others_are_above"),
    ("Dropped", lambda: Dropped(TINY), finds_the_threshold, "keeps_as_many_as_sought"),
    ("Crowded", lambda: Crowded(TINY), finds_the_threshold, "one_step"),
    ("Unheld", lambda: Unheld(ROW), jobs_are_right, "as_many_as_sought"),
    ("Absolute, seen from outside", lambda: Absolute(ROW), jobs_are_right, "as_many_as_sought"),
    ("Unheld, by its order", lambda: Unheld(WHOLE["two rows"]), jobs_are_right, "none_dropped_is_better"),
    ("Swapped", lambda: Swapped(ROW), jobs_are_right, "places_rise"),
    ("Swapped, by its scores", lambda: Swapped(ROW), jobs_are_right, "a_has_come_0"),
    ("Hesitant", lambda: with_count(Hesitant, ROW), ends_within(worst(ROW)), "ends_in_time"),
    ("Lossy", lambda: Lossy(RadixSelect(TINY), "scores", "kept"), stream_rules, "kept_keeps"),
]


@pytest.mark.parametrize(("kind", "claims", "broken"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_variant_is_refuted(kind: Build, claims: Properties, broken: str) -> None:
    proof = prove(kind(), together(from_one_reset, picked(broken, claims)), SOON, "bounded", PATIENCE_S)
    assert (proof.verdict, proof.broken) == ("refuted", (broken,))
