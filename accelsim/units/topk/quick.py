"""Quick-select: the scores are split around a pivot until the pivot is the k-th largest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked
from accelsim.units.timing import Timing
from accelsim.units.topk.job import (
    InputLanes,
    Lanes,
    Overhead,
    Overlapping,
    Ranking,
    ScoreBits,
    Selected,
    Stages,
    everything,
    kept,
    spans,
    worst_timing,
)
from accelsim.units.vector import ceil_div

Choose = Callable[[Sequence[int]], int]
"""The pivot of a pass from its candidates, in the order in which they came."""


@dataclass(frozen=True)
class QuickParams(Checked):
    """The engine: two comparators, smaller and larger, for each lane."""

    lanes: Lanes = 16
    overhead: Overhead = 3
    input_lanes: InputLanes = 8
    score_bits: ScoreBits = 12
    overlap: Overlapping = "filter"
    filter_stages: Stages = 1


def select(params: QuickParams, scores: Sequence[int], k: int, choose: Choose) -> Selected:
    """The k largest of data, with the pivots that `choose` gives.

    A pass compares every candidate with the pivot, `lanes` in a cycle, and takes `overhead` cycles beside: the smaller
    go to one queue, the larger to another, the equal are counted. The queue that holds the k-th largest has the next
    candidates. As equal ones are dropped, each pass leaves fewer.

    Source: SpAtten (HPCA 2021), its algorithm of top-k, with the target of the last pass corrected: as printed it
    returns the (k + 1)-th largest where the larger and the equal scores are exactly k.

    Raises:
        AccelsimError: a pivot that is none of the candidates.
    """
    trivial = everything(scores, k)
    if trivial:
        return trivial
    candidates, rank, cycles, passes, compared = list(scores), k, 0, 0, 0
    while True:
        pivot = choose(candidates)
        larger, smaller = [s for s in candidates if s > pivot], [s for s in candidates if s < pivot]
        equal = len(candidates) - len(larger) - len(smaller)
        cycles += pass_cycles(params, len(candidates))
        passes, compared = passes + 1, compared + 2 * len(candidates)
        if not equal:
            raise AccelsimError(f"pivot {passes}: must be one of the {len(candidates)} candidates, got {pivot}")
        if rank <= len(larger):
            candidates = larger
        elif rank > len(larger) + equal:
            candidates, rank = smaller, rank - len(larger) - equal
        else:
            return Selected(kept(scores, pivot, rank - len(larger)), cycles, passes, compared)


def drawn(draws: Iterable[float]) -> Choose:
    """Pivots at places drawn from 0 to 1, one draw for each pass."""
    left = iter(draws)
    return lambda candidates: candidates[int(next(left) * len(candidates))]


def traced(pivots: Iterable[int]) -> Choose:
    """Pivots by their values, as a trace has them.

    Raises:
        AccelsimError: when it is called after the last of them.
    """
    left = iter(pivots)

    def choose(candidates: Sequence[int]) -> int:
        for pivot in left:
            return pivot
        raise AccelsimError(f"pivots: end while {len(candidates)} candidates are left")

    return choose


def pass_cycles(params: QuickParams, candidates: int) -> int:
    """Cycles of a pass."""
    return ceil_div(candidates, params.lanes) + params.overhead


def worst_select(params: QuickParams, job: Ranking) -> int:
    """Each pivot the largest or smallest score that is not the one sought: a pass over n, over n - 1, ..., over 1.

    >>> worst_select(QuickParams(lanes=16, overhead=3), Ranking(1024, 512))
    36352
    """
    if job.bypasses:
        return 0
    rows, rest = divmod(job.n, params.lanes)
    reads = params.lanes * rows * (rows + 1) // 2 + rest * (rows + 1)
    return reads + job.n * params.overhead


def timing(params: QuickParams, shape: Ranking) -> Timing:
    """The worst case: FILL, then SELECT with the worst pivots, then FILTER; nothing is ever later.

    Scores enter `input_lanes` at an edge; a pivot is drawn of all of them, so that SELECT follows the last. It takes
    sum over m = 1..n of ceil(m / lanes) + overhead. FILTER reads the copy, `input_lanes` at an edge, behind which lie
    `filter_stages` registers. With `overlap: filter` the next job enters beside FILTER, with `all` beside SELECT too.

    Source: structure, that of the engine of SpAtten (HPCA 2021). Assumes no stall, and scores that are all different.
    """
    return worst_timing(params, shape, spans(params, shape.n, worst_select(params, shape)))
