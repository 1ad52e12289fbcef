"""The attention unit: bit for bit against one number at a time, against the cascade in double precision, and laws."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.evaluate import evaluate
from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden import attention as module
from accelsim.golden.accuracy import relative_error
from accelsim.golden.attention import Attention, AttentionUnit, attend
from accelsim.golden.attention_formats import KEYED, TILED, AttentionFormats
from accelsim.golden.fixed import Codes, Scale, requantise
from accelsim.golden.softmax import causal
from accelsim.workload import load_workload, steps
from tests.golden.examples import WIDE_KEYED, Example, examples
from tests.golden.scalar import attention_row
from tests.tries import tries

LENGTH = 100
TILES = st.one_of(st.none(), st.integers(1, 8))
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def unit(example: Example, tile: int | None) -> AttentionUnit:
    return AttentionUnit(example.q.shape[1], LENGTH, tile, example.formats)


def run(example: Example, tile: int | None) -> Attention:
    return attend(unit(example, tile), example.q, example.k, example.v, example.scale, example.valid)


def same(one: Attention, other: Attention) -> bool:
    names = ("output", "empty", "denominator", "accumulator")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@given(examples(), TILES)
def test_bits_are_those_of_one_number_at_a_time(example: Example, tile: int | None) -> None:
    scores = requantise(example.q @ example.k.T, example.scale, example.formats.scores).tolist()
    found = run(example, tile)
    values = example.v.tolist()
    for row, valid in enumerate(example.valid.tolist()):
        assert found.output[row].tolist() == attention_row(example.formats, tile, scores[row], values, valid)
        assert found.empty[row] == (not any(valid))


@settings(max_examples=tries(30))
@given(examples(), TILES)
def test_chunks_change_no_bit(example: Example, tile: int | None) -> None:
    whole = run(example, tile)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 1)
        assert same(run(example, tile), whole)


@given(examples(), TILES, st.integers(0, 99))
def test_what_is_masked_means_nothing(example: Example, tile: int | None, seed: int) -> None:
    """Keys and values that no row sees may hold anything; rows that see nothing give 0."""
    unseen = ~example.valid.any(axis=0)
    k, v = example.k.copy(), example.v.copy()
    rng = np.random.default_rng(seed)
    k[unseen] = rng.integers(-128, 128, k[unseen].shape)
    v[unseen] = rng.integers(-128, 128, v[unseen].shape)
    found = run(example, tile)
    assert same(found, run(replace(example, k=k, v=v), tile))
    assert (found.output[found.empty] == 0).all()


@given(examples(), TILES)
def test_masks_equal_dropping_the_keys(example: Example, tile: int | None) -> None:
    """Without tiles any key may be dropped; with tiles those at the end, and whole tiles."""
    assert (example.valid.shape[1]) == len(example.k)
    width = tile or 1
    tiles = np.arange(len(example.k)) // width
    rng = np.random.default_rng(0)
    kept = (rng.random(tiles.max() + 1) < 0.6)[tiles]
    if not kept.any():
        return
    masked = replace(example, valid=np.broadcast_to(kept, example.valid.shape))
    dropped = Example(
        example.formats,
        example.q,
        example.k[kept],
        example.v[kept],
        example.scale,
        np.ones((len(example.q), kept.sum()), bool),
    )
    if kept[-1] or len(kept) % width == 0:
        assert same(run(masked, tile), run(dropped, tile))


@given(examples(), st.integers(1, 8), st.integers(1, 20))
def test_a_masked_end_equals_a_shorter_row(example: Example, tile: int, keys: int) -> None:
    keys = min(keys, len(example.k))
    masked = replace(example, valid=example.valid & (np.arange(len(example.k)) < keys))
    short = replace(example, k=example.k[:keys], v=example.v[:keys], valid=example.valid[:, :keys])
    assert same(run(masked, tile), run(short, tile))


@given(examples(), st.integers(1, 8), st.integers(0, 99))
def test_the_order_of_keys_in_a_tile_means_nothing(example: Example, tile: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = np.arange(len(example.k))
    order = np.concatenate([rng.permutation(keys[at : at + tile]) for at in range(0, len(keys), tile)])
    moved = replace(example, k=example.k[order], v=example.v[order], valid=example.valid[:, order])
    assert same(run(example, tile), run(moved, tile))


@given(examples(), TILES, st.integers(0, 99))
def test_rows_do_not_touch_each_other(example: Example, tile: int | None, seed: int) -> None:
    found = run(example, tile)
    for row in range(len(example.q)):
        alone = run(replace(example, q=example.q[row : row + 1], valid=example.valid[row : row + 1]), tile)
        assert (alone.output[0] == found.output[row]).all()
        assert alone.empty[0] == found.empty[row]


@given(st.integers(0, 99), st.sampled_from([2, 5, 16, 64]))
def test_the_size_of_a_tile_hardly_matters(seed: int, tile: int) -> None:
    """Every tile gives what tiles of one key and no tiles at all give, up to rounding: 64 steps of P at most."""
    rng = np.random.default_rng(seed)
    q, k, v = (rng.integers(-127, 128, (64, 8)) for _ in "qkv")
    scale = Scale(40000, 18)
    found = {}
    for width, formats in ((1, TILED), (tile, TILED), (None, KEYED)):
        given_unit = AttentionUnit(8, LENGTH, width, formats)
        found[width] = attend(given_unit, q, k, v, scale).output.astype(np.float64)
    assert relative_error(found[tile], found[None]) < 5e-4
    assert relative_error(found[1], found[None]) < 5e-4


@given(st.integers(0, 99), st.integers(1, LENGTH), TILES)
def test_equal_scores_give_the_mean(seed: int, keys: int, tile: int | None) -> None:
    rng = np.random.default_rng(seed)
    q, k = rng.integers(-128, 128, (3, 4)), np.tile(rng.integers(-128, 128, (1, 4)), (keys, 1))
    v = rng.integers(-128, 128, (keys, 5))
    formats = KEYED if tile is None else TILED
    found = attend(AttentionUnit(4, LENGTH, tile, formats), q, k, v, Scale(40000, 18))
    mean = v.sum(axis=0) * 2**15 / keys
    assert np.abs(found.output - mean).max() <= 0.5


@given(examples(st.sampled_from([TILED, WIDE_KEYED])), TILES)
def test_an_output_lies_between_the_values(example: Example, tile: int | None) -> None:
    """Weights are at least 0 and add up to the denominator; each rounding moves a sum by half a step."""
    found = run(example, tile)
    for row in np.flatnonzero(~found.empty):
        seen = example.v[example.valid[row]]
        slack = 2**15 * (len(example.k) + 2) * 2.0 ** -(example.formats.accumulator.fraction - 1)
        slack += 128 * 2**15 * (len(example.k) + 2) / found.denominator[row]
        assert (found.output[row] <= seen.max(axis=0) * 2**15 + slack + 1).all()
        assert (found.output[row] >= seen.min(axis=0) * 2**15 - slack - 1).all()


def cascade(name: str, q: Floats, k: Floats, v: Floats, tile: int) -> Floats:
    """AV of the one-pass cascade in double precision."""
    (queries, depth), keys = q.shape, len(k)
    sizes = {"B": 1, "H": 1, "E": depth, "F": v.shape[1], "M": keys, "P": queries, "M0": tile}
    overrides = [*(f"{size}={value}" for size, value in sizes.items()), "cascade=1pass"]
    (step,) = steps(load_workload(name, overrides))
    inputs = {tensor: array.T[None, None] for tensor, array in (("Q", q), ("K", k), ("V", v))}
    found: Floats = evaluate(step.shapes, inputs)["AV"].array[0, 0].T
    return found


@settings(max_examples=tries(25))
@given(st.integers(0, 999), st.integers(1, 24), st.sampled_from([None, 1, 4, 7]))
@pytest.mark.parametrize("name", ["attention", "causal-attention"])
def test_it_is_the_cascade(name: str, seed: int, keys: int, tile: int | None) -> None:
    """The one-pass cascade on what the codes stand for: the score's step goes into Q."""
    rng = np.random.default_rng(seed)
    q, k = rng.integers(-127, 128, (6, 5)), rng.integers(-127, 128, (keys, 5))
    v = rng.integers(-127, 128, (keys, 4))
    scale = Scale(60000, 18)
    formats: AttentionFormats = KEYED if tile is None else TILED
    mask = causal(6, keys) if name == "causal-attention" else None
    found = attend(AttentionUnit(5, LENGTH, tile, formats), q, k, v, scale, mask)
    step = scale.multiplier / 2.0 ** (scale.shift + formats.scores.fraction)
    expected = cascade(name, q.astype(np.float64) * step, k.astype(np.float64), v.astype(np.float64), tile or 4)
    assert np.abs(found.output / 2.0**15 - expected).max() / 127 < 1e-3


def test_values_of_the_extremes_are_exact() -> None:
    """The longest row that the default formats hold, all P and all values as large as they get."""
    for tile, formats in ((64, TILED), (512, TILED), (None, KEYED)):
        length = 2**16
        for value in (-128, 127):
            q, k = np.zeros((1, 1), int), np.zeros((length, 1), int)
            v: Codes = np.full((length, 1), value)
            found = attend(AttentionUnit(1, length, tile, formats), q, k, v, Scale(1, 0))
            assert found.output[0, 0] == value * 2**15
            assert found.accumulator[0, 0] == length * formats.largest_p * value << formats.guard


@pytest.mark.parametrize(
    ("unit_of", "text"),
    [
        (
            lambda: AttentionUnit(2**17, 64, 64),
            "Q x K of depth 131072 can reach 2147483648, which overflows s32: take s33",
        ),
        (
            lambda: AttentionUnit(64, 4096, 513),
            "P x V over a tile of 513 keys can reach -2151612288, which overflows s32: take s33",
        ),
        (
            lambda: AttentionUnit(64, 2**18, 64),
            "the accumulator over 262144 keys can reach -281466386776064, which overflows s48.23: take s49.23",
        ),
        (
            lambda: AttentionUnit(64, 2**16 + 1, None, KEYED),
            "the accumulator over 65537 keys can reach -140739635838976, which overflows s48.24: take s49.24",
        ),
        (
            lambda: AttentionUnit(64, 2**26, 64, replace(TILED, accumulator=FixedFormat(60, 23))),
            "the denominator over 67108864 keys can reach 562932773552128, which overflows s48.23: take s50.23",
        ),
        (lambda: AttentionUnit(0, 64, 64), "depth must be an integer from 1 to 2147483648, not 0"),
        (lambda: AttentionUnit(64, 64, 0), "tile must be an integer from 1 to 65536, not 0"),
        (lambda: AttentionUnit(64, 2**40, 64), "length must be an integer from 1 to 2147483648, not 1099511627776"),
    ],
)
def test_what_could_overflow_is_refused(unit_of: object, text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        unit_of()  # type: ignore[operator]
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        (((1, 3), (2, 4), (2, 4)), "q must have 4 columns, not shape [1, 3]"),
        (((1, 4), (2, 3), (2, 4)), "k must have 4 columns, not shape [2, 3]"),
        (((1, 4), (2, 4), (3, 4)), "v must have 2 rows as k has, not shape [3, 4]"),
        (((1, 4), (9, 4), (9, 4)), "keys: the unit is built for 1 to 8, not 9"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, int], ...], text: str) -> None:
    q, k, v = (np.zeros(shape, int) for shape in shapes)
    with pytest.raises(AccelsimError, match=re.escape(text)):
        attend(AttentionUnit(4, 8, 2), q, k, v, Scale(1, 0))
