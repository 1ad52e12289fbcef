"""Experts: tokens that are all sent somewhere, and their division over two units against all divisions there are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cluster.experts import Costs, Sides, divided, greedy_division, routed
from accelsim.cluster.units import Spent
from tests.tries import tries

counts = st.integers(1, 60)
groups = st.lists(st.lists(counts, min_size=1, max_size=4), min_size=1, max_size=5)
rates = st.tuples(st.floats(0.1, 5), st.floats(0.01, 3))


def line(start: float, slope: float) -> Costs:
    return lambda tokens: Spent(start + slope * tokens, {"memory": start, "flops": slope * tokens})


def sides(high: tuple[float, float], low: tuple[float, float]) -> Sides:
    return Sides(line(*high), line(*low))


def seconds(costs: Costs, group: Sequence[int]) -> float:
    return sum(costs(tokens).seconds for tokens in group)


def ends(costs: Sides, parts: Sequence[Sequence[int]], on_processor: Sequence[bool]) -> float:
    """When the later unit is through, with each group where it is said to be."""
    high = [seconds(costs.high, group) for group, there in zip(parts, on_processor, strict=True) if there]
    low = [seconds(costs.low, group) for group, there in zip(parts, on_processor, strict=True) if not there]
    return max(sum(high), sum(low))


def bound(costs: Sides, parts: Sequence[Sequence[int]]) -> float:
    """If groups could be cut: those that gain most go to the processor until both units end together."""
    times = sorted(((seconds(costs.high, g), seconds(costs.low, g)) for g in parts), key=lambda pair: pair[0] / pair[1])
    high, low = 0.0, sum(each for _, each in times)
    for ours, theirs in times:
        if high + ours >= low - theirs:
            return high + ours * (low - high) / (ours + theirs) if low > high else high
        high, low = high + ours, low - theirs
    return high


@given(st.integers(0, 200), st.integers(1, 20), st.integers(1, 20), st.integers(0, 15))
def test_every_token_goes_to_as_many_different_experts(tokens: int, experts: int, per_token: int, draw: int) -> None:
    per_token = min(per_token, experts)
    found = routed(tokens, experts, per_token, draw)
    assert len(found) == experts
    assert sum(found) == tokens * per_token
    assert 0 <= min(found) <= max(found) <= tokens


def test_all_experts_are_equally_likely_and_draws_differ() -> None:
    """The standard deviation of the mean of 400 draws is 1 / 200 of sqrt(100 x 1/4 x 3/4)."""
    drawn = np.array([routed(100, 8, 2, draw) for draw in range(400)])
    assert np.abs(drawn.mean(axis=0) - 25).max() < 5 * np.sqrt(100 * 3 / 16 / 400)
    assert drawn.std() == pytest.approx(np.sqrt(100 * 3 / 16), rel=0.1)
    assert routed(100, 8, 2, 0) == routed(100, 8, 2, 0) != routed(100, 8, 2, 1)


@given(groups, rates, rates)
def test_shared_is_the_best_of_all_divisions(
    parts: list[list[int]], high: tuple[float, float], low: tuple[float, float]
) -> None:
    costs = sides(high, low)
    found = divided("shared", parts, costs, costs)
    every = product([True, False], repeat=len(parts))
    assert found.seconds == pytest.approx(min(ends(costs, parts, choice) for choice in every), rel=1e-12)


@given(groups, rates, rates)
def test_bound_shared_greedy_and_near_in_this_order(
    parts: list[list[int]], high: tuple[float, float], low: tuple[float, float]
) -> None:
    costs = sides(high, low)
    shared, greedy = (divided(place, parts, costs, costs).seconds for place in ("shared", "greedy"))
    near = ends(costs, parts, [False] * len(parts))
    order = [bound(costs, parts), shared, greedy, near]
    assert all(one <= other * (1 + 1e-9) for one, other in pairwise(order)), order


@given(groups, rates, rates)
def test_energy_is_that_of_where_each_expert_runs(
    parts: list[list[int]], high: tuple[float, float], low: tuple[float, float]
) -> None:
    costs = sides(high, low)
    found = divided("greedy", parts, costs, costs)
    bits = greedy_division(parts, [costs.of(group) for group in parts])
    there = [(costs.high if bits >> at & 1 else costs.low, group) for at, group in enumerate(parts)]
    expected = sum(sum(on(tokens).energy_pj.values()) for on, group in there for tokens in group)
    assert sum(found.energy_pj.values()) == pytest.approx(expected)


def test_greedy_by_hand() -> None:
    """Near, 9, 5 and 4 tokens take 18; the group of 9 goes over, then nothing more, though 9 | 5 + 4 is the best."""
    costs = sides((0.0, 1.0), (0.0, 1.0))
    assert greedy_division([[5], [9], [4]], [costs.of(group) for group in ([5], [9], [4])]) == 0b010
    assert divided("greedy", [[5], [9], [4]], costs, costs).seconds == 9


def test_greedy_stops_at_the_first_that_does_not_help() -> None:
    """The largest would take 10 x 3 there, longer than all three near; the small ones are not tried."""
    costs = sides((0.0, 3.0), (0.0, 1.0))
    parts = [[10], [6], [3]]
    assert divided("greedy", parts, costs, costs).seconds == 19
    assert divided("shared", parts, costs, costs).seconds == min(max(3 * 3, 16), max(6 * 3, 13))


@settings(max_examples=tries(30))
@given(groups, rates, rates, rates)
def test_a_table_decides_and_costs_are_paid(
    parts: list[list[int]], high: tuple[float, float], low: tuple[float, float], believed: tuple[float, float]
) -> None:
    """A wrong table is paid for: it never beats the best division."""
    costs, table = sides(high, low), sides(high, believed)
    bits = greedy_division(parts, [table.of(group) for group in parts])
    found = divided("greedy", parts, costs, table).seconds
    assert found == pytest.approx(ends(costs, parts, [bool(bits >> at & 1) for at in range(len(parts))]), rel=1e-12)
    assert found >= divided("shared", parts, costs, costs).seconds * (1 - 1e-12)


@pytest.mark.parametrize("place", ["shared", "greedy"])
def test_no_experts_cost_nothing(place: str) -> None:
    costs = sides((1.0, 1.0), (1.0, 1.0))
    assert divided(place, [], costs, costs) == Spent()
