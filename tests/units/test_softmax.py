"""The vector unit with online softmax: first, last and next job by hand, and the laws of its tiles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.softmax import Scores, SoftmaxParams, timing

STAGES = [name for name in SoftmaxParams.__dataclass_fields__ if name.endswith("_stages")]


@st.composite
def units(draw: st.DrawFn) -> SoftmaxParams:
    lanes = draw(st.integers(1, 20))
    tile = lanes * draw(st.integers(1, 20))
    return SoftmaxParams(tile, lanes, **{name: draw(st.integers(0, 3)) for name in STAGES})


def test_by_hand() -> None:
    """Four beats fill a tile, two levels of maxima, the store; difference, exp, two levels of a sum, two registers."""
    found = timing(SoftmaxParams(16, 4), Scores(17))
    assert found.first == 3 + 2 + 1 + 1 + 4 + 2 + 2
    assert (found.last, found.busy) == (found.first + 7, 8)


def test_a_key_at_a_time() -> None:
    """Without registers but those that keep the tile, its sum and the denominator."""
    found = timing(SoftmaxParams(1, 1, **dict.fromkeys(STAGES, 0)), Scores(5))
    assert (found.first, found.last, found.busy) == (3, 7, 5)


@given(units(), st.integers(1, 500))
def test_as_many_beats_leave_as_fill_whole_tiles(params: SoftmaxParams, keys: int) -> None:
    found = timing(params, Scores(keys))
    assert found.last - found.first + 1 == found.busy
    assert 0 <= found.busy * params.lanes - keys < params.tile
    assert found.busy % (params.tile // params.lanes) == 0


@given(units(), st.integers(1, 500), st.sampled_from(STAGES))
def test_registers_delay_outputs_and_nothing_else(params: SoftmaxParams, keys: int, name: str) -> None:
    more = timing(replace(params, **{name: getattr(params, name) + 1}), Scores(keys))
    found = timing(params, Scores(keys))
    times = (params.lanes - 1).bit_length() if name in ("maximum_stages", "sum_stages") else 1
    assert (more.first, more.last, more.busy) == (found.first + times, found.last + times, found.busy)


def test_tiles_of_part_of_a_beat_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^tile: must be a multiple of lanes, 4, got "18"$'):
        SoftmaxParams(18, 4)
