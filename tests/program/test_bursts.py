"""A level that moves whole bursts: each transfer takes the time of what it moves, rounded up."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from accelsim.simulate import simulate_named

SIZES = ["H=3", "M=5", "KEEP=7"]


def cycles(*changes: str) -> int:
    found = simulate_named("spatten-released", "released-8-bit", [*SIZES, *changes], depth="cycle")
    assert found.cycles is not None
    return found.cycles


@pytest.mark.parametrize("burst", [1, 448, 512, 513, 1000, 5120])
def test_time_is_that_of_whole_bursts(burst: int) -> None:
    """Keys and values of a head are 7 x 64 bytes each, 512 move in a cycle; 5 queries and the drain follow."""
    moved = -(-7 * 64 // burst) * burst
    assert cycles(f"arch.levels.dram.burst={burst} B") == ceil(Fraction(6 * moved, 512) + 3 * 5 + 1 + 103)


def test_bytes_are_those_of_the_tiles() -> None:
    found = [
        simulate_named("spatten-released", "released-8-bit", [*SIZES, f"arch.levels.dram.burst={n} B"], depth="cycle")
        for n in (1, 4096)
    ]
    assert found[0].traffic["dram"] == found[1].traffic["dram"]
