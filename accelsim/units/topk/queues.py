"""Priority queue and heap: the k largest so far are held, and a score that is larger than the least takes its place."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.topk.job import (
    MOST_CYCLES,
    InputLanes,
    Lanes,
    Overlapping,
    Ranking,
    ScoreBits,
    Selected,
    Stages,
    everything,
    streamed_spans,
    worst_timing,
)

Overhead = Annotated[int, Size("cycles from the last score to the threshold", 0, MOST_CYCLES)]
Entry = tuple[int, int]  # a score and its index negated: of equal ones the later is the smaller


@dataclass(frozen=True)
class QueueParams(Checked):
    """The engine: k cells in a chain, each with a comparator, which take one score in a cycle; a gate before them."""

    lanes: Lanes = 16
    overhead: Overhead = 3
    input_lanes: InputLanes = 8
    score_bits: ScoreBits = 12
    overlap: Overlapping = "filter"
    filter_stages: Stages = 1


@dataclass(frozen=True)
class HeapParams(Checked):
    """The engine: a heap of k scores in a memory, the least at its root; a gate before it."""

    lanes: Lanes = 16
    overhead: Overhead = 3
    input_lanes: InputLanes = 8
    score_bits: ScoreBits = 12
    level_cycles: Annotated[int, Size("cycles in which an entry moves by a level of the heap", 0, MOST_CYCLES)] = 1
    overlap: Overlapping = "filter"
    filter_stages: Stages = 1


class Insertion(NamedTuple):
    """What it took: cycles, and comparisons of two scores."""

    cycles: int
    compared: int


def select_queue(params: QueueParams, scores: Sequence[int], k: int) -> Selected:
    """The k largest of data: as `gated`, an insertion taking one cycle in which all cells compare."""

    def insert(held: list[Entry], entry: Entry) -> Insertion:
        insort(held, entry)
        del held[: max(0, len(held) - k)]
        return Insertion(1, k)

    return gated(params, scores, k, insert)


def select_heap(params: HeapParams, scores: Sequence[int], k: int) -> Selected:
    """The k largest of data: as `gated`, an insertion taking a cycle and `level_cycles` for each level it moves.

    While there are fewer than k an entry moves up from the end, later down from the root, which is replaced if it is
    still the smaller one.
    """

    def insert(held: list[Entry], entry: Entry) -> Insertion:
        if len(held) < k:
            held.append(entry)
            moved, compared = rise(held)
        elif entry > held[0]:
            held[0] = entry
            moved, compared = sink(held)
            compared += 1
        else:
            moved, compared = 0, 1
        return Insertion(1 + moved * params.level_cycles, compared)

    return gated(params, scores, k, insert)


def gated(
    params: QueueParams | HeapParams, scores: Sequence[int], k: int, insert: Callable[[list[Entry], Entry], Insertion]
) -> Selected:
    """Scores come in rows of `lanes`; those that are larger than the least held before the row are inserted.

    They are inserted one after the other, in order; a row of which none is larger takes one cycle. Until k are held,
    every score of a row is inserted. In the end the least held is the threshold.
    """
    trivial = everything(scores, k)
    if trivial:
        return trivial
    held: list[Entry] = []
    cycles, steps, compared = params.overhead, 0, 0
    for at in range(0, len(scores), params.lanes):
        row = [(score, -index) for index, score in enumerate(scores[at : at + params.lanes], at)]
        full = len(held) == k
        passing = [entry for entry in row if entry > held[0]] if full else row
        compared += len(row) if full else 0
        taken = [insert(held, entry) for entry in passing]
        cycles += max(1, sum(insertion.cycles for insertion in taken))
        steps, compared = steps + len(taken), compared + sum(insertion.compared for insertion in taken)
    return Selected(tuple(sorted(-index for _, index in held)), cycles, steps, compared)


def rise(heap: list[Entry]) -> tuple[int, int]:
    """Move the last entry up to its place: levels and comparisons."""
    at, moved, compared = len(heap) - 1, 0, 0
    while at:
        above = (at - 1) // 2
        compared += 1
        if heap[above] < heap[at]:
            break
        heap[above], heap[at] = heap[at], heap[above]
        at, moved = above, moved + 1
    return moved, compared


def sink(heap: list[Entry]) -> tuple[int, int]:
    """Move the root down to its place: levels and comparisons."""
    at, moved, compared = 0, 0, 0
    while 2 * at + 1 < len(heap):
        below = [child for child in (2 * at + 1, 2 * at + 2) if child < len(heap)]
        least = min(below, key=heap.__getitem__)
        compared += len(below)
        if heap[at] < heap[least]:
            break
        heap[least], heap[at] = heap[at], heap[least]
        at, moved = least, moved + 1
    return moved, compared


def worst_queue(params: QueueParams, job: Ranking) -> int:
    """Every score inserted, as where they ascend.

    >>> worst_queue(QueueParams(lanes=16, overhead=0), Ranking(1024, 512))
    1024
    """
    return 0 if job.bypasses else job.n + params.overhead


def worst_heap(params: HeapParams, job: Ranking) -> int:
    """No more than every score inserted, and moved by all levels there are; it is met for some k only."""
    if job.bypasses:
        return 0
    depth = job.k.bit_length() - 1
    rising = (job.k + 1) * depth - (2 << depth) + 2  # sum over i = 1..k of floor(log2(i))
    return job.n + (rising + (job.n - job.k) * depth) * params.level_cycles + params.overhead


def queue_timing(params: QueueParams, shape: Ranking) -> Timing:
    """The worst case: SELECT while scores enter, n cycles if each is inserted, then FILTER; nothing is ever later.

    FILTER and what runs beside the job before are as of all these engines (`accelsim.units.topk.quick`).

    Source: structure, that of a systolic priority queue. Assumes no stall of outputs; inputs wait for insertions.
    """
    return worst_timing(params, shape, streamed_spans(params, shape.n, worst_queue(params, shape)))


def heap_timing(params: HeapParams, shape: Ranking) -> Timing:
    """A bound of the worst case: SELECT while scores enter, each inserted and moved by all levels, then FILTER.

    FILTER and what runs beside the job before are as of all these engines (`accelsim.units.topk.quick`).

    Source: structure; the levels of a binary heap. Assumes no stall of outputs; inputs wait for insertions.
    """
    return worst_timing(params, shape, streamed_spans(params, shape.n, worst_heap(params, shape)))
