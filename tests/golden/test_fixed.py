"""Rounding, scaling and division against fractions; what may overflow is refused."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.fixed import (
    Codes,
    Scale,
    check_codes,
    check_sum,
    divide,
    requantise,
    rescale,
    round_half_up,
    saturate,
    scale_of,
)
from tests.golden.scalar import rounded
from tests.source import ROOT, sources

BYTE = FixedFormat(8)
WIDE = st.integers(-(2**61) + 1, 2**61 - 1)
ALLOWED = ("accelsim.errors", "accelsim.formats", "accelsim.golden", "accelsim.program.instruction")


def codes(*values: int) -> Codes:
    return np.array(values, dtype=np.int64)


@given(st.integers(-(2**60), 2**60), st.integers(0, 60))
def test_half_goes_up(code: int, bits: int) -> None:
    assert round_half_up(codes(code), bits)[0] == floor(Fraction(code, 2**bits) + Fraction(1, 2))


def test_half_goes_up_on_both_sides_of_zero() -> None:
    assert round_half_up(codes(-3, -2, -1, 0, 1, 2, 3), 1).tolist() == [-1, -1, 0, 0, 1, 1, 2]


def test_shifts_may_differ_by_element() -> None:
    assert round_half_up(codes(5, 5, 5), codes(0, 1, 3)).tolist() == [5, 3, 1]


@given(WIDE)
def test_saturation_gives_the_nearest_code(code: int) -> None:
    assert saturate(codes(code), BYTE)[0] == min(range(-128, 128), key=lambda found: abs(found - code))


@given(st.integers(-(2**45), 2**45), st.integers(1, 65535), st.integers(0, 47))
def test_a_scale_is_rounded_once(code: int, multiplier: int, shift: int) -> None:
    exact = rounded(Fraction(code * multiplier, 2**shift))
    found = requantise(codes(code), Scale(multiplier, shift), FixedFormat(20, 10))[0]
    assert found == max(-(2**19), min(2**19 - 1, exact))


@given(st.fractions(Fraction(1, 2**32), 65535))
def test_the_scale_of_a_value_is_near(value: Fraction) -> None:
    scale = scale_of(value)
    assert abs(Fraction(scale.multiplier, 2**scale.shift) - value) <= value / 2**16
    assert scale.multiplier >= 2**15 or scale.shift == 47


@given(WIDE, st.integers(1, 30), st.data())
def test_wide_products_are_exact(code: int, fraction: int, data: st.DataObject) -> None:
    factor = data.draw(st.integers(0, 2**fraction))
    found = rescale(codes(code), codes(factor), fraction)[0]
    assert found == rounded(Fraction(code * factor, 2**fraction))


@given(WIDE, st.integers(0, 30))
def test_the_factor_one_changes_nothing(code: int, fraction: int) -> None:
    assert rescale(codes(code), codes(2**fraction), fraction)[0] == code


@given(st.integers(-(2**59), 2**59), st.integers(1, 2**60), st.integers(0, 32))
def test_division_is_rounded_once(numerator: int, denominator: int, fraction: int) -> None:
    exact = rounded(Fraction(numerator << fraction, denominator))
    if abs(exact) < 2**62:
        assert divide(codes(numerator), codes(denominator), fraction)[0] == exact


@pytest.mark.parametrize("fraction", range(4))
def test_division_of_small_numbers_with_their_ties(fraction: int) -> None:
    numerator, denominator = (array.ravel() for array in np.mgrid[-40:41, 1:17])
    exact = [rounded(Fraction(int(n) << fraction, int(d))) for n, d in zip(numerator, denominator, strict=True)]
    assert divide(numerator, denominator, fraction).tolist() == exact


@given(st.integers(1, 2**40), st.integers(1, 40))
def test_a_format_that_is_proposed_holds_the_sum(most: int, width: int) -> None:
    target = FixedFormat(width + 1, 0)
    for low, high in ((-most, 0), (0, most), (-most, most)):
        try:
            check_sum("it", low, high, target)
        except AccelsimError as error:
            enough = FixedFormat.parse(str(error).rpartition(" ")[2])
            check_sum("it", low, high, enough)
            assert enough.width > target.width
            with pytest.raises(AccelsimError):
                check_sum("it", low, high, FixedFormat(enough.width - 1, 0))
        else:
            assert target.lowest <= low
            assert high <= target.highest


@pytest.mark.parametrize(
    ("multiplier", "shift", "text"),
    [
        (0, 3, "the multiplier of a scale must be from 1 to 65535, not 0"),
        (65536, 3, "the multiplier of a scale must be from 1 to 65535, not 65536"),
        (1, 48, "the shift of a scale must be from 0 to 47, not 48"),
        (1, -1, "the shift of a scale must be from 0 to 47, not -1"),
    ],
)
def test_scales_out_of_range_are_refused(multiplier: int, shift: int, text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        Scale(multiplier, shift)
    assert str(caught.value) == text


@pytest.mark.parametrize("value", [Fraction(-1), Fraction(0), Fraction(1, 2**49), Fraction(65536)])
def test_values_without_a_scale_are_refused(value: Fraction) -> None:
    with pytest.raises(AccelsimError, match=r"a scale must be above 2\^-48 and below 65535.5, not "):
        scale_of(value)


@pytest.mark.parametrize(
    ("values", "dimensions", "text"),
    [
        ([[1, 200]], 2, "q holds 200 at [0, 1]; s8 has codes from -128 to 127"),
        ([1.0], None, "q must be an array of integers, not float64 of shape [1]"),
        ([1], 2, "q must be an array of integers with 2 dimensions, not int64 of shape [1]"),
        ([True], None, "q must be an array of integers, not bool of shape [1]"),
    ],
)
def test_what_is_no_code_is_refused(values: list[object], dimensions: int | None, text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        check_codes("q", np.array(values), BYTE, dimensions)
    assert str(caught.value) == text


def test_unsigned_arrays_are_compared_by_value() -> None:
    with pytest.raises(AccelsimError, match="q holds 18446744073709551615 at "):
        check_codes("q", np.array([2**64 - 1], dtype=np.uint64), BYTE)
    assert check_codes("q", np.array([7], dtype=np.uint8), BYTE).dtype == np.int64


def test_golden_models_depend_on_nothing_that_they_judge() -> None:
    for source in sources():
        if source.module.startswith("accelsim.golden"):
            found = [line.split()[1] for line in source.text.splitlines() if line.startswith(("from ", "import "))]
            own = [name for name in found if name.split(".")[0] in ("accelsim", "rtl")]
            assert [name for name in own if not name.startswith(ALLOWED)] == []


def test_starting_does_not_load_them() -> None:
    script = "import sys, accelsim; print(sorted(name for name in sys.modules if 'golden' in name or name == 'numpy'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
