"""The laws of the three means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.report.means import KINDS, means

POSITIVE = st.floats(min_value=1e-9, max_value=1e9)
PAIRS = st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=30)


@given(PAIRS)
def test_geometric_is_at_most_arithmetic(pairs: list[tuple[float, float]]) -> None:
    found = means(pairs)
    assert found
    assert found.geometric <= found.arithmetic * (1 + 1e-9)


@given(PAIRS)
def test_every_mean_is_between_the_smallest_and_the_largest_ratio(pairs: list[tuple[float, float]]) -> None:
    found, ratios = means(pairs), [a / b for a, b in pairs]
    assert found
    for kind in KINDS:
        assert min(ratios) * (1 - 1e-9) <= found.of_kind(kind) <= max(ratios) * (1 + 1e-9)


@given(PAIRS)
def test_geometric_and_equal_work_of_the_inverse_are_the_inverse(pairs: list[tuple[float, float]]) -> None:
    found, inverse = means(pairs), means([(b, a) for a, b in pairs])
    assert found
    assert inverse
    assert inverse.geometric == pytest.approx(1 / found.geometric)
    assert inverse.equal_work == pytest.approx(1 / found.equal_work)


def test_equal_work_is_total_over_total() -> None:
    found = means([(10.0, 1.0), (1.0, 1.0)])
    assert found
    assert (found.arithmetic, found.equal_work, found.count) == (5.5, 5.5, 2)


def test_nothing_has_no_mean() -> None:
    assert means([]) is None
