"""Laws of the optimum: more hardware never hurts, the two mistakes of residency, the bound, and depth `cycle`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from accelsim.cost.analytic import step_cost
from accelsim.cost.bound import step_bound
from accelsim.errors import AccelsimError
from accelsim.mapper.assign import assignments
from accelsim.mapper.fold import FASTEST
from accelsim.mapper.group import GroupPoint, Tally
from accelsim.mapper.known import Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.members import Members, units_of
from accelsim.mapper.nest import Nest
from accelsim.mapper.pick import regimes
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found, best_mappings
from accelsim.mapper.tensors import Chain, Keeping
from accelsim.mapper.write import mapping_text
from accelsim.mapping.capacity import occupied
from accelsim.mapping.load import parse_mapping
from accelsim.simulate import simulate
from accelsim.workload import load_workload
from tests.mapper.machines import arch_of, placement_of, problem_of, workload_of

NEAR = 1 + 1e-9
ANY = float("inf")
CASES = (
    ("three-levels", ("levels.l2.capacity=256 B", "levels.l1.capacity=48 B"), "matmul", ("M=7", "N=13", "K=9")),
    ("two-ports", ("levels.l2.capacity=64 B",), "chain", ("M=7", "N=5", "K=3", "J=4")),
    ("two-ports", ("levels.l2.capacity=64 B",), "shared", ("M=7", "N=5", "K=3", "J=4")),
    ("one-port", ("levels.l1.capacity=48 B",), "batched", ("B=2", "M=5", "N=4", "K=3")),
    ("lanes-only", ("levels.l1.capacity=32 B",), "elementwise", ("M=9", "N=4")),
    ("one-port", ("levels.l1.capacity=48 B",), "convolution", ("C=2", "K=3", "M=7", "S=2")),
    ("two-ports", ("levels.l2.capacity=64 B",), "attention-3pass", ("B=1", "H=1", "E=2", "M=6")),
    ("lanes-only", ("levels.l1.capacity=64 B",), "attention-1pass", ("B=1", "H=1", "E=2", "M=6", "M0=3")),
    ("lanes-only", ("levels.l1.capacity=64 B",), "causal-attention-3pass", ("B=1", "H=1", "E=2", "M=6")),
)
EACH = pytest.mark.parametrize(
    ("arch", "overrides", "workload", "sizes"),
    [pytest.param(*case, marks=[pytest.mark.slow] if "attention" in case[2] else []) for case in CASES],
    ids=str,
)


def problem(arch: str, overrides: Sequence[str], workload: str, sizes: Sequence[str]) -> Problem:
    return problem_of(arch_of(arch, *overrides), workload_of(workload, sizes))


def front(one: Problem, limits: Limits | None = None) -> list[Found]:
    return best_mappings(one, limits or Limits(slack=ANY), Tally())


def is_covered(better: list[Found], worse: list[Found]) -> bool:
    """Whether for every point of one front another front has one that is no worse."""
    return all(any(a.seconds <= b.seconds * NEAR and a.energy_pj <= b.energy_pj * NEAR for a in better) for b in worse)


@EACH
def test_more_room_and_more_bandwidth_never_make_the_best_worse(
    arch: str, overrides: tuple[str, ...], workload: str, sizes: tuple[str, ...]
) -> None:
    before = front(problem(arch, overrides, workload, sizes))
    level = overrides[0].split(".")[1]
    for more in (
        f"levels.{level}.capacity=1 KiB",
        "levels.dram.bandwidth=6 GB/s",
        f"levels.{level}.bandwidth=unlimited",
    ):
        assert is_covered(front(problem(arch, (*overrides, more), workload, sizes)), before), more


@pytest.mark.parametrize("workload", ["matmul", "chain", "shared"])
def test_one_more_level_never_makes_the_best_worse(workload: str) -> None:
    """A level that nothing must pass through."""
    sizes = {"M": 7, "N": 5, "K": 3} | ({"J": 4} if workload != "matmul" else {})
    three = arch_of("three-levels", "levels.l2.capacity=64 B", "levels.l1.capacity=16 B")
    two = arch_of("two-levels", "levels.l2.capacity=64 B")
    more, fewer = (front(problem_of(each, workload_of(workload, sizes))) for each in (three, two))
    assert is_covered(more, fewer)


@EACH
def test_side_by_side_is_never_slower_and_registers_never_cost(
    arch: str, overrides: tuple[str, ...], workload: str, sizes: tuple[str, ...]
) -> None:
    one = problem(arch, overrides, workload, sizes)
    usual = front(one)
    for narrower in (
        Limits("sequential", slack=ANY),
        Limits(slack=ANY, registers=False),
        Limits(slack=ANY, most_fused=1),
    ):
        assert is_covered(usual, front(one, narrower))


@EACH
def test_no_optimum_is_below_the_bound(
    arch: str, overrides: tuple[str, ...], workload: str, sizes: tuple[str, ...]
) -> None:
    one = problem(arch, overrides, workload, sizes)
    found = front(one)
    bound = float(step_bound(one.arch, one.step).seconds)
    assert found
    assert all(bound <= each.seconds * NEAR for each in found)
    seconds, energies = [f.seconds for f in found], [f.energy_pj for f in found]
    assert seconds == sorted(seconds)
    assert energies == sorted(energies, reverse=True)
    assert len(set(seconds)) == len(set(energies)) == len(found)


REFUSED = (  # what depth `analytic` counts and no order of iterations can do (docs/cycle.md)
    "it cannot loop too",
    "is moved once for",
    "runs once for all iterations of",
    "needs it again in every",
    "whose parts are",
    "in another order",
)


@EACH
def test_the_fastest_and_the_thriftiest_run_at_depth_cycle(
    arch: str, overrides: tuple[str, ...], workload: str, sizes: tuple[str, ...]
) -> None:
    one, loaded = problem(arch, overrides, workload, sizes), workload_of(workload, sizes)
    limits = Limits(slack=ANY)
    found, refused = front(one, limits), ""
    for each in (found[0], found[-1]):
        mapping = parse_mapping(mapping_text(one, "found", each.groups, limits), "found.yaml")
        exact = simulate(one.arch, loaded, mapping)
        assert float(exact.seconds) == pytest.approx(each.seconds, rel=1e-12)
        try:
            run = simulate(one.arch, loaded, mapping, "cycle")
        except AccelsimError as error:
            refused = error.message
            continue
        assert run.seconds >= step_bound(one.arch, one.step).seconds
        assert run.energy_pj == exact.energy_pj
    assert not refused or any(reason in refused for reason in REFUSED), refused


def test_weights_do_not_stay_in_the_array_while_another_einsum_uses_it() -> None:
    """B of Y and D of Z pass through the same array: in each iteration of the loop that they share both are read."""
    one = problem("one-port", ("units.grid.rows=2", "units.grid.cols=2"), "chain", ("M=8", "N=2", "K=2", "J=2"))
    for tile, trips in ((2, 4), (4, 2)):
        point = fused(one, {"m": tile}, {"A": (), "B": (("l1", 0),), "D": (("l1", 0),), "Y": (("l1", 1),), "Z": ()})
        traffic = step_cost(placement_of(one, (point,), Limits())).traffic["l1"]
        for weight in ("B", "D"):
            assert traffic[weight].write == 4 * one.word(weight), "filled once: the level keeps it"
            assert traffic[weight].read == trips * 4 * one.word(weight), "the array does not"


def test_a_tile_of_an_outer_loop_stays_while_the_einsums_of_the_loop_run() -> None:
    """What is held at l1 are the tiles of both Einsums at once, those that only one of them uses included."""
    one = problem("one-port", ("units.grid.rows=2", "units.grid.cols=2"), "chain", ("M=8", "N=2", "K=2", "J=2"))
    held: dict[str, Chain] = {
        "A": (("l1", 1),),
        "B": (("l1", 0),),
        "D": (("l1", 0),),
        "Y": (("l1", 1),),
        "Z": (("l1", 1),),
    }
    point = fused(one, {"m": 4}, held)
    placement = placement_of(one, (point,), Limits())
    (group,) = placement.plan.groups
    found = occupied(placement.within(group), "l1", group)
    words = {"A": 4 * 2, "B": 2 * 2, "D": 2 * 2, "Y": 4 * 2, "Z": 4 * 2}
    assert found == {tensor: Fraction(n) * Fraction(one.word(tensor)) for tensor, n in words.items()}
    room = int(sum(found.values()))
    for capacity, fits in ((room, True), (room - 1, False)):
        small = problem(
            "one-port",
            ("units.grid.rows=2", "units.grid.cols=2", f"levels.l1.capacity={capacity} B"),
            "chain",
            ("M=8", "N=2", "K=2", "J=2"),
        )
        if fits:
            assert placement_of(small, (point,), Limits())
        else:
            with pytest.raises(AccelsimError, match=rf"need {room} bytes, the limit is {capacity}"):
                placement_of(small, (point,), Limits())


def fused(one: Problem, tiles: dict[str, int], keeps: dict[str, Chain]) -> GroupPoint:
    """Both products in one loop, each with its weights in the array while rows pass by."""
    batch, nest = frozenset(tiles), Nest((), tuple(tiles))
    picked = {}
    for einsum in one.einsums:
        offered = assignments(one, einsum, frozenset(), batch, Limits())
        picked[einsum.name] = next(a for a in offered if a.streamed == {"m"} and "m" not in a.pes)
    keeping = tuple(Keeping(tensor, chain) for tensor, chain in keeps.items())
    names = tuple(e.name for e in one.einsums)
    return GroupPoint(0.0, 0.0, 0.0, names, nest, tiles, picked, keeping)


ORDER = """\
schema: accelsim/workload/1
name: order
source: a test
function: {inputs: {Q: [c, e], K: [e, f]}, outputs: {Y: [c, f]}}
params: {C: 4, E: 16, F: 16}
ranks: {c: C, e: E, f: F}
types: {default: fp16}
einsums: |
"""
LINES = "  Y[c,f] = Q[c,e] * S[e,f]\n", "  S[e,f] = K[e,f] + K[e,f]\n"


@pytest.mark.parametrize("most", [1, 2])
def test_the_order_of_lines_makes_no_difference(most: int, tmp_path: Path) -> None:
    """A line above one that it reads runs after it."""
    found = []
    for name, lines in (("before", LINES), ("behind", LINES[::-1])):
        path = tmp_path / f"{name}.yaml"
        path.write_text(ORDER + "".join(lines), encoding="utf-8")
        problem = problem_of(arch_of("reference"), load_workload(str(path)))
        (best,) = best_mappings(problem, Limits(most_fused=most), Tally(), FASTEST)
        assert step_cost(placement_of(problem, best.groups, Limits())).seconds == pytest.approx(best.seconds, rel=1e-12)
        found.append((best.seconds, best.energy_pj, [group.einsums for group in best.groups]))
    assert found[0] == found[1]


STATE = """\
schema: accelsim/workload/1
name: state
source: a test
function: {inputs: {D: [c, e, f], Q: [c, i, e], G: [f, g]}, outputs: {O: [c, i, g]}}
params: {C: 2, I: 6, E: 2, F: 4, G: 6}
ranks: {c: C, i: I, e: E, f: F, g: G}
types: {default: fp16}
einsums: |
  S[0,e,f]   = 0
  S[c+1,e,f] = S[c,e,f] * D[c,e,f]
  X[c,i,f]   = Q[c,i,e] * S[c,e,f]
  O[c,i,g]   = X[c,i,f] * G[f,g]
"""


@pytest.mark.parametrize("capacity", [24, 40, 60])
def test_a_state_takes_room_while_others_take_turns(capacity: int, tmp_path: Path) -> None:
    """Also where it is only read, at a loop that its reader has alone: what is found fits."""
    path = tmp_path / "state.yaml"
    path.write_text(STATE, encoding="utf-8")
    narrow = ("units.grid.rows=1", "units.grid.cols=1", f"levels.l1.capacity={capacity} B")
    arch, limits = arch_of("one-port", *narrow, "levels.dram.bandwidth=1 GB/s"), Limits("sequential", slack=ANY)
    problem = problem_of(arch, load_workload(str(path)))
    for found in best_mappings(problem, limits, Tally()):
        cost = step_cost(placement_of(problem, found.groups, limits))
        assert float(cost.seconds) == pytest.approx(found.seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("workload", "sizes"),
    [
        ("shared", ("M=13", "K=5", "N=13", "J=3")),
        ("chain", ("M=9", "K=5", "N=13", "J=3")),
        ("masked", ("P=9", "M=13", "E=2")),
    ],
    ids=str,
)
def test_what_a_tensor_costs_at_least_is_no_more_than_it_costs(workload: str, sizes: tuple[str, ...]) -> None:
    """Whatever the other Einsums of the group take of the array: tiles are multiples of that too."""
    dear = ("units.line.lanes=6", "units.grid.rows=2", "units.grid.cols=2", "components.file.energy.write=20 pJ/op")
    given = problem("three-levels", dear, workload, sizes)
    members, compared = Members(Known(given, Limits(slack=ANY)), given.einsums), 0
    for regime in regimes(members):
        for choices in product(*regime.choices):
            picked = {choice.assignment.einsum: choice.assignment for choice in choices}
            units = units_of(members.einsums, regime.nest, picked)
            for parcel in members.parcels if units is not None else ():
                kept = members.kept(regime.nest, picked, parcel, units or {})
                if kept.ways and kept.columns.size:
                    compared += 1
                    low = members.least(regime.nest, picked, parcel)
                    assert (kept.columns.min(axis=(0, 1)) >= np.array(low) * (1 - 1e-12)).all()
    assert compared > 100
