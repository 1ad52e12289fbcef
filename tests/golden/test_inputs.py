"""The families of inputs are what their names say, to the score."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.golden.accuracy import exact
from accelsim.golden.inputs import FAMILIES, Floats, Sample, Sizes, sample

SIZES = Sizes(rows=5, keys=3000, depth=64)


def scores(found: Sample) -> Floats:
    result: Floats = (found.q.astype(np.float64) @ found.k.astype(np.float64).T) * found.score_step
    return result


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_the_same_every_time(family: str) -> None:
    one, other = sample(family, SIZES, 7), sample(family, SIZES, 7)
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("q", "k", "v"))
    assert not np.array_equal(one.v, sample(family, SIZES, 8).v)
    assert (one.q.shape, one.k.shape, one.v.shape) == ((5, 64), (3000, 64), (3000, 64))
    assert {one.q.dtype, one.k.dtype, one.v.dtype} == {np.dtype(np.int8)}


@pytest.mark.parametrize("slope", [256, 32])
@pytest.mark.parametrize("keys", [1, 2, 129, 20000])
def test_ramps_are_exact(slope: int, keys: int) -> None:
    expected = np.arange(keys) / slope
    for direction, ends in (("up", expected - expected[-1]), ("down", -expected)):
        found = scores(sample(f"ramp-{slope}-{direction}", Sizes(2, keys, 64), 0))
        assert (found == ends).all()


@pytest.mark.slow
def test_the_longest_ramp_of_a_depth() -> None:
    longest = (31 * 127 + 1) * 128
    found = sample("ramp-256-down", Sizes(1, longest, 64), 0)
    ends = Sample(found.q, found.k[[0, -1]], found.v, found.score_step, 1.0)
    assert scores(ends).tolist() == [[0, -(longest - 1) / 256]]
    with pytest.raises(AccelsimError) as caught:
        sample("ramp-256-down", Sizes(1, 30000, 4), 0)
    assert str(caught.value) == "a ramp over 30000 keys needs a depth of 5, not 4"


@pytest.mark.parametrize(("above", "key"), [(10.0, 0), (10.0, -1), (12.5, 0), (12.5, -1)])
def test_a_sink_stands_out_by_what_its_name_says(above: float, key: int) -> None:
    found = sample(f"sink-{above:g}-{'first' if key == 0 else 'last'}", SIZES, 0)
    without = Sample(found.q.copy(), found.k, found.v, found.score_step, found.value_step)
    without.q[:, 0] = 0
    difference = scores(found) - scores(without)
    assert np.abs(difference[:, key] - above).max() < 0.01 * above
    assert not np.delete(difference, key, axis=1).any()


@pytest.mark.parametrize(("family", "deviation"), [("normal", 1.0), ("normal-3", 3.0)])
def test_normal_scores_deviate_by_the_square(family: str, deviation: float) -> None:
    found = scores(sample(family, SIZES, 0))
    assert abs(found.std() / deviation**2 - 1) < 0.15
    assert abs(found.mean()) < 0.15 * deviation**2


def test_repeated_keys_tie() -> None:
    equal, alternating = (scores(sample(name, SIZES, 0)) for name in ("equal", "alternating"))
    assert (equal == equal[:, :1]).all()
    assert (alternating[:, ::2] == alternating[:, :1]).all()
    assert (alternating[:, 1::2] == -alternating[:, :1]).all()


def test_all_equal_is_the_mean() -> None:
    found = sample("equal", SIZES, 0)
    mean = found.v.mean(axis=0) * found.value_step
    assert np.abs(exact(found) - mean).max() < 1e-12


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(AccelsimError) as caught:
        sample("sink-10-frist", SIZES, 0)
    assert str(caught.value) == 'no family of inputs is called "sink-10-frist"; did you mean "sink-10-first"?'
