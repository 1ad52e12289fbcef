"""The picture of lanes needed: what is drawn is the table, and jobs that no lanes are enough for have a place."""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.report.lanes import draw_lanes, lanes_picture, lanes_table, lanes_text
from accelsim.report.style import drawn, svg_bytes
from accelsim.units.topk.job import Ranking
from accelsim.units.topk.pace import Line, Needed, Pace

LINE = Line(rate=8, stall=0.05)


def made(n: int, lanes: int, select: float) -> Pace:
    return Pace(Ranking(n, n // 4), lanes, n / 8, n // 8, select, 0)


FOUND = {
    "one": [
        Needed(0.25, made(128, 16, 32.0), None, None),
        Needed(0.25, made(256, 16, 96.0), made(256, 64, 33.0), None),
        Needed(0.25, made(512, 16, 64.0), made(512, 32, 64.0), made(512, 256, 2.0)),
    ]
}


def test_lines_are_the_numbers_of_the_table() -> None:
    """Waiting by hand: scores are made in 16, 32 and 64 cycles, of 32, 96 and 64 beside FILL, of 48, 128, 128 after."""
    table = lanes_table(FOUND)
    assert table.values("lanes_beside") == [None, 64, 32]
    assert table.numbers("waits_beside") == pytest.approx([1 / 2, 2 / 3, 0])
    assert table.numbers("waits_after") == pytest.approx([2 / 3, 3 / 4, 1 / 2])
    left, right = drawn(lambda: draw_lanes(table, LINE, 16)).axes
    _, beside, after, missing = left.lines
    assert [float(y) for y in np.asarray(beside.get_ydata())] == [64, 32]
    assert [float(y) for y in np.asarray(after.get_ydata())] == [256]
    assert [float(x) for x in np.asarray(missing.get_xdata())] == [128]
    assert [label.get_text() for label in left.get_yticklabels()][-1] == "none"
    _, beside, after = right.lines
    assert [float(y) for y in np.asarray(beside.get_ydata())] == table.numbers("waits_beside")
    assert [float(y) for y in np.asarray(after.get_ydata())] == table.numbers("waits_after")


def test_the_same_data_give_the_same_bytes() -> None:
    first, second = (lanes_picture(lanes_table(FOUND), LINE, 16) for _ in range(2))
    assert svg_bytes(first.figure) == svg_bytes(second.figure)


def test_the_text_counts_the_jobs_that_are_in_time() -> None:
    head, says, *_ = lanes_text(FOUND, LINE).splitlines()
    assert head.startswith("one, exact means: 16 lanes read 2 times the 8 scores")
    assert says == "of the time in 1 of 3 jobs with SELECT beside FILL, in 0 with it after FILL"
