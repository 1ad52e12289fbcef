"""Every top-k engine behind one interface: on data, on many jobs, and at its worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.units.topk import digits, job, merge, queues, quick
from accelsim.units.topk.job import Hardware, Ranking, Selected, Spans
from accelsim.units.topk.kernel import Floats, Integers, digit_jobs, queue_jobs, quick_jobs

CYCLES, STEPS, COMPARED = range(3)


@dataclass(frozen=True)
class Engine:
    """An engine; `params` is the dataclass of its hardware.

    Attributes:
        select: the k largest of the scores of a job, by the readable definition; draws are for pivots.
        jobs: the same for jobs in rows, compiled: cycles, steps and comparisons in columns; 0 < k < scores of a job.
        worst: cycles of SELECT that no job exceeds.
        spans: cycles of FILL, SELECT and FILTER from the number of scores and the cycles of SELECT.
        streams: whether it selects while scores enter.
    """

    name: str
    params: type
    select: Callable[[Any, Sequence[int], int, Sequence[float]], Selected]
    jobs: Callable[[Any, Integers, int, Floats], Integers]
    worst: Callable[[Any, Ranking], int]
    spans: Callable[[Hardware, int, int], Spans] = job.spans
    streams: bool = False


def _quick_jobs(params: quick.QuickParams, scores: Integers, k: int, draws: Floats) -> Integers:
    found = _empty(scores)
    quick_jobs(scores, k, draws, params.lanes, params.overhead, found)
    return found


def _digit_jobs(params: digits.Params, scores: Integers, k: int, draws: Floats) -> Integers:
    largest = 2**params.score_bits - 1
    if scores.min() < 0 or scores.max() > largest:
        raise AccelsimError(f"scores: must be from 0 to {largest}, got {scores.min()} to {scores.max()}")
    found = _empty(scores)
    if params.compaction == params.early_exit == "no":
        found[:, CYCLES] = digits.worst_select(params, Ranking(scores.shape[1], k))
        found[:, STEPS] = len(digits.shifts(params))
        return found
    ends = [params.score_bits, *digits.shifts(params)]
    widths = np.array([high - low for high, low in pairwise(ends)], np.int64)
    on_fill, compaction = params.first_digit == "fill", params.compaction == "yes"
    engine = (params.lanes, params.overhead, on_fill, compaction, params.early_exit == "yes")
    digit_jobs(scores, k, widths, engine, found)
    return found


def _merge_jobs(params: merge.MergeParams, scores: Integers, k: int, draws: Floats) -> Integers:
    found, n = _empty(scores), scores.shape[1]
    found[:, CYCLES] = merge.worst_select(params, Ranking(n, k))
    found[:, STEPS] = merge.passes(params, n)
    return found


def _queue_jobs(params: queues.QueueParams, scores: Integers, k: int, draws: Floats) -> Integers:
    found = _empty(scores)
    queue_jobs(scores, k, (params.lanes, params.overhead, 0, False), found)
    return found


def _heap_jobs(params: queues.HeapParams, scores: Integers, k: int, draws: Floats) -> Integers:
    found = _empty(scores)
    queue_jobs(scores, k, (params.lanes, params.overhead, params.level_cycles, True), found)
    return found


def _empty(scores: Integers) -> Integers:
    return np.zeros((scores.shape[0], 3), np.int64)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "quickselect",
            quick.QuickParams,
            lambda params, scores, k, draws: quick.select(params, scores, k, quick.drawn(draws)),
            _quick_jobs,
            quick.worst_select,
        ),
        Engine(
            "radixselect",
            digits.RadixParams,
            lambda params, scores, k, draws: digits.select(params, scores, k),
            _digit_jobs,
            digits.worst_select,
        ),
        Engine(
            "bitserial",
            digits.BitParams,
            lambda params, scores, k, draws: digits.select(params, scores, k),
            _digit_jobs,
            digits.worst_select,
        ),
        Engine(
            "odd-even-merge",
            merge.MergeParams,
            lambda params, scores, k, draws: merge.select(params, scores, k),
            _merge_jobs,
            merge.worst_select,
        ),
        Engine(
            "priority-queue",
            queues.QueueParams,
            lambda params, scores, k, draws: queues.select_queue(params, scores, k),
            _queue_jobs,
            queues.worst_queue,
            job.streamed_spans,
            streams=True,
        ),
        Engine(
            "heap",
            queues.HeapParams,
            lambda params, scores, k, draws: queues.select_heap(params, scores, k),
            _heap_jobs,
            queues.worst_heap,
            job.streamed_spans,
            streams=True,
        ),
    )
}
