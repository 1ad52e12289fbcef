"""Edges of jobs of known data: against packing row by row, the worst case, and by hand for a radix engine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.timing import Timing
from accelsim.units.topk.digits import RadixParams, select, timing
from accelsim.units.topk.edges import Ranked, edges
from accelsim.units.topk.job import Ranking, spans, starts
from accelsim.units.topk.radix_edges import RadixRegisters, radix_edges

SCORES = st.lists(st.integers(0, 15), max_size=40)
JOB = st.tuples(SCORES, st.integers(0, 45))
PARAMS = st.builds(
    RadixParams,
    lanes=st.sampled_from([1, 2, 4, 8]),
    overhead=st.integers(1, 6),
    input_lanes=st.sampled_from([1, 2, 4]),
    score_bits=st.just(4),
    digit_bits=st.integers(1, 4),
    first_digit=st.sampled_from(["select", "fill"]),
    early_exit=st.sampled_from(["no", "yes"]),
    filter_stages=st.integers(3, 7),
)


def beats(width: int, n: int, kept: tuple[int, ...], stages: int) -> list[int]:
    """Edges at which beats leave, counted from that of the first row: the rows one after the other, as they are packed.

    An element more than fits pushes a full beat out; what is left after the last row leaves an edge later.
    """
    found, held = [], 0
    rows = max(1, -(-n // width))
    for row in range(rows):
        held += sum(place // width == row for place in kept)
        if held > width:
            found.append(row + stages - 1)
            held -= width
    return [*found, rows - 1 + stages]


@given(PARAMS, JOB)
def test_beats_leave_as_rows_are_packed(params: RadixParams, job: tuple[list[int], int]) -> None:
    scores, k = job
    found = select(params, scores, k)
    (time,) = radix_edges(params, [(scores, k)])
    span = spans(params, len(scores), found.cycles)
    left = beats(params.input_lanes, len(scores), found.kept, params.filter_stages)
    assert len(left) == max(1, -(-min(k, len(scores)) // params.input_lanes))
    assert (time.first, time.last) == (span.fill + span.select + left[0], span.fill + span.select + left[-1])
    assert time.busy == span.fill + span.select


@given(PARAMS, st.lists(JOB, min_size=1, max_size=6))
def test_jobs_behind_others_enter_in_turn_and_only_wait(params: RadixParams, jobs: list[tuple[list[int], int]]) -> None:
    found = radix_edges(params, jobs)
    taken = [spans(params, len(scores), select(params, scores, k).cycles) for scores, k in jobs]
    entered = starts(taken, params.overlap)
    assert [sum(time.busy for time in found[:place]) for place in range(len(jobs))] == entered
    alone = [radix_edges(params, [job])[0] for job in jobs]
    assert all(time.last >= lone.last and time.first >= lone.first for time, lone in zip(found, alone, strict=True))


@given(PARAMS, JOB)
def test_no_job_takes_longer_than_the_worst(params: RadixParams, job: tuple[list[int], int]) -> None:
    scores, k = job
    if scores:
        (time,) = radix_edges(params, [job])
        worst = timing(params, Ranking(len(scores), k))
        assert time.first <= worst.first
        assert time.last <= worst.last
        assert time.busy <= worst.busy


def test_edges_by_hand() -> None:
    """1024 scores, 8 at an edge; three passes over 64 rows and 4 edges each; FILTER and its 5 registers."""
    engine = RadixRegisters().of(RadixParams(lanes=16, input_lanes=8, score_bits=12, digit_bits=4))
    assert (engine.overhead, engine.filter_stages) == (1 + 1 + 0 + 1 + 1, 1 + 1 + 1 + 1 + 1)
    rising = list(range(1024))
    busy = 128 + 3 * (64 + 4)
    last = busy + 128 - 1 + 5
    assert radix_edges(engine, [(rising, 512)]) == [Timing(busy + 65 + 4, last, busy)]
    assert radix_edges(engine, [(rising, 8)]) == [Timing(last, last, busy)]
    assert radix_edges(engine, [(rising, 0)]) == [Timing(128 + 128 - 1 + 5, 128 + 128 - 1 + 5, 128)]
    assert radix_edges(engine, [([], 3)]) == [Timing(1 + 1 - 1 + 5, 1 + 1 - 1 + 5, 1)]
    deep = replace(RadixRegisters(), sum_stages=2, read_stages=0, close_stages=3)
    assert (deep.of(engine).overhead, deep.of(engine).filter_stages) == (0 + 1 + 4 * 2 + 1 + 1, 1 + 1 + 3 + 1 + 1)


def test_a_job_waits_for_the_filter_of_the_one_before() -> None:
    engine = RadixParams(input_lanes=1, lanes=1, filter_stages=3)
    long, short = Ranked(10, (), 0), Ranked(1, (0,), 0)
    assert edges(engine, [long, short]) == [Timing(22, 22, 10), Timing(13, 13, 10)]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r"^jobs: must be at least one$"):
        edges(RadixParams(), [])
    with pytest.raises(AccelsimError, match=r'^find_stages: must be an integer from 0 to 8, got "9"$'):
        RadixRegisters(find_stages=9)
