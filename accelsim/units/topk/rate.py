"""Which engine keeps up with what makes the scores, and how many lanes it needs for that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from itertools import product
from math import ceil
from typing import Any

from accelsim.errors import AccelsimError
from accelsim.units.topk.engines import CYCLES, ENGINES, Engine
from accelsim.units.topk.job import MOST_LANES, Overlap, Ranking, Switch, interval
from accelsim.units.topk.kernel import Integers
from accelsim.units.topk.parts import Parts, parts_of
from accelsim.units.topk.sample import Batch, drawn_jobs, mean_and_quantiles, sampled_spans, taken

SAMPLES, SEED = 300, 0
MOST_HELD = 1 << 24  # scores of all jobs, which are held while engines are tried on them
STALL = 0.05
LANES = tuple(1 << power for power in range(MOST_LANES.bit_length()))
OVERLAPS: tuple[Overlap, ...] = ("none", "filter", "all")
DIGITS = (1, 2, 3, 4, 6)
SWITCH: tuple[Switch, ...] = ("no", "yes")


@dataclass(frozen=True, eq=False)
class Demand:
    """Jobs back to back, their scores made at a constant rate; the same as no other, since it holds arrays.

    Attributes:
        rate: scores that are made in a cycle.
        stall: part of the time for which what makes them may wait.
        jobs: the same for all engines.
    """

    job: Ranking
    score_bits: int
    rate: float
    stall: float
    jobs: tuple[Batch, ...]

    @property
    def budget(self) -> float:
        """Cycles in which the scores of a job are made."""
        return self.job.n / self.rate


@dataclass(frozen=True)
class Balance:
    """An engine under a demand.

    Attributes:
        interval: cycles from a job to the next: what the engine takes, or the budget if that is more.
        stall: part of the time for which what makes the scores waits.
        engines: engines that keep up together, taking jobs in turn; no time is lost between them.
        p99, worst: cycles of SELECT that 99 jobs in 100, and all jobs, do not exceed.
    """

    engine: str
    params: Any
    interval: float
    stall: float
    engines: int
    p99: float
    worst: int
    parts: Parts


def demand(job: Ranking, score_bits: int, rate: float, stall: float = STALL, samples: int = SAMPLES) -> Demand:
    """A demand with jobs drawn from a fixed seed.

    Raises:
        AccelsimError: a rate or a stall out of range, fewer than two samples or too many, scores that so few bits do
            not hold.
    """
    if not 0 < rate <= MOST_LANES:
        raise AccelsimError(f'rate: must be above 0 and at most {MOST_LANES}, got "{rate:g}"')
    if not 0 <= stall < 1:
        raise AccelsimError(f'stall: must be from 0 to below 1, got "{stall:g}"')
    if samples < 2:
        raise AccelsimError(f'samples: must be at least 2, got "{samples}"')
    if samples * job.n > MOST_HELD:
        raise AccelsimError(f"samples: {samples} jobs of {job.n} scores are more than {MOST_HELD} scores")
    return Demand(job, score_bits, rate, stall, tuple(drawn_jobs(job, score_bits, samples, SEED)))


def balance(engine: Engine, params: Any, asked: Demand) -> Balance:
    """An engine under a demand. Its input is as wide as the rate, so that FILL alone is never too long."""
    wide = replace(params, input_lanes=ceil(asked.rate), score_bits=asked.score_bits)
    found = _counted(engine, replace(wide, overlap="none"), asked)
    alone = interval(sampled_spans(engine, wide, asked.job, found), wide.overlap)
    longer = max(alone, asked.budget)
    return Balance(
        engine=engine.name,
        params=wide,
        interval=longer,
        stall=1 - asked.budget / longer,
        engines=ceil(round(longer / asked.budget, 9)),
        p99=mean_and_quantiles(found[:, CYCLES])["p99"],
        worst=engine.worst(wide, asked.job),
        parts=parts_of(wide, asked.job),
    )


@lru_cache(maxsize=1 << 10)
def _counted(engine: Engine, params: Any, asked: Demand) -> Integers:
    """What jobs take in SELECT, for which it does not matter what runs beside it."""
    return taken(engine, params, asked.job, asked.jobs)


def lanes_needed(engine: Engine, params: Any, asked: Demand) -> Balance | None:
    """The engine with the fewest lanes, a power of two, that keeps up; none if it does not however many it has.

    More lanes than scores are of no use, and an engine that selects while scores enter sees no more than come at once.
    """
    most = ceil(asked.rate) if engine.streams else 2 * asked.job.n - 1
    for lanes in LANES:
        if lanes <= most:
            found = balance(engine, replace(params, lanes=lanes), asked)
            if found.stall <= asked.stall:
                return found
    return None


def variants(engine: Engine) -> Iterator[Any]:
    """The design space of an engine but for its lanes: what runs beside the job before, and how it finds digits."""
    plain = engine.params()
    names: dict[str, Sequence[object]] = {"overlap": OVERLAPS}
    options = {"digit_bits": DIGITS, "compaction": SWITCH, "first_digit": ("select", "fill")}
    known = {field.name for field in fields(plain)}
    names |= {name: values for name, values in options.items() if name in known}
    for values in product(*names.values()):
        yield replace(plain, **dict(zip(names, values, strict=True)))


def design_space(asked: Demand) -> dict[str, Balance | None]:
    """Of each engine the variant that keeps up with the least logic; none where none does."""
    return {
        engine.name: cheapest([found for params in variants(engine) if (found := lanes_needed(engine, params, asked))])
        for engine in ENGINES.values()
    }


def cheapest(options: Sequence[Balance]) -> Balance | None:
    """The one with the least logic, then with the least memory; none of none."""
    return min(options, key=lambda option: (option.parts.logic, option.parts.memory), default=None)
