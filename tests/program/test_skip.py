"""Skipping gives the same integers as executing everything; laws of execution on random programs."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program.execute import Run, execute
from accelsim.program.model import Body, Loop, Program, Task, Tree, bodies
from accelsim.program.read import read_program
from accelsim.program.text import render_program
from tests.program.examples import attention, ring
from tests.program.random_programs import marked_graphs, programs
from tests.tries import tries

RANDOM = settings(
    max_examples=tries(300),
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
SOME = settings(RANDOM, max_examples=tries(125))
FEWER = settings(RANDOM, max_examples=tries(100))


def numbers(run: Run) -> tuple[object, ...]:
    return run.ticks, run.seconds, run.busy, run.starts, run.waits, run.critical, run.stages, run.path, run.idle


def outcome(program: Program, skip: bool) -> tuple[object, ...]:
    """What a run gives, or that it cannot go on."""
    try:
        return numbers(execute(program, skip=skip))
    except AccelsimError as error:
        return (error.message.partition(":")[0].partition(" at ")[0],)


def ends(program: Program) -> bool:
    """Whether a random program has room enough to run to its end."""
    return len(outcome(program, skip=True)) > 1


def same(program: Program) -> None:
    full = outcome(program, skip=False)
    assert outcome(program, skip=True) == full, render_program(program)


@pytest.mark.slow
@seed(1)
@RANDOM
@given(programs())
def test_skipping_gives_the_same_integers(program: Program) -> None:
    same(program)


@pytest.mark.slow
@seed(2)
@SOME
@given(programs(calm=True))
def test_skipping_gives_the_same_integers_where_periods_are_common(program: Program) -> None:
    same(program)


@seed(3)
@SOME
@given(marked_graphs())
def test_skipping_gives_the_same_integers_in_static_order(program: Program) -> None:
    same(program)


@seed(4)
@FEWER
@given(programs())
def test_a_program_whose_live_set_fits_does_not_deadlock(program: Program) -> None:
    assert outcome(program, skip=True) != ("deadlock",)


@pytest.mark.slow
@seed(5)
@FEWER
@given(programs())
def test_nobody_claims_more_than_there_is(program: Program) -> None:
    assume(ends(program))
    run = execute(program, skip=False, trace=1 << 20)
    for resource in program.resources:
        assert run.busy[resource.name] <= run.ticks * resource.count
        claims = {t.name: dict(t.claims).get(resource.name, 0) for _, _, b in bodies(program.root) for t in b.tasks}
        assert run.busy[resource.name] == sum(claims[s.task] * (s.end - s.start) for s in run.trace)
        steps = sorted((at, sign * claims[s.task]) for s in run.trace for at, sign in ((s.start, 1), (s.end, -1)))
        used = 0
        for _, change in steps:
            used += change
            assert used <= resource.count
    assert all(start.end <= run.ticks for start in run.trace)


def changed(tree: Tree, **values: object) -> Tree:
    """The tree with other values in its one body."""
    if isinstance(tree, Loop):
        return replace(tree, child=changed(tree.child, **values))
    return replace(tree, **values) if isinstance(tree, Body) else tree  # type: ignore[arg-type]


def shorter(task: Task, by: int) -> Task:
    return replace(task, busy=Int(max(1, task.busy.value - by))) if isinstance(task.busy, Int) else task


@seed(6)
@FEWER
@given(marked_graphs(), st.integers(0, 4), st.integers(1, 8))
def test_static_order_never_slows_down(program: Program, place: int, by: int) -> None:
    body = next(bodies(program.root))[2]
    tasks = tuple(shorter(t, by) if n == place % len(body.tasks) else t for n, t in enumerate(body.tasks))
    better = (
        replace(program, root=changed(program.root, tasks=tasks)),
        replace(program, root=changed(program.root, in_flight=body.in_flight + by)),
        replace(program, buffers=tuple(replace(b, capacity=b.capacity + by) for b in program.buffers)),
    )
    try:
        before = execute(program).ticks
    except AccelsimError:
        assume(False)
    assert all(execute(other).ticks <= before for other in better), render_program(program)


@pytest.mark.parametrize(("m1", "p1"), [(1_000_000, 1), (1000, 1000), (7, 150_000)])
def test_a_million_tiles_need_a_few(m1: int, p1: int) -> None:
    program = attention(m1, p1, in_flight=4, order="static")
    begun = time.process_time()
    run = execute(program)
    assert run.executed < 2000
    assert run.starts["QK"] == m1 * p1
    few = execute(attention(5, 10, in_flight=4, order="static"), skip=False).ticks
    assert run.ticks == few + 138 * (m1 * p1 - 50)
    assert time.process_time() - begun < 10


LEVELS = """
program levels at 1 per s
resource u 1 oldest
resource d 1 oldest rate 5/3
buffer q 8
buffer k 16
loop o < {}
  seq
    loop b < {}
      loop m < {}
        loop p < {}
          body 2
            load Q on d moves 4 holds q 4 of b, p for A when m == 0 and p < 2
            load K on d moves 7 by 4 holds k 8 of b, m for A when p == 0
            task A on u busy 3 latency 2
            task B on u busy 2 after A, B p:1
            store S on d moves 1 after B when m == 1
    loop x < 30
      body 1
        task C on u busy 5
"""


@pytest.mark.parametrize("sizes", [(3, 4, 5, 6), (8, 2, 3, 9), (2, 9, 4, 3), (1, 3, 12, 8)])
def test_every_level_is_exact(sizes: tuple[int, int, int, int]) -> None:
    program = read_program(LEVELS.format(*sizes))
    assert numbers(execute(program)) == numbers(execute(program, skip=False))


def test_every_level_is_skipped() -> None:
    run = execute(read_program(LEVELS.format(50, 40, 30, 20)))
    assert run.starts["A"] == 50 * 40 * 30 * 20
    assert run.executed < 10_000


def test_ragged_rows_are_skipped_inside() -> None:
    text = """
program causal at 1 per s
resource u 1 oldest
loop p < 60
  loop m < p+1
    body 3
      task A on u busy 3 latency 9
      task B on u busy 1 after A, B m:1
      store S on u busy 2 after B when m == p
"""
    program = read_program(text)
    run = execute(program)
    assert numbers(run) == numbers(execute(program, skip=False))
    assert run.executed < run.busy["u"] // 4


def test_bodies_that_run_at_once_recur_together() -> None:
    text = """
program pair at 1 per s
resource u 2 oldest
resource v 1 fifo
par
  loop i < 5000
    body 2
      task A on u busy 3
      task B on v busy 2 after A
  loop j < 5000
    body 3
      task C on v busy 2
      task D on u busy 3 after C
"""
    program = read_program(text)
    run = execute(program)
    assert run.executed < 1000
    assert numbers(run) == numbers(execute(program, skip=False))


def test_a_pipeline_recurs() -> None:
    program = ring(1000, 3, (2732, 1366, 2732, 1366))
    assert execute(program).executed < 100
    assert numbers(execute(program)) == numbers(execute(program, skip=False))


def test_seconds_are_exact() -> None:
    assert execute(attention(1)).seconds == Fraction(459, 940_000_000)


@pytest.mark.parametrize("sizes", [(6, 10), (6, 30), (4, 17)])
def test_what_a_stream_waits_for_is_not_passed(sizes: tuple[int, int]) -> None:
    text = """
program ahead at 1 per s
resource w 2 oldest
buffer gb 10
loop p < {}
  loop m < {}
    body 4
      load L on w:2 busy 6 latency 9 after B p:2
      load K on w:2 busy 5 after L holds gb 1 of p, m
      task B on w:2 busy 8 after K
      task C on w busy 1 when m == 0
"""
    program = read_program(text.format(*sizes))
    assert numbers(execute(program)) == numbers(execute(program, skip=False))


def test_the_beginning_of_a_loop_is_no_period() -> None:
    """At a1 = 0 the task C waits for the B beside it, later for one that has ended long ago."""
    text = """
program first at 1 per s
resource u 1 oldest
resource w 1 oldest
buffer gb 6
loop a0 < 11
  loop a1 < 11
    body 3
      task A on w busy 7 after A a0:1 a1:-3 holds gb 4 of a0, a1 for B, C
      task B on u busy 3 latency 9 after A
      task C on u busy 4 after A, B a1=0
"""
    same(read_program(text))
