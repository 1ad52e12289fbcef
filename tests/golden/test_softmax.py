"""The softmax unit: bit for bit against one number at a time, beats of lanes, masks, and softmax itself."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.golden.attention_formats import TILED, AttentionFormats, read_formats
from accelsim.golden.fixed import Codes, Flags
from accelsim.golden.softmax import SoftmaxUnit, causal, in_tiles, softmax
from tests.golden import scalar
from tests.golden.examples import formats

LENGTH = 200
TILES = st.integers(1, 12)


@st.composite
def rows(draw: st.DrawFn, kinds: st.SearchStrategy[AttentionFormats]) -> tuple[AttentionFormats, Codes, Flags]:
    chosen = draw(kinds)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 25))
    spread = draw(st.sampled_from([3, 300, chosen.scores.highest]))
    scores = rng.integers(-spread, spread, shape, endpoint=True).clip(chosen.scores.lowest, chosen.scores.highest)
    return chosen, scores, rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))


def unit(tile: int, chosen: AttentionFormats = TILED, lanes: int = 1) -> SoftmaxUnit:
    return SoftmaxUnit(LENGTH, tile, lanes, chosen)


def values(output: Codes, chosen: AttentionFormats = TILED) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return output.astype(np.float64) / 2.0**chosen.output.fraction


@given(rows(st.one_of(st.just(TILED), formats())), TILES)
def test_bits_are_those_of_one_number_at_a_time(given_rows: tuple[AttentionFormats, Codes, Flags], tile: int) -> None:
    chosen, scores, valid = given_rows
    found = softmax(unit(tile, chosen), scores, valid)
    for row in range(len(scores)):
        state = scalar.State(None, [0])
        for at in range(0, scores.shape[1], tile):
            where = range(at, min(at + tile, scores.shape[1]))
            keys = [(int(scores[row, n]), (1,)) for n in where if valid[row, n]]
            factors = scalar.add_tile(chosen, state, keys)
            place = row, at // tile
            assert (found.old[place], found.new[place]) == factors
            assert found.denominator[place] == state.sums[0]
            own = max((score for score, _ in keys), default=0)
            p = [scalar.p_code(chosen, own - int(scores[row, n])) if valid[row, n] else 0 for n in where]
            assert found.p[place].tolist() == p + [0] * (tile - len(p))
        assert found.empty[row] == (state.maximum is None)


@given(rows(st.just(TILED)), st.integers(1, 4), st.integers(1, 4))
def test_lanes_change_no_bit(given_rows: tuple[AttentionFormats, Codes, Flags], lanes: int, beats: int) -> None:
    """Beat by beat: the maximum of a tile from the maxima of its beats, its sum of P from their sums."""
    chosen, scores, valid = given_rows
    tile = lanes * beats
    found = softmax(unit(tile, chosen, lanes), scores, valid)
    by_lane, flags = in_tiles(scores, valid, lanes)
    lowest = np.where(flags, by_lane, chosen.scores.lowest).max(axis=2)
    own = np.pad(lowest, ((0, 0), (0, -lowest.shape[1] % beats)), constant_values=chosen.scores.lowest)
    own = own.reshape(len(scores), -1, beats).max(axis=2).repeat(beats, axis=1)[:, : lowest.shape[1]]
    p = [
        [[scalar.p_code(chosen, int(top - s)) if ok else 0 for s, ok in zip(*beat, strict=True)] for *beat, top in row]
        for row in (zip(by_lane[r], flags[r], own[r], strict=True) for r in range(len(scores)))
    ]
    flat = np.array(p).reshape(len(scores), -1)[:, : scores.shape[1]]
    assert (found.p.reshape(len(scores), -1)[:, : scores.shape[1]] == flat).all()


@given(rows(st.just(TILED)), TILES)
def test_it_is_softmax(given_rows: tuple[AttentionFormats, Codes, Flags], tile: int) -> None:
    _, scores, valid = given_rows
    found = softmax(unit(tile), scores, valid)
    below = scores - scores.max(where=valid, initial=-(2**19), axis=1)[:, None]
    weights = np.where(valid, np.exp(np.where(valid, below, 0) / 2**10), 0)
    sums = weights.sum(axis=1, keepdims=True)
    exact = np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0)
    assert np.abs(values(found.output) - exact).max() < 2e-4
    assert (found.empty == ~valid.any(axis=1)).all()
    assert (found.output[~valid] == 0).all()


@given(rows(st.just(TILED)), TILES)
def test_one_of_two_factors_is_always_one(given_rows: tuple[AttentionFormats, Codes, Flags], tile: int) -> None:
    chosen, scores, valid = given_rows
    found = softmax(unit(tile), scores, valid)
    assert ((found.old == chosen.one) | (found.new == chosen.one)).all()


@given(rows(st.just(TILED)), TILES, st.integers(-1000, 1000))
def test_only_differences_of_scores_matter(
    given_rows: tuple[AttentionFormats, Codes, Flags], tile: int, by: int
) -> None:
    chosen, scores, valid = given_rows
    scores = scores.clip(chosen.scores.lowest + 1000, chosen.scores.highest - 1000)
    before, after = softmax(unit(tile), scores, valid), softmax(unit(tile), scores + by, valid)
    assert (before.output == after.output).all()
    assert (before.denominator == after.denominator).all()


def test_the_causal_mask() -> None:
    assert causal(3, 4).tolist() == [[n <= row for n in range(4)] for row in range(3)]
    assert causal(2, 6, first=3).tolist() == [[n <= row for n in range(6)] for row in (3, 4)]


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AccelsimError, match="keys: the unit is built for 1 to 200, not 201"):
        softmax(unit(4), np.zeros((1, 201), int))
    with pytest.raises(AccelsimError, match="keys: the unit is built for 1 to 200, not 0"):
        softmax(unit(4), np.zeros((1, 0), int))
    with pytest.raises(
        AccelsimError, match=re.escape("scores holds 524288 at [0, 0]; s20.10 has codes from -524288 to")
    ):
        softmax(unit(4), [[2**19]])
    with pytest.raises(
        AccelsimError, match=re.escape("valid must be booleans of shape [1, 2], not bool of shape [2, 1]")
    ):
        softmax(unit(4), [[1, 2]], [[True], [True]])
    with pytest.raises(
        AccelsimError, match=re.escape("valid must be booleans of shape [1, 1], not int64 of shape [1, 1]")
    ):
        softmax(unit(4), [[1]], [[1]])


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((0, 4, 1), "length must be an integer from 1 to 2147483648, not 0"),
        ((8, True, 1), "tile must be an integer from 1 to 65536, not True"),
        ((8, 4, 2.0), "lanes must be an integer from 1 to 65536, not 2.0"),
        ((8, 6, 4), "tile must be a multiple of the 4 lanes, not 6"),
    ],
)
def test_units_that_cannot_be_are_refused(sizes: tuple[int, int, int], text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        SoftmaxUnit(*sizes)
    assert str(caught.value) == text


def test_a_denominator_that_could_overflow_is_refused() -> None:
    small = read_formats({"denominator": "u36.23"})
    assert SoftmaxUnit(2**13, 4, 1, small).length == 2**13
    with pytest.raises(AccelsimError) as caught:
        SoftmaxUnit(2**14, 4, 1, small)
    assert str(caught.value) == (
        "the denominator over 16384 keys can reach 137434759168, which overflows u36.23: take u37.23"
    )
    assert SoftmaxUnit(2**14, 4, 1, read_formats({"denominator": "u37.23"})).length == 2**14
