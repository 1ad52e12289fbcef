"""BF16 and FP32: bit for bit against fractions, facts of IEEE 754, and what differs from it: no subnormals, one NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.formats import BF16, FP32, FloatFormat
from accelsim.golden.floating import add, codes_to_singles, from_bf16, multiply, singles_to_codes, to_bf16
from tests.golden import floats

INF, NAN, MINUS = 0x7F800000, 0x7FC00000, 0x80000000
ONE, LARGEST, SMALLEST = 0x3F800000, 0x7F7FFFFF, 0x00800000
HALF_STEP = 0x33800000  # 2^-24, half of the last place of 1


@st.composite
def codes(draw: st.DrawFn, form: FloatFormat) -> int:
    """Any code; exponents close to each other or at an end of the range, and fractions at an end, often."""
    ends = [0, 1, form.bias, form.bias + 1, form.special - 1, form.special]
    exponent = draw(st.one_of(st.sampled_from(ends), st.integers(form.bias - 13, form.bias + 13)))
    most = (1 << form.fraction) - 1
    fraction = draw(st.one_of(st.sampled_from([0, 1, most, most // 2, most // 2 + 1]), st.integers(0, most)))
    whole = (exponent << form.fraction) | fraction | (draw(st.integers(0, 1)) << (form.width - 1))
    return draw(st.one_of(st.just(whole), st.integers(0, (1 << form.width) - 1)))


def added(left: int, right: int) -> int:
    return int(singles_to_codes(add(codes_to_singles([left]), codes_to_singles([right])))[0])


@given(codes(FP32), codes(FP32))
def test_sums_are_those_of_fractions(left: int, right: int) -> None:
    assert added(left, right) == added(right, left) == floats.sum_code(FP32, left, right)


@given(codes(BF16), codes(BF16))
def test_products_are_those_of_fractions(left: int, right: int) -> None:
    found = int(singles_to_codes(multiply([left], [right]))[0])
    assert found == floats.product_code(BF16, FP32, left, right)


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (ONE, ONE, 0x40000000),
        (ONE, HALF_STEP, ONE),  # a tie: the even one
        (ONE + 1, HALF_STEP, ONE + 2),  # a tie, up to the even one
        (ONE, HALF_STEP + 1, ONE + 1),  # just above the tie
        (ONE, MINUS | HALF_STEP, 0x3F7FFFFF),  # below 1 a place is half as large: exact
        (ONE, MINUS | ONE, 0),
        (0, MINUS, 0),
        (MINUS, MINUS, MINUS),
        (SMALLEST + 1, MINUS | SMALLEST, 0),  # 2^-149, which is subnormal
        (MINUS | SMALLEST + 1, SMALLEST, MINUS),
        (SMALLEST - 1, SMALLEST - 1, 0),  # subnormal operands are zeros
        (LARGEST, LARGEST, INF),
        (LARGEST, 0x73000000, INF),  # half of its last place: a tie, to the even one, which is infinity
        (LARGEST, 0x72FFFFFF, LARGEST),
        (INF, MINUS | INF, NAN),
        (INF, MINUS | LARGEST, INF),
        (0xFFC12345, ONE, NAN),
        (0x7F800001, INF, NAN),
    ],
)
def test_sums_that_are_known(left: int, right: int, total: int) -> None:
    """IEEE 754-2019, sections 4.3, 6 and 7."""
    assert added(left, right) == total


@given(codes(FP32))
def test_minus_zero_is_neutral_and_opposites_cancel(code: int) -> None:
    same = floats.code_of(FP32, floats.number(FP32, code))
    assert added(code, MINUS) == same
    finite = (code >> 23) & 0xFF != 0xFF
    assert added(code, code ^ MINUS) == (0 if finite else NAN)


@given(codes(FP32))
def test_the_nearest_bf16_is_that_of_fractions(code: int) -> None:
    assert int(to_bf16(codes_to_singles(code))) == floats.code_of(BF16, floats.number(FP32, code))


def test_every_bf16_is_its_own_nearest_unless_it_is_subnormal_or_nan() -> None:
    every = np.arange(1 << 16)
    back = to_bf16(from_bf16(every))
    plain = ((every >> 7) & 0xFF != 0) & ~np.isnan(from_bf16(every))
    assert (back[plain] == every[plain]).all()
    assert set(back[~plain].tolist()) == {0, 0x8000, BF16.nan}


def test_what_is_no_code_is_refused() -> None:
    with pytest.raises(AccelsimError, match=r"^BF16 codes must be from 0 to 65535, not 65536$"):
        multiply([1], [1 << 16])
    with pytest.raises(AccelsimError, match=r"^BF16 codes must be integers, not float64$"):
        multiply([1.5], [1])
