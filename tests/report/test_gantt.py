"""What is drawn is what the table says, the window shows the steady state, and what was skipped is cut short."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from accelsim.einsum.ast import IndexExpr, Int
from accelsim.errors import AccelsimError
from accelsim.program.execute import Run, execute
from accelsim.program.model import Body, Loop, Program, Tree
from accelsim.program.read import read_program
from accelsim.report.gantt import LEFT_OUT, MOST_BARS, Scale, draw_gantt, gantt, gantt_figure, gantt_table
from accelsim.report.style import COLOURS, drawn, png_bytes, svg_bytes
from accelsim.report.tables import Table
from tests.program.examples import attention, ring
from tests.report.test_timeline import ALL, ANY, RANDOM, STREAMS, executed
from tests.tries import tries

STATIC = attention(60, 1, in_flight=4, order="static")
SEVERAL = {"power", "w"}  # of which a task may claim more than one
SKIPPING = attention(1000, 1, in_flight=4, order="static")


def full(program: Program) -> Run:
    return execute(program, skip=False, trace=ALL)


def boxes(axes: Axes) -> list[tuple[float, float, str]]:
    """Left, right and colour of everything in the rows."""
    found = []
    for item in axes.collections:
        colour = to_hex(np.asarray(item.get_facecolor())[0]).upper()
        corners = [np.asarray(path.vertices)[:, 0] for path in item.get_paths()]
        found += [(float(xs.min()), float(xs.max()), colour) for xs in corners]
    return found


def window(table: Table) -> tuple[float, float]:
    row = table.where(kind="window")
    return row.numbers("start_tick")[0], row.numbers("end_tick")[0]


def test_bars_are_the_spans_of_the_csv() -> None:
    table = gantt_table(STATIC, full(STATIC), 0, 1000)
    (axes,) = drawn(lambda: draw_gantt(table, STATIC)).axes
    spans = table.where(kind="span")
    wanted = zip(spans.numbers("start_tick"), spans.numbers("end_tick"), spans.texts_of("task"), strict=True)
    assert sorted((left, right) for left, right, _ in boxes(axes)) == sorted((a, min(b, 1000)) for a, b, _ in wanted)
    first = [(a, b) for a, b, colour in boxes(axes) if colour == COLOURS[0] and b - a > 1]
    assert len(first) == spans.texts_of("task").count("QK")


def test_the_same_run_gives_the_same_bytes() -> None:
    run = execute(SKIPPING, trace=ALL)
    first, second = (gantt(SKIPPING, run) for _ in range(2))
    assert png_bytes(first.figure) == png_bytes(gantt_figure(SKIPPING, run))
    assert svg_bytes(first.figure) == svg_bytes(second.figure)
    assert first.table == second.table
    assert (first.name, first.alt) == ("gantt", "Which task of attention ran on which resource, and when.")


@pytest.mark.parametrize(
    ("program", "ticks"),
    [(STATIC, 3 * 138), (attention(40, 2, in_flight=4), 3 * 476), (attention(40, 2, in_flight=5), 3 * 276)],
    ids=["static", "oldest", "five"],
)
def test_three_steady_periods_are_shown(program: Program, ticks: int) -> None:
    first, last = window(gantt_table(program, full(program)))
    assert last - first == ticks


def test_the_share_of_busy_ticks_is_that_of_the_steady_state() -> None:
    shares = gantt_table(STATIC, full(STATIC)).lookup("busy_share", "track")
    assert shares == {("pe2d",): 137 / 138, ("pe1d",): 1.0}


@RANDOM
@given(ANY)
def test_shares_of_a_whole_run_are_its_busy_ticks(program: Program) -> None:
    run = executed(program, skip=False)
    assume(2 * len(run.trace) <= MOST_BARS)  # a task claims two resources at most, each with a bar
    shares = gantt_table(program, run, 0, run.ticks).lookup("busy_share", "track")
    for name in set(run.busy) - SEVERAL:
        lanes = [share for (track,), share in shares.items() if str(track).partition("[")[0] == name]
        assert sum(lanes) * run.ticks == pytest.approx(run.busy[name])


@RANDOM
@given(ANY)
def test_a_window_can_be_chosen_for_any_run(program: Program) -> None:
    table = gantt_table(program, executed(program, skip=True))
    first, last = window(table)
    assert first < last
    assert all(0 <= share <= 1 for share in table.numbers("busy_share"))


def test_what_was_skipped_is_hatched_and_cut_short() -> None:
    run = execute(SKIPPING, trace=ALL)
    table = gantt_table(SKIPPING, run)
    (axes,) = drawn(lambda: draw_gantt(table, SKIPPING)).axes
    assert window(table) == (734 - 2 * 138, 137_631 + 138)
    assert table.where(kind="gap").numbers("end_tick") == [137_631]
    hatched = [(a, b) for a, b, colour in boxes(axes) if colour == LEFT_OUT.colour.upper()]
    assert len(hatched) == 2
    assert max(b - a for a, b in hatched) < 100
    assert axes.get_xlim()[1] - axes.get_xlim()[0] < 500
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert {"500", "137,700"} <= set(labels)
    assert "136,896 ticks\nskipped" in [text.get_text() for text in axes.texts]


def test_labels_name_the_task_and_what_tells_iterations_apart() -> None:
    (axes,) = gantt_figure(STATIC, full(STATIC), 0, 400).axes
    texts = [text.get_text() for text in axes.texts]
    assert {"QK 0", "QK 1", "QK 2"} <= set(texts)
    assert axes.get_xlabel() == "time in ticks of 1.06 ns; the numbers in the bars are m1"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["pe2d", "pe1d"]
    (wide,) = gantt_figure(STATIC, full(STATIC), 0, 8000).axes
    assert not any("QK" in text.get_text() for text in wide.texts)


def test_lanes_and_chunks_have_rows_and_bars() -> None:
    program = read_program(STREAMS)
    table = gantt_table(program, full(program), 0, 200)
    assert table.where(kind="track").texts("track") == ["u", "d[0]", "d[1]"]
    keys = table.where(kind="span", task="K")
    assert max(b - a for a, b in zip(keys.numbers("start_tick"), keys.numbers("end_tick"), strict=True)) >= 3


def test_a_long_picture_counts_seconds() -> None:
    fine = replace(SKIPPING, ticks_per_s=SKIPPING.ticks_per_s * 10**6, root=scaled(SKIPPING.root))
    (axes,) = gantt_figure(fine, execute(fine, trace=ALL)).axes
    assert axes.get_xlabel() == "time in µs; the numbers in the bars are m1"
    assert "146 µs\nskipped" in [text.get_text() for text in axes.texts]
    assert {"0.5", "0.6", "146.5"} <= {text.get_text() for text in axes.get_xticklabels()}


def scaled(tree: Tree) -> Tree:
    """A million ticks for each."""
    if isinstance(tree, Loop):
        return replace(tree, child=scaled(tree.child))
    assert isinstance(tree, Body)
    return replace(tree, tasks=tuple(replace(t, busy=million(t.busy), latency=million(t.latency)) for t in tree.tasks))


def million(number: IndexExpr | None) -> Int:
    assert isinstance(number, Int)
    return Int(number.value * 10**6)


def test_what_is_shown_unasked_can_be_read() -> None:
    text = (
        "program p at 1000 per s\nresource d 1 oldest rate 1\nloop i < 3\n  body 1\n"
        "    load A on d moves 4000 by 2\n    load B on d moves 4000 by 2\n"
    )
    program = read_program(text)
    assert len(gantt_table(program, full(program)).where(kind="span").rows) == 2000


def test_loads_take_their_colours_after_what_computes() -> None:
    program = read_program(STREAMS)
    (axes,) = gantt_figure(program, full(program), 0, 60).axes
    assert {COLOURS[0], COLOURS[1]} <= {colour for *_, colour in boxes(axes)}
    first = gantt_table(program, full(program), 0, 60).where(kind="span", task="A").numbers("start_tick")[0]
    assert COLOURS[0] in [colour for left, _, colour in boxes(axes) if left == first]


def test_a_trace_that_was_cut_is_drawn_as_far_as_it_goes() -> None:
    run = execute(SKIPPING, skip=False, trace=50)
    assert window(gantt_table(SKIPPING, run, 0, 10**6)) == (0, run.trace[-1].start)


def test_a_short_run_is_shown_whole() -> None:
    program = attention(1)
    assert window(gantt_table(program, full(program))) == (0, 459)


@settings(max_examples=tries(200))
@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12, unique=True), st.integers(1, 400))
def test_a_scale_keeps_order_and_lengths_outside_of_cuts(ticks: list[int], width: int) -> None:
    ends = sorted(ticks)
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    scale = Scale(-10, 10_010, tuple((a, b, min(width, b - a)) for a, b in pairs))
    places = [scale.at(tick) for tick in range(-10, 10_011, 7)]
    assert all(one <= other for one, other in pairwise(places))
    for low, high in scale.pieces:
        assert scale.at(high) - scale.at(low) == pytest.approx(high - low)
    for low, high in pairs:
        assert scale.at(high) - scale.at(low) == pytest.approx(min(width, high - low))


def test_a_pipeline_shows_the_skipped_part_of_each_row() -> None:
    program = ring(100, 3, (2732, 1366, 2732, 1366))
    table = gantt_table(program, execute(program, trace=ALL))
    (gap,) = zip(*(table.where(kind="gap").numbers(name) for name in ("start_tick", "end_tick")), strict=True)
    skipped = table.where(kind="skipped")
    assert skipped.texts_of("track") == ["a", "n1", "f", "n2"]
    assert all(start >= gap[0] for start in skipped.numbers("start_tick"))
    assert all(end >= gap[1] for end in skipped.numbers("end_tick"))


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        (
            *(500, 500),
            "nothing to draw from tick 500 to tick 500: the end must come later, and the run kept the starts up to "
            "tick 8601",
        ),
        (
            *(9000, 9100),
            "nothing to draw from tick 9000 to tick 9100: the end must come later, and the run kept the starts up to "
            "tick 8601",
        ),
        (200, 300, "nothing to draw: the run kept no starts from tick 200 to tick 300"),
    ],
)
def test_a_window_without_anything_is_refused(first: int, last: int, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        gantt(STATIC, full(STATIC), first, last)
    assert str(caught.value) == message


def test_too_much_is_refused() -> None:
    program = attention(1000)
    run = full(program)
    with pytest.raises(AccelsimError) as caught:
        gantt(program, run, 0, run.ticks)
    assert str(caught.value) == (
        "11000 bars in 2 rows from tick 0 to tick 459000 cannot be read; at most 2000 bars and 40 rows are drawn, "
        "so choose fewer ticks"
    )


def test_names_that_cannot_be_drawn_are_replaced() -> None:
    renamed = replace(STATIC, name="a\x07b")
    assert gantt(renamed, full(STATIC), 0, 300).figure.axes
