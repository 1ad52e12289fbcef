"""The exp unit: every input of a format, bit for bit, its error bound, and that it never rises."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.constants import log2_e, nearest_code, two_to
from accelsim.golden.exp import SEGMENTS, ExpUnit, bases, error_bound, exponential, log2_e_code
from accelsim.golden.fixed import Codes
from tests.golden.scalar import exp_code, ln2, root_code
from tests.tries import tries

SCORES = FixedFormat(20, 10, signed=False)
P, FACTOR = FixedFormat(16, 15), FixedFormat(25, 24, signed=False)
# The largest error of a truncating unit of as many segments, 15 bits, x from 0 to 16 in 8 bits: a prototype's.
PROTOTYPE = {4: 3.59e-3, 8: 9.94e-4, 16: 2.77e-4, 32: 9.66e-5, 64: 6.08e-5}


def every(source: FixedFormat) -> Codes:
    return np.arange(source.highest + 1, dtype=np.int64)


def errors(unit: ExpUnit, x: Codes) -> tuple[Codes, float]:
    y = exponential(unit, x)
    exact = np.exp(-x / 2.0**unit.source.fraction)
    return y, float(np.abs(y / 2.0**unit.target.fraction - exact).max())


@st.composite
def units(draw: st.DrawFn) -> ExpUnit:
    source = FixedFormat(width := draw(st.integers(1, 16)), draw(st.integers(0, width)), signed=False)
    fraction = draw(st.integers(5, 26))
    signed = draw(st.booleans())
    target = FixedFormat(fraction + draw(st.integers(1 if signed else 0, 3)), fraction, signed)
    return ExpUnit(source, target, draw(st.sampled_from(SEGMENTS)))


@pytest.mark.parametrize("target", [P, FACTOR, FixedFormat(9, 8)], ids=str)
@pytest.mark.parametrize("segments", SEGMENTS)
def test_every_score_is_within_the_bound_and_never_rises(target: FixedFormat, segments: int) -> None:
    unit = ExpUnit(SCORES, target, segments)
    y, error = errors(unit, every(SCORES))
    assert error <= error_bound(unit)
    assert (np.diff(y) <= 0).all()
    assert y[0] == min(1 << target.fraction, target.highest)
    assert y[-1] == 0


@settings(max_examples=tries(40))
@given(units())
def test_every_format_is_within_its_bound_and_never_rises(unit: ExpUnit) -> None:
    y, error = errors(unit, every(unit.source))
    assert error <= error_bound(unit)
    assert (np.diff(y) <= 0).all()


@given(units(), st.data())
def test_bits_are_those_of_exact_fractions(unit: ExpUnit, data: st.DataObject) -> None:
    xs = data.draw(st.lists(st.integers(0, unit.source.highest), min_size=1, max_size=8))
    found = exponential(unit, np.array(xs, dtype=np.int64)).tolist()
    assert found == [exp_code(x, unit.source, unit.target, unit.segments) for x in xs]


@pytest.mark.parametrize("segments", SEGMENTS)
def test_tables_are_those_of_integer_roots(segments: int) -> None:
    for bits in (7, 17, 26):
        assert bases(segments, bits).tolist() == [root_code(i, segments, bits) for i in range(segments + 1)]


def test_constants_are_those_of_a_series() -> None:
    assert abs(log2_e() - 1 / ln2()) < Fraction(1, 2**180)
    assert all(log2_e_code(bits) == nearest_code(1 / ln2(), bits) for bits in range(60))
    assert abs(two_to(Fraction(-1, 3)) ** 3 - Fraction(1, 2)) < Fraction(1, 2**180)
    assert two_to(Fraction(-3)) == Fraction(1, 8)


def test_tables_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        bases(64, 17)[0] = 1


@pytest.mark.parametrize("segments", sorted(PROTOTYPE))
def test_rounding_is_better_than_truncation(segments: int) -> None:
    _, error = errors(ExpUnit(FixedFormat(12, 8, signed=False), P, segments), every(FixedFormat(12, 8, signed=False)))
    assert error < PROTOTYPE[segments]


def test_error_falls_with_segments_and_with_bits() -> None:
    by_segments = [errors(ExpUnit(SCORES, FACTOR, segments), every(SCORES))[1] for segments in SEGMENTS]
    assert all(3.5 < a / b < 4.5 for a, b in pairwise(by_segments))
    by_bits = [errors(ExpUnit(SCORES, FixedFormat(f + 1, f, signed=False), 128), every(SCORES))[1] for f in (8, 11, 14)]
    assert all(a > 4 * b for a, b in pairwise(by_bits))


def test_whole_octaves_are_exact() -> None:
    """x log2(e) is never whole, but 2^-n is met as nearly as the phase is: half a step and no more."""
    unit = ExpUnit(FixedFormat(30, 24, signed=False), FACTOR)
    x = np.array([round(n * math.log(2) * 2**24) for n in range(24)])
    assert np.abs(exponential(unit, x) - 2.0 ** (24 - np.arange(24))).max() <= 1


@pytest.mark.parametrize(
    ("source", "target", "segments", "text"),
    [
        ("s20.10", "s16.15", 64, "the source of an exp unit must be unsigned, not s20.10"),
        ("u20.10", "s16.15", 48, "segments must be one of 4, 8, 16, 32, 64, 128, not 48"),
        ("u20.10", "s16.15", 256, "segments must be one of 4, 8, 16, 32, 64, 128, not 256"),
        ("u20.10", "s5.4", 128, "segments must be at most 64 for s5.4, not 128"),
        ("u20.10", "s16.16", 64, "the target of an exp unit must reach 1 - 2^-16; s16.16 does not"),
        ("u40.10", "u25.24", 64, "exp of u40.10 to u25.24 needs products beyond 62 bits"),
    ],
)
def test_units_that_cannot_be_are_refused(source: str, target: str, segments: int, text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        ExpUnit(FixedFormat.parse(source), FixedFormat.parse(target), segments)
    assert str(caught.value) == text
