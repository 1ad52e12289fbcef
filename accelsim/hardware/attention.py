"""The attention tile of one key per cycle: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from accelsim.golden.attention import AttentionUnit, attend
from accelsim.golden.attention_formats import KEYED, AttentionFormats
from accelsim.golden.fixed import MOST_SHIFT, SCALE_BITS, Codes, Flags, Scale, requantise
from accelsim.golden.softmax import probabilities
from accelsim.hardware.draw import codes, ends, few_or_many, mask
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
LONGEST_CORNER = 1024  # keys of the row that fills the sums as far as it takes no time
SPREADS = (0.2, 2.0, 20.0, 1000.0)  # of scores, in units of 1: alike, as in practice, one above the rest, saturated
KEYS_OF_TIES, ROWS_OF_TIES = 24, 12
TRIED = 1 << 13  # V, of which those that lead close to a rounding are taken
MOST_MULTIPLIER = (1 << SCALE_BITS) - 1


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
    return Row(few_or_many(min(MOST_KEYS, setup.length), rng))


@dataclass(frozen=True)
class Keys:
    """A row: query [depth], keys [keys, depth], values [keys, columns], the scale, and which keys count."""

    q: Codes
    k: Codes
    v: Codes
    scale: Scale
    valid: Flags


def inputs(setup: AttentionSetup, job: Row, rng: Rng) -> Streams:
    """A query, and keys and values of some kind; a scale that spreads scores in some way; masks of several kinds."""
    q, k = query_and_keys(setup, job.keys, rng)
    v = values(setup, job.keys, rng)
    return row(setup, Keys(q, k, v, scale(setup, q, k, rng), mask(job.keys, rng)))


def query_and_keys(setup: AttentionSetup, keys: int, rng: Rng) -> tuple[Codes, Codes]:
    """Any; all at the ends; keys of which many are the same; keys that differ in one element only, in order."""
    formats, size = setup.formats, (keys, setup.depth)
    q = codes(formats.q, (setup.depth,), rng)
    kind = rng.random()
    if kind < 0.6:
        return q, codes(formats.k, size, rng)
    if kind < 0.7:
        return ends(formats.q, (setup.depth,), rng), ends(formats.k, size, rng)
    if kind < 0.85:
        return q, codes(formats.k, (2, setup.depth), rng)[rng.integers(0, rng.integers(1, 3), keys)]
    k = np.repeat(codes(formats.k, (1, setup.depth), rng), keys, axis=0)
    k[:, int(np.argmax(np.abs(q)))] = np.sort(codes(formats.k, (keys,), rng))[:: int(rng.choice((-1, 1)))]
    return q, k


def values(setup: AttentionSetup, keys: int, rng: Rng) -> Codes:
    """Any; the same lowest or highest one in all keys, so that rounding of sums saturates the output; ends."""
    number, size = setup.formats.v, (keys, setup.columns)
    kinds = (codes(number, size, rng), np.full(size, ends(number, (), rng)), ends(number, size, rng))
    return kinds[int(rng.choice(len(kinds), p=(0.7, 0.2, 0.1)))]


def scale(setup: AttentionSetup, q: Codes, k: Codes, rng: Rng) -> Scale:
    """A scale with which scores are alike, as in practice, far apart or saturated; now and then any."""
    if rng.random() < 0.1:
        return Scale(int(rng.integers(1, MOST_MULTIPLIER + 1)), int(rng.integers(MOST_SHIFT + 1)))
    spread = float(np.abs(q @ k.T).mean()) + 1
    wanted = rng.choice(SPREADS) * 2.0**setup.formats.scores.fraction / spread
    shift = int(np.clip(np.floor(np.log2(MOST_MULTIPLIER / wanted)), 0, MOST_SHIFT))
    return Scale(int(np.clip(wanted * 2**shift, 1, MOST_MULTIPLIER)), shift)


def row(setup: AttentionSetup, keys: Keys) -> Streams:
    """A row as the streams carry it."""
    formats, number = formats_of(setup.formats), len(keys.k)
    query = {"q": keys.q[None], "multiplier": [keys.scale.multiplier], "shift": [keys.scale.shift]}
    fields = {"k": keys.k, "v": keys.v, "valid": keys.valid, "last": last_of(number)}
    return {
        "q": pack(query_layout(formats, setup.depth), query),
        "kv": pack(key_layout(formats, setup.depth, setup.columns), fields),
    }


def corners(setup: AttentionSetup, rng: Rng) -> Iterator[tuple[Row, Streams]]:
    """Sums as large as they become, rows without a key before rows with keys, ramps by one code, ties of roundings.

    Then outputs that lie close to where they are rounded up or down, and the largest products.
    """
    most = min(setup.length, MOST_KEYS)
    k, v, each = setup.formats.k, setup.formats.v, np.arange(most)
    longest = np.zeros(min(setup.length, LONGEST_CORNER), np.int64)
    one, half, large = Scale(1, 0), Scale(1, 1), Scale(MOST_MULTIPLIER, 0)
    rising = np.clip(each - most // 2, k.lowest, k.highest)
    in_turns = np.where(each % 2, v.highest, v.lowest)
    but_some = np.where(each % 7 < 6, v.highest, v.lowest)
    kinds: list[tuple[Codes, Codes | int, Scale, Flags]] = [
        (longest, v.lowest, one, longest == 0),
        (longest, v.highest, one, longest == 0),
        (np.full(most, k.highest), v.highest, one, each < 0),
        (np.full(most, k.lowest), v.lowest, large, each >= 0),
        (np.full(1, k.highest), v.highest, large, each[:1] < 0),
        (np.full(1, k.lowest), v.lowest, Scale(1, MOST_SHIFT), each[:1] >= 0),
        (rising, but_some, one, each >= 0),
        (rising, in_turns, half, each >= 0),
        (rising[::-1].copy(), but_some, Scale(3, 1), each >= 0),
        (np.where(each % 3 == 1, k.highest, k.lowest), but_some, large, each > 0),
        (np.where(each == most - 1, k.lowest, k.highest), v.highest, one, each == most - 1),
    ]
    for elements, end, factor, valid in kinds:
        yield row_of_one(setup, elements, columns_of(setup, elements, end), factor, valid)
    yield from beside_the_ends(setup, in_turns)
    yield from near_roundings(setup, rng)
    yield from largest_products(setup, rng)


def columns_of(setup: AttentionSetup, elements: Codes, v: Codes | int) -> Codes:
    """The same V in all columns."""
    return np.broadcast_to(np.reshape(v, (-1, 1)), (len(elements), setup.columns))


def beside_the_ends(setup: AttentionSetup, v: Codes) -> Iterator[tuple[Row, Streams]]:
    """Half of the scores saturate, the others lie just within: low where keys are signed, then high."""
    k, scores, each = setup.formats.k, setup.formats.scores, np.arange(len(v))
    for end, step, most in ((k.lowest, 1, -scores.lowest), (k.highest, -1, scores.highest)):
        if within := abs(end + step):
            factor = Scale(min(max(most // within, 1), MOST_MULTIPLIER), 0)
            elements = np.where(each % 2, end, end + step) if end else each * 0
            yield row_of_one(setup, elements, columns_of(setup, elements, v), factor, each >= 0)


def row_of_one(setup: AttentionSetup, elements: Codes, v: Codes, factor: Scale, valid: Flags) -> tuple[Row, Streams]:
    """A row whose query has 1 in its first element and 0 in all others: scores are `elements` of keys times a scale."""
    query, k = np.zeros(setup.depth, np.int64), np.zeros((len(elements), setup.depth), np.int64)
    query[0] = 1
    k[:, 0] = elements
    return Row(len(elements)), row(setup, Keys(query, k, v, factor, valid))


def near_roundings(setup: AttentionSetup, rng: Rng) -> Iterator[tuple[Row, Streams]]:
    """Rows whose outputs lie closest to where they are rounded up or down, of many V at random.

    Scores fall from key to key, so that no sum is rescaled and each output is the sum of P x V over that of P.
    """
    formats, keys = setup.formats, min(setup.length, KEYS_OF_TIES)
    elements = np.maximum(formats.k.highest - np.arange(keys), formats.k.lowest)
    factor = Scale(int(np.clip(1 << formats.scores.fraction >> 3, 1, MOST_MULTIPLIER)), 0)
    scores = requantise(elements, factor, formats.scores)
    p = probabilities(formats, scores[0] - scores, np.full(keys, fill_value=True)) << formats.guard
    tried = codes(formats.v, (TRIED, keys), rng)
    twice = (tried @ p).astype(object) << (formats.output.fraction + 1)
    distance = np.abs(twice % (2 * int(p.sum())) - int(p.sum())).astype(np.float64)
    closest = tried[np.argsort(distance, kind="stable")[: ROWS_OF_TIES * setup.columns]]
    for v in closest.reshape(ROWS_OF_TIES, setup.columns, keys):
        yield row_of_one(setup, elements, v.T, factor, np.full(keys, fill_value=True))


def largest_products(setup: AttentionSetup, rng: Rng) -> Iterator[tuple[Row, Streams]]:
    """Q x K as high and as low as it can become."""
    formats, keys = setup.formats, min(2, setup.length)
    for end in (formats.k.lowest, formats.k.highest):
        query, k = np.full(setup.depth, formats.q.lowest), np.full((keys, setup.depth), end)
        v = codes(formats.v, (keys, setup.columns), rng)
        yield Row(keys), row(setup, Keys(query, k, v, Scale(1, 0), np.ones(keys, np.bool_)))


def golden(setup: AttentionSetup, job: Row, streams: Streams) -> Streams:
    formats = formats_of(setup.formats)
    query = unpack(query_layout(formats, setup.depth), streams["q"])
    keys = unpack(key_layout(formats, setup.depth, setup.columns), streams["kv"])
    factor = Scale(int(query["multiplier"][0]), int(query["shift"][0]))
    unit = AttentionUnit(setup.depth, setup.length, None, setup.formats)
    found = attend(unit, query["q"], keys["k"], keys["v"], factor, keys["valid"][None] != 0)
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
    "odd": {
        "depth": 5,
        "columns": 3,
        "level_stages": 0,
        "range_stages": 0,
        "scale_stages": 2,
        "output": "s12.8",
        "division_bits": 13,
    },
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
    under_test=UnitUnderTest("attention", build, shape, inputs, golden, edges, rigid=True, corners=corners),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
