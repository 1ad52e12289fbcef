"""Tensor by tensor: bytes held at, read from and written to every level are those that the exact rule counts."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from accelsim.cost.analytic import step_cost
from accelsim.cost.images import Counter
from accelsim.cost.traffic import group_traffic
from accelsim.mapper.assign import assignments
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest
from accelsim.mapper.problem import Amount, Problem
from accelsim.mapper.tensors import Keeping, Scene
from accelsim.mapping import Placement
from accelsim.mapping.capacity import occupied
from accelsim.mapping.model import Group
from accelsim.result import Transfer
from tests.mapper.draw import CANDIDATES, Drawn, draw_groups
from tests.mapper.machines import NAMES, arch_of, drawn_problem, placement_of, problem_of, workload_of

SEEDS = 12
NOTHING = Transfer(Fraction(0), Fraction(0))


def one(amount: Amount, candidate: int) -> float:
    """The entry of a candidate."""
    return float(np.broadcast_to(np.asarray(amount, np.float64), (CANDIDATES,))[candidate])


def cases(name: str, seeds: int) -> list[tuple[Problem, list[Drawn], Placement]]:
    found = []
    for seed in range(seeds):
        rng = Random(f"{name}, {seed}")
        problem, limits = drawn_problem(rng, name), Limits(registers=rng.random() < 0.8)
        drawn = draw_groups(rng, problem, limits)
        found.append((problem, drawn, placement_of(problem, [each.point for each in drawn], limits)))
    return found


def holdings(view: Placement, level: str, group: Group) -> dict[str, Fraction]:
    return occupied(view, level, group) if level in view.plan.keep else {}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_held_and_moved_is_what_the_exact_rule_counts(name: str) -> None:
    for problem, drawn, placement in cases(name, SEEDS):
        for each, group in zip(drawn, placement.plan.groups, strict=True):
            view = placement.within(group)
            traffic = group_traffic(view, Counter.of(view), group)
            for level in problem.arch.levels:
                exact, held = traffic.get(level.name, {}), holdings(view, level.name, group)
                for tensor, moved in each.moved.items():
                    tables = (moved.held, moved.read, moved.write)
                    found = [one(table.get(level.name, 0), each.candidate) for table in tables]
                    wanted = exact.get(tensor, NOTHING)
                    assert found == pytest.approx(
                        [float(held.get(tensor, 0)), float(wanted.read), float(wanted.write)], rel=1e-12
                    ), f"{tensor} at {level.name}: held, read, written"


@pytest.mark.parametrize("name", ["one-pass", "causal", "grouped"])
def test_cycles_of_an_einsum_are_those_of_the_mapping(name: str) -> None:
    for _, drawn, placement in cases(name, 6):
        works = step_cost(placement).works
        for each in drawn:
            for einsum, assignment in each.point.picked.items():
                assert assignment.cycles == float(works[einsum].busy_cycles)


def shared_input(first: str, then: str, columns: int = 2) -> float:
    """Elements of A from off chip: two products read it in tiles of four rows, on four PEs, each streaming its own."""
    arch = arch_of("one-port", "units.grid.rows=4", "units.grid.cols=1")
    problem = problem_of(arch, workload_of("shared", {"M": 8, "N": 2, "K": 1, "J": columns}))
    picked = {}
    for einsum, streamed in zip(problem.einsums, (first, then), strict=True):
        offered = assignments(problem, einsum, frozenset(), frozenset(), Limits())
        picked[einsum.name] = next(a for a in offered if a.pes == {"m": 4} and a.streamed == set(streamed))
    scene = Scene(problem, problem.einsums, Nest((), ("m",)), picked, {"m": np.array([4])}, Limits())
    return float(np.max(scene.moved(Keeping("A", ())).read["dram"])) / problem.word("A")


def test_an_input_is_streamed_once_for_two_that_run_in_the_same_loops() -> None:
    """Y takes a tile at once; Z too, or it steps through the only rows there are. With a loop over j Z reads alone."""
    assert shared_input("n", "j") == 8
    assert shared_input("n", "m") == 8 + 16
    assert shared_input("n", "m", 1) == 8


def test_results_that_pass_in_loops_named_in_another_order_are_streamed_once() -> None:
    """GM names p before m, SN m before p: both loop over m, then p, and read QK together."""
    problem = problem_of(arch_of("one-port"), workload_of("causal", {"E": 1, "F": 1, "M": 6, "P": 8}))
    einsums = tuple(e for e in problem.einsums if e.name in ("GM", "SN"))
    picked = {}
    for einsum in einsums:
        offered = assignments(problem, einsum, frozenset("mp"), frozenset(), Limits())
        picked[einsum.name] = next(a for a in offered if a.pes == {"m": 3, "p": 4})
    scene = Scene(problem, einsums, Nest((), ()), picked, {}, Limits())
    present = sum(1 for p in range(8) for m in range(6) if m <= p)
    assert scene.moved(Keeping("QK", ())).read["dram"] == present * problem.word("QK")
