"""Semaphores: they start everything when depth cycle does, and keep every wait whatever the durations are."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.program.execute import execute
from accelsim.program.marked import MarkedGraph, Node, marked_graph
from accelsim.program.model import Program
from accelsim.program.read import read_program
from accelsim.program.semaphores import Tokens, tokens
from tests.program.examples import attention
from tests.program.random_programs import marked_graphs
from tests.tries import tries

SOME = settings(
    max_examples=tries(120), phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None
)
MANY = 99


def sequenced(graph: MarkedGraph, given_tokens: tuple[Tokens, ...]) -> list[tuple[int, int]]:
    """Starts and completions of every node by the rules of queues and semaphores alone."""
    heads: dict[str, list[int]] = {}
    for place, node in enumerate(graph.nodes):
        heads.setdefault(node.queue, []).append(place)
    free, counts = dict.fromkeys(heads, 0), dict.fromkeys(range(MANY), 0)
    found: dict[int, tuple[int, int]] = {}
    pending: list[tuple[int, int]] = []
    now = 0
    while any(heads.values()):
        for end, place in [item for item in pending if item[0] <= now]:
            pending.remove((end, place))
            for semaphore in given_tokens[place].post:
                counts[semaphore] += 1
        for queue, line in heads.items():
            if line and free[queue] <= now and all(counts[s] for s in given_tokens[line[0]].wait):
                place = line.pop(0)
                for semaphore in given_tokens[place].wait:
                    counts[semaphore] -= 1
                node = graph.nodes[place]
                free[queue] = now + node.busy
                found[place] = now, now + node.busy + node.latency
                pending.append((found[place][1], place))
        now += 1
        assert now < 100_000, "nothing goes on"
    assert not any(counts.values()) or pending
    return [found[place] for place in range(len(graph.nodes))]


def drawn(program: Program) -> MarkedGraph:
    try:
        assume(len(execute(program, skip=False, trace=200).trace) <= 120)
        return marked_graph(program)
    except AccelsimError:
        assume(False)
        raise


@SOME
@given(marked_graphs())
def test_queues_and_semaphores_start_everything_when_the_program_does(program: Program) -> None:
    graph = drawn(program)
    starts = [start for start, _ in sequenced(graph, tokens(graph, MANY))]
    assert starts == [node.start for node in graph.nodes]


@SOME
@given(marked_graphs(), st.integers(0, 10**9))
def test_no_wait_is_lost_when_transfers_take_longer(program: Program, seed: int) -> None:
    """Tasks without latency may be transfers, whose time nobody knows beforehand."""
    graph, rng = drawn(program), random.Random(seed)
    given_tokens = tokens(graph, MANY)
    slow = [replace(n, busy=n.busy + rng.choice((0, 0, 1, 7, 40)) * (n.queue == "bus")) for n in graph.nodes]
    assume(not any(node.latency for node in graph.nodes if node.queue == "bus"))
    found = sequenced(replace(graph, nodes=tuple(slow)), given_tokens)
    for node, (start, _) in zip(graph.nodes, found, strict=True):
        assert all(found[need][1] <= start for need in node.needs), node.task


def test_what_follows_from_queues_needs_no_token() -> None:
    nodes = [Node(f"a{at}", "a", 2, 0, 2 * at, frozenset({at - 1} if at else ())) for at in range(5)]
    assert all(not each.wait and not each.post for each in tokens(MarkedGraph("line", tuple(nodes), 10)))


def test_one_wait_may_stand_for_another() -> None:
    """c waits for b, which waited for a: that c needs a as well follows."""
    nodes = (
        Node("a", "load", 2, 0, 0, frozenset()),
        Node("b", "array", 2, 1, 2, frozenset({0})),
        Node("c", "vector", 2, 0, 5, frozenset({0, 1})),
    )
    found = tokens(MarkedGraph("chain", nodes, 7))
    assert [len(each.wait) for each in found] == [0, 1, 1]


def test_posters_that_may_overtake_each_other_share_no_semaphore() -> None:
    """Of two with latencies the second may complete first; with equal ones it may not."""

    def nodes(first: int, second: int) -> MarkedGraph:
        return MarkedGraph(
            "pair",
            (
                Node("a", "array", 1, first, 0, frozenset()),
                Node("b", "array", 1, second, 1, frozenset()),
                Node("c", "vector", 1, 0, 1 + first, frozenset({0})),
                Node("d", "vector", 1, 0, 40, frozenset({1})),
            ),
            41,
        )

    assert len({s for each in tokens(nodes(9, 1)) for s in each.wait}) == 2
    assert len({s for each in tokens(nodes(9, 9)) for s in each.wait}) == 1


def test_attention_needs_few_semaphores_however_long_it_is() -> None:
    used = [
        len({s for t in tokens(marked_graph(attention(m1, 2, in_flight=2, order="oldest", latency=0))) for s in t.wait})
        for m1 in (3, 6, 12)
    ]
    assert used[1] == used[2] <= 16


def test_more_than_there_are_is_refused() -> None:
    graph = marked_graph(attention(4, 2, in_flight=2, order="oldest", latency=0))
    with pytest.raises(AccelsimError, match=r"needs [0-9]+ semaphores; the sequencer has 1"):
        tokens(graph, 1)


def test_a_task_that_claims_two_units_is_no_instruction() -> None:
    program = read_program(
        "program p at 1 per s\nresource a 1 oldest\nresource b 1 oldest\nbody 1\n  task T on a, b busy 3\n"
    )
    with pytest.raises(AccelsimError, match="task T claims 1 of a, 1 of b; an instruction has one unit"):
        marked_graph(program)


def test_room_that_comes_back_out_of_order_is_refused() -> None:
    """A long reader of the first tile, a short one of the second: the third tile takes the room of the second."""
    program = read_program(
        "program p at 1 per s\nresource l 1 oldest\nresource u 1 oldest\nresource v 1 oldest\nbuffer g 2 pool\n"
        "body 1\n"
        "  task A on l busy 1 holds g 1 for X\n  task X on u busy 50\n"
        "  task B on l busy 1 holds g 1 for Y\n  task Y on v busy 1\n"
        "  task C on l busy 1 holds g 1 for Z\n  task Z on v busy 1\n"
    )
    with pytest.raises(AccelsimError, match="room is not given back in the order in which it was taken"):
        marked_graph(program)
