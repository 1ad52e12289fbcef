"""Exact execution: published schedules, a pipeline of a cluster, and the rules one by one."""

from __future__ import annotations

import csv
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program.execute import Run, execute
from accelsim.program.model import Draw, Order, bodies
from accelsim.program.read import read_program
from accelsim.program.values import drawn
from tests.program.examples import attention, ring

HEAD = "program p at 1000 per s\n"


def ran(text: str, *, trace: int = 100) -> Run:
    return execute(read_program(HEAD + text), skip=False, trace=trace)


def starts(text: str) -> list[tuple[str, int, int]]:
    return [(s.task + "".join(str(c) for _, c in s.coordinates), s.start, s.end) for s in ran(text).trace]


def per_tile(order: Order, in_flight: int, *, p1: int = 2, latency: int = 256, e: int = 64) -> Fraction:
    """Ticks per tile in the steady state: what 60 more tiles add."""
    few, many = (
        execute(attention(n, p1, in_flight=in_flight, order=order, latency=latency, e=e), skip=False).ticks
        for n in (60 // p1, 120 // p1)
    )
    return Fraction(many - few, 60)


@pytest.mark.parametrize(
    ("order", "in_flight", "latency", "e", "ticks"),
    [
        ("oldest", 1, 256, 64, 459),
        ("static", 4, 256, 64, 138),
        ("static", 4, 256, 128, 266),
        ("oldest", 5, 256, 64, 138),
        ("oldest", 1, 0, 64, 203),
        ("oldest", 2, 0, 64, 200),
        ("oldest", 3, 0, 64, 138),
    ],
)
@pytest.mark.golden
def test_one_pass_attention_on_two_units(order: Order, in_flight: int, latency: int, e: int, ticks: int) -> None:
    assert per_tile(order, in_flight, latency=latency, e=e) == ticks


@pytest.mark.golden
def test_four_in_flight_are_not_enough_when_the_oldest_goes_first() -> None:
    assert per_tile("oldest", 4) > 138
    assert per_tile("static", 3) > 138


@pytest.mark.golden
def test_static_order_needs_no_second_tile_of_queries() -> None:
    assert per_tile("static", 4, p1=1) == 138
    assert per_tile("oldest", 5, p1=1) > 138


@pytest.mark.golden
def test_attention_and_experts_go_round(reference: Path) -> None:
    with (reference / "cluster/afd_pipeline.csv").open() as file:
        for row in csv.DictReader(file):
            ticks = [int(Fraction(row[key]) * 10) for key in ("ta_us", "tc_each_way_us", "tf_us", "tc_each_way_us")]
            layers, batches = int(row["L"]), int(row["m"])
            found = execute(ring(layers, batches, (ticks[0], ticks[1], ticks[2], ticks[3])))
            assert f"{float(found.seconds * 1000):.3f}".rstrip("0") == row["sim_step_ms"]
            assert f"{float(found.seconds * 10**6 / layers):.1f}" == row["steady_period_per_layer_us"]
            for unit in ("A", "F", "N1"):
                assert f"{found.busy[unit.lower()] / found.ticks:.3f}" == row[f"util_{unit}"]


def test_a_pipeline_bound_by_attention() -> None:
    assert round(float(execute(ring(61, 3, (2732, 500, 1500, 500))).seconds * 1000), 2) == 50.25


def test_the_result_comes_after_the_latency_and_the_resource_does_not_wait() -> None:
    text = (
        "resource u 1 oldest\nloop i < 2\n  body 2\n    task A on u busy 2 latency 5\n    task B on u busy 1 after A\n"
    )
    assert starts(text) == [("A0", 0, 2), ("A1", 2, 4), ("B0", 7, 8), ("B1", 9, 10)]


def test_claims_are_all_or_nothing() -> None:
    text = (
        "resource u 1 oldest\nresource v 1 oldest\nbody 1\n  task A on u busy 4\n"
        "  task B on u, v busy 2\n  task C on v busy 3\n"
    )
    assert starts(text) == [("A", 0, 4), ("C", 0, 3), ("B", 4, 6)]


def test_tokens_bound_what_runs_at_once() -> None:
    text = "resource power 5 oldest\nloop i < 3\n  body 3\n    task A on power:2 busy 4\n"
    assert starts(text) == [("A0", 0, 4), ("A1", 0, 4), ("A2", 4, 8)]


def test_window_bounds_compute_and_loads_run_ahead() -> None:
    text = (
        "resource d 1 oldest\nresource u 1 oldest\nbuffer gb 20\nloop i < 4\n  body 1\n"
        "    load L on d busy 2 holds gb 10 of i for A\n    task A on u busy 5\n    store S on d busy 1 after A\n"
    )
    assert starts(text) == [
        *[("L0", 0, 2), ("A0", 2, 7), ("L1", 2, 4), ("S0", 7, 8), ("A1", 7, 12), ("L2", 8, 10)],
        *[("S1", 12, 13), ("A2", 12, 17), ("L3", 13, 15), ("S2", 17, 18), ("A3", 17, 22), ("S3", 22, 23)],
    ]


def test_a_tile_lives_until_its_last_reader_ends() -> None:
    text = (
        "resource d 1 oldest\nresource u 1 oldest\nbuffer gb 10\nloop m < 2\n  loop p < 3\n    body 2\n"
        "      load K on d busy 2 holds gb 10 of m for A when p == 0\n      task A on u busy 3\n"
    )
    assert starts(text)[:6] == [
        *[("K00", 0, 2), ("A00", 2, 5), ("A01", 5, 8), ("A02", 8, 11), ("K10", 11, 13), ("A10", 13, 16)],
    ]


def test_an_edge_without_source_is_satisfied() -> None:
    text = (
        "resource u 2 oldest\nloop i < 3\n  body 3\n    task A on u busy 3 when i != 1\n    task B on u busy 1 after A"
    )
    assert ("B1", 0, 1) in starts(text)


def test_stages_issue_tasks_of_earlier_iterations() -> None:
    text = "resource u 1 static A B+2\nloop i < 4\n  body 3\n    task A on u busy 1\n    task B on u busy 2 after A\n"
    assert [name for name, _, _ in starts(text)] == ["A0", "A1", "A2", "B0", "A3", "B1", "B2", "B3"]


def test_fifo_serves_who_came_first() -> None:
    body = "\nloop i < 2\n  body 2\n    task A on v busy 1\n    task B on u busy 4 after A\n    task C on u busy 1\n"
    assert [s for s in starts("resource v 1 oldest\nresource u 1 fifo" + body) if s[0][0] != "A"] == [
        *[("C0", 0, 1), ("C1", 1, 2), ("B0", 2, 6), ("B1", 6, 10)],
    ]
    assert [s for s in starts("resource v 1 oldest\nresource u 1 oldest" + body) if s[0][0] != "A"] == [
        *[("C0", 0, 1), ("B0", 1, 5), ("B1", 5, 9), ("C1", 9, 10)],
    ]


def test_remainders_carry_over() -> None:
    text = "resource d 1 oldest rate 7/3\nloop i < 10\n  body 1\n    load L on d moves 5 by 2\n"
    assert ran(text).busy == {"d": -(-50 * 3 // 7)}


def test_streams_take_turns() -> None:
    text = (
        "resource d 1 oldest rate 1\nloop i < 1\n  body 1\n    load A on d moves 6 by 2\n    load B on d moves 4 by 2\n"
    )
    assert [name for name, _, _ in starts(text)] == ["A0", "B0", "A0", "B0", "A0"]


def test_seq_is_a_barrier_and_par_is_not() -> None:
    two = "  loop i < 1\n    body 1\n      task A on u busy 2 latency 3\n  body 1\n    task B on v busy 4\n"
    resources = "resource u 1 oldest\nresource v 1 oldest\n"
    assert ran(resources + "seq\n" + two).ticks == 9
    assert ran(resources + "par\n" + two).ticks == 5


def test_bounds_follow_outer_loops_tables_and_draws() -> None:
    text = (
        "resource u 1 oldest\ntable LEN [3] 2 0 5\ndraw D 7 1 2 3\nloop b < 3\n  loop i < LEN[b]\n    loop j < i+1\n"
        "      body 2\n        task A on u busy D[b,i,j]\n"
    )
    found = ran(text)
    assert found.starts == {"A": 3 + 15}
    keys = [(b, i, j) for b, bound in enumerate((2, 0, 5)) for i in range(bound) for j in range(i + 1)]
    assert found.ticks == found.busy["u"] == sum(drawn(Draw("D", 7, (1, 2, 3)), key) for key in keys)


def test_draws_do_not_depend_on_the_order_of_execution() -> None:
    text = "resource u 1 {}\ndraw D 7 1 2 3\nloop i < 50\n  body 4\n    task A on u busy D[i]\n    task B on u busy 1\n"
    busy = {order: ran(text.format(order)).busy for order in ("oldest", "fifo", "static A B+1")}
    assert len({b["u"] for b in busy.values()}) == 1


def test_waits_are_counted_by_cause() -> None:
    text = (
        "resource d 1 oldest\nresource u 1 oldest\nbuffer gb 10\nloop i < 2\n  body 1\n"
        "    load L on d busy 2 holds gb 10 of i for A\n    task A on u busy 5\n"
    )
    found = ran(text)
    assert found.ticks == 14
    assert found.waits == {"A": {"dependency": 4, "window": 7}, "L": {"buffer": 7}}
    assert found.critical == "u"


def test_the_shipped_anomaly() -> None:
    """Every task shorter, or a server more, and nine tasks take longer when the oldest goes first."""
    document = (Path(__file__).parents[2] / "docs" / "programs.md").read_text()
    graham = read_program(document[document.index("program graham") :].split("```")[0])
    body = next(bodies(graham.root))[2]
    shorter = tuple(replace(t, busy=Int(t.busy.value - 1)) for t in body.tasks if isinstance(t.busy, Int))
    quick = replace(graham, root=replace(body, tasks=shorter))
    four = replace(graham, resources=(replace(graham.resources[0], count=4),))
    assert [execute(program).ticks for program in (graham, quick, four)] == [12, 13, 15]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "resource u 1 static B+1 A\nloop i < 2\n  body 2\n    task A on u busy 1\n    task B on u busy 1 after A\n",
            None,
        ),
        (
            "resource u 1 static B A\nloop i < 2\n  body 2\n    task A on u busy 1\n    task B on u busy 1 after A\n",
            "deadlock at tick 0: A[i=0] waits for u, where B must start first; B[i=0] waits for the result of A[i=0]; "
            "A[i=1] waits for u, where B must start first; B[i=1] waits for the result of A[i=1]",
        ),
        (
            "resource u 1 oldest\nbuffer gb 8\nloop i < 9\n  body 1\n    task A on u busy 1 holds gb 3 of i for B\n"
            "    task B on u busy 1 when i > 5\n",
            None,
        ),
        (
            "resource u 1 oldest\nbuffer gb 8\nloop j < 2\n  loop i < 3\n    body 1\n"
            "      task A on u busy 1 holds gb 3 of i for B when j == 0\n      task B on u busy 1 when j == 1\n",
            "buffer gb has 8 B, but even strictly in order A[j=0,i=2] needs 9 B of it at once: "
            "A[j=0,i=0] 3 B, A[j=0,i=1] 3 B, A[j=0,i=2] 3 B",
        ),
        (
            "resource u 1 oldest\nbuffer gb 8\nloop i < 3\n  body 1\n    task A on u busy 1 holds gb 3\n",
            "A[i=1] writes a tile of gb a second time (tiles by [])",
        ),
        (
            "resource u 1 oldest\nloop i < 3\n  body 1\n    task A on u busy 2-i\n",
            "task A: busy must be at least 1, got 0 at i = 2",
        ),
        (
            "resource u 1 oldest\ntable T [2] 1 1\nloop i < 3\n  body 1\n    task A on u busy T[i]\n",
            "table T has the shape [2]; it has no entry [2]",
        ),
    ],
)
def test_what_cannot_go_on_is_explained(text: str, message: str | None) -> None:
    if message is None:
        assert ran(text).ticks > 0
        return
    with pytest.raises(AccelsimError) as caught:
        ran(text)
    assert str(caught.value) == message


def test_nothing_to_do_takes_no_time() -> None:
    assert ran("resource u 1 oldest\nseq\n  par\n  loop i < 0\n    body 1\n      task A on u busy 1\n").ticks == 0


def test_work_without_end_is_refused() -> None:
    head = "resource u 1 oldest\ntable ONE [1] 1\n"
    text = head + "loop i < 1000000000000\n  loop j < 0\n    body 1\n      task A on u busy 1\n"
    with pytest.raises(AccelsimError, match="takes more than 200000 steps to find"):
        ran(text)
    many = head + "loop i < 1000000000000\n  body 1\n    task A on u busy 1+i%2\n"
    with pytest.raises(AccelsimError, match="more than 1000 starts must be executed"):
        execute(read_program(HEAD + many), limit=1000)
