"""A run exported as a static order starts everything at the same ticks, and its edges say what was waited for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program import unroll
from accelsim.program.execute import Run, execute
from accelsim.program.line import NAME
from accelsim.program.model import Body, Buffer, Loop, Order, Par, Program, Seq, Task, Tree, bodies, children
from accelsim.program.read import read_program
from accelsim.program.text import render_program
from accelsim.program.unroll import queues, unrolled
from tests.program.examples import attention, ring
from tests.program.random_programs import marked_graphs, programs
from tests.tries import tries

HEAD = "program p at 1000 per s\n"
MOST = 120
SOME = settings(
    max_examples=tries(65), phases=[Phase.generate], suppress_health_check=list(HealthCheck), report_multiple_bugs=False
)
FEWER = settings(SOME, max_examples=tries(30))


def tasks(program: Program) -> tuple[Task, ...]:
    return tuple(task for _, _, body in bodies(program.root) for task in body.tasks)


def full(program: Program) -> Run:
    return execute(program, skip=False, trace=10**9)


def same(program: Program) -> Program:
    """The law: the starts of the run are the tasks of the other program, at the same ticks."""
    run, other = full(program), unrolled(program)
    again, text = full(other), render_program(program)
    assert {s.task: (s.start, s.end) for s in again.trace} == {
        task.name: (s.start, s.end) for task, s in zip(tasks(other), run.trace, strict=True)
    }, text
    assert (again.ticks, again.busy) == (run.ticks, run.busy), text
    assert execute(other).ticks == run.ticks, text
    return other


def plain(program: Program) -> None:
    """One body, no loops, no conditions, one after another in every list; and the text comes back."""
    assert isinstance(program.root, Body)
    assert program.root.in_flight == 1
    assert not any(task.when for task in program.root.tasks)
    assert all(r.order == "static" and not any(stage for _, stage in r.static) for r in program.resources)
    assert all(NAME.fullmatch(task.name) for task in program.root.tasks)
    assert read_program(render_program(program)) == program


def short(program: Program) -> None:
    """Only programs that run to their end with few starts."""
    try:
        assume(len(full(program).trace) <= MOST)
    except AccelsimError:
        assume(False)


@pytest.mark.parametrize("latency", [0, 256])
@pytest.mark.parametrize("order", ["oldest", "fifo", "static"])
@pytest.mark.parametrize(("m1", "p1", "in_flight"), [(1, 1, 1), (5, 1, 3), (3, 2, 3), (4, 2, 4), (3, 3, 5)])
def test_attention(m1: int, p1: int, in_flight: int, order: Order, latency: int) -> None:
    plain(same(attention(m1, p1, in_flight=in_flight, order=order, latency=latency)))


@pytest.mark.parametrize("order", ["oldest", "fifo"])
def test_a_ring_of_four(order: Order) -> None:
    plain(same(ring(5, 3, (27, 5, 15, 5), order)))


@seed(11)
@SOME
@given(st.one_of(programs(), programs(calm=True)))
def test_random_programs(program: Program) -> None:
    short(program)
    other = same(program)
    if tasks(other):
        plain(other)


def in_static_order(program: Program, stages: list[int]) -> Program:
    """Every resource issues the tasks that claim it in the order of the body, later ones so many iterations back."""
    staged = [(task, stage) for task, stage in zip(tasks(program), stages, strict=False)]
    return replace(
        program,
        resources=tuple(
            replace(r, order="static", static=tuple((t.name, s) for t, s in staged if r.name in dict(t.claims)))
            for r in program.resources
        ),
    )


@pytest.mark.slow
@seed(12)
@SOME
@given(programs(), st.lists(st.integers(0, 2), min_size=10, max_size=10).map(sorted))
def test_random_programs_in_static_order(program: Program, stages: list[int]) -> None:
    assume(not isinstance(program.root, Par))
    program = in_static_order(program, stages)
    short(program)
    same(program)


def pooled(program: Program, capacity: int) -> Program:
    """All tiles in one buffer."""
    root = rebuilt(program.root, lambda body: replace(body, tasks=tuple(map(in_pool, body.tasks))))
    return replace(program, root=root, buffers=(Buffer("gb", capacity, pool=True),))


def in_pool(task: Task) -> Task:
    return replace(task, holds=tuple(replace(hold, buffer="gb") for hold in task.holds))


def rebuilt(tree: Tree, change: Callable[[Body], Body]) -> Tree:
    match tree:
        case Body():
            return change(tree)
        case Loop():
            return replace(tree, child=rebuilt(tree.child, change))
    return replace(tree, children=tuple(rebuilt(child, change) for child in tree.children))


@pytest.mark.slow
@seed(13)
@FEWER
@given(programs(), programs(), st.integers(4, 20))
def test_random_programs_with_a_pool_inside_laps(one: Program, two: Program, capacity: int) -> None:
    """Bodies one after another and at once, lap after lap, tiles of all of them in one buffer."""
    names = {rank: f"x{rank}" for rank in "ab"}
    inner = replace(two, root=rebuilt(two.root, lambda body: renamed(body, names)))
    both = (Seq if capacity % 3 else Par)((one.root, inner.root))
    program = pooled(replace(one, root=Loop("l", Int(2), Seq((both, one_task("last"))))), capacity)
    if has_par(program.root):  # a fifo would race for the pool
        program = replace(program, resources=tuple(replace(r, order="oldest") for r in program.resources))
    short(program)
    same(program)


def has_par(tree: Tree) -> bool:
    return isinstance(tree, Par) or any(map(has_par, children(tree)))


def one_task(name: str) -> Body:
    return Body((Task(name, (("u", 1),), Int(2), Int(3)),))


def renamed(body: Body, names: dict[str, str]) -> Body:
    """The same body under other names of its tasks."""

    def new(name: str) -> str:
        return names[name[0]] + name[1:]

    return replace(
        body,
        tasks=tuple(
            replace(
                task,
                name=new(task.name),
                after=tuple(replace(edge, source=new(edge.source)) for edge in task.after),
                holds=tuple(replace(hold, readers=tuple(map(new, hold.readers))) for hold in task.holds),
            )
            for task in body.tasks
        ),
    )


def lapped(program: Program) -> Program:
    """Two laps of the program and a copy of it."""
    names = {"a": "b"}
    copy = rebuilt(program.root, lambda body: renamed(body, names))
    resources = tuple(
        replace(r, static=(*r.static, *(("b" + name[1:], stage) for name, stage in r.static)))
        for r in program.resources
    )
    pool = (replace(program.buffers[0], pool=True),)
    return replace(program, resources=resources, root=Loop("o", Int(2), Seq((program.root, copy))), buffers=pool)


def timed(program: Program, ticks: dict[str, tuple[int, int]]) -> Program:
    """Other durations by the original name of a task; no latency stays none."""

    def change(task: Task) -> Task:
        busy, latency = ticks[task.name[1:].partition("_")[0]]
        return replace(task, busy=Int(busy), latency=Int(latency) if task.latency != Int(0) else task.latency)

    return replace(
        program, root=rebuilt(program.root, lambda body: replace(body, tasks=tuple(map(change, body.tasks))))
    )


@seed(14)
@SOME
@given(marked_graphs(), st.booleans(), st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=5))
def test_edges_say_all_whatever_the_durations(program: Program, laps: bool, ticks: list[tuple[int, int]]) -> None:
    """Where the original order is static too, both take the same time with durations that were not run."""
    program = lapped(program) if laps else program
    short(program)
    table = {f"T{at}": pair for at, pair in enumerate(ticks)}
    same(program)
    changed, other = full(timed(program, table)), full(timed(unrolled(program), table))
    assert other.ticks == changed.ticks, render_program(program)


@pytest.mark.parametrize("rate", ["1", "4", "7/3", "9"])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("order", ["oldest", "fifo", "static L M S"])
def test_chunks_on_a_shared_channel(order: str, count: int, rate: str) -> None:
    """A fast channel leaves a chunk no tick of its own."""
    other = same(
        read_program(
            HEAD + f"resource bus {count} {order} rate {rate}\nresource u 1 oldest\nbuffer gb 40\nbuffer out 21\n"
            "loop i < 5\n  body 2\n    load L on bus moves 9+i by 3 latency 4 holds gb 18 of i for A\n"
            "    load M on bus moves 8\n    task A on u busy 3 after M\n"
            "    store S on bus moves 5 by 2 latency 1 after A holds out 7 of i\n"
        )
    )
    plain(other)
    assert tasks(other)[0].name == "L_i.0.c0"


def test_servers_ports_and_tokens() -> None:
    plain(
        same(
            read_program(
                HEAD + "resource u 3 oldest\nresource power 5 fifo\nloop i < 9\n  body 4\n"
                "    task A on u, power:2 busy 4\n    task B on u:2, power:4 busy 3\n    task C on u busy 5 latency 2\n"
            )
        )
    )


def test_on_two_servers_the_later_start_may_end_first() -> None:
    other = same(
        read_program(
            HEAD + "resource u 2 oldest\nresource v 1 oldest\nseq\n  body 1\n    task A on u busy 9\n"
            "    task B on u busy 1\n  body 1\n    task C on v busy 1\n"
        )
    )
    assert [edge.source for edge in tasks(other)[-1].after] == ["A", "B"]


def test_a_list_stops_at_a_task_that_does_not_exist() -> None:
    """B of the iteration before stands behind A, and until the window opens nobody knows that there is no A."""
    same(
        read_program(
            HEAD + "resource u 1 static A B+1\nresource v 1 oldest\nloop i < 6\n  body 2\n"
            "    task A on u busy 1 when i == 0\n    task B on u busy 1\n    task C on v busy 7\n"
        )
    )


def test_a_stream_that_claims_nothing() -> None:
    """The second L waits for no task; it starts behind the first, which waits for A."""
    other = same(
        read_program(
            HEAD + "resource u 1 oldest\nloop i < 5\n  body 2\n    task A on u busy 4 when i != 1\n"
            "    load L on busy 1 after A\n    task B on u busy 1 after L\n"
        )
    )
    assert [edge.source for task in tasks(other) if task.name == "L_i.1" for edge in task.after] == ["A_i.0"]


GOLDEN = """\
program p at 1000 per s
resource d 1 static L_i.0 L_i.1.c0 L_i.1.c1 S rate 4
resource u 1 static A_i.0 A_i.1
buffer gb 12 pool
body 1
  load L_i.0 on d moves 4 latency 2 holds gb 8 for A_i.0
  task A_i.0 on u busy 5 after L_i.0
  load L_i.1.c0 on d moves 4 holds gb 8 for A_i.1
  load L_i.1.c1 on d moves 4 latency 2 after L_i.1.c0
  task A_i.1 on u busy 5 after A_i.0, L_i.1.c1
  task S on d busy 2 after A_i.1
"""


def test_a_golden_text() -> None:
    text = (
        "resource d 1 oldest rate 4\nresource u 1 oldest\nbuffer gb 12\ntable B [2] 4 8\n"
        "seq\n  loop i < 2\n    body 2\n"
        "      load L on d moves B[i] by 4 latency 2 holds gb 8 of i for A\n      task A on u busy 5 after A i:1\n"
        "  body 1\n    task S on d busy 2\n"
    )
    other = unrolled(read_program(HEAD + text))
    assert render_program(other) == GOLDEN
    assert queues(other) == {"d": ("L_i.0", "L_i.1.c0", "L_i.1.c1", "S"), "u": ("A_i.0", "A_i.1")}


def test_an_edge_that_follows_from_others_is_left_out() -> None:
    """Eleven tasks an iteration with sixteen edges; the window adds fewer than one a task."""
    other = unrolled(attention(10, 2, in_flight=4))
    assert sum(len(task.after) for task in tasks(other)) < 20 * 20


def test_queues_are_the_starts_of_each_resource() -> None:
    other = unrolled(attention(3, 2, in_flight=4))
    starts = full(other).trace
    claims = {task.name: dict(task.claims) for task in tasks(other)}
    for resource, names in queues(other).items():
        assert names == tuple(s.task for s in starts if resource in claims[s.task])


def test_nothing_to_do() -> None:
    other = unrolled(read_program(HEAD + "resource u 1 oldest\nloop i < 0\n  body 1\n    task A on u busy 1\n"))
    assert other.root == Seq(())
    assert queues(other) == {"u": ()}
    assert full(other).ticks == 0


def test_names_differ_and_are_short_enough() -> None:
    rank = "r" * 63
    long = HEAD + f"resource u 1 oldest\nloop {rank} < 3\n  body 1\n    task A on u busy 1\n"
    names = [task.name for task in tasks(same(read_program(long)))]
    assert all(re.fullmatch(r"A_r{49}-[0-9a-f]{12}", name) for name in names)
    alike = HEAD + "resource u 1 oldest\nseq\n  body 1\n    task A_i.1 on u busy 1\n  loop i < 2\n    body 1\n"
    other = same(read_program(alike + "      task A on u busy 1\n"))
    assert [task.name for task in tasks(other)] == ["A_i.1", "A_i.0", "A_i.1-2"]


RACE = """\
program p at 1000 per s
resource u 1 fifo
resource v 1 oldest
resource w 1 oldest
buffer gb 10 pool
par
  body 1
    task V on v busy 10
    task W on w busy 1
    task Y on u, v busy 1 holds gb 6
    task X on u busy 1 after W
  body 1
    task P on w busy 4
    task Z on w busy 15 after P holds gb 6
"""


def test_rooms_and_lines_that_race_are_refused() -> None:
    """Y is first in the line of u until Z takes its room; then X may pass, and no edge can tell."""
    with pytest.raises(AccelsimError) as caught:
        unrolled(read_program(RACE))
    assert str(caught.value) == (
        "program p cannot be unrolled: Y waits for room in gb, which bodies that run at once share, "
        "and lets others pass in u, a fifo"
    )
    same(read_program(RACE.replace("fifo", "oldest")))


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    small = attention(4, 2)
    for limit, number, message in (
        ("MOST_TASKS", 87, "program attention: more than 87 starts must be executed"),
        ("MOST_EDGES", 20, "program attention: more than 20 edges when unrolled"),
        ("MOST_ITERATIONS", 7, "program attention: more than 7 iterations when unrolled"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(unroll, limit, number)
            with pytest.raises(AccelsimError) as caught:
                unrolled(small)
        assert str(caught.value) == message
    chunks = HEAD + "resource d 1 oldest rate 1\nbody 1\n  load L on d moves 9 by 1\n"
    monkeypatch.setattr(unroll, "MOST_TASKS", 8)
    with pytest.raises(AccelsimError) as caught:
        unrolled(read_program(chunks))
    assert str(caught.value) == "program p: more than 8 starts cannot be unrolled"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "resource u 1 oldest\nbody 1\n  task A on u busy 1\n",
            "program p must be unrolled first: u has no plain static order",
        ),
        (
            "resource u 1 static A\nloop i < 2\n  body 1\n    task A on u busy 1\n",
            "program p must be unrolled first: it is not a single body",
        ),
    ],
)
def test_only_what_is_unrolled_has_queues(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        queues(read_program(HEAD + text))
    assert str(caught.value) == message
