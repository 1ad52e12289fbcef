"""What a job of a unit reaches: corners by name, for counting over the cases that `verify` runs by default."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from accelsim.formats import BF16, FP32, FixedFormat
from accelsim.golden.fixed import Codes, Flags, Scale, requantise
from accelsim.golden.fuse_array import MOST_SHIFT, FuseUnit, Operands, key_tile
from accelsim.hardware.attention import AttentionSetup, formats_of
from accelsim.hardware.divide import DivideSetup
from accelsim.hardware.exp import ExpSetup, flags_of
from accelsim.hardware.fuse_array import Tile
from accelsim.hardware.fuse_array import tiles_of as fuse_tiles
from accelsim.hardware.gemv import GemvSetup
from accelsim.hardware.sequencer import SequencerSetup
from accelsim.hardware.softmax import SoftmaxSetup
from accelsim.hardware.topk import CORNERS, TopkJob, corners_of
from accelsim.hardware.topk_quick import QuickSetup
from accelsim.hardware.topk_radix import params_of as radix_params
from accelsim.program.instruction import QUEUES, decode
from accelsim.units.fuse_array import KeyTiles
from accelsim.units.topk.digits import select
from rtl.attention import key_layout, row_layout
from rtl.attention_parts import query_layout
from rtl.bench import Job, unpack
from rtl.divide import division_input
from rtl.exp import exp_input
from rtl.fuse import FuseForm, Step
from rtl.fuse import left_layout as fuse_left_layout
from rtl.gemv import sums_layout, weights_layout
from rtl.layer.array import WORD_LANES, ArrayEngineForm
from rtl.softmax import scores_layout, softmax_layout
from rtl.systolic import ArrayForm, left_layout, right_layout
from rtl.topk import TopkForm, command_layout
from rtl.topk import scores_layout as topk_scores_layout
from rtl.topk.radix import RadixSetup

LONGEST = 1024  # keys: what is longer takes too long
FAR = 40  # units of a score, of which exp is 0 in every format
Corners = Iterator[tuple[str, bool]]


def of_softmax(setup: SoftmaxSetup, job: Job) -> Corners:
    formats = formats_of(setup.formats)
    given = unpack(scores_layout(formats, setup.lanes), job.inputs["i"])
    out = unpack(softmax_layout(formats, setup.lanes), job.outputs["o"])
    scores, valid = given["scores"].reshape(-1), flags_of(given["valid"], setup.lanes).reshape(-1)
    yield from of_row(setup, scores, valid)
    yield "longest row", min(setup.length, LONGEST) <= len(scores)
    yield "P is 1 in a whole beat", bool((out["p"] == formats.most_p).all(axis=1).any())
    yield "factor of 0", not (out["old"].all() and out["new"].all())
    spare = -len(scores) % setup.tile
    tiles: Flags = np.pad(valid, (0, spare)).reshape(-1, setup.tile).max(axis=1)
    yield "first tile without a key", bool(not tiles[0] and tiles.any())
    yield "tile without a key between others", bool((~tiles[1:-1]).any() and tiles[-1])
    yield "last tile without a key", bool(not tiles[-1] and tiles.any())


def of_row(setup: SoftmaxSetup | AttentionSetup, scores: Codes, valid: Flags) -> Corners:
    """Corners that a row of scores has in any unit."""
    form = setup.formats.scores
    seen, masked = scores[valid], scores[~valid]
    yield "no key", len(seen) == 0
    if not len(seen):
        return
    yield "one key", len(scores) == 1 or len(seen) == 1
    yield "first key masked", not valid[0]
    yield "last key masked", not valid[-1]
    yield "masked key above the maximum", bool(len(masked) and masked.max() > seen.max())
    yield "highest score", bool((seen == form.highest).any())
    yield "lowest score", bool((seen == form.lowest).any())
    yield "maximum is the lowest score", bool(seen.max() == form.lowest)
    yield "two maxima", bool((seen == seen.max()).sum() > 1)
    steps = np.diff(np.maximum.accumulate(seen))
    yield "maximum grows by one code", bool((steps == 1).any())
    yield "maximum grows far", bool((steps > min(FAR << form.fraction, form.highest)).any())
    yield "maximum grows often", bool((steps > 0).sum() >= 4)


def of_attention(setup: AttentionSetup, job: Job) -> Corners:
    formats = formats_of(setup.formats)
    query = unpack(query_layout(formats, setup.depth), job.inputs["q"])
    keys = unpack(key_layout(formats, setup.depth, setup.columns), job.inputs["kv"])
    output = unpack(row_layout(formats, setup.columns), job.outputs["o"])["output"]
    scale = Scale(int(query["multiplier"][0]), int(query["shift"][0]))
    dot, valid = (query["q"] @ keys["k"].T)[0], keys["valid"] != 0
    yield from of_row(setup, requantise(dot, scale, setup.formats.scores), valid)
    yield "longest row", len(valid) == min(setup.length, LONGEST)
    yield "largest product", bool((dot == setup.depth * formats.q.lowest * formats.k.lowest).any())
    yield "lowest product", bool((dot == setup.depth * formats.q.lowest * formats.k.highest).any())
    yield "largest multiplier", scale.multiplier == (1 << 16) - 1
    yield "smallest scale", (scale.multiplier, scale.shift) == (1, 47)
    half = (1 << scale.shift) >> 1
    yield "score halfway", bool(half and (dot * scale.multiplier % (2 * half) == half).any())
    yield "V lowest throughout", bool(valid.any() and (keys["v"][valid] == formats.v.lowest).all())
    yield "output below 0", bool((output < 0).any())


def of_exp(setup: ExpSetup, job: Job) -> Corners:
    x = unpack(exp_input(setup.source, setup.lanes), job.inputs["i"])
    yield "0", bool((x["x"] == 0).any())
    yield "largest number", bool((x["x"] == setup.source.highest).any())
    yield "masked lane", bool((~flags_of(x["valid"], setup.lanes)).any())
    yield "one beat", len(x["x"]) == 1


def of_divide(setup: DivideSetup, job: Job) -> Corners:
    given = unpack(division_input(setup.widths, setup.lanes), job.inputs["i"])
    numerator, denominator = given["numerator"], given["denominator"][:, None]
    twice = numerator.astype(object) << (setup.output.fraction + 1)
    steps = (twice - denominator) % np.maximum(2 * denominator, 1).astype(object)
    below = np.broadcast_to(denominator, numerator.shape)
    fits = np.abs(twice) < denominator.astype(object) * (setup.output.highest * 2)
    yield "denominator of 0", bool((below == 0).any())
    yield "lowest numerator", bool((numerator == -(1 << (setup.numerator - 1))).any())
    yield "saturates high", bool(((numerator > 0) & (below > 0) & ~fits).any())
    yield "saturates low", bool(((numerator < 0) & (below > 0) & ~fits).any())
    yield (
        "halfway or less than one code of the numerator below",
        bool(
            (
                (below > 0)
                & fits
                & (numerator != 0)
                & ((steps == 0) | (2 * below - steps <= 2 << setup.output.fraction))
            ).any()
        ),
    )


def of_gemv(setup: GemvSetup, job: Job) -> Corners:
    form, beats = setup.form, unpack(weights_layout(setup.form.lanes), job.inputs["w"])
    sums, rows = unpack(sums_layout(form.vectors), job.outputs["o"])["sums"], len(job.outputs["o"])
    exponents, words = (beats["data"] >> BF16.fraction) & BF16.special, len(beats["data"]) // rows
    special = exponents == BF16.special
    fraction = beats["data"] & ((1 << BF16.fraction) - 1)
    yield "one row", rows == 1
    yield "several groups, the last not full", form.outputs == 1 or (rows > form.outputs and rows % form.outputs > 0)
    yield "several words", words > 1 or form.words == 1
    yield "a subnormal weight", bool(((exponents == 0) & (fraction != 0)).any())
    yield "an infinite weight", bool((special & (fraction == 0)).any())
    yield "a weight that is NaN", bool((special & (fraction != 0)).any())
    yield "NaN from weights that are none", bool((sums == FP32.nan).any() and not (special & (fraction != 0)).any())
    yield "an infinite sum", bool((sums & ~(1 << 31) == FP32.infinity).any())
    yield "a sum of -0", bool((sums == 1 << 31).any())
    yield "a sum of 0", bool((sums == 0).any())


def of_systolic(form: ArrayForm, job: Job) -> Corners:
    left = unpack(left_layout(form), job.inputs["left"])["data"]
    ends = [-(1 << (bits - 1)) for bits in (form.left, form.right)]
    yield "left operand all lowest", bool((left == ends[0]).all(axis=1).any())
    if job.inputs["right"]:
        right = unpack(right_layout(form), job.inputs["right"])["data"]
        yield "right operand all lowest", bool((right == ends[1]).all(axis=1).any())
    yield "one beat", len(left) == 1


def of_fuse_array(form: FuseForm, job: Job) -> Corners:
    steps = unpack(fuse_left_layout(form), job.inputs["left"])["step"]
    tiles, beats = int((steps == Step.LM).sum()), int((steps == Step.SLNV).sum())
    shape = KeyTiles(len(job.inputs["top"]) // tiles, beats // tiles - 1, tiles)
    found: dict[str, bool] = {}
    for queries, tile in fuse_tiles(form, shape, job.inputs):
        for what, reached in of_key_tile(form, queries, tile):
            found[what] = found.get(what, False) or reached
    yield from found.items()
    yield "one beat of QK", shape.E == 1
    yield "one tile", tiles == 1
    yield "several tiles", tiles > 1
    if form.rows > 1:
        yield "SLNV shorter than the wait for a maximum", tiles > 1 and form.rows > shape.F


def of_key_tile(form: FuseForm, queries: Codes, tile: Tile) -> Corners:
    seen, query, key = tile.present, FixedFormat(form.query), FixedFormat(form.key)
    unit = FuseUnit(form.rows, form.query, form.key, form.length, form.source)
    found = key_tile(unit, Operands(queries, tile.keys[seen], tile.values[seen], tile.shift))
    scores, elements, one = queries @ tile.keys[seen].T, queries.shape[1], found.p.max()
    yield "largest score", bool(scores.max() == elements * query.lowest * key.lowest)
    yield "lowest score", bool(scores.min() == elements * query.lowest * key.highest)
    yield "shift of 0", tile.shift == 0
    yield "largest shift", tile.shift == MOST_SHIFT
    yield "all P are 1", bool(seen.all() and (found.p == one).all())
    yield "lowest P x V", bool(found.pv.min() == form.rows * key.lowest * one)
    if form.rows > 1:
        yield "row without a key", not seen.all()
        yield "first row without a key", not seen[0]
        yield "P of 0", bool((found.p == 0).any())
        yield "P between 0 and 1", bool(((found.p > 0) & (found.p < one)).any())


def of_array_engine(form: ArrayEngineForm, job: Job) -> Corners:
    given = decode(job.inputs["start"][0])
    beats, folds, scores = given.args.get("imm", 0), given.args.get("cols", 0), "transpose" in given.flags
    yield "no operands", not beats
    yield "fewer beats than rows", 0 < beats < form.rows
    yield "more beats than rows", beats > form.rows or form.rows >= min(form.q_words, form.k_words) * WORD_LANES
    yield "scores from several words", (scores and beats > WORD_LANES) or min(form.q_words, form.k_words) == 1
    yield "a whole tile of keys", not scores and beats == form.cols
    yield "a ragged tile of keys", not scores and 0 < beats < form.cols
    yield "folds left out", not folds
    yield "several folds", folds > 1 or form.pv_words < 2 * form.rows or form.v_words * form.parts < 2


def of_sequencer(setup: SequencerSetup, job: Job) -> Corners:
    program = [decode(word) for word in job.inputs["program"]]
    yield "nothing waits", not any(each.wait for each in program)
    yield "one waits for two", any(len(each.wait) > 1 for each in program)
    yield "one posts to two", any(len(each.post) > 1 for each in program)
    yield "many semaphores", len({s for each in program for s in each.wait}) > 3
    yield "a queue without instructions", any(not job.outputs[f"started_{queue}"] for queue in QUEUES)
    yield "few instructions", len(program) <= 6
    yield "many instructions", len(program) > setup.depth // 3


def of_topk_quick(setup: QuickSetup, job: Job) -> Corners:
    yield from of_topk(setup.form, job)
    if setup.pivots == "stream":
        scores, _ = topk_job(setup.form, job)
        pivots, spare = job.inputs["pivot"], spare_scores(setup.form, job)
        yield "one pass", len(pivots) == 1
        yield "a pass for each score", len(pivots) == len(scores) > 1
        yield "smallest pivot first", len(pivots) > 1 and pivots[0] == min(scores)
        yield "largest pivot first", len(pivots) > 1 and pivots[0] == max(scores)
        if setup.form.input_lanes > 1:
            yield "pivot in lanes that are not used", bool(pivots and len(spare) and (spare == pivots[0]).all())


def of_topk_radix(setup: RadixSetup, job: Job) -> Corners:
    yield from of_topk(setup.form, job)
    scores, k = topk_job(setup.form, job)
    chooses = 0 < k < len(scores)
    threshold = sorted(scores)[-k] if chooses else -1
    yield "threshold is 0", threshold == 0
    yield "threshold is the largest score", threshold == (1 << setup.form.score_bits) - 1
    passes = setup.digits.passes
    if passes > 1:
        alike = len({score >> setup.digits.low(passes - 2) for score in scores}) == 1
        yield "scores alike but for the last digit", chooses and alike and len(set(scores)) > 1
    if setup.radix.early_exit == "yes" and passes > 1:
        yield "ends early", chooses and select(radix_params(setup), scores, k).steps < passes


def of_topk(form: TopkForm, job: Job) -> Corners:
    """Those that every top-k engine has, and that these widths have."""
    scores, k = topk_job(form, job)
    found = corners_of(form, TopkJob(scores, (0,) * len(scores), k, 0))
    left_out = {"ties within a beat"} if form.input_lanes == 1 else set()
    yield from ((corner, corner in found) for corner in CORNERS if corner not in left_out)


def topk_job(form: TopkForm, job: Job) -> tuple[tuple[int, ...], int]:
    """Scores of a job, and how many are to be kept."""
    beats = unpack(topk_scores_layout(form), job.inputs["scores"])
    used = np.arange(form.input_lanes) < beats["count"][:, None]
    return tuple(beats["score"][used].tolist()), int(unpack(command_layout(form), job.inputs["cmd"])["k"][0])


def spare_scores(form: TopkForm, job: Job) -> Codes:
    """What stands in the lanes of a job that are not used."""
    beats = unpack(topk_scores_layout(form), job.inputs["scores"])
    found: Codes = beats["score"][np.arange(form.input_lanes) >= beats["count"][:, None]]
    return found
