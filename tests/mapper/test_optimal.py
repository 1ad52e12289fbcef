"""Nothing in the space is better than what the search finds: small spaces enumerated whole, and mappings at random."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from random import Random

import pytest

from accelsim.cost.analytic import energy_by, step_cost
from accelsim.errors import AccelsimError
from accelsim.mapper.group import Tally
from accelsim.mapper.limits import Limits, Overlap
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found, best_mappings
from accelsim.mapping import Placement, place
from accelsim.mapping.load import parse_mapping
from tests.cost.drawn import draw
from tests.cost.machines import sample, tiny
from tests.mapper.exhaust import Best, Count, enumerated, read_again, space_of
from tests.mapper.machines import arch_of, problem_of, workload_of

NEAR = 1 + 1e-9
ANY = float("inf")  # no unit is too slow to be looked at


@dataclass(frozen=True)
class Small:
    """A problem small enough for all of its mappings; `least` of them are enumerated."""

    arch: str
    overrides: tuple[str, ...]
    workload: str
    sizes: tuple[str, ...]
    least: int
    most_fused: int = 9
    overlap: Overlap = "pipeline"

    def problem(self, *, free: bool = False) -> Problem:
        said = [o for o in self.overrides if not (free and "capacity" in o)]
        return problem_of(arch_of(self.arch, *said), workload_of(self.workload, self.sizes))

    def __str__(self) -> str:
        return "-".join((self.arch, self.workload, *self.sizes, self.overlap))


SMALL = "units.grid.rows=2", "units.grid.cols=2"
COLUMN = "units.grid.rows=2", "units.grid.cols=1"
ONE = "units.grid.rows=1", "units.grid.cols=1"
DEAR = "components.file.energy.write=5 pJ/op", "levels.dram.bandwidth=20 GB/s"
CASES = (
    Small("one-port", (*SMALL, "levels.l1.capacity=40 B"), "matmul", ("M=4", "N=6", "K=5"), 600),
    Small("one-port", (*SMALL, "levels.l1.capacity=14 B", *DEAR), "matmul", ("M=5", "N=3", "K=4"), 200),
    Small("two-kinds", ("levels.l1.capacity=16 B", *DEAR), "matmul", ("M=4", "N=3", "K=2"), 200),
    Small(  # tiles of as many trips differ: a mask, and heads that share an operand
        "one-port",
        ("units.grid.rows=4", "units.grid.cols=2", "levels.l1.capacity=24 B", "levels.l1.bandwidth=unlimited"),
        "masked",
        ("P=12", "M=13", "E=1"),
        90,
    ),
    Small("one-port", (*SMALL, "levels.l1.capacity=40 B"), "chain", ("M=4", "N=3", "K=2", "J=2"), 300),
    Small("two-kinds", ("levels.l1.capacity=32 B", *DEAR), "chain", ("M=2", "N=4", "K=1", "J=1"), 100),
    # Y alone loops over k, or Z over j
    Small("one-port", (*COLUMN, "levels.l1.capacity=10 B"), "chain", ("M=2", "N=2", "K=4", "J=2"), 100),
    Small("one-port", (*ONE, "levels.l1.capacity=12 B"), "chain", ("M=2", "N=2", "K=2", "J=2"), 100),
    Small("lanes-only", ("levels.l1.capacity=20 B",), "elementwise", ("M=4", "N=3"), 60),
    Small("two-ports", ("levels.l2.capacity=24 B", *SMALL), "elementwise", ("M=3", "N=2"), 100),
    Small("one-port", (*SMALL, "levels.l1.capacity=24 B"), "convolution", ("C=1", "K=3", "M=5", "S=2"), 50),
    Small("lanes-only", ("levels.l1.capacity=24 B",), "heads", ("H=6", "R=2", "E=2", "M=3"), 50),
    Small("one-port", (*SMALL, "levels.l1.capacity=24 B"), "shared", ("M=4", "N=2", "K=2", "J=2"), 99, 9, "sequential"),
    Small("one-port", (*ONE, "levels.l1.capacity=12 B"), "chain", ("M=2", "N=2", "K=2", "J=2"), 100, 9, "sequential"),
    Small("lanes-only", ("levels.l1.capacity=16 B",), "elementwise", ("M=4", "N=3"), 60, 9, "sequential"),
    Small(
        "lanes-only",
        ("units.line.lanes=4", "levels.l1.capacity=32 B"),
        "attention-3pass",
        ("B=1", "H=1", "E=2", "F=1", "M=4"),
        200,
        2,
    ),
)


def energy_of(problem: Problem, placement: Placement) -> float:
    found = energy_by(problem.arch, step_cost(placement).actions)
    assert found is not None
    return float(sum(found.values(), Fraction(0)))


def no_worse(one: Found | Best, other: Found | Best) -> bool:
    return one.seconds <= other.seconds * NEAR and one.energy_pj <= other.energy_pj * NEAR


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_search_finds_what_enumeration_finds(case: Small) -> None:
    problem, count = case.problem(), Count()
    space = space_of(problem, case.problem(free=True), case.overlap)
    every = enumerated(space, case.most_fused, count)
    found = best_mappings(problem, Limits(case.overlap, slack=ANY, most_fused=case.most_fused), Tally())
    assert count.schemes >= case.least
    for best in every:  # the sum over tensors is the cost of the whole mapping
        placement = read_again(space, best)
        assert best.seconds == pytest.approx(float(step_cost(placement).seconds), rel=1e-12)
        assert best.energy_pj == pytest.approx(energy_of(problem, placement), rel=1e-9)
    assert [best for best in every if not any(no_worse(one, best) for one in found)] == []
    assert [one for one in found if not any(no_worse(best, one) for best in every)] == []
    assert min(f.seconds for f in found) == pytest.approx(min(b.seconds for b in every), rel=1e-9)
    assert min(f.energy_pj for f in found) == pytest.approx(min(b.energy_pj for b in every), rel=1e-9)
    products = [min(one.seconds * one.energy_pj for one in points) for points in (found, every)]
    assert products[0] == pytest.approx(products[1], rel=1e-9)


@pytest.mark.slow
def test_only_worse_loaded_arrays_beat_the_search_for_a_product() -> None:
    """Mappings drawn without regard to the space: fewer bytes or register accesses at the price of more firings.

    They may keep a fraction of a tile, hold several elements in a PE, loop over what is spread, or expose latency; on
    these machines nothing but an array with idle PEs is ever better in one of seconds and energy and no worse in both.
    """
    arch = tiny("levels.l1.capacity=24 B", "levels.l2.capacity=64 B")
    compared, better = 0, []
    for seed in range(250):
        sizes, text = draw(Random(seed), sample("matmul"))
        problem = problem_of(arch, workload_of("matmul", sizes))
        head = "schema: accelsim/mapping/1\nname: drawn\nfor: {arch: tiny, function: matmul}\n"
        try:
            placement = place(parse_mapping(head + text, "drawn.yaml"), arch, problem.step)
            point = Best(float(step_cost(placement).seconds), energy_of(problem, placement), ())
        except AccelsimError:
            continue
        compared += 1
        found = best_mappings(problem, Limits(slack=ANY), Tally())
        least = min(point.picked["C"].cycles for one in found for point in one.groups)
        if not any(no_worse(one, point) for one in found):
            better.append(step_cost(placement).works["C"].busy_cycles > least)
    assert compared > 200
    assert all(better)
