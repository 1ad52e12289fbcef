"""The error of attention in fixed point: within what is asked of it in every family, and falling with bits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.accuracy import LONGEST, Row, accuracy, exact, measure, relative_error, softmax_attention
from accelsim.golden.attention import AttentionUnit
from accelsim.golden.attention_formats import KEYED, TILED, AttentionFormats, read_formats
from accelsim.golden.inputs import FAMILIES, Sizes, sample

LIMIT = 5e-3  # what is asked of the units
REACHED = 2**-10  # what the default reaches in every family: two scores rounded apart by a step
EACH = pytest.mark.parametrize("family", FAMILIES)
NOISE = ("normal", "normal-3")


def errors(formats: AttentionFormats, length: int = 1024, families: tuple[str, ...] = NOISE) -> list[float]:
    return [row.error for row in accuracy(formats, [length], families)]


@EACH
@pytest.mark.parametrize("length", [64, 1000, 4096])
def test_tiles_reach_the_default(family: str, length: int) -> None:
    (row,) = accuracy(TILED, [length], [family])
    assert row.error <= REACHED
    assert row.peak <= REACHED
    assert (row.family, row.length) == (family, length)


@EACH
@pytest.mark.parametrize("length", [64, 4096])
def test_one_key_per_cycle_is_within_the_limit(family: str, length: int) -> None:
    (row,) = accuracy(KEYED, [length], [family], tile=None)
    assert row.error <= (LIMIT if family == "ramp-256-up" else REACHED)


@pytest.mark.slow
@EACH
def test_length_does_not_matter(family: str) -> None:
    assert measure(AttentionUnit(64, 2**16, 64, TILED), family, rows=2).error <= REACHED


@pytest.mark.slow
@EACH
def test_length_does_not_matter_for_one_key_per_cycle(family: str) -> None:
    found = measure(AttentionUnit(64, 2**16, None, KEYED), family, rows=2).error
    assert found <= (LIMIT if family == "ramp-256-up" else REACHED)


def test_error_falls_with_the_bits_of_scores_until_something_else_is_coarser() -> None:
    found = [errors(read_formats({"scores": f"s{10 + f}.{f}"})) for f in (4, 6, 8, 10, 12)]
    for coarse, fine in pairwise(found):
        assert all(2.5 < a / b < 6 for a, b in zip(coarse, fine, strict=True)), "two bits are a factor of four"


def test_error_falls_with_the_bits_of_p() -> None:
    fine = {"scores": "s26.16", "segments": 128}
    found = [errors(read_formats({**fine, "p": f"s{f + 1}.{f}"})) for f in (7, 9, 11, 13)]
    for coarse, finer in pairwise(found):
        assert all(2 < a / b < 8 for a, b in zip(coarse, finer, strict=True))


def test_error_falls_with_segments() -> None:
    fine = {"scores": "s26.16", "p": "s18.17"}
    found = [errors(read_formats({**fine, "segments": segments}))[1] for segments in (4, 8, 16, 32)]
    assert all(3 < a / b < 6 for a, b in pairwise(found)), "twice as many are a factor of four"


def test_a_coarse_p_loses_mass_with_length_but_for_tiles() -> None:
    """Against the running maximum P falls below its last bit as keys are added; against its tile's it does not."""
    sums = {"p": "s10.9", "denominator": "s48.23", "accumulator": "s48.23"}
    keyed = [accuracy(read_formats(sums, KEYED), [n], ["sink-10-first"], tile=None)[0].error for n in (64, 4096)]
    tiled = [accuracy(read_formats(sums), [n], ["sink-10-first"])[0].error for n in (64, 4096)]
    assert keyed[1] > 0.1
    assert keyed[1] > 5 * keyed[0]
    assert tiled[1] < 0.02


def test_eight_bits_cost_more_than_the_formats_do() -> None:
    for row in accuracy(TILED, [512], FAMILIES):
        made = row.family.startswith(("normal", "sink"))
        assert (row.input_error is not None) == made
        assert row.input_error is None or row.input_error > 5 * row.error


def test_rows_come_in_the_order_asked_for_and_do_not_depend_on_it() -> None:
    both = accuracy(TILED, [64, 65], ["equal", "normal"], seed=3)
    assert [(row.family, row.length) for row in both] == [
        ("equal", 64),
        ("equal", 65),
        ("normal", 64),
        ("normal", 65),
    ]
    assert accuracy(TILED, [65], ["normal"], seed=3) == both[3:]
    assert accuracy(TILED, [65], ["normal"], seed=4) != both[3:]


def test_the_reference_is_attention() -> None:
    """Against sums written down key by key."""
    found = sample("normal", Sizes(3, 40, 8), 0)
    expected = exact(found)
    for row in range(3):
        weights = [np.exp(found.score_step * int(found.q[row].astype(int) @ k.astype(int))) for k in found.k]
        mean = sum(w * v.astype(float) for w, v in zip(weights, found.v, strict=True)) / sum(weights)
        assert np.abs(expected[row] - mean * found.value_step).max() < 1e-12
    assert (softmax_attention(np.zeros((1, 4)), np.ones((4, 2))) == 1).all()


def test_the_metric() -> None:
    expected = np.array([[3.0, 4.0], [0.0, 1.0]])
    assert relative_error(expected, expected) == 0
    assert relative_error(expected + np.array([[0.0, 1.0], [0.0, 0.0]]), expected) == 0.2
    assert relative_error(np.zeros((1, 2)), np.zeros((1, 2))) == 0
    assert relative_error(np.ones((1, 2)), np.zeros((1, 2))) == np.inf


@pytest.mark.parametrize("length", [0, LONGEST + 1, True])
def test_lengths_out_of_range_are_refused(length: int) -> None:
    with pytest.raises(AccelsimError) as caught:
        accuracy(TILED, [length], ["normal"])
    assert str(caught.value) == f"length must be an integer from 1 to {LONGEST}, not {length!r}"


def test_other_requests_that_cannot_be_met() -> None:
    with pytest.raises(AccelsimError, match="the accumulator over 262144 keys can reach"):
        accuracy(TILED, [LONGEST], ["normal"])
    with pytest.raises(AccelsimError, match='no family of inputs is called "noise"; known: alternating, equal, '):
        accuracy(TILED, [64], ["noise"])
    with pytest.raises(AccelsimError, match="rows must be from 1 to 1024, not 0"):
        measure(AttentionUnit(64, 64, 64, TILED), "normal", rows=0)
    with pytest.raises(AccelsimError, match="depth times length must be at most 16777216, not 33554432"):
        measure(AttentionUnit(1024, 2**15, 64, TILED), "normal")
    assert Row("normal", 64, 0.0, 0.0, None).input_error is None
