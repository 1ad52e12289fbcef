"""Timing of the generated DMA engines: against machines of a few lines that are stepped edge by edge, and by laws."""

from __future__ import annotations

import doctest
from collections import deque
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units import dma
from accelsim.units.dma import EngineParams, Rows, burst_beats, load_timing, store_timing
from accelsim.units.timing import Timing

LATENCIES = st.sampled_from([1, 2, 3, 7, 20, 100])
SMALL = st.integers(1, 20)
STRIDES = st.integers(0, 40)
ENGINES = st.builds(
    EngineParams,
    latency=LATENCIES,
    longest_burst=st.sampled_from([20, 32, 256]),
    outstanding=st.integers(1, 5),
    command_registers=st.integers(0, 3),
    pad_registers=st.integers(1, 3),
)


def cut(params: EngineParams, shape: Rows) -> list[int]:
    """Beats of each burst: the words of all rows, cut where a row ends unless they are one run that fits a burst."""
    words = [row * shape.stride + 8 * beat for row in range(shape.rows) for beat in range(shape.beats)]
    run = words == list(range(0, 8 * len(words), 8))
    return [len(words)] if run and len(words) <= params.longest_burst else [shape.beats] * shape.rows


def loaded(params: EngineParams, shape: Rows) -> Timing:
    """Bursts asked for one per edge while there is a place, and a memory that answers in order."""
    bursts, asked, seen = deque(cut(params, shape)), deque[list[int]](), list[int]()
    for edge in count():
        if edge >= params.command_registers and bursts and len(asked) < params.outstanding:
            asked.append([edge + params.latency, bursts.popleft()])
        if asked and asked[0][0] <= edge:
            seen.append(edge)
            asked[0][1] -= 1
            if not asked[0][1]:
                asked.popleft()
        if not bursts and not asked and edge >= params.command_registers:
            return Timing(seen[0], seen[-1], edge + 1)
    raise AssertionError


def stored(params: EngineParams, shape: Rows) -> Timing:
    """Words read ahead of the beats, each burst's beats behind its request, and one answer for each burst."""
    bursts = cut(params, shape)
    lasts = [sum(bursts[: number + 1]) - 1 for number in range(len(bursts))]
    asked, sent, read, answers = 0, list[int](), deque[int](), list[int]()
    for edge in count():
        if read and read[0] <= edge and sum(bursts[:asked]) > len(sent):
            read.popleft()
            if len(sent) in lasts:
                answers.append(edge + params.latency)
            sent.append(edge)
        if edge >= params.command_registers:
            asked = min(asked + 1, len(bursts))
            if len(sent) + len(read) < sum(bursts):
                read.append(edge + params.pad_registers)
        if len(answers) == len(bursts) and edge == answers[-1]:
            return Timing(sent[0], edge, edge + 1)
    raise AssertionError


@given(ENGINES, SMALL, SMALL, STRIDES)
def test_a_load_is_a_queue_of_bursts(params: EngineParams, rows: int, beats: int, stride: int) -> None:
    for bytes_ in (8 * stride, 8 * beats):
        shape = Rows(rows, beats, bytes_)
        assert load_timing(params, shape) == loaded(params, shape)


@given(ENGINES, SMALL, SMALL, STRIDES)
def test_no_beat_of_a_store_waits_for_its_request(params: EngineParams, rows: int, beats: int, stride: int) -> None:
    for bytes_ in (8 * stride, 8 * beats):
        shape = Rows(rows, beats, bytes_)
        assert store_timing(params, shape) == stored(params, shape)


@given(LATENCIES, SMALL, SMALL, STRIDES)
def test_rows_that_follow_one_another_are_never_later(latency: int, rows: int, beats: int, stride: int) -> None:
    params = EngineParams(latency)
    together = load_timing(params, Rows(rows, beats, 8 * beats))
    apart = load_timing(params, Rows(rows, beats, 8 * stride))
    assert together.first == apart.first
    assert together.last <= apart.last


@given(SMALL, SMALL, STRIDES)
def test_more_latency_is_later_by_as_much_for_each_round(rows: int, beats: int, stride: int) -> None:
    """Of a store by exactly as much; of a load at least once, and at most once for every four bursts."""
    near, far = EngineParams(5), EngineParams(15)
    shape = Rows(rows, beats, 8 * stride)
    assert store_timing(far, shape).last - store_timing(near, shape).last == 10
    rounds = -(-rows * beats // (4 * burst_beats(near, shape)))
    assert 10 <= load_timing(far, shape).last - load_timing(near, shape).last <= 10 * rounds


def test_by_hand() -> None:
    """A key tile of 8 rows of 2 beats from a matrix of rows of 2 beats; the same from one of rows of 3."""
    params = EngineParams(20)
    assert load_timing(params, Rows(8, 2, 16)) == Timing(21, 36, 37)
    assert load_timing(params, Rows(8, 2, 24)) == Timing(21, 50, 51), "four bursts, and four more 22 edges later"
    assert store_timing(params, Rows(8, 8, 64)) == Timing(2, 85, 86)


@pytest.mark.parametrize(("rows", "beats", "wanted"), [(2, 128, 256), (2, 129, 129), (1, 256, 256), (256, 1, 256)])
def test_rows_are_one_burst_up_to_256_beats(rows: int, beats: int, wanted: int) -> None:
    assert burst_beats(EngineParams(1), Rows(rows, beats, 8 * beats)) == wanted


def test_a_row_that_is_too_long_is_refused() -> None:
    for function in (load_timing, store_timing):
        with pytest.raises(AccelsimError, match=r'^beats: a row must fit a burst, 256 beats, got "257"$'):
            function(EngineParams(1), Rows(1, 257, 0))


def test_a_memory_takes_an_edge_at_least() -> None:
    with pytest.raises(AccelsimError, match=r'^latency: must be an integer from 1 to 1048576, got "0"$'):
        EngineParams(0)


def test_examples_hold() -> None:
    found = doctest.testmod(dma)
    assert found.attempted > 0
    assert found.failed == 0
