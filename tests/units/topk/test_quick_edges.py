"""Edges of a quick-select engine that is built: by hand, against its worst case, and where it draws its pivots."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.timing import Timing
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.quick import QuickParams, drawn, timing, traced
from accelsim.units.topk.quick_edges import DRAW_BITS, QuickJob, Registers, draws, quick_edges

PARAMS = Registers().of(QuickParams(lanes=4, input_lanes=2))
SCORES = (5, 9, 2, 7, 4, 8)


def test_registers_by_hand() -> None:
    """Pivot, packing and decision, and two registers; a row, packing and output, and the same two."""
    assert (PARAMS.overhead, PARAMS.filter_stages, PARAMS.overlap) == (5, 5, "filter")
    bare = Registers(0, 0).of(PARAMS)
    assert (bare.overhead, bare.filter_stages) == (3, 3)
    assert Registers(2, 1).of(PARAMS).overhead == 6


def test_a_job_by_hand() -> None:
    """Three beats; passes over 6 with pivot 4, which is too small, and over 5, 9, 7, 8 with 8, the second largest.

    FILL 3, SELECT 2 + 5 and 1 + 5, FILTER 3: the last row is read at edge 18, and 9 and 8 leave 5 edges later.
    """
    (time,) = quick_edges(PARAMS, [QuickJob(SCORES, 2, traced([4, 8]))])
    assert time == Timing(first=23, last=23, busy=16)


def test_a_job_behind_another_by_hand() -> None:
    """The next one enters beside FILTER; with nothing to choose it goes to FILTER at once, behind the one before."""
    long = QuickJob(SCORES, 2, traced([4, 8]))
    first, second = quick_edges(PARAMS, [long, QuickJob((3,), 1, traced([]))])
    assert (first.busy, second.last) == (16, 19 + 1 - 1 + 5 - 16)


@given(st.permutations(range(12)), st.integers(1, 11), st.sampled_from([min, max]))
def test_no_job_is_later_than_the_worst(scores: list[int], k: int, choose: type[int]) -> None:
    (time,) = quick_edges(PARAMS, [QuickJob(scores, k, choose)])
    assert time.last <= timing(PARAMS, Ranking(12, k)).last


def test_the_smallest_each_time_is_the_worst_for_the_largest() -> None:
    (time,) = quick_edges(PARAMS, [QuickJob(tuple(range(12)), 1, min)])
    assert (time.last, time.busy) == (timing(PARAMS, Ranking(12, 1)).last, timing(PARAMS, Ranking(12, 1)).busy)


def test_every_number_is_drawn_once_before_the_first_comes_again() -> None:
    period = (1 << DRAW_BITS) - 1
    numbers = list(islice(draws(), period + 1))
    assert sorted(set(numbers[:-1])) == [number / (1 << DRAW_BITS) for number in range(1, period + 1)]
    assert numbers[-1] == numbers[0]


def test_draws_go_on_from_job_to_job() -> None:
    places = draws()
    jobs = [QuickJob(SCORES, 2, drawn(places)) for _ in range(2)]
    again = [QuickJob(SCORES, 2, drawn(draws())) for _ in range(2)]
    assert quick_edges(PARAMS, jobs)[0] == quick_edges(PARAMS, again)[0]
    assert next(places) not in list(islice(draws(), 2))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^close_stages: must be an integer from 0 to 8, got "9"$'):
        Registers(close_stages=9)
    with pytest.raises(AccelsimError, match=r"^pivot 1: must be one of the 6 candidates, got 6$"):
        quick_edges(PARAMS, [QuickJob(SCORES, 2, traced([6]))])
