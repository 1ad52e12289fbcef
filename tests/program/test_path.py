"""Why a run takes as long as it does: paths and idle ticks add up exactly, also where periods are skipped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import IndexOp, Int
from accelsim.errors import AccelsimError
from accelsim.program import skip
from accelsim.program.execute import Run, execute
from accelsim.program.model import Body, Order, Program, Task, bodies
from accelsim.program.path import repeated, total
from accelsim.program.read import read_program
from accelsim.program.text import render_program
from tests.program.examples import attention, ring
from tests.program.random_programs import marked_graphs, programs
from tests.program.test_skip import changed
from tests.tries import tries

RANDOM = settings(
    max_examples=tries(150),
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)
HEAD = "program p at 1000 per s\nresource u 1 oldest\nresource v 1 oldest\nresource d 1 oldest rate 1\n"


def ran(program: Program, *, skip: bool = True, trace: int = 0) -> Run:
    """The run of a drawn program, if it can be run at all."""
    try:
        return execute(program, skip=skip, trace=trace)
    except AccelsimError:
        assume(False)
        raise


def adds_up(program: Program, run: Run) -> None:
    """Every tick is told once, and no unit is on the path longer than it is busy."""
    shown = render_program(program)
    assert sum(run.path.values()) == run.ticks, shown
    assert all(ticks > 0 for told in (run.path, *run.idle.values()) for ticks in told.values()), shown
    for resource in program.resources:
        name, busy = resource.name, run.busy[resource.name]
        assert sum(ticks for (_, what), ticks in run.path.items() if what == name) <= busy, shown
        if resource.count == 1:
            assert busy + sum(run.idle[name].values()) == run.ticks, shown
    if not any(task.latency != Int(0) for _, _, body in bodies(program.root) for task in body.tasks):
        assert not any(what == "latency" for _, what in run.path), shown
    assert set(run.idle) == {resource.name for resource in program.resources if resource.count == 1}


def told(program: Program) -> Run:
    """The run; without skipping and with it the same is told."""
    full = execute(program, skip=False)
    run = execute(program)
    adds_up(program, full)
    adds_up(program, run)
    assert (run.path, run.idle) == (full.path, full.idle), render_program(program)
    return run


@seed(1)
@RANDOM
@given(st.one_of(programs(), programs(calm=True), marked_graphs()))
def test_all_ticks_are_told_and_skipping_tells_the_same(program: Program) -> None:
    ran(program)
    told(program)


@seed(2)
@settings(RANDOM, max_examples=tries(60))
@given(programs(calm=True))
def test_states_may_be_forgotten(program: Program) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(skip, "MOST_KEPT", 5)
        ran(program)
        told(program)


@seed(3)
@settings(RANDOM, max_examples=tries(60))
@given(programs(calm=True))
def test_the_end_begins_after_the_last_claim(program: Program) -> None:
    run = ran(program, skip=False, trace=1 << 20)
    claims = {t.name: dict(t.claims) for _, _, body in bodies(program.root) for t in body.tasks}
    for name, causes in run.idle.items():
        last = max((start.end for start in run.trace if name in claims[start.task]), default=0)
        assert causes.get(("end", ""), 0) == run.ticks - last


def slower(program: Program, name: str) -> Program:
    """Everything on a resource takes twice as long."""
    body = next(bodies(program.root))[2]

    def doubled(task: Task) -> Task:
        on = name in dict(task.claims) and task.busy is not None
        return replace(task, busy=IndexOp("*", Int(2), task.busy)) if on and task.busy else task

    return replace(program, root=changed(program.root, tasks=tuple(doubled(task) for task in body.tasks)))


@seed(4)
@RANDOM
@given(marked_graphs(), st.sampled_from(("u", "v", "bus")))
def test_the_path_is_a_chain_that_nothing_can_shorten(program: Program, name: str) -> None:
    """In static order each step of the path stands whatever the durations are: twice the ticks on a unit, at least so
    much more for the whole run. Room is left out: whose room comes back first may change."""
    run = ran(program)
    assume(not any(cause == "buffer" for cause, _ in run.path))
    more = sum(ticks for (_, what), ticks in run.path.items() if what == name)
    assert execute(slower(program, name)).ticks >= run.ticks + more, render_program(program)


@pytest.mark.parametrize("p1", [1, 2, 3])
@pytest.mark.parametrize(("order", "in_flight"), [("static", 3), ("static", 4), ("oldest", 1), ("oldest", 4)])
def test_long_attention_is_told_exactly(order: Order, in_flight: int, p1: int) -> None:
    run = told(attention(150, p1, order=order, in_flight=in_flight))
    assert run.executed < 11 * 150 * p1


def test_a_million_tiles_are_told() -> None:
    program = attention(1_000_000, 2, order="static", in_flight=4)
    run = execute(program)
    adds_up(program, run)
    few = execute(attention(100, 2, order="static", in_flight=4), skip=False)
    more = {key: run.path[key] - few.path[key] for key in run.path}
    steps = {("resource", "pe1d"): 260 * 999_900, ("dependency", "pe1d"): 16 * 999_900}
    assert more == {**dict.fromkeys(run.path, 0), **steps}


def test_a_ring_waits_for_results() -> None:
    run = told(ring(1000, 1, (5, 1, 7, 1)))
    assert run.idle["f"] == {("dependency", "N1"): 6 * 1000, ("window", ""): 999, ("end", ""): 1}


def found(text: str) -> Run:
    return told(read_program(HEAD + text))


def test_a_chain_of_results() -> None:
    run = found("body 1\n  task A on u busy 3\n  task B on v busy 4 latency 2 after A\n  task C on u busy 5 after B\n")
    assert run.path == {("dependency", "u"): 3, ("dependency", "v"): 4, ("dependency", "latency"): 2, ("work", "u"): 5}
    assert run.idle["u"] == {("dependency", "B"): 6}
    assert run.idle["v"] == {("dependency", "A"): 3, ("end", ""): 7}
    assert run.idle["d"] == {("end", ""): 14}


def test_what_computes_without_pause() -> None:
    text = "buffer gb 4\nloop i < 100\n  body 2\n    load L on d busy 2 holds gb 2 of i for A\n    task A on u busy 7\n"
    run = found(text)
    assert run.path == {("dependency", "d"): 2, ("resource", "u"): 99 * 7, ("work", "u"): 7}
    assert run.idle["u"] == {("dependency", "L"): 2}
    assert run.idle["d"] == {("buffer", "gb"): 98 * 7 - 2 - 97 * 2, ("end", ""): 7 + 7 - 2}


def test_what_streams_from_memory() -> None:
    text = "loop i < 100\n  body 9\n    load L on d moves 6 by 4\n    task A on u busy 2 after L\n"
    run = found(text)
    assert run.path == {("resource", "d"): 99 * 6 + 4, ("dependency", "d"): 2, ("work", "u"): 2}
    assert run.idle["d"] == {("end", ""): 2}
    assert run.idle["u"] == {("dependency", "L"): 600 - 198}


def test_room_for_one_tile() -> None:
    text = (
        "buffer gb 8\nloop i < 100\n  body 9\n    load L on d moves 6 holds gb 8 of i for A\n    task A on u busy 5\n"
    )
    run = found(text)
    assert run.path == {("dependency", "d"): 600, ("buffer", "u"): 495, ("work", "u"): 5}
    assert run.idle["d"] == {("buffer", "gb"): 495, ("end", ""): 5}
    assert run.idle["u"] == {("dependency", "L"): 600}


def test_one_iteration_in_flight() -> None:
    run = found("loop i < 100\n  body 1\n    task A on u busy 3 latency 10\n")
    assert run.path == {("window", "u"): 297, ("window", "latency"): 990, ("work", "u"): 3, ("work", "latency"): 10}
    assert run.idle["u"] == {("window", ""): 990, ("end", ""): 10}


def test_a_barrier_waits_for_all_results() -> None:
    first = "    body 1\n      task A on u busy 3\n      task B on v busy 2\n"
    run = found("loop o < 50\n  seq\n" + first + "    body 1\n      task C on v busy 4\n")
    assert run.path == {("dependency", "u"): 150, ("dependency", "v"): 196, ("work", "v"): 4}
    assert run.idle["u"] == {("window", ""): 196, ("end", ""): 4}
    assert run.idle["v"] == {("window", ""): 50}


def test_the_other_resource_and_the_head_of_a_list() -> None:
    text = "resource w 1 static C B\nbody 1\n  task A on u busy 9\n  task B on w busy 1\n  task C on u, w busy 2\n"
    run = found(text)
    assert run.path == {("resource", "u"): 11, ("work", "w"): 1}
    assert run.idle["w"] == {("resource", "u"): 9}


@pytest.mark.parametrize("iterations", [100, 101, 102])
def test_a_path_may_pass_every_third_iteration_only(iterations: int) -> None:
    """Three rounds go on beside each other, alike but for how they began; the state recurs with every iteration."""
    tasks = "    task Z on u busy 4 when i < 3\n    task A on v busy 2 latency 10 after Z, A i:3\n"
    run = found(f"loop i < {iterations}\n  body 9\n" + tasks)
    assert run.executed < 30
    assert sum(run.path.get((cause, "u"), 0) for cause in ("resource", "dependency")) == 4 * (1 + (iterations - 1) % 3)


@pytest.mark.parametrize("inside", [50, 51, 52, 53, 54])
@pytest.mark.parametrize("rows", [40, 41, 42])
def test_periods_of_periods_know_which_path_is_whose(rows: int, inside: int) -> None:
    """Five rounds go on from row to row, by the window alone."""
    tasks = "      task Z on u busy 4 when o == 0 and i < 5\n      task A on v busy 2 latency 18 after Z\n"
    run = found(f"loop o < {rows}\n  loop i < {inside}\n    body 5\n{tasks}")
    assert run.executed < 100
    assert sum(run.path.get((cause, "u"), 0) for cause in ("resource", "dependency")) == 4 * (
        1 + (rows * inside - 1) % 5
    )


def test_a_turn_at_a_buffer_is_the_path_of_who_took_before() -> None:
    tasks = "    task A on u busy 5 holds gb 1 of i for C\n    task B on w busy 8 holds gb 1 of i for C\n"
    run = found(f"resource w 2 oldest\nbuffer gb 99 pool\nloop i < 9\n  body 4\n{tasks}    task C on d busy 1\n")
    assert run.path == {("resource", "u"): 40, ("dependency", "w"): 8, ("work", "d"): 1}


def test_who_is_next_stays_so_when_coordinates_move() -> None:
    tasks = "    task P on v busy 6\n    task A on u busy 1 after P\n    task Q on d busy 1 latency 40 after A\n"
    run = found("loop i < 200\n  body 9\n" + tasks + "    store S on u busy 1 after Q\n")
    assert run.executed < 400
    assert run.idle["u"]["dependency", "Q"] > run.idle["u"]["dependency", "P"]


def test_turns_of_a_list_and_openings_have_no_gap() -> None:
    tasks = "    task A on w busy 3 after A i:1\n    task B on w busy 1 when i < 20\n"
    run = found("resource w 2 static A B\nloop i < 40\n  body 2\n" + tasks)
    assert sum(run.path.values()) == run.ticks == 120


def test_nothing_is_told_where_nobody_asks() -> None:
    program = attention(30, 2)
    run, quiet = execute(program), execute(program, explain=False)
    assert (quiet.path, quiet.idle) == ({}, {})
    assert replace(run, path={}, idle={}) == quiet


def test_nothing_to_do_has_no_path() -> None:
    run = execute(Program("p", read_program(HEAD + "seq").ticks_per_s, (), Body((Task("A", (), Int(2)),))))
    assert run.path == {("work", ""): 2}
    nothing = execute(read_program(HEAD + "seq"))
    assert (nothing.path, nothing.idle) == ({}, {"u": {}, "v": {}, "d": {}})


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, n - 1), min_size=n, max_size=n), st.lists(st.integers(0, 9), min_size=n, max_size=n)
        )
    ),
    st.integers(0, 40),
)
def test_many_periods_are_one_period_many_times(drawn: tuple[list[int], list[int]], times: int) -> None:
    came, gains = drawn
    before = [{("work", str(place)): 3} for place in range(len(came))]
    now = [total(((1, before[c]), (1, {("resource", "u"): g}))) for c, g in zip(came, gains, strict=True)]
    paths = [(path, place) for place, path in enumerate(now)]
    for _ in range(times):
        paths = [
            (total(((1, paths[c][0]), (1, {("resource", "u"): g}))), paths[c][1])
            for c, g in zip(came, gains, strict=True)
        ]
    assert repeated(before, now, came, times) == paths
