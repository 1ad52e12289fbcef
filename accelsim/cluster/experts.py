"""Experts of a layer: how many tokens each gets, and which of them run on the processor and which beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from accelsim.cluster.units import NOTHING, Spent

SEED = 777
Costs = Callable[[int], Spent]
"""What an expert with so many tokens costs, its energy included."""


@lru_cache(maxsize=4096)
def routed(tokens: int, experts: int, per_token: int, draw: int) -> tuple[int, ...]:
    """Tokens of each expert when every token takes `per_token` different ones, all equally likely."""
    generator = np.random.default_rng((SEED, draw))
    scores = generator.random((tokens, experts))
    chosen = np.argpartition(scores, per_token - 1, axis=1)[:, :per_token] if per_token < experts else scores.argsort()
    return tuple(np.bincount(chosen.ravel(), minlength=experts).tolist())


@dataclass(frozen=True)
class Sides:
    """What an expert with so many tokens costs on the processor and near it."""

    high: Costs
    low: Costs

    def of(self, tokens: Sequence[int]) -> tuple[Spent, Spent]:
        """Of some experts one after another, on either unit."""
        return sum(map(self.high, tokens), NOTHING), sum(map(self.low, tokens), NOTHING)


def divided(place: str, groups: Sequence[Sequence[int]], costs: Sides, table: Sides) -> Spent:
    """Experts of one device on both units at once, group by group.

    Args:
        place: `shared`, the division that ends first of all, or `greedy`.
        groups: tokens of the experts that must run on the same unit.
        table: by which `greedy` decides.
    """
    pairs = [costs.of(group) for group in groups]
    if place == "greedy":
        return _together(pairs, greedy_division(groups, [table.of(group) for group in groups]))
    return min((_together(pairs, bits) for bits in range(1 << len(pairs))), key=lambda spent: spent.seconds)


def _together(pairs: Sequence[tuple[Spent, Spent]], on_processor: int) -> Spent:
    """Both units at once; bit i of `on_processor` says where group i runs."""
    high = sum((pair[0] for at, pair in enumerate(pairs) if on_processor >> at & 1), NOTHING)
    low = sum((pair[1] for at, pair in enumerate(pairs) if not on_processor >> at & 1), NOTHING)
    return (high + low).lasting(max(high.seconds, low.seconds))


def greedy_division(groups: Sequence[Sequence[int]], pairs: Sequence[tuple[Spent, Spent]]) -> int:
    """All groups near, then those with the most tokens to the processor one by one while that helps; as bits.

    Source: Duplex (MICRO 2024), section V-B, from the other end, as in its simulator.
    """
    bits, best = 0, _together(pairs, 0).seconds
    for at in sorted(range(len(groups)), key=lambda at: -sum(groups[at])):
        tried = _together(pairs, bits | 1 << at).seconds
        if tried >= best:
            break
        bits, best = bits | 1 << at, tried
    return bits
