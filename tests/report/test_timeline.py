"""A timeline holds every claim of a trace once, its arrows are what was waited for, its gaps what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program.execute import Run, execute
from accelsim.program.machine import Start
from accelsim.program.model import Body, Edge, Loop, Program, Resource, Task, bodies
from accelsim.program.read import read_program
from accelsim.report.timeline import Gap, Span, joined, timeline
from tests.program.examples import attention, ring
from tests.program.random_programs import marked_graphs, programs
from tests.tries import tries

ALL = 1 << 20
RANDOM = settings(max_examples=tries(60), phases=[Phase.generate], suppress_health_check=list(HealthCheck))
ANY = st.one_of(programs(), programs(calm=True), marked_graphs())
HEAD = "program p at 1000 per s\n"
STREAMS = """\
program streams at 1000 per s
resource u 1 oldest
resource d 2 oldest rate 7/3
buffer k 16
buffer q 12
loop b < 2
  seq
    loop m < 40
      loop p < 3
        body 2
          load Q on d moves 4 holds q 4 of p for A when m == 0
          load K on d moves 7 by 3 latency 5 holds k 8 of m for A, B when p == 0
          task A on u busy 3 latency 2
          task B on u busy 2 after A, B p:1
          store S on d moves 1 by 1 after B when m == 39
    loop x < 30
      body 1
        task C on u busy 5
"""


def executed(program: Program, *, skip: bool, trace: int = ALL) -> Run:
    """A run with its trace; what cannot go on, or has nothing to do, is not asked about."""
    try:
        run = execute(program, skip=skip, trace=trace)
    except AccelsimError:
        assume(False)
    assume(run.trace)
    return run


def tasks_by_name(program: Program) -> Mapping[str, Task]:
    return {task.name: task for _, _, body in bodies(program.root) for task in body.tasks}


@RANDOM
@given(ANY, st.booleans(), st.sampled_from((9, ALL)))
def test_no_two_spans_of_a_track_overlap(program: Program, skip: bool, trace: int) -> None:
    found = timeline(program, executed(program, skip=skip, trace=trace))
    counts = {resource.name: resource.count for resource in program.resources}
    lanes = Counter(track.resource for track in found.tracks)
    assert list(dict.fromkeys(track.resource for track in found.tracks)) == list(counts)
    assert all(1 <= lanes[name] <= counts[name] for name in counts)
    assert {span.track for span in found.spans} <= set(found.tracks)
    for track in found.tracks:
        own = [span for span in found.spans if span.track == track]
        assert all(one.end <= other.start for one, other in pairwise(own))
        assert all(span.ticks > 0 for span in own)


@RANDOM
@given(ANY)
def test_spans_are_the_busy_ticks(program: Program) -> None:
    run = executed(program, skip=False)
    found = timeline(program, run)
    for resource in program.resources:
        own = [span for span in found.spans if span.track.resource == resource.name]
        assert sum(span.ticks * span.amount for span in own) == run.busy[resource.name]
        assert sum(span.ticks * span.amount for span in joined(own)) == run.busy[resource.name]
    assert found.until == run.ticks
    assert found.gaps == ()


@RANDOM
@given(ANY)
def test_an_arrow_begins_with_a_result_and_ends_at_who_waited_for_it(program: Program) -> None:
    found = timeline(program, executed(program, skip=False))
    tasks = tasks_by_name(program)
    for arrow in found.arrows:
        latency = tasks[arrow.source.name].latency
        assert arrow.source.end + (latency.value if isinstance(latency, Int) else 0) <= arrow.target.start
    ends = {(arrow.source.name, arrow.source.coordinates, arrow.target) for arrow in found.arrows}
    assert len(ends) == len(found.arrows)


@RANDOM
@given(ANY)
def test_every_edge_between_two_starts_is_an_arrow(program: Program) -> None:
    found = timeline(program, executed(program, skip=False))
    there = {(span.name, span.coordinates) for span in found.spans}
    wanted = {
        (edge.source, source, task.name, at)
        for task in tasks_by_name(program).values()
        for edge in task.after
        for name, at in there
        if name == task.name and not edge.back
        for source in [
            tuple((rank, 0 if rank in edge.first else c - dict(edge.distance).get(rank, 0)) for rank, c in at)
        ]
        if (edge.source, source) in there
    }
    drawn = {(a.source.name, a.source.coordinates, a.target.name, a.target.coordinates) for a in found.arrows}
    assert wanted <= drawn
    held = {(t.name, r) for t in tasks_by_name(program).values() for hold in t.holds for r in hold.readers}
    assert {(source, target) for source, _, target, _ in drawn - wanted} <= held


def test_readers_wait_for_the_writers_of_their_tiles() -> None:
    program = read_program(STREAMS)
    found = timeline(program, execute(program, skip=False, trace=ALL))
    drawn = {(a.source.name, a.source.place, a.target.name, a.target.place) for a in found.arrows}
    for b, m, p in ((0, 0, 0), (1, 7, 2), (1, 39, 1)):
        here = f"b={b} m={m} p={p}"
        assert ("K", f"b={b} m={m} p=0", "B", here) in drawn
        assert ("Q", f"b={b} m=0 p={p}", "A", here) in drawn
    into = Counter((a.target.name, a.target.place, a.source.name) for a in found.arrows)
    assert {n for (target, _, source), n in into.items() if source in "KQ" and target in "AB"} == {1}


def test_an_arrow_leaves_the_last_chunk() -> None:
    resources = "resource d 1 oldest rate 2\nresource u 1 oldest\n"
    program = read_program(HEAD + resources + "body 1\n  load L on d moves 8 by 4\n  task A on u busy 1 after L\n")
    (arrow,) = timeline(program, execute(program, trace=9)).arrows
    assert (arrow.source.start, arrow.source.end, arrow.target.start) == (2, 4, 4)


def test_an_edge_may_name_the_first_iteration_and_one_by_its_number_has_no_arrow() -> None:
    program = read_program(
        HEAD + "resource u 1 oldest\nloop i < 3\n  body 1\n    task A on u busy 1\n    task B on u busy 1\n"
    )
    run = execute(program, trace=9)
    body = next(bodies(program.root))[2]
    edges = Edge("A", first=("i",)), Edge("B", back=1)
    tasks = body.tasks[0], replace(body.tasks[1], after=edges)
    found = timeline(replace(program, root=Loop("i", Int(3), Body(tasks))), run)
    assert [(a.source.place, a.target.place) for a in found.arrows] == [("i=0", f"i={n}") for n in range(3)]


def test_a_resource_has_as_many_lanes_as_it_needs() -> None:
    resources = "resource pe 3 oldest\nresource x 1 oldest\n"
    body = "loop i < 4\n  body 2\n    task A on pe busy 4\n    task B on x busy 1 after A\n"
    program = read_program(HEAD + resources + body)
    found = timeline(program, execute(program, trace=20))
    assert [track.name for track in found.tracks] == ["pe[0]", "pe[1]", "x"]
    assert [(s.track.name, s.start, s.place) for s in found.spans if s.name == "A"][:3] == [
        *[("pe[0]", 0, "i=0"), ("pe[1]", 0, "i=1"), ("pe[0]", 5, "i=2")],
    ]


def test_a_claim_of_several_resources_is_a_span_on_each() -> None:
    text = "resource u 1 oldest\nresource power 9 oldest\nbody 1\n  task A on u, power:4 busy 2\n"
    program = read_program(HEAD + text)
    spans = timeline(program, execute(program, trace=1)).spans
    assert [(s.track.name, s.amount, s.ticks) for s in spans] == [("u", 1, 2), ("power[0]", 4, 2)]


def test_a_chunk_that_takes_no_tick_has_no_span() -> None:
    program = read_program(HEAD + "resource d 1 oldest rate 4\nloop i < 4\n  body 1\n    load L on d moves 1\n")
    run = execute(program, skip=False, trace=9)
    found = timeline(program, run)
    assert len(run.trace) == 4
    assert [(s.start, s.end) for s in found.spans] == [(0, 1)]


def test_chunks_that_follow_one_another_are_one_when_joined() -> None:
    resource = "resource d 1 oldest rate 1\n"
    program = read_program(HEAD + resource + "body 1\n  load A on d moves 4 by 2\n  load B on d moves 8 by 2\n")
    spans = timeline(program, execute(program, trace=9)).spans
    assert [span.name for span in spans] == ["A", "B", "A", "B", "B", "B"]
    assert [(s.name, s.start, s.end) for s in joined(spans)] == [("A", 0, 2), ("B", 2, 4), ("A", 4, 6), ("B", 6, 12)]


# gaps


def starts_of(run: Run) -> set[Start]:
    return set(run.trace)


@RANDOM
@given(ANY, st.sampled_from((30, ALL)))
def test_in_every_gap_something_is_missing(program: Program, trace: int) -> None:
    full, run = executed(program, skip=False), executed(program, skip=True, trace=trace)
    missing = [start.start for start in starts_of(full) - starts_of(run)]
    assert starts_of(run) <= starts_of(full)
    for gap in timeline(program, run).gaps:
        assert any(gap.start < start < gap.end for start in missing)
        assert not any(gap.start < start.start < gap.end for start in run.trace)


@pytest.mark.parametrize(
    "program",
    [
        attention(60, 1, in_flight=4, order="static"),
        attention(40, 2, in_flight=4),
        attention(40, 2, in_flight=5),
        ring(60, 3, (2732, 1366, 2732, 1366)),
        read_program(STREAMS),
    ],
    ids=["static", "oldest", "five", "ring", "streams"],
)
def test_all_that_is_missing_lies_in_a_gap(program: Program) -> None:
    run = execute(program, trace=ALL)
    gaps = timeline(program, run).gaps
    missing = starts_of(execute(program, skip=False, trace=ALL)) - starts_of(run)
    assert missing
    assert all(any(gap.start < start.start < gap.end for gap in gaps) for start in missing)


def test_a_gap_lies_between_the_starts_around_it() -> None:
    program = attention(1000, 1, in_flight=4, order="static")
    assert timeline(program, execute(program, trace=ALL)).gaps == (Gap(734, 137_631),)


def test_what_comes_after_a_trace_that_was_cut_is_no_gap() -> None:
    program = attention(1000, 1, in_flight=4, order="static")
    run = execute(program, trace=20)
    found = timeline(program, run)
    assert found.gaps == ()
    assert found.until == run.trace[-1].start < run.ticks


def test_a_loop_without_iterations_is_no_gap() -> None:
    text = (
        "resource u 1 oldest\ntable LEN [6] 2 0 0 500 0 1\nloop b < 6\n  loop i < LEN[b]\n    body 1\n"
        "      task A on u busy 3 latency 900\n"
    )
    program = read_program(HEAD + text)
    run = execute(program, trace=ALL)
    (gap,) = timeline(program, run).gaps
    assert (dict(before(run, gap))["b"], dict(after(run, gap))["b"]) == (3, 3)


def before(run: Run, gap: Gap) -> tuple[tuple[str, int], ...]:
    return next(start.coordinates for start in run.trace if start.start == gap.start)


def after(run: Run, gap: Gap) -> tuple[tuple[str, int], ...]:
    return next(start.coordinates for start in run.trace if start.start == gap.end)


# what is refused


def test_a_run_without_starts_is_refused() -> None:
    program = attention(3)
    with pytest.raises(AccelsimError) as caught:
        timeline(program, execute(program))
    assert str(caught.value) == "nothing to draw: the run kept no starts; execute the program with trace=1000"


def test_a_run_of_another_program_is_refused() -> None:
    one = Program("p", attention(1).ticks_per_s, (Resource("u"),), Body((Task("QKX", (("u", 1),), Int(1)),)))
    with pytest.raises(AccelsimError) as caught:
        timeline(attention(3), execute(one, trace=1))
    assert str(caught.value) == 'the run is one of another program: task "QKX"; did you mean "QK"?'


def test_a_span_names_its_iteration() -> None:
    program = attention(2)
    spans = timeline(program, execute(program, trace=ALL)).spans
    assert isinstance(spans[0], Span)
    assert (spans[0].place, spans[-1].place) == ("m1=0 p1=0", "m1=1 p1=0")
