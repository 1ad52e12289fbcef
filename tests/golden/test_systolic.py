"""The integer array: exact, in any order of adding, and nothing that could overflow gets in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.golden.fixed import Codes
from accelsim.golden.systolic import ArrayWidths, largest_k, multiply, partial_sums

SIDES = st.integers(1, 12)
WIDTHS = st.integers(2, 16)


def operand(rng: np.random.Generator, bits: int, shape: tuple[int, int]) -> Codes:
    """Random codes, the extremes among them."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return np.where(rng.random(shape) < 0.3, low, rng.integers(low, high, shape, endpoint=True))


@given(SIDES, SIDES, SIDES, SIDES, st.integers(0, 9))
def test_every_order_of_adding_gives_the_same_bits(m: int, k: int, n: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = ArrayWidths()
    a, b = operand(rng, 16, (m, k)), operand(rng, 8, (k, n))
    product = multiply(widths, a, b)
    plain = [[sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) for column in b.T] for row in a]
    assert product.tolist() == plain
    folds = partial_sums(widths, a, b, rows)
    assert folds.shape == (-(-k // rows), m, n)
    assert (folds.sum(axis=0) == product).all()
    sums = np.zeros((m, n), dtype=np.int64)
    for beat in rng.permutation(k):
        sums += a[:, beat, None] * b[beat]
    assert (sums == product).all()


@given(WIDTHS, WIDTHS, st.integers(4, 40))
def test_what_is_let_in_cannot_overflow_and_one_more_could(left: int, right: int, accumulator: int) -> None:
    if accumulator < left + right:
        with pytest.raises(AccelsimError, match="accumulator must be at least"):
            ArrayWidths(left, right, accumulator)
        return
    widths = ArrayWidths(left, right, accumulator)
    most = largest_k(widths)
    extreme = 1 << (left - 1 + right - 1)
    assert most * extreme < 1 << (accumulator - 1)
    assert (most + 1) * extreme >= 1 << (accumulator - 1)


def test_the_largest_sum_is_exact_and_the_next_is_refused_whatever_the_values() -> None:
    widths = ArrayWidths(8, 8, 20)
    k = largest_k(widths)
    worst = multiply(widths, np.full((1, k), -128), np.full((k, 1), -128))
    assert 2**19 - 128 * 128 <= worst[0, 0] < 2**19
    with pytest.raises(AccelsimError) as caught:
        multiply(widths, np.zeros((1, k + 1), int), np.zeros((k + 1, 1), int))
    assert str(caught.value) == (
        "K must be at most 31 for an accumulator of 20 bits and operands of 8 and 8 bits, not 32: a sum could overflow"
    )


def test_operands_that_do_not_fit_are_refused() -> None:
    widths = ArrayWidths(8, 8, 32)
    with pytest.raises(AccelsimError, match=r"right holds 128 at \[0, 0\]; s8 has codes from -128 to 127"):
        multiply(widths, [[1]], [[128]])
    with pytest.raises(AccelsimError, match=r"left \[1, 2\] and right \[1, 1\] must share a K of at least 1"):
        multiply(widths, [[1, 2]], [[1]])
    with pytest.raises(AccelsimError, match="rows must be at least 1, not 0"):
        partial_sums(widths, [[1]], [[1]], 0)


@pytest.mark.parametrize(
    ("given_widths", "text"),
    [
        ((1, 8, 32), "left must be an integer from 2 to 62 bits, not 1"),
        ((16, 8, 64), "accumulator must be an integer from 2 to 62 bits, not 64"),
        ((16, 8, 23), "accumulator must be at least 24 bits for products of 16 by 8 bits, not 23"),
    ],
)
def test_widths_that_cannot_be_are_refused(given_widths: tuple[int, int, int], text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        ArrayWidths(*given_widths)
    assert str(caught.value) == text
