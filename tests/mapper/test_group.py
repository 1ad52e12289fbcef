"""The closed forms of a group are the exact rule: seconds and energy of every point, and of mappings at random."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest

from accelsim.cost.analytic import energy_by, step_cost
from accelsim.mapper.group import GroupPoint, Tally
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import best_mappings
from accelsim.mapping import Placement
from tests.mapper.draw import draw_groups
from tests.mapper.machines import NAMES, arch_of, drawn_problem, placement_of, problem_of, workload_of

SEEDS = 12
EXACT = 1e-12
FRONTS = (
    ("three-levels", "gemm", ("M=7", "N=13", "K=29")),
    ("two-ports", "gemm", ("M=61",)),
    ("reference", "gemm", ("M=509",)),
    ("lanes-only", "batched", ("B=3", "M=6", "N=5", "K=4")),
    ("three-levels", "convolution", ("C=3", "K=4", "M=13", "S=3")),
    ("two-ports", "elementwise", ("M=13", "N=9")),
    ("two-ports", "stencil", ("M=7",)),  # four rows, three lanes
    ("one-port", "plain", ("H=1", "R=5", "E=4", "F=5", "M=1", "P=4")),  # four rows, three columns
    ("three-levels", "chain", ("M=9", "N=5", "K=4", "J=3")),
    ("two-ports", "shared", ("M=9", "N=5", "K=4", "J=3")),
    ("one-port", "attention-3pass", ("B=1", "H=2", "E=4", "M=13")),
    ("two-ports", "attention-2pass", ("B=1", "H=1", "E=3", "M=8", "M0=4")),
    ("two-ports", "attention-1pass", ("B=1", "H=1", "E=3", "M=8", "M0=4")),
    ("reference", "causal-attention-3pass", ("B=1", "H=1", "E=4", "M=9")),
    ("one-port", "window-attention-3pass", ("B=1", "H=1", "E=3", "M=7", "W=3")),
    ("one-port", "grouped-attention-3pass", ("B=1", "H=4", "G=2", "E=3", "M=5")),
)


def agrees(value: float, exact: Fraction) -> bool:
    return value == pytest.approx(float(exact), rel=EXACT, abs=0)


def compared(problem: Problem, points: list[GroupPoint], placement: Placement) -> None:
    """Each group's seconds, and the energy of all of them, against the written mapping."""
    cost = step_cost(placement)
    assert len(cost.parts) == len(points)
    for part, point in zip(cost.parts, points, strict=True):
        assert agrees(point.seconds, part.seconds), point.einsums
    energies = energy_by(problem.arch, cost.actions)
    assert energies is not None
    assert agrees(sum(point.energy_pj for point in points), sum(energies.values(), Fraction(0)))


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_drawn_at_random_costs_what_the_exact_rule_says(name: str) -> None:
    for seed in range(SEEDS):
        rng = Random(f"{name} {seed}")
        problem = drawn_problem(rng, name)
        limits = Limits(overlap=rng.choice(["pipeline", "sequential"]), registers=rng.random() < 0.8)
        points = [drawn.point for drawn in draw_groups(rng, problem, limits)]
        compared(problem, points, placement_of(problem, points, limits))


def test_loops_that_one_einsum_has_for_itself_cost_what_the_exact_rule_says() -> None:
    """In groups of products: what only one of them touches is kept at a loop that only it has."""
    kept = 0
    for seed in range(60):
        rng = Random(seed)
        name, arch = rng.choice(["chain", "shared"]), rng.choice(["three-levels", "two-ports", "one-port"])
        problem = problem_of(arch_of(arch), workload_of(name, {r: rng.randint(4, 13) for r in "MNKJ"}))
        points = [drawn.point for drawn in draw_groups(rng, problem, Limits())]
        kept += sum(depth > len(p.nest.order) for p in points for k in p.keeping for _, depth in k.chain)
        compared(problem, points, placement_of(problem, points, Limits()))
    assert kept >= 10, kept


@pytest.mark.parametrize(
    ("arch", "workload", "sizes"), FRONTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_point_of_a_front_costs_what_its_mapping_costs(arch: str, workload: str, sizes: tuple[str, ...]) -> None:
    problem = problem_of(arch_of(arch, *tight(arch)), workload_of(workload, sizes))
    limits = Limits(most_fused=4)
    for found in best_mappings(problem, limits, Tally())[:6]:
        compared(problem, list(found.groups), placement_of(problem, found.groups, limits))
        assert found.seconds == pytest.approx(sum(point.seconds for point in found.groups), rel=EXACT)
        assert found.energy_pj == pytest.approx(sum(point.energy_pj for point in found.groups), rel=EXACT)


def tight(arch: str) -> tuple[str, ...]:
    """Levels too small for everything, so that tiles matter, and off chip fast enough for units to matter."""
    room = {"three-levels": ("l1", "l2"), "two-ports": ("l2",), "one-port": ("l1",), "lanes-only": ("l1",)}
    said = tuple(f"levels.{level}.capacity={64 * 4**at} B" for at, level in enumerate(room.get(arch, ())))
    return (*said, "levels.dram.bandwidth=500 GB/s") if said else ()
