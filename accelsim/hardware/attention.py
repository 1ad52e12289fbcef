"""The attention tile of one key per cycle: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.attention import AttentionUnit, attend
from accelsim.golden.attention_formats import KEYED, AttentionFormats
from accelsim.golden.fixed import Codes, Flags, Scale
from accelsim.golden.softmax import causal
from accelsim.hardware.exp import last_of
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.attention import AttentionParams, Row, timing
from accelsim.units.timing import Timing
from rtl.attention import Attention, AttentionStages, key_layout, row_layout
from rtl.attention_formats import Formats
from rtl.attention_parts import query_layout
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.sim.case import Streams

Rng = np.random.Generator
MOST_KEYS = 40
SPREADS = (0.2, 2.0, 20.0)  # of scores, in units of 1: all alike, as in practice, and one far above the rest
EXTREME = 0.2  # of rows have the same lowest or highest V in all keys, so that rounding of sums saturates the output


@dataclass(frozen=True)
class AttentionSetup:
    """Parameters of the unit."""

    depth: int = 8
    columns: int = 4
    length: int = 4096
    formats: AttentionFormats = KEYED
    stages: AttentionStages = field(default_factory=AttentionStages)


def build(setup: AttentionSetup) -> Attention:
    return Attention(formats_of(setup.formats), setup.depth, setup.columns, setup.length, setup.stages)


def formats_of(formats: AttentionFormats) -> Formats:
    """The same formats as the generator takes them."""
    return Formats(**vars(formats))


def shape(setup: AttentionSetup, rng: Rng) -> Row:
    """As many rows of a few keys, which meet each other within the unit, as of many."""
    return Row(int((min(MOST_KEYS, setup.length) + 1) ** rng.random()))


def inputs(setup: AttentionSetup, job: Row, rng: Rng) -> Streams:
    """A query with a scale that spreads scores in some way, and its keys with masks of several kinds."""
    formats, keys = setup.formats, job.keys
    k = codes(formats.k, (keys, setup.depth), rng)
    v = codes(formats.v, (keys, setup.columns), rng)
    if rng.random() < EXTREME:
        v[:] = rng.choice((formats.v.lowest, formats.v.highest))
    fields = {"k": k, "v": v, "valid": mask(keys, rng)}
    q = codes(formats.q, (1, setup.depth), rng)
    spread = float(np.abs(q @ k.T).mean()) + 1
    wanted = rng.choice(SPREADS) * 2.0**formats.scores.fraction / spread
    shift = int(np.clip(np.floor(np.log2(65535 / wanted)), 0, 47))
    scale = {"multiplier": [int(np.clip(wanted * 2**shift, 1, 65535))], "shift": [shift]}
    return {
        "q": pack(query_layout(formats_of(formats), setup.depth), {"q": q, **scale}),
        "kv": pack(key_layout(formats_of(formats), setup.depth, setup.columns), {**fields, "last": last_of(keys)}),
    }


def codes(number: FixedFormat, size: tuple[int, ...], rng: Rng) -> Codes:
    """Any codes of a format."""
    return rng.integers(number.lowest, number.highest, size, endpoint=True)


def mask(keys: int, rng: Rng) -> Flags:
    """All keys of a row, those up to some key as under a causal mask, half of them at random, or none."""
    place = int(rng.integers(keys))
    kinds = (np.ones(keys, np.bool_), causal(1, keys, place)[0], rng.random(keys) < 0.5, np.zeros(keys, np.bool_))
    return kinds[int(rng.choice(len(kinds), p=(0.4, 0.3, 0.2, 0.1)))]


def golden(setup: AttentionSetup, job: Row, streams: Streams) -> Streams:
    formats = formats_of(setup.formats)
    query = unpack(query_layout(formats, setup.depth), streams["q"])
    keys = unpack(key_layout(formats, setup.depth, setup.columns), streams["kv"])
    scale = Scale(int(query["multiplier"][0]), int(query["shift"][0]))
    unit = AttentionUnit(setup.depth, setup.length, None, setup.formats)
    found = attend(unit, query["q"], keys["k"], keys["v"], scale, keys["valid"][None] != 0)
    return {"o": pack(row_layout(formats, setup.columns), {"output": found.output, "empty": found.empty})}


def edges(setup: AttentionSetup, job: Row) -> Timing:
    stages = {name: int(str(value)) for name, value in to_plain(setup.stages).items()}
    bits = setup.formats.output.width
    return timing(AttentionParams(setup.depth, **stages, output_bits=bits), job)


def read(values: Mapping[str, object]) -> AttentionSetup:
    """Parameters by name: depth, columns, length, formats, segments and stages. AccelsimError for what cannot be."""
    setup = from_plain(AttentionSetup(), values)
    build(setup)
    AttentionUnit(setup.depth, setup.length, None, setup.formats)
    return setup


CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {"division_bits": 5},
    "small": {
        "depth": 2,
        "columns": 1,
        "length": 64,
        "segments": 16,
        **dict.fromkeys(("q", "k", "v"), "s4"),
        "array": "s16",
        "scores": "s12.6",
        **dict.fromkeys(("p", "factors"), "u13.12"),
        **dict.fromkeys(("denominator", "accumulator"), "s24.14"),
        "output": "s9.5",
        "division_bits": 3,
    },
    "wide": {"depth": 16, "columns": 2, "segments": 128, "weigh_stages": 2, "division_bits": 13},
    "odd": {"depth": 5, "columns": 3, "level_stages": 0, "range_stages": 0, "scale_stages": 2, "division_bits": 25},
    "short": {
        "depth": 3,
        "length": 1000,
        "output": "s16.8",
        "segments": 4,
        **dict.fromkeys(("product_stages", "scale_stages", "round_stages", "difference_stages"), 0),
        **dict.fromkeys(("lookup_stages", "horner_stages", "shift_stages", "weigh_stages"), 0),
        "division_bits": 4,
    },
}
LARGE: Mapping[str, Mapping[str, object]] = {"full": {"depth": 64, "columns": 16}}

UNIT = HardwareUnit(
    name="attention",
    under_test=UnitUnderTest("attention", build, shape, inputs, golden, edges, rigid=True),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
