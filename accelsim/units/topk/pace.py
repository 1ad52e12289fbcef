"""How many lanes keep pace with a rate of scores, by the mean of SELECT, over sizes of a job and parts kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import CYCLES, Engine
from accelsim.units.topk.job import MOST_LANES, Ranking, Scores
from accelsim.units.topk.law import MOST_STATES, quick_mean
from accelsim.units.topk.quick import QuickParams
from accelsim.units.topk.rate import LANES, MOST_HELD, SAMPLES, SEED
from accelsim.units.topk.sample import Batch, check_distinct, drawn_jobs, taken


@dataclass(frozen=True)
class Pace:
    """An engine and jobs back to back whose scores are made at a constant rate.

    Attributes:
        budget: cycles in which the scores of a job are made.
        fill: cycles in which they enter, as many at once as the rate.
        select: mean cycles of SELECT.
        sampled: jobs that the mean is of; 0 where it is exact.
    """

    job: Ranking
    lanes: int
    budget: float
    fill: int
    select: float
    sampled: int

    @property
    def beside(self) -> float:
        """Part of the time that scores wait where SELECT runs beside the FILL of jobs behind, however many there wait.

        The least there can be: with memory for one job ahead (`overlap: all`) a long SELECT also makes FILL wait.
        """
        return self._waiting(max(self.fill, self.select))

    @property
    def after(self) -> float:
        """The same where one memory holds the scores, so that SELECT follows FILL (`overlap: filter`): exact."""
        return self._waiting(self.fill + self.select)

    def _waiting(self, interval: float) -> float:
        return 1 - self.budget / max(interval, self.budget)


@dataclass(frozen=True)
class Needed:
    """The paces of one job: with the lanes asked about, and with the fewest that keep up; none where none do."""

    keep: float
    asked: Pace
    beside: Pace | None
    after: Pace | None


@dataclass(frozen=True)
class Line:
    """What makes the scores: `rate` of them in a cycle, `stall` the part of the time for which it may wait."""

    rate: float
    stall: float
    scores: Scores = "distinct"


def sweep(engine: Engine, params: Any, points: Sequence[tuple[int, float]], line: Line) -> list[Needed]:
    """What each job needs.

    Args:
        params: of the engine, with the lanes asked about; its input is made as wide as the rate.
        points: scores of a job, and the part of them that is kept.

    Raises:
        AccelsimError: a job with nothing to choose, a rate or stall out of range, scores that so few bits do not hold.
    """
    if not 0 < line.rate <= MOST_LANES:
        raise AccelsimError(f'rate: must be above 0 and at most {MOST_LANES}, got "{line.rate:g}"')
    if not 0 <= line.stall < 1:
        raise AccelsimError(f'stall: must be from 0 to below 1, got "{line.stall:g}"')
    wide = replace(params, input_lanes=ceil(line.rate))
    jobs = [(keep, _job(n, keep, line.scores)) for n, keep in points]
    return [_needed(engine, wide, job, line, keep=keep) for keep, job in jobs]


def _job(n: int, keep: float, scores: Scores) -> Ranking:
    """k is rounded to the nearest, from 1 to n - 1."""
    if n < 2:
        raise AccelsimError(f'n: must be at least 2, so that there is something to choose, got "{n}"')
    if not 0 < keep < 1:
        raise AccelsimError(f'keep: must be above 0 and below 1, so that there is something to choose, got "{keep:g}"')
    return Ranking(n, min(max(round(keep * n), 1), n - 1), scores)


def pace(engine: Engine, params: Any, job: Ranking, rate: float, jobs: Sequence[Batch] = ()) -> Pace:
    """One engine, whose input is as wide as its parameters say.

    Args:
        jobs: what the mean is of where no law gives it; drawn if there are none.
    """
    exact = quick_mean(params, job) if _has_law(params, job) else None
    batches = () if exact is not None else jobs or _drawn(job, params.score_bits)
    mean = float(taken(engine, params, job, batches)[:, CYCLES].mean()) if exact is None else exact
    fill, least, _ = engine.spans(params, job.n, 0)
    return Pace(job, params.lanes, job.n / rate, fill, max(mean, least), sum(len(scores) for scores, _ in batches))


def _needed(engine: Engine, params: Any, job: Ranking, line: Line, *, keep: float) -> Needed:
    check_distinct(job, params.score_bits)
    jobs = () if _has_law(params, job) else _drawn(job, params.score_bits)
    paces = list(_paces(engine, params, job, line.rate, jobs))
    return Needed(
        keep=keep,
        asked=pace(engine, params, job, line.rate, jobs),
        beside=next((one for one in paces if one.beside <= line.stall), None),
        after=next((one for one in paces if one.after <= line.stall), None),
    )


def _has_law(params: Any, job: Ranking) -> bool:
    known = isinstance(params, QuickParams) and job.scores == "distinct"
    return known and job.k * (job.n - job.k + 1) <= MOST_STATES


def _drawn(job: Ranking, bits: int) -> tuple[Batch, ...]:
    """Jobs from a fixed seed, the same for all engines and lanes."""
    if SAMPLES * job.n > MOST_HELD:
        raise AccelsimError(f"n: {SAMPLES} jobs of {job.n} scores are more than {MOST_HELD} scores")
    return tuple(drawn_jobs(job, bits, SAMPLES, SEED))


def _paces(engine: Engine, params: Any, job: Ranking, rate: float, jobs: Sequence[Batch]) -> Iterator[Pace]:
    """With 1, 2, 4, ... lanes, up to twice the scores, or as come at once where SELECT sees them enter."""
    most = ceil(rate) if engine.streams else 2 * job.n - 1
    for lanes in LANES:
        if lanes <= most:
            yield pace(engine, replace(params, lanes=lanes), job, rate, jobs)
