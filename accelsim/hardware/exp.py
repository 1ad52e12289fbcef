"""The exp unit: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.attention_formats import TILED
from accelsim.golden.exp import ExpUnit, exponential
from accelsim.golden.fixed import Codes, Flags
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.exp import Elements, ExpParams, timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.exp import Exp, ExpStages, exp_input, exp_output
from rtl.sim.case import Streams

Rng = np.random.Generator
MOST_BEATS = 40


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
    return Elements(int(rng.integers(1, MOST_BEATS * setup.lanes + 1)))


def inputs(setup: ExpSetup, job: Elements, rng: Rng) -> Streams:
    """Numbers of any size, most of them small; lanes that are masked here and there, and those past the end."""
    lanes = setup.lanes
    beats = -(-job.elements // lanes)
    octaves = rng.uniform(0, setup.source.width, (beats, lanes))
    x = np.minimum((2**octaves).astype(np.int64) - rng.integers(0, 2, (beats, lanes)), setup.source.highest)
    used = np.arange(beats * lanes).reshape(beats, lanes) < job.elements
    valid = used & (rng.random((beats, lanes)) < rng.choice([0.5, 1.0]))
    return {"i": pack(exp_input(setup.source, lanes), {"x": x, "valid": flag_bits(valid), "last": last_of(beats)})}


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
    ),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
