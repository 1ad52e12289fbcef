"""What a mapping says that is seldom meant is told, and only that."""

from __future__ import annotations

from tests.mapping.small import changed

LOOPED = (
    "Y: n is a loop and also spread over the cols of grid: its bytes are counted one iteration after the other, "
    "its cycles side by side"
)


def test_a_rank_in_time_and_in_space_is_told() -> None:
    assert changed().result.notes == (LOOPED,)


def test_a_mapping_that_means_what_it_says_has_no_notes() -> None:
    assert changed("loops: [m1, n]", "loops: [m1]").result.notes == ()


def test_a_rank_spread_twice_is_told() -> None:
    notes = changed("loops: [m1, n]", "loops: [m1]", "rows: m0, cols: n", "rows: m0, cols: m0").result.notes
    assert notes == ("Y: m0 is spread over grid twice: only the diagonal of the array works",)
