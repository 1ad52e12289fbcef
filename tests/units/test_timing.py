"""`Timing`: what follows from first, last and busy."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units import systolic, timing
from accelsim.units.timing import Timing

EDGES = st.integers(0, 10**6)


@given(EDGES, EDGES, st.integers(1, 10**6), st.integers(1, 1000))
def test_jobs_follow_each_other_at_busy(first: int, more: int, busy: int, jobs: int) -> None:
    found = Timing(first, first + more, busy)
    assert found.cycles == found.cycles_of(1) == first + more + 1
    assert found.cycles_of(jobs + 1) - found.cycles_of(jobs) == busy


@pytest.mark.parametrize(("first", "last", "busy"), [(-1, 3, 1), (4, 3, 1), (0, 3, 0)])
def test_impossible_timings(first: int, last: int, busy: int) -> None:
    with pytest.raises(AccelsimError) as caught:
        Timing(first, last, busy)
    wanted = f"got Timing(first={first}, last={last}, busy={busy})"
    assert str(caught.value) == f"a timing must have 0 <= first <= last and busy >= 1, {wanted}"


def test_no_jobs_take_no_time_that_has_a_meaning() -> None:
    with pytest.raises(AccelsimError, match=r'^jobs: must be a positive integer, got "0"$'):
        Timing(0, 0, 1).cycles_of(0)


def test_examples_hold() -> None:
    for module in (timing, systolic):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0
