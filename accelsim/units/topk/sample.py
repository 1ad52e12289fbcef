"""Jobs drawn from a seed: their scores, and what an engine takes for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import COMPARED, CYCLES, STEPS, Engine
from accelsim.units.topk.job import Ranking, Spans
from accelsim.units.topk.kernel import Floats, Integers
from accelsim.units.topk.parts import Params

Batch = tuple[Integers, Floats]
AT_ONCE = 1 << 21  # scores that are drawn together, so that memory is bounded
MOST_SAMPLES, MOST_DRAWN = 10_000_000, 1 << 28


def drawn_jobs(job: Ranking, bits: int, samples: int, seed: int) -> Iterator[Batch]:
    """Scores of so many jobs and draws for their pivots, a row each, a part of the jobs at a time.

    Raises:
        AccelsimError: samples out of range, or scores that so few bits do not hold.
    """
    _check(job, samples, seed)
    rng = np.random.default_rng(seed)
    each = max(1, AT_ONCE // job.n)
    for done in range(0, samples, each):
        count = min(each, samples - done)
        yield drawn_scores(job, bits, count, rng), rng.random((count, job.n))


def taken(engine: Engine, params: Params, job: Ranking, batches: Iterable[Batch]) -> Integers:
    """Cycles, steps and comparisons of SELECT of jobs, a row each."""
    if job.bypasses:
        return np.concatenate([np.zeros((scores.shape[0], 3), np.int64) for scores, _ in batches])
    return np.concatenate([engine.jobs(params, scores, job.k, draws) for scores, draws in batches])


def drawn_scores(job: Ranking, bits: int, count: int, rng: np.random.Generator) -> Integers:
    """Scores of so many jobs, a row each, from 0 to 2^bits - 1.

    `distinct`: all different, any such set and order as likely as another. `uniform`: each value as likely, and again.
    `softmax`: exp(x), x from N(0, 1), over the largest of its job: what a softmax makes of queries and
    keys from N(0, 1) over the root of their length, in fixed point with its maximum as the largest value.

    Raises:
        AccelsimError: more distinct scores than there are values.
    """
    if job.scores == "uniform":
        return rng.integers(0, 2**bits, (count, job.n))
    if job.scores == "softmax":
        weights: Floats = np.exp(rng.standard_normal((count, job.n)))
        rounded: Integers = np.floor(weights / weights.max(1, keepdims=True) * (2**bits - 1) + 0.5).astype(np.int64)
        return rounded
    check_distinct(job, bits)
    return np.array([_distinct(job.n, bits, rng) for _ in range(count)], np.int64).reshape(count, job.n)


def check_distinct(job: Ranking, bits: int) -> None:
    """Refuse more distinct scores than there are values."""
    if job.scores == "distinct" and job.n > 2**bits:
        raise AccelsimError(
            f"score_bits: {bits} hold {2**bits} distinct scores, n is {job.n}: give more bits, or scores=uniform"
        )


def _distinct(n: int, bits: int, rng: np.random.Generator) -> Integers:
    values = rng.choice(2**bits, n, replace=False, shuffle=True)
    return values.astype(np.int64)


def mean_and_quantiles(cycles: Integers) -> dict[str, float]:
    """Mean, p95, p99 and maximum; a quantile is the least value that so many samples do not exceed."""
    p95, p99 = np.quantile(cycles, (0.95, 0.99), method="inverted_cdf")
    return {"mean": float(cycles.mean()), "p95": float(p95), "p99": float(p99), "max": float(cycles.max())}


def sampled_spans(engine: Engine, params: Params, job: Ranking, found: Integers) -> list[Spans]:
    """What each sampled job occupies."""
    return [engine.spans(params, job.n, int(cycles)) for cycles in found[:, CYCLES]]


def mean_steps(found: Integers) -> float:
    """Passes, or insertions, of a job."""
    return float(found[:, STEPS].mean())


def mean_compared(found: Integers) -> float:
    """Comparisons of two scores in SELECT of a job."""
    return float(found[:, COMPARED].mean())


def _check(job: Ranking, samples: int, seed: int) -> None:
    if not 1 <= samples <= MOST_SAMPLES:
        raise AccelsimError(f'samples: must be an integer from 1 to {MOST_SAMPLES}, got "{samples}"')
    if seed < 0:
        raise AccelsimError(f'seed: must be at least 0, got "{seed}"')
    if samples * job.n > MOST_DRAWN:
        raise AccelsimError(f"samples: {samples} jobs of {job.n} scores are more than {MOST_DRAWN} scores")
