"""The quick-select engine: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.topk import TopkJob, directed, drawn, kept_streams, streams_of
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.timing import Timing
from accelsim.units.topk import quick
from accelsim.units.topk import quick_edges as timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.block import check_choice
from rtl.sim.case import Beats, Job, Streams
from rtl.topk import TopkForm, scores_layout
from rtl.topk.form import TopkStages
from rtl.topk.quick import PIVOTS, Pivots, QuickSelect

Rng = np.random.Generator
FEW = 100  # candidates whose pivots may be the worst: then there are as many passes
WORST = 0.3  # share of jobs of so few candidates that have them


@dataclass(frozen=True)
class QuickSetup:
    """Parameters of the unit; `pivots`: `sampled` in the engine, or from a `stream`."""

    form: TopkForm = field(default_factory=TopkForm)
    stages: TopkStages = field(default_factory=TopkStages)
    pivots: Pivots = "sampled"

    def __post_init__(self) -> None:
        check_choice("pivots", self.pivots, PIVOTS)


@dataclass(frozen=True)
class QuickJob:
    """A job, and of each pass the pivot where it comes from outside."""

    job: TopkJob
    pivots: tuple[int, ...] = ()


def build(setup: QuickSetup) -> QuickSelect:
    return QuickSelect(setup.form, setup.stages, setup.pivots)


def params_of(setup: QuickSetup) -> quick.QuickParams:
    """The same as the timing function takes them."""
    form = setup.form
    plain = quick.QuickParams(lanes=form.lanes, input_lanes=form.input_lanes, score_bits=form.score_bits)
    return timing.Registers(**vars(setup.stages)).of(plain)


def shape(setup: QuickSetup, rng: Rng) -> QuickJob:
    return with_pivots(setup, drawn(setup.form, rng), rng)


def with_pivots(setup: QuickSetup, job: TopkJob, rng: Rng) -> QuickJob:
    """A job with its pivots, if they come from outside: mostly any candidate, or the smallest, the largest, or both."""
    if setup.pivots == "sampled":
        return QuickJob(job)

    def anyone(candidates: Sequence[int]) -> int:
        return candidates[int(rng.integers(len(candidates)))]

    def one_end(candidates: Sequence[int]) -> int:
        return max(candidates) if rng.integers(2) else min(candidates)

    ends: tuple[quick.Choose, ...] = (min, max, one_end)
    worst = job.n <= FEW and rng.random() < WORST
    return QuickJob(job, pivots_by(setup, job, ends[int(rng.integers(len(ends)))] if worst else anyone))


def pivots_by(setup: QuickSetup, job: TopkJob, choose: quick.Choose) -> tuple[int, ...]:
    """The pivots of all passes of a job, as `choose` picks them."""
    found: list[int] = []

    def noted(candidates: Sequence[int]) -> int:
        found.append(choose(candidates))
        return found[-1]

    quick.select(params_of(setup), job.scores, job.k, noted)
    return tuple(found)


def inputs(setup: QuickSetup, given: QuickJob, rng: Rng) -> Streams:
    """The streams of a job."""
    streams = streams_of(setup.form, given.job, rng)
    return streams if setup.pivots == "sampled" else {**streams, "pivot": given.pivots}


def golden(setup: QuickSetup, given: QuickJob, streams: Streams) -> Streams:
    return kept_streams(setup.form, streams)


def edges(setup: QuickSetup, given: QuickJob) -> Timing:
    return edges_of(setup, [given])[0]


def edges_of(setup: QuickSetup, jobs: Sequence[QuickJob]) -> list[Timing]:
    """Of jobs after a reset, one behind another; pivots are drawn on from one to the next."""
    drawn_by = quick.drawn(timing.draws())
    known = [quick.traced(each.pivots) if setup.pivots == "stream" else drawn_by for each in jobs]
    return timing.quick_edges(
        params_of(setup),
        [timing.QuickJob(each.job.scores, each.job.k, choose) for each, choose in zip(jobs, known, strict=True)],
    )


def corners(setup: QuickSetup, rng: Rng) -> Iterator[tuple[QuickJob, Streams]]:
    """Directed jobs, each with pivots of some kind, and those whose lanes that are not used carry their first pivot."""
    for job in directed(setup.form, rng):
        given = with_pivots(setup, job, rng)
        streams = inputs(setup, given, rng)
        yield given, streams
        if given.pivots and job.n % setup.form.input_lanes:
            yield given, {**streams, "scores": beside(setup, streams["scores"], given.pivots[0])}


def beside(setup: QuickSetup, beats: Beats, score: int) -> Beats:
    """The beats of a job with this score in all lanes that are not used."""
    layout = scores_layout(setup.form)
    fields = unpack(layout, beats)
    used = np.arange(setup.form.input_lanes) < fields["count"][:, None]
    return pack(layout, {**fields, "score": np.where(used, fields["score"], score)})


def chained(setup: QuickSetup, shapes: Sequence[QuickJob], jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Each job's edges beside those of the others: FILTER of the one before runs on, and pivots are drawn on."""
    times = edges_of(setup, shapes)
    return tuple(
        replace(job, first=time.first, last=time.last, busy=time.busy) for job, time in zip(jobs, times, strict=True)
    )


def read(values: Mapping[str, object]) -> QuickSetup:
    """Parameters by name: those of `TopkForm` and `TopkStages`, and `pivots`. AccelsimError for what cannot be."""
    numbers = {name: value for name, value in values.items() if name != "pivots"}
    base: Any = QuickSetup(pivots=str(values["pivots"])) if "pivots" in values else QuickSetup()  # type: ignore[arg-type]
    setup: QuickSetup = from_plain(base, numbers)
    return setup


NO_STAGES = {"compare_stages": 0, "close_stages": 0}
CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "traced": {"pivots": "stream"},
    "equal-lanes": {"pivots": "stream", "input_lanes": 4, "lanes": 4, "most": 30, "score_bits": 5, **NO_STAGES},
    "single": {"pivots": "stream", "input_lanes": 1, "lanes": 1, "most": 20, "score_bits": 4, "close_stages": 0},
    "wide": {"input_lanes": 2, "lanes": 8, "most": 50, "score_bits": 20, "index_bits": 7, "compare_stages": 2},
}
LARGE: Mapping[str, Mapping[str, object]] = {
    "full": {"input_lanes": 8, "lanes": 16, "most": 1024, "index_bits": 10},
}

UNIT = HardwareUnit(
    name="topk-quick",
    under_test=UnitUnderTest("topk_quick", build, shape, inputs, golden, edges, corners=corners, chained=chained),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
