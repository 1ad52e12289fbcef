"""The exp unit: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import TILED
from accelsim.golden.exp import ExpUnit, exponential
from accelsim.golden.fixed import Codes, Flags
from accelsim.hardware.draw import codes, ends, few_or_many
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.exp import Elements, ExpParams, timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.exp import Exp, ExpStages, exp_input, exp_output
from rtl.sim.case import Streams

Rng = np.random.Generator
MOST_BEATS = 40
MOST_CORNERS = 1024  # numbers
FIRST = 64  # of the smallest and of the largest numbers


@dataclass(frozen=True)
class ExpSetup:
    """Parameters of the unit."""

    source: FixedFormat = TILED.p_unit.source
    target: FixedFormat = TILED.p
    segments: int = 64
    lanes: int = 1
    stages: ExpStages = field(default_factory=ExpStages)


def build(setup: ExpSetup) -> Exp:
    return Exp(setup.source, setup.target, setup.segments, setup.lanes, setup.stages)


def shape(setup: ExpSetup, rng: Rng) -> Elements:
    return Elements(few_or_many(MOST_BEATS * setup.lanes, rng))


def inputs(setup: ExpSetup, job: Elements, rng: Rng) -> Streams:
    """Numbers of any size, of any place in their range, or at its ends; lanes that are masked here and there."""
    beats = -(-job.elements // setup.lanes)
    size = beats * setup.lanes
    octaves = np.minimum((2 ** rng.uniform(0, setup.source.width, size)).astype(np.int64), setup.source.highest)
    kinds = (octaves, codes(setup.source, (size,), rng), ends(setup.source, (size,), rng))
    x = kinds[int(rng.choice(len(kinds), p=(0.7, 0.2, 0.1)))]
    return vector(setup, x, (np.arange(size) < job.elements) & (rng.random(size) < rng.choice([0.5, 1.0])))


def vector(setup: ExpSetup, x: Codes, valid: Flags) -> Streams:
    """A vector as the stream carries it: `x` and `valid` of whole beats."""
    beats = len(x) // setup.lanes
    grid, flags = x.reshape(beats, setup.lanes), flag_bits(valid.reshape(beats, setup.lanes))
    return {"i": pack(exp_input(setup.source, setup.lanes), {"x": grid, "valid": flags, "last": last_of(beats)})}


def corners(setup: ExpSetup, rng: Rng) -> Iterator[tuple[Elements, Streams]]:
    """Every number of a small source; of a large one those about the ends of segments and of octaves, and some more."""
    source, unit = setup.source, ExpUnit(setup.source, setup.target, setup.segments)
    starts = np.arange((unit.working + 2) * setup.segments) / setup.segments
    near = np.floor(starts * np.log(2) * 2.0**source.fraction).astype(np.int64)
    known = np.unique(np.concatenate([near - 1, near, near + 1, np.arange(FIRST), source.highest - np.arange(FIRST)]))
    every = known[(known >= 0) & (known <= source.highest)]
    some = np.sort(rng.choice(every, MOST_CORNERS, replace=False)) if len(every) > MOST_CORNERS else every
    x = np.arange(source.highest + 1) if source.highest < MOST_CORNERS else some
    whole = np.pad(x, (0, -len(x) % setup.lanes))
    yield Elements(len(x)), vector(setup, whole, np.arange(len(whole)) < len(x))


def golden(setup: ExpSetup, job: Elements, streams: Streams) -> Streams:
    found = unpack(exp_input(setup.source, setup.lanes), streams["i"])
    unit = ExpUnit(setup.source, setup.target, setup.segments)
    y = exponential(unit, found["x"]) * flags_of(found["valid"], setup.lanes)
    fields = {"y": y, "valid": found["valid"], "last": found["last"]}
    return {"o": pack(exp_output(setup.target, setup.lanes), fields)}


def flag_bits(flags: Flags) -> Codes:
    """Flags [beats, lanes] as one number per beat, lane 0 lowest."""
    found: Codes = flags.astype(np.int64) @ (1 << np.arange(flags.shape[1]))
    return found


def flags_of(numbers: Codes, lanes: int) -> Flags:
    """The inverse of `flag_bits`."""
    found: Flags = (numbers[:, None] >> np.arange(lanes)) & 1 != 0
    return found


def last_of(beats: int) -> Codes:
    """1 at the last of so many beats."""
    found: Codes = (np.arange(beats) == beats - 1).astype(np.int64)
    return found


def read(values: Mapping[str, object]) -> ExpSetup:
    """Parameters by name: source, target, segments, lanes and the stages. AccelsimError for what cannot be built."""
    setup = from_plain(ExpSetup(), values)
    build(setup)
    ExpUnit(setup.source, setup.target, setup.segments)
    return setup


CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "lanes": {"lanes": 4, "segments": 16},
    "factors": {"lanes": 2, "target": "u25.24", "segments": 128, "horner_stages": 2},
    "coarse": {"source": "u9.4", "target": "s9.8", "segments": 4, "range_stages": 0, "shift_stages": 2},
    "short": {"source": "u12.8", "target": "u9.8", "lookup_stages": 0, "horner_stages": 0, "shift_stages": 0},
    "whole": {"source": "u6", "target": "s20.15", "lanes": 3, "segments": 32, "lookup_stages": 0},
}
LARGE: Mapping[str, Mapping[str, object]] = {"wide": {"lanes": 16, "target": "u25.24"}}

UNIT = HardwareUnit(
    name="exp",
    under_test=UnitUnderTest(
        "exp",
        build,
        shape,
        inputs,
        golden,
        lambda setup, job: timing(ExpParams(setup.lanes, 1, "pipelined", **asdict(setup.stages)), job),
        rigid=True,
        corners=corners,
    ),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
