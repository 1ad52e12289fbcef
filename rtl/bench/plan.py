"""The cases that every unit must pass, drawn from one description of the unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from amaranth.lib import wiring

from rtl.bench.device import Device, device
from rtl.sim.case import Beats, Case, Cut, Edges, Job, Streams

P = TypeVar("P")
S = TypeVar("S")
Rng = np.random.Generator
GAPS = (0.0, 0.4, 0.6)
SOAK_BEATS = 100_000
STALLED = ((0.0, 0.4), (0.4, 0.0), (0.4, 0.4), (0.8, 0.8), (0.0, 0.9))  # gaps at inputs and at outputs
RESETS = 3 * ((0.0, 0.0, 0.0), (0.0, 0.6, 0.0), (0.4, 0.4, 0.6))  # gaps before at inputs and outputs, and after
JOBS_BEFORE_RESET = 10
DRAWS = 4  # of shapes, of which a brief job has the shortest
STALLED_OUTPUTS = 48  # of a case with gaps, at least: a fault at one stalled edge in 50 has to be met
MOST_JOBS = 48
CASES = 6 + len(RESETS) + len(STALLED)


@dataclass(frozen=True)
class UnitUnderTest(Generic[P, S]):
    """What a bench must know of a unit: plain functions, so that golden models and timing stay where they are.

    Attributes:
        name: lower case, letters and digits, joined by single underscores.
        build: the component for given parameters.
        shape: a random shape of a job that these parameters allow.
        inputs: random payloads of each input stream for a job of that shape.
        golden: the payloads of each output stream that must come out, from those that go in.
        timing: edges of a job of that shape: `first`, `last`, `busy`.
        rigid: whether the unit stands still as a whole while an output stalls.
        pins: values of inputs that are not streams.
        corners: jobs that chance would hardly draw: shapes and inputs, as `shape` and `inputs` give them.
        chained: jobs of these shapes as they are when offered one behind another, where that differs from each alone.
    """

    name: str
    build: Callable[[P], wiring.Component]
    shape: Callable[[P, Rng], S]
    inputs: Callable[[P, S, Rng], Streams]
    golden: Callable[[P, S, Streams], Streams]
    timing: Callable[[P, S], Edges]
    rigid: bool = False
    pins: Callable[[P], Mapping[str, int]] = lambda params: {}
    corners: Callable[[P, Rng], Iterable[tuple[S, Streams]]] = lambda params, rng: ()
    chained: Callable[[P, Sequence[S], Sequence[Job]], tuple[Job, ...]] = lambda params, shapes, jobs: tuple(jobs)

    def job(self, params: P, shape: S, rng: Rng) -> Job:
        """A job of that shape with random inputs."""
        return self.job_of(params, shape, self.inputs(params, shape, rng))

    def job_of(self, params: P, shape: S, streams: Streams) -> Job:
        """A job of that shape with these inputs."""
        inputs = {name: _beats(beats) for name, beats in streams.items()}
        outputs = {name: _beats(beats) for name, beats in self.golden(params, shape, inputs).items()}
        edges = self.timing(params, shape)
        return Job(inputs, outputs, edges.first, edges.last, edges.busy)

    def jobs(self, params: P, rng: Rng, number: int, *, equal: bool = False) -> tuple[Job, ...]:
        """So many jobs, of one shape or each of its own."""
        shapes = [self.shape(params, rng)] * number if equal else [self.shape(params, rng) for _ in range(number)]
        return self.chained(params, shapes, [self.job(params, shape, rng) for shape in shapes])


def _beats(beats: Sequence[int]) -> Beats:
    return tuple(int(beat) for beat in beats)


def devices_of(unit: UnitUnderTest[P, S], configurations: Sequence[P]) -> list[Device]:
    """A device for each of the configurations: `<unit>_0`, `<unit>_1`, ..."""
    return [device(f"{unit.name}_{place}", unit.build(params)) for place, params in enumerate(configurations)]


def sweep(unit: UnitUnderTest[P, S], configurations: Sequence[P], seed: int) -> list[Case]:
    """The cases of all configurations, whose devices are those of `devices_of`; CASES for each, and one of corners.

    Without gaps, where edges must be exact: a lone job (twice), two and five equal ones back to back, five of mixed
    shapes (twice), the corners of the unit if it has any, and jobs after a reset in mid-stream. With gaps, where bits
    must be the same and nothing early: on one side, on the other, on both, and before and after a reset.
    """
    return [
        case
        for place, params in enumerate(configurations)
        for case in _cases(unit, params, f"{unit.name}_{place}", np.random.default_rng((seed, place)))
    ]


def _cases(unit: UnitUnderTest[P, S], params: P, name: str, rng: Rng) -> Iterator[Case]:
    def case(what: str, jobs: tuple[Job, ...], gap_in: float = 0, gap_out: float = 0, cut: Cut | None = None) -> Case:
        seed = int(rng.integers(1 << 32))
        return Case(f"{name} {what}", name, jobs, gap_in, gap_out, seed, cut, unit.pins(params), unit.rigid)

    for turn in (1, 2):
        yield case(f"lone {turn}", unit.jobs(params, rng, 1))
        yield case(f"mixed {turn}", unit.jobs(params, rng, 5))
    for turn, (gap_in, gap_out, gap_after) in enumerate(RESETS, 1):
        jobs = _with_brief_jobs(unit, turn % 2).jobs(params, rng, JOBS_BEFORE_RESET)
        cut = Cut(jobs, _some_edge(jobs, rng), gap_in, gap_out)
        what = f"after a reset {turn} with gaps {gap_in} {gap_out}"
        yield case(what, unit.jobs(params, rng, 2), gap_after, cut=cut)
    for number in (2, 5):
        yield case(f"{number} equal", unit.jobs(params, rng, number, equal=True))
    for gap_in, gap_out in STALLED:
        yield case(f"gaps {gap_in} {gap_out}", _some_outputs(_with_brief_jobs(unit, 0.5), params, rng), gap_in, gap_out)
    if corners := list(unit.corners(params, rng)):
        alone = [unit.job_of(params, shape, streams) for shape, streams in corners]
        yield case("corners", unit.chained(params, [shape for shape, _ in corners], alone))


def _with_brief_jobs(unit: UnitUnderTest[P, S], share: float) -> UnitUnderTest[P, S]:
    """The same unit with such a share of its jobs short, so that many are on their way at once."""

    def shape(params: P, rng: Rng) -> S:
        drawn = [unit.shape(params, rng) for _ in range(DRAWS if rng.random() < share else 1)]
        return min(drawn, key=lambda each: unit.timing(params, each).busy)

    return replace(unit, shape=shape)


def _some_outputs(unit: UnitUnderTest[P, S], params: P, rng: Rng) -> tuple[Job, ...]:
    """Four jobs, or as many more as give STALLED_OUTPUTS payloads, but at most MOST_JOBS."""
    jobs = unit.jobs(params, rng, 4)
    outputs = sum(len(beats) for job in jobs for beats in job.outputs.values())
    enough = -(-STALLED_OUTPUTS * len(jobs) // outputs)
    return jobs if enough <= len(jobs) else unit.jobs(params, rng, min(enough, MOST_JOBS))


def _some_edge(jobs: tuple[Job, ...], rng: Rng) -> int:
    """An edge, but the first, at which these jobs are under way."""
    return int(rng.integers(1, sum(job.busy for job in jobs[:-1]) + jobs[-1].last + 1))


def soak(unit: UnitUnderTest[P, S], params: P, name: str, seed: int, beats: int = SOAK_BEATS) -> list[Case]:
    """Cases with at least `beats` input payloads in all, for each pair of GAPS the same share, on device `name`."""
    rng = np.random.default_rng(seed)
    pairs = [(gap_in, gap_out) for gap_in in GAPS for gap_out in GAPS]
    share = -(-beats // len(pairs))
    cases = []
    for gap_in, gap_out in pairs:
        jobs = _enough(unit, params, rng, share)
        case_name = f"{name} soak {gap_in} {gap_out}"
        own = int(rng.integers(1 << 32))
        cases.append(Case(case_name, name, jobs, gap_in, gap_out, own, None, unit.pins(params), unit.rigid))
    return cases


def _enough(unit: UnitUnderTest[P, S], params: P, rng: Rng, beats: int) -> tuple[Job, ...]:
    """Jobs of mixed shapes with at least so many input payloads together."""
    shapes: list[S] = []
    jobs: list[Job] = []
    while sum_of(jobs) < beats:
        shapes.append(unit.shape(params, rng))
        jobs.append(unit.job(params, shapes[-1], rng))
    return unit.chained(params, shapes, jobs)


def sum_of(jobs: Sequence[Job]) -> int:
    """Input payloads of all jobs."""
    return sum(len(beats) for job in jobs for beats in job.inputs.values())
