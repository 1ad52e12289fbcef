"""The exact distribution of the cycles of quick-select, for scores that are all different and pivots drawn evenly.

By ranks alone: with `above` candidates larger than the one sought and `below` smaller, each of the above + below + 1 is
the pivot with equal probability. If it is the one sought, SELECT ends; a larger one leaves those between it and the one
sought above, and all below; a smaller one likewise. So T(above, below) = pass(above + below + 1) + T(next).

The functions here are the definition, exact fractions; `law_kernel` does the same in floating point, in
(above + 1)(below + 1) states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import accumulate
from math import ceil

from accelsim.errors import AccelsimError
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.quick import QuickParams, pass_cycles

MOST_STATES = 1 << 28  # about a second
MOST_TERMS = 1 << 30  # about as long: states times cycles
SPREAD = 2  # the first guess: 99 jobs in 100 take less than so many times the mean


@dataclass(frozen=True)
class Law:
    """What quick-select takes; a quantile is the least number of cycles that so many jobs do not exceed."""

    mean: float
    p95: int
    p99: int


def mean_cycles(params: QuickParams, n: int, k: int) -> Fraction:
    """The mean cycles of SELECT, by the recurrence itself; for small n.

    >>> mean_cycles(QuickParams(lanes=1, overhead=0), 3, 2)  # 3, in two of three cases then 2, in half of these 1
    Fraction(14, 3)
    """
    weights = distribution(params, n, k)
    return sum((cycles * weight for cycles, weight in weights.items()), Fraction(0))


def distribution(params: QuickParams, n: int, k: int) -> Mapping[int, Fraction]:
    """The probability of each number of cycles of SELECT, by the recurrence itself; for small n."""
    _check(n, k)
    return _states(params)(k - 1, n - k)


def _states(params: QuickParams) -> Callable[[int, int], Mapping[int, Fraction]]:
    @cache
    def state(above: int, below: int) -> Mapping[int, Fraction]:
        count = above + below + 1
        following = [state(left, below) for left in range(above)] + [state(above, left) for left in range(below)]
        found: dict[int, Fraction] = {}
        for weights in ({0: Fraction(1)}, *following):
            for cycles, weight in weights.items():
                total = cycles + pass_cycles(params, count)
                found[total] = found.get(total, Fraction(0)) + weight / count
        return found

    return state


def mean_passes(n: int, k: int) -> float:
    """H(k) + H(n - k + 1) - 1: a candidate is a pivot if it is drawn before all that lie between it and the one sought.

    >>> mean_passes(3, 2)
    2.0
    """
    _check(n, k)
    *_, last = accumulate(1 / i for i in range(1, max(k, n - k + 1) + 1))
    *_, first = accumulate(1 / i for i in range(1, min(k, n - k + 1) + 1))
    return first + last - 1


def quick_mean(params: QuickParams, job: Ranking) -> float | None:
    """The mean cycles of SELECT, from the compiled recurrence; none where it has too many states."""
    from accelsim.units.topk.law_kernel import mean

    if job.bypasses:
        return 0.0
    if job.k * (job.n - job.k + 1) > MOST_STATES:
        return None
    return float(mean(*_sides(job), params.lanes, params.overhead))


def quick_law(params: QuickParams, job: Ranking) -> Law | None:
    """Mean and quantiles of SELECT, from the compiled recurrence; none where that would take more than seconds."""
    import numpy as np

    from accelsim.units.topk.law_kernel import weights

    average = quick_mean(params, job)
    if average is None or job.bypasses:
        return None if average is None else Law(0.0, 0, 0)
    above, below = _sides(job)
    length = ceil(SPREAD * average) + 1
    while (above + 1) * (below + 1) * length <= MOST_TERMS:
        reached = np.cumsum(weights(above, below, params.lanes, params.overhead, length))
        if reached[-1] >= 0.99:
            p95, p99 = (int(np.searchsorted(reached, part)) for part in (0.95, 0.99))
            return Law(average, p95, p99)
        length = length * 3 // 2
    return None


def _sides(job: Ranking) -> tuple[int, int]:
    """Candidates on either side of the one sought, the fewer first: the k-th largest costs what the k-th least does."""
    return min(job.k - 1, job.n - job.k), max(job.k - 1, job.n - job.k)


def _check(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise AccelsimError(f'k: must be an integer from 1 to {n}, got "{k}"')
