"""Scores as they go into a softmax, drawn from a seed, and the inputs of a cascade that computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import AccelsimError
from accelsim.workload import Step

Floats = NDArray[np.float64]
READS = ("Q", "K", "V", "SC")


@dataclass(frozen=True)
class Scores:
    """Scores as a seeded distribution: normal, of standard deviation `spread`.

    `shared` of their variance belongs to the key alone, the same for all heads, layers and queries: with 0 no token is
    worth more than another, with 1 all queries look at the same tokens.
    """

    seed: int
    spread: float = 2.0
    shared: float = 0.5

    def drawn(self, shape: tuple[int, int, int, int]) -> Floats:
        """Scores of shape (layer, head, query, key).

        Raises:
            AccelsimError: a negative seed or spread, or a share that is not from 0 to 1.
        """
        if not 0 <= self.shared <= 1 or not 0 <= self.spread < np.inf:
            raise AccelsimError(f"shared must be from 0 to 1 and spread positive, got {self.shared} and {self.spread}")
        if self.seed < 0:
            raise AccelsimError(f'seed: must be at least 0, got "{self.seed}"')
        rng = np.random.default_rng(self.seed)
        own, keys = rng.standard_normal(shape), rng.standard_normal(shape[-1])
        found: Floats = self.spread * (np.sqrt(self.shared) * keys + np.sqrt(1 - self.shared) * own)
        return found


def score_inputs(step: Step, scores: Floats | Scores, values: Floats | None) -> Mapping[str, Floats]:
    """Inputs whose scores are those: keys are unit vectors, so that a query is its row of scores.

    Args:
        scores: of shape (layer, head, query, key), or a distribution.
        values: of shape (layer, head, key, element); normal of standard deviation 1 if none are given.

    Raises:
        AccelsimError: as `score_shape`; scores of another shape.
    """
    shape = score_shape(step)
    layers, heads, keys, depth = step.shapes.shapes["V"]
    drawn = scores.drawn(shape) if isinstance(scores, Scores) else np.asarray(scores, dtype=np.float64)
    if drawn.shape != shape:
        raise AccelsimError(f"scores must have shape {list(shape)}, got {list(drawn.shape)}")
    seed = scores.seed if isinstance(scores, Scores) else 0
    given = np.random.default_rng([seed, 1]).standard_normal((layers, heads, keys, depth)) if values is None else values
    units = np.broadcast_to(np.eye(keys), (layers, heads, keys, keys))
    return {"Q": drawn, "K": units, "V": given, "SC": np.array(1.0)}


def score_shape(step: Step) -> tuple[int, int, int, int]:
    """The shape (layer, head, query, key) of scores for a step.

    Raises:
        AccelsimError: other inputs than Q, K, V and SC.
    """
    if set(step.shapes.cascade.inputs) != set(READS):
        found = ", ".join(step.shapes.cascade.inputs)
        raise AccelsimError(
            f"scores are for workloads that read Q, K, V and SC; {step.name} reads {found}: give arrays of these"
        )
    layers, heads, keys, _ = step.shapes.shapes["V"]
    return layers, heads, keys, keys
