"""A group with tiles of its own costs what it costs where the whole mapping has those tiles."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.cost.analytic import add_traffic, step_cost
from accelsim.cost.images import Counter
from accelsim.cost.registers import register_accesses
from accelsim.cost.traffic import group_traffic
from accelsim.errors import AccelsimError
from accelsim.result import Transfer
from accelsim.simulate import simulate
from tests.cost.drawn import GONE, draw
from tests.cost.machines import SAMPLES, Case, Sample, case, sample
from tests.cost.own import as_if_alone, resized, said_by_groups, taken_apart

SEEDS = st.integers(0, 2**32)
EACH = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def possible(*cases: Case) -> None:
    """Leave out mappings whose tiles would be gone too early."""
    try:
        for one in cases:
            step_cost(one.placement)
    except AccelsimError as error:
        assume(not any(reason in error.message for reason in GONE))
        raise


@pytest.mark.slow
@EACH
@settings(max_examples=8)
@given(seed=SEEDS)
def test_what_all_groups_say_may_be_said_once(sample: Sample, seed: int) -> None:
    sizes, text = draw(Random(seed), sample)
    once = case(sample, sizes, text)
    possible(once)
    each = case(sample, sizes, said_by_groups(taken_apart(text), once.placement.step.shapes.cascade).text)
    assert step_cost(each.placement) == step_cost(once.placement)


@pytest.mark.slow
@EACH
@settings(max_examples=8)
@given(seed=SEEDS)
def test_a_group_costs_what_it_costs_where_all_have_its_tiles(sample: Sample, seed: int) -> None:
    """Time, bytes, firings and register accesses: what the other groups say makes no difference."""
    rng = Random(seed)
    sizes, text = draw(rng, sample)
    cascade = case(sample, sizes, text).placement.step.shapes.cascade
    drawn = resized(taken_apart(text), cascade, rng)
    own = case(sample, sizes, drawn.text)
    singles = [case(sample, sizes, as_if_alone(drawn, group).text) for group in drawn.groups]
    possible(own, *singles)
    cost, traffic = step_cost(own.placement), dict[str, dict[str, Transfer]]()
    for at, (group, single) in enumerate(zip(own.placement.plan.groups, singles, strict=True)):
        assert cost.parts[at] == step_cost(single.placement).parts[at]
        view, other = own.placement.within(group), single.placement
        for name in group.einsums:
            assert cost.works[name] == step_cost(other).works[name]
            found, wanted = (register_accesses(p, Counter.of(p), group, p.einsum(name)) for p in (view, other))
            assert found == wanted
    for said, single in zip(drawn.groups, singles, strict=True):
        add_traffic(traffic, moved_by(single, said.name))
    assert cost.traffic == traffic


def moved_by(one: Case, group: str) -> dict[str, dict[str, Transfer]]:
    (found,) = [g for g in one.placement.plan.groups if g.name == group]
    return group_traffic(one.placement, Counter.of(one.placement), found)


FIRST = Sample(
    "first", "A: [m, k], B: [k, n]", "Y: [m, n]", "m: M, k: K, n: N", {"Y[m,n] = A[m,k] * B[k,n]": "mac"}, "MKN"
)
SECOND = Sample(
    "second",
    "Y: [m, n], D: [n, j]",
    "Z: [m, j]",
    "m: M, n: N, j: J",
    {"Z[m,j] = Y[m,n] * D[n,j]": "mac"},
    "MNJ",
    four_bit=False,
)
SIZES = {"M": 3072, "K": 2, "N": 3, "J": 2}
SPATIAL = "spatial: {grid: {rows: m0}, line: {lanes: m0}}\n"
KEEP = "keep: {l1: {tensors: {B: {at: outside}}}, l2: {tensors: {A: {at: m1}, Y: {at: m1}, Z: {at: m1}}}}\n"


def product(one: Sample, split: str, line: str, unit: str, keep: str) -> Case:
    """One of the two products alone."""
    groups = f"groups:\n  - {{name: only, loops: [m1, n], einsums: [{line}]}}\n"
    sizes = {name: SIZES[name] for name in one.params}
    return case(one, sizes, f"split: {split}\n{groups}bind: {{{unit}: [{line}]}}\n{SPATIAL}keep: {keep}\n")


@pytest.mark.parametrize("depth", ["analytic", "cycle"])
@pytest.mark.parametrize("tiles", [(512, 384), (384, 512), (96, 1000), (3072, 1)])
def test_two_groups_whose_tiles_do_not_nest_cost_what_two_runs_cost(tiles: tuple[int, int], depth: str) -> None:
    one, two = (f"{{m: {{m1: rest, m0: {tile}}}}}" for tile in tiles)
    both = case(
        sample("chain"),
        SIZES,
        f"groups:\n  - {{name: y, split: {one}, loops: [m1, n], einsums: [Y]}}\n"
        f"  - {{name: z, split: {two}, loops: [m1, n], einsums: [Z]}}\n"
        f"bind: {{grid: [Y], line: [Z]}}\n{SPATIAL}{KEEP}",
    )
    y = product(
        FIRST, one, "Y", "grid", "{l1: {tensors: {B: {at: outside}}}, l2: {tensors: {A: {at: m1}, Y: {at: m1}}}}"
    )
    z = product(SECOND, two, "Z", "line", "{l2: {tensors: {Y: {at: m1}, Z: {at: m1}}}}")
    found, *parts = (simulate(c.arch, c.workload, c.mapping, depth) for c in (both, y, z))
    assert found.seconds == sum(part.seconds for part in parts)
    assert [part.seconds for part in found.parts] == [part.seconds for part in parts]
    assert found.energy_pj == sum(part.energy_pj or Fraction(0) for part in parts)
    for level in ("dram", "l2", "l1"):
        assert found.level_bytes(level) == sum(part.level_bytes(level) for part in parts)
    for unit in ("grid", "line"):
        assert found.units[unit].busy_cycles == sum(part.units[unit].busy_cycles for part in parts)


def test_tiles_that_nest_are_those_of_one_split_with_both_sizes() -> None:
    """512 over 128: the group that loops over the larger and the one over the smaller may share a split, or not."""
    groups = (
        "groups:\n  - {{name: y, {}loops: [{}, n], einsums: [Y]}}\n  - {{name: z, {}loops: [{}, n], einsums: [Z]}}\n"
    )
    rest = "bind: {grid: [Y], line: [Z]}\n"
    shared = case(
        sample("chain"),
        SIZES,
        f"split: {{m: {{m2: rest, m1: 4, m0: 128}}}}\n{groups.format('', 'm2', '', 'm2, m1')}{rest}",
    )
    own = ["split: {m: {m1: rest, m0: 512}}, ", "m1", "split: {m: {m1: rest, m0: 128}}, ", "m1"]
    single = case(sample("chain"), SIZES, f"{groups.format(*own)}{rest}")
    for depth in ("analytic", "cycle"):
        one, two = (simulate(c.arch, c.workload, c.mapping, depth) for c in (shared, single))
        assert (one.seconds, one.energy_pj, one.traffic) == (two.seconds, two.energy_pj, two.traffic)


def test_a_group_may_keep_a_tensor_elsewhere() -> None:
    """B for one group only at l2: of the rest each group keeps what the mapping says."""
    groups = "groups:\n  - {{loops: [m, n], einsums: [Y]{}}}\n  - {{loops: [m, n], einsums: [Z]}}\n"
    rest = "bind: {grid: [Y], line: [Z]}\nkeep: {l1: {limit: 1 MiB, tensors: {B: {at: outside}, D: {at: outside}}}}\n"
    text = f"{groups.format(', keep: {l1: {tensors: {B: {at: n}}}, l2: {tensors: {B: {at: outside}}}}')}{rest}"
    sizes = {"M": 6, "K": 4, "N": 5, "J": 3}
    usual, own = case(sample("chain"), sizes, groups.format("") + rest), case(sample("chain"), sizes, text)
    assert "l2" not in usual.result.traffic
    words = {level: {t: moved.write / 2 for t, moved in table.items()} for level, table in own.result.traffic.items()}
    assert words["l2"] == {"B": 4 * 5}
    assert words["l1"] == {"B": 6 * 4 * 5, "D": 5 * 3}
    assert own.result.traffic["dram"] == usual.result.traffic["dram"]
