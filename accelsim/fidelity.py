"""Both sides of an approximation: how far its results lie from the exact ones, and what it saves for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.counts import count
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.measured import measured
from accelsim.einsum.sizes import bind
from accelsim.errors import AccelsimError
from accelsim.workload import Step, Workload, steps

__all__ = ["Effort", "Fidelity", "Scores", "fidelity", "score_fidelity"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effort:
    """What a workload needs for the data at hand: multiplications with additions, other operators, compulsory bytes."""

    macs: int
    operations: int
    bytes: int


@dataclass(frozen=True)
class Fidelity:
    """One output of an approximation beside the exact one.

    Attributes:
        largest: of the absolute differences between elements.
        relative: root of the sum of squared differences over that of squared exact elements; None where those are 0.
        relative_left: the same over the elements that the approximation did not leave at 0, as it leaves the results of
            tokens that it dropped.
        cost: of the approximation; `exact_cost` of what it stands for.
    """

    output: str
    largest: float
    relative: float | None
    relative_left: float | None
    cost: Effort
    exact_cost: Effort


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
        """Scores of shape (layer, head, query, key). Raises AccelsimError for a share that is not from 0 to 1."""
        if not 0 <= self.shared <= 1 or not self.spread >= 0:
            raise AccelsimError(f"shared must be from 0 to 1 and spread positive, got {self.shared} and {self.spread}")
        rng = np.random.default_rng(self.seed)
        own, keys = rng.standard_normal(shape), rng.standard_normal(shape[-1])
        found: Floats = self.spread * (np.sqrt(self.shared) * keys + np.sqrt(1 - self.shared) * own)
        return found


def fidelity(approximate: Workload, exact: Workload, inputs: Mapping[str, NDArray[Any]]) -> tuple[Fidelity, ...]:
    """Error and cost of a workload against another one with the same inputs and outputs, one entry for each output.

    Both are evaluated in double precision, so that the error is that of the algorithm. Costs are those of the data:
    every size and mask that depends on it is measured.

    Args:
        inputs: one array per input, of the shape that the workloads give it.

    Raises:
        AccelsimError: a workload of several steps, other outputs, inputs that do not fit.
    """
    one, other = _single(approximate), _single(exact)
    return _compared(one, one.shapes, other, other.shapes, inputs)


def score_fidelity(
    approximate: Workload, exact: Workload, scores: Floats | Scores, values: Floats | None = None
) -> tuple[Fidelity, ...]:
    """As `fidelity`, from scores instead of queries and keys, for workloads that read Q, K, V and SC.

    Keys are taken to be unit vectors, so that a query is its row of scores; the cost stays that of queries and keys of
    the depth E that the workload says.

    Args:
        scores: of shape (layer, head, query, key), as they go into the softmax, or a distribution.
        values: of shape (layer, head, key, element); normal of standard deviation 1 if none are given.

    >>> from accelsim.workload import load_workload
    >>> sizes = ["LAYERS=6", "H=4", "M=32"]
    >>> dense, pruned = (load_workload("pruned-attention", [*sizes, f"DROP0={d}"]) for d in (0, 500))
    >>> (found,) = score_fidelity(pruned, dense, Scores(seed=1))
    >>> found.relative < 1, found.exact_cost.macs / found.cost.macs > 2
    (True, True)

    Raises:
        AccelsimError: as `fidelity`; a workload with other inputs.
    """
    one, other = _single(approximate), _single(exact)
    for step in (one, other):
        if set(step.shapes.cascade.inputs) != {"Q", "K", "V", "SC"}:
            found = ", ".join(step.shapes.cascade.inputs)
            raise AccelsimError(f"scores are for workloads that read Q, K, V and SC; {step.name} reads {found}")
    layers, heads, keys, depth = one.shapes.shapes["V"]
    drawn = scores.drawn((layers, heads, keys, keys)) if isinstance(scores, Scores) else np.asarray(scores)
    seed = scores.seed if isinstance(scores, Scores) else 0
    given = np.random.default_rng([seed, 1]).standard_normal((layers, heads, keys, depth)) if values is None else values
    units = np.broadcast_to(np.eye(keys), (layers, heads, keys, keys))
    inputs = {"Q": drawn, "K": units, "V": given, "SC": np.array(1.0)}
    return _compared(one, _deep(one, keys), other, _deep(other, keys), inputs)


def _single(workload: Workload) -> Step:
    found = steps(workload)
    if len(found) != 1:
        raise AccelsimError(f"fidelity is of a workload of one step; {workload.name} has {len(found)}")
    return found[0]


def _deep(step: Step, depth: int) -> Shapes:
    """The cascade with queries and keys of another depth, values as they are."""
    return bind(step.shapes.cascade, {**step.shapes.params, "E": depth})


def _compared(
    one: Step, one_shapes: Shapes, other: Step, other_shapes: Shapes, inputs: Mapping[str, NDArray[Any]]
) -> tuple[Fidelity, ...]:
    """Values by the shapes given, costs by those of the steps."""
    outputs = one.shapes.cascade.outputs
    if outputs != other.shapes.cascade.outputs:
        both = " and ".join(", ".join(step.shapes.cascade.outputs) for step in (one, other))
        raise AccelsimError(f"fidelity compares equal outputs, got {both}")
    found, expected = evaluate(one_shapes, inputs), evaluate(other_shapes, inputs)
    costs = [_effort(step, measured(step.shapes, values)) for step, values in ((one, found), (other, expected))]
    return tuple(_entry(name, found[name].array, expected[name].array, costs[0], costs[1]) for name in outputs)


def _effort(step: Step, shapes: Shapes) -> Effort:
    found = count(shapes, step.types)
    return Effort(found.macs, sum(found.operations.values()), found.bytes)


def _entry(name: str, found: Floats, expected: Floats, cost: Effort, exact_cost: Effort) -> Fidelity:
    if found.shape != expected.shape:
        raise AccelsimError(f"{name} has the shape {list(found.shape)}, and {list(expected.shape)} in the exact one")
    largest, left = float(np.abs(found - expected).max()), found != 0
    whole, part = _relative(found, expected), _relative(found[left], expected[left])
    return Fidelity(name, largest, whole, part, cost, exact_cost)


def _relative(found: Floats, expected: Floats) -> float | None:
    size = float(np.square(expected).sum())
    return float(np.sqrt(np.square(found - expected).sum() / size)) if size else None
