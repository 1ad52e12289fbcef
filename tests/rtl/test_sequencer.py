"""Random marked graphs through the sequencer with engines that only take time: every start edge is the executor's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest

from accelsim.hardware.sequencer import OPS, UNIT, instructions
from accelsim.program.instruction import HEAD, Instruction, encode
from accelsim.program.marked import MarkedGraph
from accelsim.units.timing import Timing
from rtl.bench import Case, Device, Job, Result, devices_of, simulate, sweep
from rtl.layer.sequencer import ERRORS
from tests.rtl.blocks import SEED

pytestmark = pytest.mark.slow

BENCH = UNIT.under_test
SETUPS = list(UNIT.configurations.values())
GRAPHS, JOBS = 500, 25


@pytest.fixture(scope="module")
def devices() -> list[Device]:
    return devices_of(BENCH, SETUPS)


def wrong(results: list[Result]) -> list[str]:
    return [f"{result.case.name}: {result.failures[0]}" for result in results if result.failures]


@cache
def graphs(number: int, seed: int) -> tuple[MarkedGraph, ...]:
    rng = np.random.default_rng(seed)
    return tuple(BENCH.shape(SETUPS[0], rng) for _ in range(number))


def case(name: str, found: Sequence[MarkedGraph]) -> Case:
    rng = np.random.default_rng(0)
    return Case(name, "sequencer_0", tuple(BENCH.job(SETUPS[0], graph, rng) for graph in found))


def test_every_start_edge_of_five_hundred_graphs_is_that_of_the_executor(devices: list[Device]) -> None:
    found = graphs(GRAPHS, SEED)
    results = simulate(
        devices, [case(f"graphs {at}", found[at : at + JOBS]) for at in range(0, GRAPHS, JOBS)], x_seeds=(1,)
    )
    assert wrong(results) == []
    starts = sum(len(beats) for r in results for j in r.case.jobs for n, beats in j.outputs.items() if n != "status")
    assert starts == sum(len(graph.nodes) for graph in found)


def test_the_graphs_are_of_all_kinds() -> None:
    found = graphs(GRAPHS, SEED)
    assert {3, 40} <= {len(graph.nodes) for graph in found}
    used = Counter(len({s for each in instructions(graph) for s in each.wait}) for graph in found)
    assert {0, 1, 4, 8} <= set(used)
    assert max(used) > 12
    assert {graph.name for graph in found} == {"straight", "looped"}
    assert any(node.start > 0 and not node.needs for graph in found for node in graph.nodes)


def test_gaps_and_resets_change_no_start(devices: list[Device]) -> None:
    assert wrong(simulate(devices, sweep(BENCH, SETUPS, SEED))) == []


def refused(name: str, words: list[int], error: str) -> Case:
    timing = Timing(len(words) + 1, len(words) + 1, len(words) + 2)
    status = {"status": (ERRORS.index(error),)}
    return Case(name, "sequencer_0", (Job({"program": tuple(words)}, status, timing.first, timing.last, timing.busy),))


def test_what_cannot_be_is_refused(devices: list[Device]) -> None:
    """An unknown operation, LOOP, or a semaphore for which two queues wait: the status comes an edge later."""
    fine = encode(Instruction("NOP"))
    taken = [encode(Instruction("MATMUL", frozenset({3}))), encode(Instruction("SOFTMAX", frozenset({3})))]
    cases = [
        refused("unknown", [fine, 0xF], "operation"),
        refused("loop", [fine, fine, encode(Instruction("LOOP"))], "operation"),
        refused("no queue", [encode(Instruction("NOP")) | 7 << 116], "operation"),
        refused("shared", taken, "shared"),
    ]
    for result in simulate(devices, cases, x_seeds=(1,)):
        edges = [edge for edge, _ in result.observed.transfers["status"]]
        entered = [edge for edge, _ in result.observed.transfers["program"]]
        assert [payload for _, payload in result.observed.transfers["status"]] == list(
            result.case.jobs[0].outputs["status"]
        ), result.case.name
        assert edges == [entered[-1] + 1], result.case.name


def test_tokens_beyond_what_a_semaphore_counts_are_an_error(devices: list[Device]) -> None:
    posts = [encode(Instruction("NOP", post=frozenset({5})))] * 64
    late = encode(Instruction("NOP", args={"imm": 1}))
    words = [*posts, *posts, *posts, *posts, late, encode(Instruction("HALT"))]
    (result,) = simulate(devices, [refused("overflow", words, "overflow")], x_seeds=(1,))
    assert [payload for _, payload in result.observed.transfers["status"]] == [ERRORS.index("overflow")]


def test_operations_stand_for_their_queues() -> None:
    assert {Instruction(op).queue: op for op in OPS.values()} == OPS
    assert sum(HEAD.values()) == 44
