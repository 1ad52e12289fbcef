"""The picture of error against cost: the points are the numbers of the table, in every panel."""

from __future__ import annotations

import numpy as np

from accelsim.fidelity import Effort, Fidelity
from accelsim.report.style import drawn, svg_bytes
from accelsim.report.tradeoff import draw_tradeoff, fidelity_text, tradeoff, tradeoff_table

EXACT = Effort(1000, 400, 2048)


def made(relative: float, left: float, macs: int, moved: int) -> list[Fidelity]:
    return [Fidelity("AO", relative, relative, left, left, Effort(macs, 400, moved), EXACT, {"TI": macs / 1000})]


FOUND = [made(0.0, 0.0, 1000, 2048), made(0.2, 0.05, 600, 1024), made(0.201, 0.201, 600, 1024)]
LABELS = ["D=0", "D=1", "D=2"]


def test_points_are_the_numbers_of_the_table() -> None:
    """Beside the cross of the exact one; what is left has a mark of its own where its error is another."""
    table = tradeoff_table(LABELS, FOUND)
    figure = drawn(lambda: draw_tradeoff(table))
    for axes, cost in zip(figure.axes, ("macs", "bytes"), strict=True):
        cross, *points = [
            (float(np.asarray(line.get_xdata())[0]), float(np.asarray(line.get_ydata())[0])) for line in axes.lines
        ]
        assert cross == (1.0, 0.0)
        expected = list(zip(table.numbers(cost), table.numbers("relative"), strict=True))
        assert points == [*expected, (table.numbers(cost)[1], 0.05)]
        assert axes.get_ylim()[0] == axes.get_xlim()[0] == 0


def test_points_too_close_to_tell_apart_share_a_label() -> None:
    figure = tradeoff(LABELS, FOUND).figure
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == ["2, 3", "1", "2"]


def test_the_same_data_give_the_same_bytes() -> None:
    first, second = (tradeoff(["as set"], FOUND[1:2]) for _ in range(2))
    assert svg_bytes(first.figure) == svg_bytes(second.figure)


def test_more_settings_than_the_key_has_room_for_are_drawn_without_numbers() -> None:
    found = [made(0.01 * at, 0.01 * at, 1000 - at, 2048 - at) for at in range(25)]
    figure = drawn(lambda: draw_tradeoff(tradeoff_table([f"D={at}" for at in range(25)], found)))
    assert [len(axes.lines) for axes in figure.axes] == [26, 26]
    assert not any(axes.texts for axes in figure.axes)
    assert [text.get_text() for text in figure.legends[1].texts][-1] == "and 1 more: see the CSV"


def test_the_text_has_costs_as_parts_of_the_exact_ones() -> None:
    head, exact, *lines = fidelity_text([{"D": "0"}, {"D": "1"}, {"D": "2"}], FOUND).splitlines()
    assert head.split()[0] == "D"
    assert exact.split() == ["exact", "0", "0", "0", "1", "k", "400", "2", "KiB"]
    assert lines[1].split() == ["1", "0.200", "0.0500", "0.0500", "600", "60%", "400", "100%", "1", "KiB", "50%", "60%"]
