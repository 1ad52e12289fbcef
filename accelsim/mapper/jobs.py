"""The searches of a workload, one form of one shape each: here while that is quick, then in processes, in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import monotonic, perf_counter

from accelsim.arch import Arch
from accelsim.errors import AccelsimError
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found, best_mappings, floor_of
from accelsim.pool import Crashed, run_local
from accelsim.workload import Step

PATIENCE_S = 2.0  # a process takes about a second until it can search


@dataclass(frozen=True)
class Job:
    """What to search.

    Attributes:
        until: on the clock of `time.monotonic`, when all jobs should have ended.
        turns: how many jobs one after the other have to share the time that is left.
    """

    arch: Arch
    step: Step
    limits: Limits
    goal: int
    until: float
    turns: int


@dataclass(frozen=True)
class Answer:
    """What was found, and how.

    Attributes:
        search_seconds: of wall clock.
        floor: seconds and energy in pJ that every mapping of the step takes at least.
    """

    found: tuple[Found, ...]
    tally: Tally
    search_seconds: float
    floor: tuple[float, float]


@dataclass(frozen=True)
class Effort:
    """What a search may take.

    Attributes:
        seconds: after which what is best by then is taken; a first mapping is always waited for.
        workers: processes that search different forms and shapes, once that takes long. A script that asks for more
            than one needs `if __name__ == "__main__":`.
        watch: told how far the searches are.
    """

    seconds: float = inf
    workers: int = 1
    watch: Callable[[str], None] | None = None


def search(job: Job, watch: Callable[[Tally], None] | None = None) -> Answer:
    """The best mappings of one form of one shape."""
    start, now = perf_counter(), monotonic()
    tally = Tally(until=now + max(0.0, job.until - now) / job.turns, watch=watch)
    problem = Problem(job.arch, job.step)
    found = tuple(best_mappings(problem, job.limits, tally, job.goal))
    return Answer(found, replace(tally, watch=None), perf_counter() - start, floor_of(problem, job.limits))


def answers(jobs: Sequence[Job], effort: Effort) -> list[Answer]:
    """The answer of every job; the same whatever the number of workers, unless time is up before the end.

    Raises:
        AccelsimError: a process that died.
    """
    start, found = monotonic(), dict[int, Answer]()
    rest, workers, watch = list(enumerate(jobs)), effort.workers, effort.watch or (lambda said: None)
    while rest and (workers == 1 or len(rest) == 1 or monotonic() - start < PATIENCE_S):
        at, job = rest.pop(0)
        shown = partial(_show, watch, f"search {at + 1} of {len(jobs)}", start)
        found[at] = search(replace(job, turns=-(-(len(rest) + 1) // workers)), shown)
    for at, answer in _together(rest, min(workers, len(rest))):
        found[at] = answer
        watch(f"{len(found)} of {len(jobs)} searches, {monotonic() - start:.0f} s")
    return [found[at] for at in range(len(jobs))]


def _together(rest: Sequence[tuple[int, Job]], workers: int) -> Iterator[tuple[int, Answer]]:
    """The jobs that are left, in processes."""
    if not rest:
        return
    jobs = [replace(job, turns=-(-(len(rest) - at) // workers)) for at, (_, job) in enumerate(rest)]
    for at, answer in run_local(search, jobs, workers):
        if isinstance(answer, Crashed):
            raise AccelsimError("a process that searched for mappings died; with one worker there is none")
        yield rest[at][0], answer


def _show(watch: Callable[[str], None], what: str, start: float, tally: Tally) -> None:
    watch(f"{what}: {tally.schemes:,} loop orders and assignments, {monotonic() - start:.0f} s")
