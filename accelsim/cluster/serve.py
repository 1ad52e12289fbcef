"""Continuous batching: requests come and go, and every stage gives each running one a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from accelsim.cluster.capacity import room
from accelsim.cluster.model import Model, System
from accelsim.cluster.part import Batch
from accelsim.cluster.step import StepCost, step_costs
from accelsim.cluster.units import add_up
from accelsim.errors import AccelsimError

FINENESS = 32  # lengths are rounded to a 32nd, so that stages which are nearly equal are costed once


@dataclass(frozen=True)
class Traffic:
    """What users ask for.

    Attributes:
        sequences: that may run at once.
        prompt, output: tokens of a request on average.
        spread: standard deviation of both, as a part of the average (Gaussian, at least 1 token).
        per_s: requests that come in a second, at random (Poisson); None: a new one whenever one has ended.
        requests: that are answered in the measurement, which begins when as many as may run at once have ended.
    """

    sequences: int
    prompt: int
    output: int
    spread: float
    per_s: float | None
    requests: int
    seed: int


@dataclass(frozen=True)
class Served:
    """What they got: every token's wait since the one before it, and each request's to its first and to its last.

    Attributes:
        sequences: that could run at once.
    """

    sequences: int
    seconds: float
    tokens: int
    between_tokens_s: Sequence[float]
    first_token_s: Sequence[float]
    whole_s: Sequence[float]
    mixed_stages: int
    stages: int
    energy_by: Mapping[str, float]

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds

    @property
    def energy_pj_per_token(self) -> float:
        return sum(self.energy_by.values()) / self.tokens


@dataclass
class _Request:
    """One that waits or runs; it changes as it runs. One that ran from the start on has no beginning to count from."""

    arrival_s: float
    prompt: int
    output: int
    done: int = 0
    from_start: bool = False


@dataclass
class _Log:
    """What is measured, once the measurement has begun."""

    between: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    energy: Mapping[str, float] = field(default_factory=dict)
    tokens: int = 0
    stages: int = 0
    mixed: int = 0


def serve(system: System, model: Model, traffic: Traffic) -> Served:
    """Answer requests stage by stage: a stage takes in the prompts of the new ones and gives all others a token.

    No more run at once than there is memory for, counted with whole answers.

    Source: Duplex (MICRO 2024), sections II-B and VI (continuous batching, closed loop).

    Raises:
        AccelsimError: no sequences or requests, lengths below 1, a spread or a rate that is none, or no room for a
            single request.
    """
    _check(traffic)
    places = min(traffic.sequences, _room(system, model, traffic))
    traffic = replace(traffic, sequences=places)
    cost_of = step_costs(system, model)
    source = _Source(traffic)
    running: list[_Request] = source.warm()
    now, ended, log, began = 0.0, 0, _Log(), 0.0
    while len(log.whole) < traffic.requests:
        fresh = source.arrived(now, places - len(running))
        if not running and not fresh:
            now = source.next_s()
            continue
        batch = _rounded(running, fresh)
        cost = cost_of(batch)
        now += cost.seconds
        _record(log, cost, running, fresh, now)
        running = [request for request in (*running, *fresh) if request.done < request.output]
        if ended < places:
            log, began = _Log(), now
        ended += batch.sequences + batch.prompts - len(running)
    return Served(places, now - began, log.tokens, log.between, log.first, log.whole, log.mixed, log.stages, log.energy)


def _check(traffic: Traffic) -> None:
    if min(traffic.sequences, traffic.prompt, traffic.output, traffic.requests) < 1:
        raise AccelsimError("sequences, prompt, output and requests must be at least 1")
    if not 0 <= traffic.spread < 1 or (traffic.per_s is not None and traffic.per_s <= 0):
        raise AccelsimError("spread must be from 0 to below 1, per_s above 0")


def _room(system: System, model: Model, traffic: Traffic) -> int:
    found = room(system, model, traffic.prompt + traffic.output)
    if found.most < 1:
        needed, there = ((found.weights + found.cache) / 2**30, found.capacity / 2**30)
        raise AccelsimError(
            f"{model.name} does not fit {system.name}: weights and one request need {needed:.1f} GiB of {there:.1f} GiB"
        )
    return found.most


@dataclass
class _Source:
    """Requests in the order in which they come."""

    traffic: Traffic

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.traffic.seed)
        self.waiting = self._drawn(0.0)

    def warm(self) -> list[_Request]:
        """Of a closed loop: as many as may run, each somewhere in its answer, as long after the start."""
        if self.traffic.per_s is not None:
            return []
        requests = [self._drawn(0.0) for _ in range(self.traffic.sequences)]
        running = [request for request in requests if request.output > 1]
        for request in running:
            request.done = min(int(self.random.integers(1, request.output + 1)), request.output - 1)
            request.from_start = True
        return running

    def arrived(self, now: float, places: int) -> list[_Request]:
        """At most so many requests that have come by now."""
        found: list[_Request] = []
        while len(found) < places and (self.traffic.per_s is None or self.waiting.arrival_s <= now):
            found.append(self.waiting)
            if self.traffic.per_s is None:
                found[-1].arrival_s = now
            self.waiting = self._drawn(self.waiting.arrival_s)
        return found

    def next_s(self) -> float:
        return self.waiting.arrival_s

    def _drawn(self, after_s: float) -> _Request:
        traffic = self.traffic
        prompt, output = (
            max(1, round(self.random.normal(mean, traffic.spread * mean))) for mean in (traffic.prompt, traffic.output)
        )
        gap = 0.0 if traffic.per_s is None else float(self.random.exponential(1 / traffic.per_s))
        return _Request(after_s + gap, prompt, output)


def _rounded(running: Sequence[_Request], fresh: Sequence[_Request]) -> Batch:
    lengths = [request.prompt + request.done for request in running]  # the last token's own key and value included
    length = _round(sum(lengths) / len(lengths)) if lengths else 1
    prompt = _round(sum(request.prompt for request in fresh) / len(fresh)) if fresh else 0
    return Batch(len(running), length, len(fresh), prompt)


def _round(length: float) -> int:
    step = max(1, 1 << (int(length) // FINENESS).bit_length() >> 1)
    return max(1, round(length / step) * step)


def _record(log: _Log, cost: StepCost, running: Sequence[_Request], fresh: Sequence[_Request], now: float) -> None:
    log.stages += 1
    log.mixed += bool(fresh)
    log.tokens += len(running) + len(fresh)
    log.energy = add_up(log.energy, cost.energy_by)
    log.between += [cost.seconds] * len(running)
    log.first += [now - request.arrival_s for request in fresh]
    for request in (*running, *fresh):
        request.done += 1
        if request.done == request.output and not request.from_start:
            log.whole.append(now - request.arrival_s)
