"""exp in six steps on an array's processing element, for every input; its polynomial against 2^-f."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.horner import (
    ERROR_BOUND,
    HornerExp,
    coefficients,
    horner_exponential,
    horner_step,
    last_step,
    range_step,
)
from tests.golden.scalar import ln2, rounded

SOURCES = [FixedFormat(16, fraction) for fraction in range(1, 16)]
EVERY = np.arange(-(2**15), 1)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_input_is_within_the_bound(source: FixedFormat) -> None:
    y = horner_exponential(HornerExp(source), EVERY)
    exact = np.exp(EVERY / 2.0**source.fraction)
    assert np.abs(y / 2.0**15 - exact).max() <= ERROR_BOUND
    assert y[-1] == 2**15 - 1


@pytest.mark.parametrize("fraction", range(1, 14))
def test_the_result_never_falls(fraction: int) -> None:
    """Steps of x below 2^-13 are finer than the result, whose rounding errors then show."""
    assert (np.diff(horner_exponential(HornerExp(FixedFormat(16, fraction)), EVERY)) >= 0).all()


def test_the_polynomial_meets_the_curve_where_it_is_said_to() -> None:
    values = [sum(c * (i / 5) ** n for n, c in enumerate(coefficients())) / 2**15 for i in range(6)]
    assert np.abs(np.array(values) - 2.0 ** (-np.arange(6) / 5)).max() < 3 * 2**-15
    assert sum(coefficients()) == 2**14, "one half at f = 1: continuous from octave to octave"
    fitted = np.polynomial.Polynomial.fit(np.arange(6) / 5, 2.0 ** (-np.arange(6) / 5), 5, domain=[0, 1], window=[0, 1])
    assert [round(float(c) * 2**15) for c in np.real(fitted.coef)] == list(coefficients())


def one(x: int, fraction: int) -> int:
    """The six steps in fractions."""
    minus_log2_e = -Fraction(rounded(2**14 / ln2()), 2**14)
    phase = Fraction(rounded(Fraction(x, 2**fraction) * minus_log2_e * 2**15), 2**15)
    octave, f = phase // 1, phase % 1
    value = Fraction(coefficients()[5], 2**15)
    for degree in (4, 3, 2, 1):
        value = Fraction(rounded((Fraction(coefficients()[degree], 2**15) + value * f) * 2**15), 2**15)
    return min(rounded((1 + value * f) / 2**octave * 2**15), 2**15 - 1)


@pytest.mark.parametrize("fraction", [3, 11, 15])
def test_bits_are_those_of_exact_fractions(fraction: int) -> None:
    chosen = np.random.default_rng(3).choice(EVERY, 200)
    found = horner_exponential(HornerExp(FixedFormat(16, fraction)), chosen).tolist()
    assert found == [one(int(x), fraction) for x in chosen]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_operands_and_accumulators_keep_their_widths(source: FixedFormat) -> None:
    product = EVERY * -rounded(2**14 / ln2())
    octave, f = range_step(HornerExp(source), EVERY)
    assert np.abs(product).max() < 2**31
    assert f.max() < 2**15
    value = np.full_like(f, coefficients()[5])
    for degree in (4, 3, 2, 1):
        assert np.abs((coefficients()[degree] << 15) + value * f).max() < 2**31
        value = horner_step(value, f, coefficients()[degree])
        assert np.abs(value).max() < 2**15
    assert np.abs(2**30 + value * f).max() < 2**31
    assert last_step(value, f, octave).max() < 2**15


def test_an_x_above_zero_is_refused() -> None:
    with pytest.raises(AccelsimError, match="x must be at most 0, not 3"):
        horner_exponential(HornerExp(), [-1, 3])
    with pytest.raises(AccelsimError, match=re.escape("x holds -40000 at [0]; s16.11 has codes from -32768 to 32767")):
        horner_exponential(HornerExp(), [-40000])


@pytest.mark.parametrize("text", ["u16.11", "s8.4", "s16", "s16.16"])
def test_sources_that_are_no_operand_are_refused(text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        HornerExp(FixedFormat.parse(text))
    assert str(caught.value) == f"the source of exp on an array must be one of s16.1 to s16.15, not {text}"
