"""The array that does softmax itself: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes, Flags
from accelsim.golden.fuse_array import MOST_SHIFT, FuseUnit, Operands, key_tile
from accelsim.hardware.draw import codes, ends
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.fuse_array import FuseParams, KeyTiles, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.fuse import FuseArray, FuseForm, Step, left_layout, result_layout, top_layout
from rtl.sim.case import Streams

Rng = np.random.Generator
MOST_ELEMENTS = 20  # of a query or a value, but for the corners
LONGEST_CORNER = 256
MOST_TILES = 4
STEPS = {"QK": Step.QK, "LM": Step.LM, "SLN": Step.SLN, "SLD": Step.SLNV, "SLNV": Step.SLNV}
SPREAD_BITS = 6  # scores of a tile lie up to 1, 2, ... or so many powers of two apart; exp of the farthest is 0


class Tile(NamedTuple):
    """What the streams carry for a tile of keys; rows without a key are zeros: K [rows, E], V [rows, F]."""

    keys: Codes
    values: Codes
    present: Flags
    shift: int


class Part(NamedTuple):
    """A step of a tile, and its beats."""

    name: str
    tile: int
    beats: int


def shape(form: FuseForm, rng: Rng) -> KeyTiles:
    """Few or many elements, which need not be as many in Q and V, and a few tiles of keys."""
    most = min(MOST_ELEMENTS, form.length)
    elements, values = int((most + 1) ** rng.random()), int((MOST_ELEMENTS + 1) ** rng.random())
    return KeyTiles(elements, values, int(rng.integers(1, MOST_TILES + 1)))


def inputs(form: FuseForm, job: KeyTiles, rng: Rng) -> Streams:
    queries = operand(form.query, (form.cols, job.E), rng)
    return streams_of(form, queries, [tile(form, job, queries, rng) for _ in range(job.tiles)])


def tile(form: FuseForm, job: KeyTiles, queries: Codes, rng: Rng) -> Tile:
    """A tile of keys, often with some rows left out, and mostly with scores that exp is not 0 of."""
    present = rng.random(form.rows) < rng.choice([0.5, 1.0])
    present[rng.integers(form.rows)] = True
    keys = operand(form.key, (form.rows, job.E), rng) * present[:, None]
    values = operand(form.key, (form.rows, job.F), rng) * present[:, None]
    near = int(np.ptp(queries @ keys.T)).bit_length() - form.source.fraction - int(rng.integers(SPREAD_BITS + 1))
    shift = near if rng.random() < 0.8 else int(rng.integers(MOST_SHIFT + 1))
    return Tile(keys, values, present, min(max(shift, 0), MOST_SHIFT))


def operand(bits: int, size: tuple[int, int], rng: Rng) -> Codes:
    """Any numbers, small ones, or the ends of the range."""
    form = FixedFormat(bits)
    small = np.clip(rng.integers(-3, 4, size), form.lowest, form.highest)
    kinds = (codes(form, size, rng), small, ends(form, size, rng))
    return kinds[int(rng.choice(len(kinds), p=(0.7, 0.15, 0.15)))]


def order(job: KeyTiles) -> list[Part]:
    """The steps as they enter: SLNV of a tile while the array would wait for the maximum of the next, or at the end."""
    found = []
    for place in range(job.tiles):
        before = [Part("SLNV", place - 1, job.F)] if place else []
        found += [Part("QK", place, job.E), Part("LM", place, 1), *before, Part("SLN", place, 1), Part("SLD", place, 1)]
    return [*found, Part("SLNV", job.tiles - 1, job.F)]


def streams_of(form: FuseForm, queries: Codes, tiles: Sequence[Tile]) -> Streams:
    """Beats as the streams carry them: queries [cols, E] beside the keys of each tile."""
    job = KeyTiles(queries.shape[1], tiles[0].values.shape[1], len(tiles))
    parts = order(job)
    fields = {
        "step": np.concatenate([np.full(part.beats, STEPS[part.name]) for part in parts]),
        "data": np.concatenate([data_of(part.name, tiles[part.tile]) for part in parts]),
        "shift": np.concatenate([np.full(part.beats, tiles[part.tile].shift * (part.name == "SLN")) for part in parts]),
        "last": ends_of(parts),
        "slot": np.concatenate([np.full(part.beats, part.tile % form.tiles) for part in parts]),
    }
    top = np.tile(queries.T, (len(tiles), 1))
    return {"left": pack(left_layout(form), fields), "top": pack(top_layout(form), top)}


def data_of(name: str, tile: Tile) -> Codes:
    """Operands of a step [beats, rows]."""
    ones = tile.present.astype(np.int64)[None]
    return {"QK": tile.keys.T, "LM": ones, "SLN": 0 * ones, "SLD": ones, "SLNV": tile.values.T}[name]


def ends_of(parts: Sequence[Part]) -> Codes:
    """1 at the last beat of each step."""
    found: Codes = np.concatenate([np.arange(part.beats) == part.beats - 1 for part in parts]).astype(np.int64)
    return found


def tiles_of(form: FuseForm, job: KeyTiles, streams: Streams) -> list[tuple[Codes, Tile]]:
    """The inverse of `streams_of`: queries and tile, for each tile."""
    left = unpack(left_layout(form), streams["left"])
    queries = unpack(top_layout(form), streams["top"]).reshape(job.tiles, job.E, form.cols)
    parts = order(job)
    begins = np.cumsum([0, *(part.beats for part in parts)])
    at = {(part.name, part.tile): slice(*begins[place : place + 2]) for place, part in enumerate(parts)}

    def one(place: int) -> Tile:
        keys, values, present = (left["data"][at[name, place]].T for name in ("QK", "SLNV", "LM"))
        return Tile(keys, values, present[:, 0] == 1, int(left["shift"][at["SLN", place]][0]))

    return [(queries[place].T, one(place)) for place in range(job.tiles)]


def golden(form: FuseForm, job: KeyTiles, streams: Streams) -> Streams:
    unit = FuseUnit(form.rows, form.query, form.key, form.length, form.source)
    rows: dict[tuple[str, int], Codes] = {}
    for place, (queries, here) in enumerate(tiles_of(form, job, streams)):
        seen = here.present
        found = key_tile(unit, Operands(queries, here.keys[seen], here.values[seen], here.shift))
        rows |= {("LM", place): found.maximum[None], ("SLD", place): found.total[None], ("SLNV", place): found.pv.T}
    parts = [part for part in order(job) if (part.name, part.tile) in rows]
    fields = {
        "data": np.concatenate([rows[part.name, part.tile] for part in parts]),
        "maximum": np.concatenate([np.full(part.beats, part.name == "LM") for part in parts]),
        "last": ends_of(parts),
    }
    return {"result": pack(result_layout(form), fields)}


def corners(form: FuseForm, rng: Rng) -> Iterator[tuple[KeyTiles, Streams]]:
    """The largest and lowest scores and sums, the farthest differences at the ends of the shift, lone keys, ties."""
    query, key = FixedFormat(form.query), FixedFormat(form.key)
    every, longest = np.ones(form.rows, np.bool_), min(form.length, LONGEST_CORNER)
    alone = np.arange(form.rows) == form.rows - 1
    first = np.arange(form.rows) == 0

    def lowest(elements: int) -> Codes:
        return np.full((form.cols, elements), query.lowest)

    def rows(number: int, elements: int, present: Flags = every) -> Codes:
        return np.full((form.rows, elements), number) * present[:, None]

    far = np.where(first[:, None], rows(key.lowest, longest), key.highest)
    kinds = [
        (lowest(longest), [Tile(rows(key.lowest, longest), rows(key.lowest, 2), every, 0)]),
        (lowest(longest), [Tile(rows(key.highest, longest), rows(key.highest, 2), every, MOST_SHIFT)]),
        (lowest(longest), [Tile(far, rows(key.lowest, 2), every, shift) for shift in (0, 8, MOST_SHIFT)]),
        (lowest(1), [Tile(rows(key.highest, 1, alone), rows(key.lowest, 1, alone), alone, 0)]),
        (lowest(1), [Tile(rows(key.lowest, 1, first), rows(key.highest, 1, first), first, 0)]),
        (0 * lowest(longest), [Tile(rows(key.highest, longest), rows(key.lowest, 3), every, 0)] * 2),
    ]
    for queries, tiles in kinds:
        job = KeyTiles(queries.shape[1], tiles[0].values.shape[1], len(tiles))
        yield job, streams_of(form, queries, tiles)


def edges(form: FuseForm, job: KeyTiles) -> Timing:
    return timing(FuseParams(form.rows, form.cols, form.input_registers, form.output_registers), job)


def read(values: Mapping[str, object]) -> FuseForm:
    """Parameters by name, those of `FuseForm`. AccelsimError for what cannot be built."""
    words = {name: value for name, value in values.items() if name == "dataflow"}
    base = replace(FuseForm(), **words)  # type: ignore[arg-type]
    form = from_plain(base, {name: value for name, value in values.items() if name not in words})
    FuseUnit(form.rows, form.query, form.key, form.length, form.source)
    return form


BARE = {"input_registers": 0, "output_registers": 0}
CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "bare": {"rows": 4, "cols": 4, **BARE},
    "single": {"rows": 1, "cols": 1, "query": 8, "length": 1000, **BARE},
    "row": {"rows": 1, "cols": 5, "output_registers": 0},
    "column": {"rows": 5, "cols": 1, "input_registers": 0},
    "tall": {"rows": 8, "cols": 3, "source": "s16.10", "output_registers": 2},
    "broad": {"rows": 3, "cols": 8, "key": 4, "input_registers": 2},
    "full": {"rows": 2, "cols": 2, "key": 16, "length": 1},
    "even": {"rows": 6, "cols": 2, "query": 12, "key": 12, "length": 100, "source": "s16.8"},
    "coarse": {"rows": 2, "cols": 7, "query": 9, "key": 2, "source": "s16.1"},
}

UNIT = HardwareUnit(
    name="fuse-array",
    under_test=UnitUnderTest("fuse_array", FuseArray, shape, inputs, golden, edges, rigid=True, corners=corners),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={"deep": read({"rows": 16, "cols": 16})},
    read=read,
    plain=to_plain,
)
