"""Odd-even merge sort: rows are sorted as they enter, then merged two by two; the k-th of the sorted is sought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Annotated

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
    spans,
    worst_timing,
)
from accelsim.units.vector import ceil_div

Item = tuple[int, int]  # a score, negated, and its index: ascending order is the order of selection


@dataclass(frozen=True)
class MergeParams(Checked):
    """The engine: a network that sorts a row of `lanes` scores, and one that merges two rows."""

    lanes: Lanes = 16
    overhead: Annotated[int, Size("cycles of a pass beyond those in which it reads rows", 0, MOST_CYCLES)] = 0
    input_lanes: InputLanes = 8
    score_bits: ScoreBits = 12
    overlap: Overlapping = "filter"
    filter_stages: Stages = 1


def select(params: MergeParams, scores: Sequence[int], k: int) -> Selected:
    """The k largest of data: sorted rows are merged two by two, and what came of them again."""
    trivial = everything(scores, k)
    if trivial:
        return trivial
    items = [(-score, index) for index, score in enumerate(scores)]
    runs = [sorted_row(items[at : at + params.lanes]) for at in range(0, len(items), params.lanes)]
    rows, cycles = len(runs), 0
    for _ in range(passes(params, len(scores))):
        runs = [list(merge(*runs[at : at + 2])) for at in range(0, len(runs), 2)]
        cycles += rows + params.overhead
    chosen = tuple(sorted(index for _, index in runs[0][:k]))
    return Selected(chosen, cycles, passes(params, len(scores)), 0)


def passes(params: MergeParams, n: int) -> int:
    """ceil(log2(rows)); a lone row, sorted as it entered, is read once."""
    return max(1, (ceil_div(n, params.lanes) - 1).bit_length())


def sorted_row(row: Sequence[Item]) -> list[Item]:
    """A row behind the sorting network; absent items come last."""
    width = 1 << (len(row) - 1).bit_length()
    absent = (1 << 62, 0)
    wires = [*row, *[absent] * (width - len(row))]
    for low, high in sorter(width):
        if wires[low] > wires[high]:
            wires[low], wires[high] = wires[high], wires[low]
    return wires[: len(row)]


def sorter(width: int) -> Iterator[tuple[int, int]]:
    """The comparators of Batcher's odd-even merge sort of a power of two of wires, in order.

    Source: Batcher, AFIPS 1968; (p^2 - p + 4) 2^(p - 2) - 1 comparators for 2^p wires.

    >>> len(list(sorter(16)))
    63
    """
    size = 1
    while size < width:
        for at in range(0, width, 2 * size):
            yield from merger(at, 2 * size)
        size *= 2


def merger(at: int, width: int, step: int = 1) -> Iterator[tuple[int, int]]:
    """The comparators that merge the two sorted halves of `width` wires from `at` on.

    >>> len(list(merger(0, 32)))
    65
    """
    if 2 * step >= width:
        yield (at, at + step)
        return
    yield from merger(at, width, 2 * step)
    yield from merger(at + step, width, 2 * step)
    yield from ((low, low + step) for low in range(at + step, at + width - step, 2 * step))


def worst_select(params: MergeParams, job: Ranking) -> int:
    """Passes over all rows, whatever the scores.

    >>> worst_select(MergeParams(lanes=16), Ranking(1024, 512))
    384
    """
    if job.bypasses:
        return 0
    return passes(params, job.n) * (ceil_div(job.n, params.lanes) + params.overhead)


def timing(params: MergeParams, shape: Ranking) -> Timing:
    """The only case: FILL, in which rows are sorted, ceil(log2(rows)) passes that merge, then FILTER.

    The merging network takes and gives a row of `lanes` scores in a cycle. FILL, FILTER and what runs beside the job
    before are as of all these engines (`accelsim.units.topk.quick`).

    Source: Batcher, AFIPS 1968, as the sorter that SpAtten (HPCA 2021) compares with. Assumes no stall, and that the
    registers of the networks are in `overhead`.
    """
    return worst_timing(params, shape, spans(params, shape.n, worst_select(params, shape)))
