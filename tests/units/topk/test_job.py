"""Jobs through FILL, SELECT and FILTER: their schedule stepped cycle by cycle, its laws, and that of equal jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.topk.digits import BitParams, RadixParams
from accelsim.units.topk.digits import timing as digit_timing
from accelsim.units.topk.job import HELD, Overlap, Ranking, Spans, interval, starts, steady
from accelsim.units.topk.queues import QueueParams, queue_timing
from tests.units.topk.draw import OVERLAP

SPAN = st.integers(0, 9)
JOBS = st.lists(st.builds(Spans, SPAN, SPAN, st.integers(1, 9)), min_size=1, max_size=8)


def stepped(jobs: list[Spans], overlap: Overlap) -> list[int]:
    """The same cycle by cycle: a job goes on when the part behind is free and the job before it has gone on.

    From FILL to the end of SELECT it holds a place in the memory of SELECT, and up to the end of FILTER a copy.
    """
    selecting, copies = HELD[overlap]
    part, left, entered = [-1] * len(jobs), [0] * len(jobs), [0] * len(jobs)  # part 3 is behind FILTER
    now = 0
    while part[-1] < 3:
        for index, job in enumerate(jobs):
            following = part[index] + 1
            before = part[index - 1] if index else 3
            if following > 3 or left[index] or (before == following and left[index - 1]) or before < following:
                continue
            held = sum(part[other] == 0 or (part[other] == 1 and left[other] > 0) for other in range(index))
            copied = sum(part[other] < 3 and (part[other] < 2 or left[other] > 0) for other in range(index))
            if following == 0 and (held == selecting or copied == copies):
                continue
            part[index] = following
            left[index] = job[following] if following < 3 else 0
            entered[index] = now if following == 0 else entered[index]
        left = [max(0, rest - 1) for rest in left]
        now += 1
    return entered


@given(JOBS, OVERLAP)
def test_starts_are_those_of_a_step_by_step_simulation(jobs: list[Spans], overlap: Overlap) -> None:
    """With parts that take time: one that takes none would be entered and left within a step."""
    timed = [Spans(max(1, job.fill), max(1, job.select), job.filter) for job in jobs]
    assert starts(timed, overlap) == stepped(timed, overlap)


@given(st.builds(Spans, SPAN, SPAN, st.integers(1, 9)), OVERLAP)
def test_equal_jobs_follow_each_other_steadily(job: Spans, overlap: Overlap) -> None:
    assert interval([job] * 40, overlap) == pytest.approx(steady(job, overlap), abs=0.6)
    entered = starts([job] * 40, overlap)
    assert entered[-1] - entered[-2] == steady(job, overlap)


@given(JOBS)
def test_more_at_once_is_never_later(jobs: list[Spans]) -> None:
    none, some, everything = (starts(jobs, overlap) for overlap in ("none", "filter", "all"))
    assert all(a >= b >= c for a, b, c in zip(none, some, everything, strict=True))
    assert none == [sum(sum(job) for job in jobs[:index]) for index in range(len(jobs))]


@given(JOBS, OVERLAP, st.integers(0, 7), st.integers(0, 2))
def test_a_longer_part_is_never_sooner(jobs: list[Spans], overlap: Overlap, index: int, part: int) -> None:
    index %= len(jobs)
    longer = list(jobs)
    longer[index] = longer[index]._replace(**{Spans._fields[part]: longer[index][part] + 3})
    assert all(a <= b for a, b in zip(starts(jobs, overlap), starts(longer, overlap), strict=True))


def test_no_jobs_and_one() -> None:
    with pytest.raises(AccelsimError, match="jobs: must be at least one"):
        starts([], "all")
    with pytest.raises(AccelsimError, match='jobs: an interval needs two, got "1"'):
        interval([Spans(1, 1, 1)], "all")


def test_a_timing_by_hand() -> None:
    """20 scores, 4 in a cycle: five rows enter and leave; 3 digits take 5 + 2 cycles each on 4 lanes."""
    params = RadixParams(lanes=4, overhead=2, input_lanes=4, filter_stages=2)
    found = digit_timing(params, Ranking(20, 9))
    assert (found.first, found.last, found.busy) == (30, 32, 5 + 21)  # nine kept are three beats
    assert digit_timing(BitParams(lanes=4, overhead=2, input_lanes=4, overlap="all"), Ranking(20, 9)).busy == 12 * 7
    assert digit_timing(params, Ranking(20, 0)).cycles == 5 + 5 + 2
    assert digit_timing(params, Ranking(20, 20)).cycles == 5 + 5 + 2


def test_a_queue_that_keeps_all_still_takes_them() -> None:
    """20 scores, 4 lanes: five rows, then FILTER, 2 in a cycle."""
    params = QueueParams(lanes=4, input_lanes=2, filter_stages=0)
    assert queue_timing(params, Ranking(20, 20)).cycles == 5 + 10
