"""A tile of attention on an array with exp in its elements: against softmax, by its laws, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.fixed import Codes
from accelsim.golden.fuse_array import FuseUnit, KeyTile, Operands, differences, folded, key_tile
from accelsim.golden.horner import ERROR_BOUND
from tests.golden.scalar import rounded
from tests.golden.test_horner import one

UNIT = FuseUnit(rows=16, length=65)
SEEDS = st.integers(0, 2**32 - 1)
SIDES = st.integers(1, 16)


def drawn(seed: int, queries: int, keys: int, elements: int = 8) -> Operands:
    rng = np.random.default_rng(seed)
    k, v = (rng.integers(-128, 128, (keys, elements)) for _ in range(2))
    return Operands(rng.integers(-(2**15), 2**15, (queries, elements)), k, v, int(rng.integers(6, 16)))


def operand(values: object) -> Codes:
    return np.asarray(values, np.int64)


@given(SEEDS, SIDES, SIDES, st.integers(1, 64), st.floats(1e-5, 5e-3))
def test_p_is_exp_of_scaled_scores(seed: int, queries: int, keys: int, elements: int, scale: float) -> None:
    """Off by exp itself, half a step of its source, and what rounding Q to 16 bits does to a difference of scores."""
    rng = np.random.default_rng(seed)
    q, k, v = (rng.integers(-128, 128, (number, elements)) for number in (queries, keys, keys))
    codes, shift = folded(UNIT, q, scale)
    found = key_tile(UNIT, Operands(codes, k, v, shift))
    scores = scale * (q @ k.T)
    rest = scores - scores.max(axis=1, keepdims=True)
    step = 2.0**-UNIT.source.fraction
    lost = 2 * 0.5 * np.abs(k).sum(axis=1).max() * 2.0**-shift * step
    bound = ERROR_BOUND + np.expm1(step / 2 + lost)
    assert np.abs(found.p / 2.0**15 - np.exp(rest)).max() <= bound
    weights = np.exp(rest) / np.exp(rest).sum(axis=1, keepdims=True)
    output = found.pv / found.total[:, None]
    assert np.abs(output - weights @ v).max() <= 2 * keys * bound * 128


@given(SEEDS, SIDES, SIDES)
def test_bits_are_those_of_exact_fractions(seed: int, queries: int, keys: int) -> None:
    tile = drawn(seed, queries, keys)
    found = key_tile(UNIT, tile)
    for p, (query, row) in enumerate(zip(operand(tile.queries).tolist(), found.p.tolist(), strict=True)):
        scores = [sum(a * b for a, b in zip(query, key, strict=True)) for key in operand(tile.keys).tolist()]
        exact = [one(max(rounded_shift(score - max(scores), tile.shift), -(2**15)), 11) for score in scores]
        assert (row, found.maximum[p], found.total[p]) == (exact, max(scores), sum(exact))
        values = operand(tile.values).T.tolist()
        assert found.pv[p].tolist() == [sum(a * b for a, b in zip(exact, v, strict=True)) for v in values]


def rounded_shift(value: int, shift: int) -> int:
    return rounded(Fraction(value, 2**shift))


@given(SEEDS, SIDES, st.integers(2, 16))
def test_the_order_of_keys_changes_nothing_but_their_order(seed: int, queries: int, keys: int) -> None:
    tile, places = drawn(seed, queries, keys), np.random.default_rng(seed).permutation(keys)
    found = key_tile(UNIT, tile)
    turned = key_tile(UNIT, replace(tile, keys=operand(tile.keys)[places], values=operand(tile.values)[places]))
    assert (turned.p == found.p[:, places]).all()
    for name in ("maximum", "total", "pv"):
        assert (getattr(turned, name) == getattr(found, name)).all()


@given(SEEDS, SIDES, SIDES, st.integers(-(2**15), 2**15 - 1))
def test_what_all_scores_have_in_common_only_moves_the_maximum(seed: int, queries: int, keys: int, more: int) -> None:
    """So scores of any size do no harm: only differences become operands of 16 bits."""
    tile = drawn(seed, queries, keys)
    q = np.append(operand(tile.queries), np.full((queries, 1), more), axis=1)
    k = np.append(operand(tile.keys), np.full((keys, 1), 100), axis=1)
    found, moved = key_tile(UNIT, tile), key_tile(UNIT, replace(tile, queries=q, keys=k))
    assert (moved.maximum - found.maximum == 100 * more).all()
    assert (moved.p == found.p).all()
    assert (moved.pv == found.pv).all()


@given(SEEDS, SIDES, st.integers(2, 16))
def test_tiles_are_merged_by_their_maxima_and_sums(seed: int, queries: int, keys: int) -> None:
    """What the vector unit does with two tiles: sums times exp of how far their maximum lies below the larger one."""
    tile, cut = drawn(seed, queries, keys), keys // 2
    k, v = operand(tile.keys), operand(tile.values)
    parts = [key_tile(UNIT, replace(tile, keys=k[here], values=v[here])) for here in (slice(cut), slice(cut, None))]
    whole = key_tile(UNIT, tile)
    step = 2.0**-UNIT.source.fraction
    factors = [np.exp((part.maximum - whole.maximum) * 2.0**-tile.shift * step) for part in parts]
    total = sum(factor * part.total for factor, part in zip(factors, parts, strict=True))
    bound = 2 * (ERROR_BOUND + np.expm1(step)) * 2**15
    assert np.abs(total - whole.total).max() <= keys * bound
    pv = sum(factor[:, None] * part.pv for factor, part in zip(factors, parts, strict=True))
    assert np.abs(pv - whole.pv).max() <= keys * bound * 128


@given(SEEDS, SIDES, SIDES)
def test_the_nearest_key_has_a_p_of_one(seed: int, queries: int, keys: int) -> None:
    found: KeyTile = key_tile(UNIT, drawn(seed, queries, keys))
    assert (found.p.max(axis=1) == 2**15 - 1).all()
    assert (found.p >= 0).all()
    assert (found.total >= 2**15 - 1).all()


@pytest.mark.parametrize("fraction", range(1, 12))
def test_a_difference_saturates_only_where_exp_is_0(fraction: int) -> None:
    unit = FuseUnit(2, source=FixedFormat(16, fraction))
    scores = np.array([[0, -(2**15) + 1], [0, -(2**15)], [0, -(2**15) - 1], [2**31 - 1, -(2**31)]])
    assert differences(unit, scores, 0)[:, 1].tolist() == [1 - 2**15, -(2**15), -(2**15), -(2**15)]
    assert np.exp(-(2.0**15) / 2.0**fraction) < 2.0**-16


@given(st.floats(1e-6, 0.05), SEEDS)
def test_folding_keeps_the_scale_to_half_a_step(scale: float, seed: int) -> None:
    q = np.random.default_rng(seed).integers(-128, 128, (4, 8))
    codes, shift = folded(UNIT, q, scale)
    assert np.abs(codes / 2.0 ** (shift + 11) - q * scale).max() <= 2.0 ** -(shift + 12) * 1.0001
    assert np.abs(codes).max() < 2**15
    assert shift == 31 or 2 * np.abs(codes).max() + 1 >= 2**15 - 1, "one more would not fit"


def test_a_scale_that_does_not_fit_is_refused() -> None:
    for scale in (0.0, -1.0, 16.0):
        with pytest.raises(AccelsimError, match=r"^the scale of scores must be above 0 and make queries fit s16, not "):
            folded(UNIT, [[1]], scale)


def test_the_largest_sums_fit_and_larger_ones_are_refused() -> None:
    low, high = np.full((1, 511), -(2**15)), np.full((1, 511), -128)
    assert key_tile(FuseUnit(1, length=511), Operands(low, high, high, 0)).maximum.tolist() == [511 * 2**22]
    with pytest.raises(AccelsimError, match=r"^a score of 512 products can reach 2147483648, which overflows s32"):
        FuseUnit(1, length=512)
    assert FuseUnit(511).rows == 511
    with pytest.raises(AccelsimError, match=r"^P x V over 513 keys can reach "):
        FuseUnit(513)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 0}, "rows must be an integer from 1 to 65536, not 0"),
        ({"query": 17}, "query must be an integer from 2 to 16, not 17"),
        ({"key": 1}, "key must be an integer from 2 to 16, not 1"),
        ({"length": True}, "length must be an integer from 1 to 1073741824, not True"),
        ({"source": FixedFormat(8, 4)}, "the source of exp on an array must be one of s16.1 to s16.15, not s8.4"),
        (
            {"source": FixedFormat(16, 12)},
            "the source must reach down to where exp is 0, such as s16.11, not s16.12: scores further below the "
            "maximum saturate",
        ),
    ],
)
def test_units_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        FuseUnit(**{"rows": 4, **values})  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keys": [[1, 2]] * 17, "values": [[1]] * 17}, "keys and values must be as many, from 1 to 16, not 17 and 17"),
        ({"values": [[1]] * 2}, "keys and values must be as many, from 1 to 16, not 1 and 2"),
        ({"keys": [[1, 2, 3]]}, "queries [1, 2] and keys [1, 3] must share an E from 1 to 65: a longer sum could "),
        ({"shift": 32}, "the shift of scores must be from 0 to 31, not 32"),
        ({"keys": [[1, 128]]}, "keys holds 128 at [0, 1]; s8 has codes from -128 to 127"),
    ],
)
def test_operands_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        key_tile(UNIT, replace(Operands([[1, 2]], [[3, 4]], [[5]], 0), **changes))  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
