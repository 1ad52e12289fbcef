"""What jobs of an engine cost those who hand them over: on average, and drawn one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from accelsim.units.topk.engines import ENGINES
from accelsim.units.topk.job import Ranking, Scores, Spans, steady
from accelsim.units.topk.kernel import Integers
from accelsim.units.topk.law import quick_mean
from accelsim.units.topk.parts import Params
from accelsim.units.topk.quick import QuickParams
from accelsim.units.topk.sample import drawn_jobs, mean_compared, sampled_spans, taken

SAMPLES = 256  # of an engine without a law
GRAIN = 1 << 20  # parts of a cycle to which means are rounded


@dataclass(frozen=True)
class Selector:
    """An engine in a machine: what its scores are drawn from, and the seed of all draws."""

    engine: str
    params: Params
    scores: Scores
    seed: int


class Served(NamedTuple):
    """Means of a job: cycles until the next one may enter, comparisons in SELECT and in FILTER."""

    interval: Fraction
    compared: Fraction


@lru_cache(maxsize=1 << 12)
def mean_served(selector: Selector, n: int, k: int) -> Served:
    """By the law of quick-select where scores are distinct and SELECT overlaps no other job, else over samples."""
    job = Ranking(n, k, selector.scores)
    found = _by_law(selector.params, job) or _by_samples(selector, job)
    return Served(*(Fraction(round(value * GRAIN), GRAIN) for value in found))


def least_interval(selector: Selector, n: int, k: int) -> int:
    """Cycles from a job to the next that no job is below, whatever its scores: FILL, and FILTER where that adds."""
    return steady(ENGINES[selector.engine].spans(selector.params, n, 0), selector.params.overlap)


def drawn_times(selector: Selector, n: int, k: int, count: int) -> tuple[Integers, Integers]:
    """Of so many jobs, each cycles until the next may enter, and from then to behind the last output."""
    seed = int(np.random.SeedSequence([selector.seed, n, k]).generate_state(1)[0])
    _, spans = _drawn(selector, Ranking(n, k, selector.scores), count, seed)
    intervals = np.array([steady(span, selector.params.overlap) for span in spans], np.int64)
    whole = np.array([sum(span) + selector.params.filter_stages for span in spans], np.int64)
    return intervals, whole - intervals


def _by_law(params: Params, job: Ranking) -> tuple[float, float] | None:
    if not isinstance(params, QuickParams) or job.scores != "distinct" or params.overlap == "all":
        return None
    select, read = quick_mean(params, job), quick_mean(replace(params, lanes=1, overhead=0), job)
    if select is None or read is None:
        return None
    around = steady(ENGINES["quickselect"].spans(params, job.n, 0), params.overlap)
    return around + select, 2 * read + job.n


def _by_samples(selector: Selector, job: Ranking) -> tuple[float, float]:
    found, spans = _drawn(selector, job, SAMPLES, selector.seed)
    interval = sum(steady(span, selector.params.overlap) for span in spans) / len(spans)
    return interval, mean_compared(found) + job.n


def _drawn(selector: Selector, job: Ranking, count: int, seed: int) -> tuple[Integers, list[Spans]]:
    """What SELECT takes of so many jobs, a row each, and what each occupies."""
    engine, params = ENGINES[selector.engine], selector.params
    found = taken(engine, params, job, drawn_jobs(job, params.score_bits, count, seed))
    return found, sampled_spans(engine, params, job, found)
