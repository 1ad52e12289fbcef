"""The divider's timing: by hand, and the laws of its stages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.units.divide import DivideParams, Quotients, timing


@pytest.mark.parametrize(("bits", "stages"), [(1, 25), (2, 13), (24, 2), (25, 1)])
def test_by_hand(bits: int, stages: int) -> None:
    """24 bits and the one that rounds; 7 quotients are 3 beats of 3."""
    found = timing(DivideParams(3, 24, bits), Quotients(7))
    assert (found.first, found.last, found.busy) == (stages, stages + 2, 3)


@given(st.integers(1, 20), st.integers(2, 64), st.integers(1, 65), st.integers(1, 500))
def test_one_beat_at_every_edge(lanes: int, output: int, bits: int, quotients: int) -> None:
    found = timing(DivideParams(lanes, output, bits), Quotients(quotients))
    assert found.last - found.first + 1 == found.busy
    assert 0 <= found.busy * lanes - quotients < lanes
    assert 0 <= found.first * bits - (output + 1) < bits
