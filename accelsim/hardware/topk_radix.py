"""The radix engine: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.topk import TopkJob, directed, drawn, kept_streams, streams_of
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.timing import Timing
from accelsim.units.topk.digits import RadixParams
from accelsim.units.topk.radix_edges import RadixRegisters, radix_edges
from rtl.bench import UnitUnderTest
from rtl.sim.case import Job, Streams
from rtl.topk.radix import RadixForm, RadixSelect, RadixSetup

Rng = np.random.Generator
WORDS = ("first_digit", "early_exit")


def build(setup: RadixSetup) -> RadixSelect:
    return RadixSelect(setup)


def params_of(setup: RadixSetup) -> RadixParams:
    """The same as the timing function takes them."""
    form, radix = setup.form, setup.radix
    params = RadixParams(
        lanes=form.lanes,
        input_lanes=form.input_lanes,
        score_bits=form.score_bits,
        digit_bits=radix.digit_bits,
        first_digit=radix.first_digit,
        early_exit=radix.early_exit,
    )
    return RadixRegisters(**vars(setup.stages), **vars(setup.filter)).of(params)


def shape(setup: RadixSetup, rng: Rng) -> TopkJob:
    return drawn(setup.form, rng)


def inputs(setup: RadixSetup, job: TopkJob, rng: Rng) -> Streams:
    return streams_of(setup.form, job, rng)


def corners(setup: RadixSetup, rng: Rng) -> Iterator[tuple[TopkJob, Streams]]:
    for job in directed(setup.form, rng):
        yield job, streams_of(setup.form, job, rng)


def golden(setup: RadixSetup, job: TopkJob, streams: Streams) -> Streams:
    return kept_streams(setup.form, streams)


def edges(setup: RadixSetup, job: TopkJob) -> Timing:
    return times(setup, [job])[0]


def times(setup: RadixSetup, jobs: Sequence[TopkJob]) -> list[Timing]:
    """Edges of jobs one behind another."""
    return radix_edges(params_of(setup), [(job.scores, job.k) for job in jobs])


def chained(setup: RadixSetup, shapes: Sequence[TopkJob], jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Each job's edges beside those of the others: it may wait for FILTER of the one before."""
    return tuple(
        replace(job, first=time.first, last=time.last, busy=time.busy)
        for job, time in zip(jobs, times(setup, shapes), strict=True)
    )


def read(values: Mapping[str, object]) -> RadixSetup:
    """Parameters by name: those of `TopkForm`, `RadixForm` and of both stages. AccelsimError for what cannot be."""
    words: dict[str, Any] = {name: values[name] for name in WORDS if name in values}
    numbers = {name: value for name, value in values.items() if name not in WORDS}
    setup: RadixSetup = from_plain(RadixSetup(radix=RadixForm(**words)), numbers)
    return setup


NO_STAGES = dict.fromkeys(
    ("read_stages", "match_stages", "sum_stages", "find_stages", "compare_stages", "close_stages"), 0
)
CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "early": {"first_digit": "fill", "early_exit": "yes", "sum_stages": 1},
    "bare": {
        **{"score_bits": 5, "index_bits": 3, "input_lanes": 2, "lanes": 2, "most": 13, "tag_bits": 1},
        **{"digit_bits": 2, "first_digit": "fill", **NO_STAGES},
    },
    "one-pass": {
        **{"score_bits": 3, "index_bits": 1, "input_lanes": 1, "lanes": 4, "most": 7, "digit_bits": 3},
        **{"early_exit": "yes", "read_stages": 0, "sum_stages": 2, "close_stages": 0, "compare_stages": 2},
    },
    "bit-serial": {
        **{"score_bits": 7, "input_lanes": 1, "lanes": 1, "most": 9, "digit_bits": 1, "early_exit": "yes"},
        **{"read_stages": 2, "match_stages": 0, "find_stages": 2, "compare_stages": 0},
    },
    "short": {"score_bits": 4, "input_lanes": 4, "lanes": 4, "most": 6, "first_digit": "fill", **NO_STAGES},
}
LARGE: Mapping[str, Mapping[str, object]] = {
    "full": {"input_lanes": 8, "lanes": 16, "most": 1024, "index_bits": 10},
}

UNIT = HardwareUnit(
    name="topk-radix",
    under_test=UnitUnderTest("topk_radix", build, shape, inputs, golden, edges, corners=corners, chained=chained),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
