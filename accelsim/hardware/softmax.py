"""The vector unit with online softmax: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.fixed import Codes, Flags
from accelsim.golden.softmax import SoftmaxUnit, softmax
from accelsim.hardware.attention import formats_of
from accelsim.hardware.draw import few_or_many, mask, scores
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
LONGEST_CORNER = 1024  # keys of the row that fills the sums as far as it takes no time


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
    return Scores(few_or_many(min(MOST_BEATS * setup.lanes, setup.length), rng))


def inputs(setup: SoftmaxSetup, job: Scores, rng: Rng) -> Streams:
    """Scores and masks of some kind, also in lanes past the last key, where they mean nothing."""
    keys = -(-job.keys // setup.lanes) * setup.lanes
    return row(setup, scores(setup.formats.scores, keys, rng), mask(job.keys, rng))


def row(setup: SoftmaxSetup, codes: Codes, valid: Flags) -> Streams:
    """A row as the stream carries it: `codes` of whole beats, `valid` of its keys."""
    lanes, beats = setup.lanes, len(codes) // setup.lanes
    flags = np.zeros(len(codes), np.bool_)
    flags[: len(valid)] = valid
    fields = {"scores": codes.reshape(beats, lanes), "valid": flag_bits(flags.reshape(beats, lanes))}
    return {"i": pack(scores_layout(formats_of(setup.formats), lanes), {**fields, "last": last_of(beats)})}


def corners(setup: SoftmaxSetup, rng: Rng) -> Iterator[tuple[Scores, Streams]]:
    """Sums as large as they become; rows without a key before rows with keys; ramps by one code; lone and lowest keys.

    Keys that are masked have the highest score.
    """
    form, most = setup.formats.scores, min(setup.length, 3 * setup.tile + 1)
    low, high, each = form.lowest, form.highest, np.arange(most)
    kinds: list[tuple[Codes, Flags]] = [
        (np.full(min(setup.length, LONGEST_CORNER), low), np.full(min(setup.length, LONGEST_CORNER), fill_value=True)),
        (np.full(most, high), each < 0),
        (np.full(most, low), each >= 0),
        (np.full(1, high), each[:1] < 0),
        (np.full(1, low), each[:1] >= 0),
        (np.where(each > most // 2, low, high), each > most // 2),
        (np.where(each == most - 1, low, high), each == most - 1),
        (np.where(each % 2, low, high), each > 0),
        (np.maximum(high - most, low) + np.minimum(each, high - low), each >= 0),
        (np.minimum(low + most, high) - np.minimum(each, high - low), each >= 0),
    ]
    for codes, valid in kinds:
        spare = -len(codes) % setup.lanes
        yield Scores(len(codes)), row(setup, np.clip(np.pad(codes, (0, spare), constant_values=high), low, high), valid)


def golden(setup: SoftmaxSetup, job: Scores, streams: Streams) -> Streams:
    formats, lanes, beats = setup.formats, setup.lanes, setup.tile // setup.lanes
    given = unpack(scores_layout(formats_of(formats), lanes), streams["i"])
    codes, valid = given["scores"].reshape(1, -1), flags_of(given["valid"], lanes).reshape(1, -1)
    unit = SoftmaxUnit(setup.length, setup.tile, lanes, formats)
    found = softmax(unit, codes[:, : job.keys], valid[:, : job.keys])
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
        "length": 120,
        "scores": "s12.6",
        "p": "u9.8",
        "factors": "u13.12",
        **dict.fromkeys(("denominator", "accumulator"), "s20.12"),
        "segments": 4,
        "difference_stages": 0,
        "maximum_stages": 2,
        "sum_stages": 2,
    },
}
LARGE: Mapping[str, Mapping[str, object]] = {"wide": {"lanes": 16, "tile": 64}}

UNIT = HardwareUnit(
    name="softmax",
    under_test=UnitUnderTest("softmax", build, shape, inputs, golden, edges, rigid=True, corners=corners),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
