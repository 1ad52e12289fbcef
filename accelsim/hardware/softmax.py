"""The vector unit with online softmax: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.softmax import SoftmaxUnit, softmax
from accelsim.hardware.attention import formats_of, mask
from accelsim.hardware.exp import flag_bits, flags_of, last_of
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.softmax import Scores, SoftmaxParams, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.sim.case import Streams
from rtl.softmax import Softmax, SoftmaxStages, scores_layout, softmax_layout

Rng = np.random.Generator
MOST_BEATS = 40
SPREADS = (0.1, 2.0, 60.0)  # of scores: all alike, as in practice, and one far above the rest


@dataclass(frozen=True)
class SoftmaxSetup:
    """Parameters of the unit."""

    length: int = 4096
    tile: int = 16
    lanes: int = 4
    formats: AttentionFormats = TILED
    stages: SoftmaxStages = field(default_factory=SoftmaxStages)


def build(setup: SoftmaxSetup) -> Softmax:
    return Softmax(formats_of(setup.formats), setup.length, setup.tile, setup.lanes, setup.stages)


def shape(setup: SoftmaxSetup, rng: Rng) -> Scores:
    return Scores(int(rng.integers(1, min(MOST_BEATS * setup.lanes, setup.length) + 1)))


def inputs(setup: SoftmaxSetup, job: Scores, rng: Rng) -> Streams:
    """Scores of some spread that drift up or down, with masks of several kinds; noise in lanes past the last key."""
    lanes, form = setup.lanes, setup.formats.scores
    beats = -(-job.keys // lanes)
    steps = rng.normal(0, rng.choice(SPREADS), beats * lanes) + np.arange(beats * lanes) * rng.normal(0, 0.3)
    scores = np.clip((steps * 2**form.fraction).astype(np.int64), form.lowest, form.highest)
    valid = np.zeros(beats * lanes, np.bool_)
    valid[: job.keys] = mask(job.keys, rng)
    fields = {"scores": scores.reshape(beats, lanes), "valid": flag_bits(valid.reshape(beats, lanes))}
    return {"i": pack(scores_layout(formats_of(setup.formats), lanes), {**fields, "last": last_of(beats)})}


def golden(setup: SoftmaxSetup, job: Scores, streams: Streams) -> Streams:
    formats, lanes, beats = setup.formats, setup.lanes, setup.tile // setup.lanes
    given = unpack(scores_layout(formats_of(formats), lanes), streams["i"])
    scores, valid = given["scores"].reshape(1, -1), flags_of(given["valid"], lanes).reshape(1, -1)
    found = softmax(SoftmaxUnit(scores.size, setup.tile, lanes, formats), scores, valid)
    ends = np.arange(found.p.size // lanes) % beats == beats - 1
    seen = np.logical_or.accumulate((found.p != 0).any(axis=2)[0])
    after = found.denominator[0].repeat(beats)
    before = np.append(0, found.denominator[0, :-1]).repeat(beats)
    fields = {
        "p": found.p.reshape(-1, lanes),
        "old": found.old[0].repeat(beats),
        "new": found.new[0].repeat(beats),
        "denominator": np.where(ends, after, before),
        "empty": ~seen.repeat(beats),
        "tile_last": ends,
        "row_last": last_of(len(ends)),
    }
    return {"o": pack(softmax_layout(formats_of(formats), lanes), fields)}


def edges(setup: SoftmaxSetup, job: Scores) -> Timing:
    stages = {name: int(str(value)) for name, value in to_plain(setup.stages).items()}
    return timing(SoftmaxParams(setup.tile, setup.lanes, **stages), job)


def read(values: Mapping[str, object]) -> SoftmaxSetup:
    """Parameters by name: length, tile, lanes, formats, segments and stages. AccelsimError for what cannot be."""
    setup = from_plain(SoftmaxSetup(), values)
    build(setup)
    SoftmaxUnit(setup.length, setup.tile, setup.lanes, setup.formats)
    return setup


CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "scalar": {"lanes": 1, "tile": 8, "segments": 16},
    "beat": {"lanes": 2, "tile": 2, "maximum_stages": 0, "sum_stages": 0},
    "key": {"lanes": 1, "tile": 1, "p": "u25.24", **dict.fromkeys(("denominator", "accumulator"), "s48.24")},
    "odd": {
        "lanes": 3,
        "tile": 15,
        "length": 500,
        "scores": "s12.6",
        "p": "u9.8",
        "factors": "u13.12",
        **dict.fromkeys(("denominator", "accumulator"), "s24.12"),
        "segments": 4,
        "difference_stages": 0,
        "maximum_stages": 2,
        "sum_stages": 2,
    },
}
LARGE: Mapping[str, Mapping[str, object]] = {"wide": {"lanes": 16, "tile": 64}}

UNIT = HardwareUnit(
    name="softmax",
    under_test=UnitUnderTest("softmax", build, shape, inputs, golden, edges, rigid=True),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
