"""Number formats: bounds, text and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.formats import BF16, FP32, WIDEST, FixedFormat, FloatFormat


@st.composite
def formats(draw: st.DrawFn) -> FixedFormat:
    signed = draw(st.booleans())
    width = draw(st.integers(1 + signed, WIDEST))
    return FixedFormat(width, draw(st.integers(0, width)), signed)


@given(formats())
def test_text_is_read_back(form: FixedFormat) -> None:
    assert FixedFormat.parse(str(form)) == form


@given(formats())
def test_bounds_are_all_that_the_bits_can_say(form: FixedFormat) -> None:
    assert form.highest - form.lowest + 1 == 1 << form.width
    assert form.lowest == (-form.highest - 1 if form.signed else 0)


def test_the_default_formats() -> None:
    assert str(FixedFormat(20, 10)) == "s20.10"
    assert str(FixedFormat(8)) == "s8"
    assert FixedFormat.parse("u25.24") == FixedFormat(25, 24, signed=False)
    assert FixedFormat(16, 15).highest == 2**15 - 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20.10", 'format of a number: must look like s20.10 or u8, got "20.10"'),
        ("s20.10.1", 'format of a number: must look like s20.10 or u8, got "s20.10.1"'),
        ("s1", 'width of a number: must be from 2 to 128 bits, got "1"'),
        ("u0", 'width of a number: must be from 1 to 128 bits, got "0"'),
        ("u129", 'width of a number: must be from 1 to 128 bits, got "129"'),
        ("s8.9", 'fraction of a number: must be from 0 to 8 bits, got "9"'),
    ],
)
def test_what_is_no_format_is_refused(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        FixedFormat.parse(text)
    assert str(caught.value) == message


def test_known_floating_point_formats() -> None:
    """IEEE 754-2019, table 3.5, and the upper half of it."""
    assert (FP32.width, FP32.bias, FP32.special, FP32.nan) == (32, 127, 255, 0x7FC00000)
    assert (BF16.width, BF16.bias, BF16.nan) == (16, 127, 0x7FC0)
    half = FloatFormat(5, 10)
    assert (half.width, half.bias, half.nan) == (16, 15, 0x7E00)


def test_floating_point_formats_that_cannot_be_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^exponent of a number: must be from 2 to 64 bits, got "1"$'):
        FloatFormat(1, 3)
    with pytest.raises(AccelsimError, match=r'^fraction of a number: must be from 1 to 64 bits, got "65"$'):
        FloatFormat(8, 65)
