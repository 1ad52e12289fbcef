"""The GEMV unit: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from accelsim.formats import BF16, FP32
from accelsim.golden.fixed import Codes
from accelsim.golden.floating import to_bf16
from accelsim.golden.gemv import gemv, in_beats
from accelsim.hardware.draw import few_or_many
from accelsim.hardware.exp import last_of
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.units.gemv import GemvParams, Matrix, beats_of, interval, load_edges, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack, unpack
from rtl.gemv import Gemv, GemvForm, sums_layout, weights_layout
from rtl.gemv_parts import GemvStages, lanes_layout
from rtl.sim.case import Job, Streams
from rtl.streams import packet_layout

Rng = np.random.Generator
MOST_GROUPS, MOST_ROWS, MOST_WORDS = 3, 20, 4  # of a job that is drawn
PAIRS = 40  # of special weights, in the rows of a job
FEW = to_bf16([s * 2.0**e for s in (1, -1) for e in (0, -11, -12, -23, -24)])  # sums that are ties, and that cancel
UP, DOWN = 2.0 ** (FP32.bias / 2), 2.0 ** (1 - FP32.bias / 2)  # products, and sums of two, about the ends of the range
NEGATIVE = 1 << (BF16.width - 1)
INFINITY = BF16.infinity
SPECIAL = np.array(
    [
        *(sign | code for sign in (0, NEGATIVE) for code in (0, 1, (1 << BF16.fraction) - 1, INFINITY, INFINITY - 1)),
        *(sign | 1 << BF16.fraction for sign in (0, NEGATIVE)),
        INFINITY + 1,
        BF16.nan,
        NEGATIVE | BF16.nan,
        *to_bf16([1, -1, 2.0**-24, -(2.0**-24), 1.5 * 2.0**-24, 2.0**127]),
    ]
)
"""Zeros, the ends of what is flushed, infinities, the largest and the smallest, NaNs, 1, and what rounds beside 1."""


@dataclass(frozen=True)
class GemvSetup:
    """Parameters of the unit."""

    form: GemvForm = field(default_factory=GemvForm)
    stages: GemvStages = field(default_factory=GemvStages)


def build(setup: GemvSetup) -> Gemv:
    return Gemv(setup.form, setup.stages)


def params_of(setup: GemvSetup) -> GemvParams:
    """The same as the timing function takes them."""
    return GemvParams(**{name: int(str(value)) for name, value in to_plain(setup).items()})


def shape(setup: GemvSetup, rng: Rng) -> Matrix:
    """A few groups of rows, the last of any size, and a few beats of each."""
    form = setup.form
    rows = few_or_many(min(MOST_GROUPS * form.outputs, MOST_ROWS), rng)
    return Matrix(rows, few_or_many(min(form.words, MOST_WORDS) * form.lanes, rng))


def inputs(setup: GemvSetup, job: Matrix, rng: Rng) -> Streams:
    return streams_of(setup, *operands(setup, job, rng))


def operands(setup: GemvSetup, job: Matrix, rng: Rng) -> tuple[Codes, Codes]:
    """Weights and vectors of one kind, as they are or opposed."""
    kind = int(rng.choice(4, p=(0.3, 0.3, 0.3, 0.1)))
    w, x = (numbers(kind, (count, job.elements), rng) for count in (job.rows, setup.form.vectors))
    return opposed(w, x, int(rng.choice((1, setup.form.lanes))), rng) if rng.random() < 0.4 else (w, x)


def numbers(kind: int, size: tuple[int, int], rng: Rng) -> Codes:
    """Normal; few, so that sums are ties; near the ends of the range; any. At times with special ones among them."""
    normal = rng.standard_normal(size)
    scale = rng.choice((UP, DOWN), p=rng.permutation((0.95, 0.05)), size=size)
    kinds = (to_bf16(normal), rng.choice(FEW, size), to_bf16(normal * scale), rng.integers(0, 1 << BF16.width, size))
    special = rng.random(size) < rng.choice((0, 0.5 / size[1]), p=(0.7, 0.3))
    return np.where(special, rng.choice(SPECIAL, size), kinds[kind])


def opposed(w: Codes, x: Codes, apart: int, rng: Rng) -> tuple[Codes, Codes]:
    """Products followed, so many elements later, by their opposites but for a bit of a fraction: sums cancel."""
    each = np.arange(w.shape[1])
    after = each // apart % 2 == 1
    before = np.where(after, each - apart, each)
    bit = np.where(rng.random(w.shape) < 0.8, 1 << rng.integers(0, BF16.fraction, w.shape), 0)
    return w[:, before] ^ np.where(after, NEGATIVE ^ bit, 0), x[:, before]


def corners(setup: GemvSetup, rng: Rng) -> Iterator[tuple[Matrix, Streams]]:
    """Special weights: the same in a whole beat; pairs beside each other and, where a buffer has two words, in two.

    All other weights are -0, so that nothing is added to a pair. With ones as vectors, and pairs with special ones too.
    """
    form, ones = setup.form, int(to_bf16(1.0))
    same = np.repeat(SPECIAL[:, None], form.lanes, axis=1)
    yield Matrix(*same.shape), streams_of(setup, same, np.full((form.vectors, form.lanes), ones))
    pairs = np.array(list(product(SPECIAL, SPECIAL)))
    elements = form.lanes * min(form.words, 2)
    for second in sorted({1, form.lanes} & set(range(elements))):
        w = np.full((PAIRS, elements), NEGATIVE)
        size = (form.vectors, elements)
        for x in (np.full(size, ones), rng.choice(SPECIAL, size)):
            w[:, (0, second)] = rng.permutation(pairs)[:PAIRS]
            yield Matrix(*w.shape), streams_of(setup, w, x)


def streams_of(setup: GemvSetup, weights: Codes, vectors: Codes) -> Streams:
    """Weights [rows, elements] and vectors [vectors, elements] as the streams carry them; zeros past the end."""
    form, job = setup.form, Matrix(*weights.shape)
    w, x = (in_beats(codes, form.lanes) for codes in (weights, vectors))
    rows, places, ends = turns(setup, job)
    words = x.transpose(1, 0, 2).reshape(-1, form.lanes)
    beats = {"data": w[rows, places], "ends": ends, "last": last_of(len(rows))}
    packet = {"data": words, "last": last_of(len(words))}
    return {
        "x": pack(packet_layout(lanes_layout(form.lanes)), packet),
        "w": pack(weights_layout(form.lanes), beats),
    }


def turns(setup: GemvSetup, job: Matrix) -> tuple[Codes, Codes, Codes]:
    """Of each beat of weights its row, its place in the row, and whether its row is the last of its group."""
    words, outputs = beats_of(params_of(setup), job), setup.form.outputs
    groups = [range(at, min(at + outputs, job.rows)) for at in range(0, job.rows, outputs)]
    found = [(row, word, row == group[-1]) for group in groups for word in range(words) for row in group]
    rows, places, ends = np.array(found, np.int64).T
    return rows, places, ends


def golden(setup: GemvSetup, job: Matrix, streams: Streams) -> Streams:
    form = setup.form
    rows, places, _ = turns(setup, job)
    w = np.zeros((job.rows, int(places.max()) + 1, form.lanes), np.int64)
    w[rows, places] = unpack(weights_layout(form.lanes), streams["w"])["data"]
    words = unpack(packet_layout(lanes_layout(form.lanes)), streams["x"])["data"]
    x = words.reshape(-1, form.vectors, form.lanes).transpose(1, 0, 2)
    sums = gemv(form.lanes, w.reshape(job.rows, -1), x.reshape(form.vectors, -1))
    fields = {"sums": sums.T.astype(np.int64), "last": last_of(job.rows)}
    return {"o": pack(sums_layout(form.vectors), fields)}


def edges(setup: GemvSetup, job: Matrix) -> Timing:
    return timing(params_of(setup), job)


def chained(setup: GemvSetup, shapes: Sequence[Matrix], jobs: Sequence[Job]) -> tuple[Job, ...]:
    """With two buffers, the vectors of each job but the first among the inputs of the job before.

    A second buffer takes vectors when the job before begins to use its own. Edges of a job count from its first vectors
    for the first one; for the others, whose vectors are there, from their first weights.
    """
    params, found = params_of(setup), []
    if params.vector_buffers == 1:
        return tuple(jobs)
    for place, (shape, job) in enumerate(zip(shapes, jobs, strict=True)):
        own, hidden = (job.inputs["x"], 0) if place == 0 else ((), load_edges(params, shape))
        ahead, following = (jobs[place + 1].inputs["x"], shapes[place + 1]) if jobs[place + 1 :] else ((), shape)
        busy = interval(params, shape, following) + load_edges(params, shape) - hidden
        streams = {**job.inputs, "x": (*own, *ahead)}
        found.append(replace(job, inputs=streams, first=job.first - hidden, last=job.last - hidden, busy=busy))
    return tuple(found)


def read(values: Mapping[str, object]) -> GemvSetup:
    """Parameters by name: those of `GemvForm` and of `GemvStages`. AccelsimError for what cannot be built."""
    setup = from_plain(GemvSetup(), values)
    params_of(setup)
    return setup


NO_STAGES = dict.fromkeys(
    ("read_stages", "product_stages", "align_stages", "sum_stages", "normal_stages", "round_stages"), 0
)
CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "scalar": {"lanes": 1, "outputs": 3, "words": 5, "align_stages": 0, "round_stages": 2},
    "shared": {"lanes": 3, "vectors": 2, "outputs": 4, "words": 4, "read_stages": 0, "normal_stages": 0},
    "single": {"lanes": 2, "outputs": 1, "words": 6, "vector_buffers": 1, "product_stages": 2, "sum_stages": 0},
    "bare": {"lanes": 2, "vectors": 3, "outputs": 2, "words": 1, "vector_buffers": 1, **NO_STAGES},
}
LARGE: Mapping[str, Mapping[str, object]] = {
    "bank": {"lanes": 16, "outputs": 16},
    "logic-die": {"lanes": 64, "vectors": 8, "words": 4},
}

UNIT = HardwareUnit(
    name="gemv",
    under_test=UnitUnderTest("gemv", build, shape, inputs, golden, edges, rigid=True, corners=corners, chained=chained),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={name: read(values) for name, values in LARGE.items()},
    read=read,
    plain=to_plain,
)
