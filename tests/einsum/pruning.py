"""Cascade pruning written out a second time for tests: loops over layers, heads and queries with numpy, no cascade.

Wang et al., HPCA 2021 (SpAtten), section III: scores of tokens are sums of probabilities, scores of heads sums of
absolute results; what is kept is found by quick-select as the paper prints it, with its target given by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """How many tokens, heads and values each layer (or step) keeps."""

    tokens: Sequence[int]
    heads: Sequence[int]
    values: Sequence[int]


def quick_select(data: Floats, target: int, rng: np.random.Generator) -> tuple[float, int]:
    """The threshold, and how many elements equal to it are kept: the state machine of the paper's algorithm.

    `target` counts elements above the threshold. The paper starts it at k, which ends at the (k+1)-th largest element.
    """
    left, right, equal, pivot = list(data), list[float](), 0, np.inf
    while True:
        if len(right) + equal <= target:
            target -= len(right) + equal
            source = left
        elif len(right) > target:
            source = right
        else:
            return pivot, target - len(right)
        pivot = source[rng.integers(len(source))]
        left, right, equal = (
            [x for x in source if x < pivot],
            [x for x in source if x > pivot],
            sum(x == pivot for x in source),
        )


def largest(data: Floats, k: int, rng: np.random.Generator) -> list[int]:
    """The k largest in their original order: selection with its target at k-1, one more equal element kept."""
    if k == len(data):
        return list(range(k))
    threshold, ties = quick_select(data, k - 1, rng)
    return filtered(data, threshold, ties + 1)


def filtered(data: Floats, threshold: float, ties: int) -> list[int]:
    """Elements above the threshold, and the first of those equal to it."""
    kept = []
    for at, value in enumerate(data):
        equal = value == threshold and ties > 0
        ties -= int(equal)
        if value > threshold or equal:
            kept.append(at)
    return kept


def softmax(scores: Floats) -> Floats:
    raised: Floats = np.exp(scores - scores.max())
    found: Floats = raised / raised.sum()
    return found


def summarised(inputs: dict[str, NDArray[Any]], schedule: Schedule, short: int = 0) -> dict[str, Any]:
    """Every layer of a sentence; a token or head that was dropped is looked at no more.

    Args:
        inputs: Q, K, V of shape (layer, head, token, depth) and the scale SC.
        short: results that local selection misses.
    """
    q, k, v, rng = inputs["Q"], inputs["K"], inputs["V"], np.random.default_rng(1)
    layers, heads, tokens, _ = q.shape
    worth, head_worth = np.zeros(tokens), np.zeros(heads)
    alive, alive_heads = np.arange(tokens), np.arange(heads)
    result, kept = np.zeros(v.shape), []
    for layer in range(layers):
        alive = alive[largest(worth[alive], schedule.tokens[layer], rng)]
        alive_heads = alive_heads[largest(head_worth[alive_heads], schedule.heads[layer], rng)]
        kept.append((set(alive), set(alive_heads)))
        for head in alive_heads:
            for query in alive:
                found = softmax(k[layer, head, alive] @ q[layer, head, query] * float(inputs["SC"]))
                worth[alive] += found
                chosen = largest(found, schedule.values[layer], rng)
                if short:
                    chosen.remove(min(chosen, key=lambda at: (found[at], -at)))
                result[layer, head, query] = found[chosen] @ v[layer, head, alive[chosen]]
            head_worth[head] += np.abs(result[layer, head]).sum()
    return {"AO": result, "worth": worth, "heads": head_worth, "kept": kept}


def generated(inputs: dict[str, NDArray[Any]], schedule: Schedule, layers: int, prompt: int) -> dict[str, Any]:
    """Every layer of every token, one query each; a token that was dropped may come back with the next query."""
    q, high, low, v, rng = *(inputs[name] for name in ("Q", "KM", "KL", "V")), np.random.default_rng(2)
    steps, heads, _ = q.shape
    worth, head_worth = inputs["S0"].copy(), inputs["H0"].copy()
    result, refetched = np.zeros((steps, heads, v.shape[-1])), set[tuple[int, int]]()
    for step in range(steps):
        seen = prompt + step // layers + 1
        alive = np.array(largest(worth[:seen], min(schedule.tokens[step], seen), rng))
        for head in largest(head_worth.copy(), schedule.heads[step], rng):
            keys = 16 * high[step, head, alive]
            found = softmax(keys @ q[step, head] * float(inputs["SC"]))
            if found.max() < inputs["TAU"]:
                refetched.add((step, head))
                found = softmax((keys + low[step, head, alive]) @ q[step, head] * float(inputs["SC"]))
            worth[alive] += found
            chosen = largest(found, min(schedule.values[step], len(found)), rng)
            result[step, head] = found[chosen] @ v[step, head, alive[chosen]]
            head_worth[head] += np.abs(result[step, head]).sum()
    return {"AO": result, "worth": worth, "heads": head_worth, "refetched": refetched}
