"""Error and cost of approximations beside what they stand for, all evaluated on the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum, Shapes
from accelsim.einsum.counts import count
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.grid import Values
from accelsim.einsum.measured import measured
from accelsim.einsum.selection import counting
from accelsim.einsum.sizes import bind
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.fidelity.scores import Floats, Scores, score_inputs, score_shape
from accelsim.workload import Step, Workload, steps

Inputs = Mapping[str, NDArray[Any]]


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
        worst_row: the largest of the same over single rows, along the last rank, that it did not leave at 0; None
            where it left no row, or none whose exact elements are not 0.
        cost: of the approximation; `exact_cost` of what it stands for.
        kept: selection to the part that it selected of what the exact one selects under the same name, or of its
            candidates where the exact one has no such selection.
    """

    output: str
    largest: float
    relative: float | None
    relative_left: float | None
    worst_row: float | None
    cost: Effort
    exact_cost: Effort
    kept: Mapping[str, float]


@dataclass(frozen=True)
class _Run:
    """An evaluated cascade."""

    step: Step
    values: Mapping[str, Values]
    cost: Effort


def fidelity(approximate: Workload, exact: Workload, inputs: Inputs) -> tuple[Fidelity, ...]:
    """Error and cost of a workload against another one with the same inputs and outputs, one entry for each output.

    Both are evaluated in double precision, so that the error is that of the algorithm. Costs are those of the data:
    every size and mask that depends on it is measured.

    Args:
        inputs: one array per input, of the shape that the workloads give it.

    Raises:
        AccelsimError: a workload of several steps, other outputs, inputs that do not fit.
    """
    return fidelities([approximate], exact, inputs)[0]


def fidelities(approximates: Sequence[Workload], exact: Workload, inputs: Inputs) -> list[tuple[Fidelity, ...]]:
    """As `fidelity`, for several settings of an approximation; the exact one is evaluated once."""
    ones, other = [_single(workload) for workload in approximates], _single(exact)
    _check(ones, other)
    expected = _run(other, other.shapes, inputs)
    return [_compared(_run(one, one.shapes, inputs), expected) for one in ones]


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
    return score_fidelities([approximate], exact, scores, values)[0]


def score_fidelities(
    approximates: Sequence[Workload], exact: Workload, scores: Floats | Scores, values: Floats | None = None
) -> list[tuple[Fidelity, ...]]:
    """As `score_fidelity`, for several settings of an approximation; the exact one is evaluated once."""
    ones, other = [_single(workload) for workload in approximates], _single(exact)
    keys = [score_shape(step)[-1] for step in (*ones, other)][-1]
    _check(ones, other)
    inputs = score_inputs(other, scores, values)
    expected = _run(other, _deep(other, keys), inputs)
    return [_compared(_run(one, _deep(one, keys), inputs), expected) for one in ones]


def _single(workload: Workload) -> Step:
    found = steps(workload)
    if len(found) != 1:
        raise AccelsimError(f"fidelity is of a workload of one step; {workload.name} has {len(found)}")
    return found[0]


def _deep(step: Step, depth: int) -> Shapes:
    """The cascade with queries and keys of another depth, values as they are."""
    return bind(step.shapes.cascade, {**step.shapes.params, "E": depth})


def _check(ones: Sequence[Step], other: Step) -> None:
    """Refuse outputs of other names, and inputs and outputs of other shapes."""
    for one in ones:
        outputs = [step.shapes.cascade.outputs for step in (one, other)]
        if outputs[0] != outputs[1]:
            both = " and ".join(", ".join(names) for names in outputs)
            raise AccelsimError(f"fidelity compares equal outputs, got {both}")
        for name in (*one.shapes.cascade.inputs, *outputs[0]):
            found, expected = one.shapes.shapes[name], other.shapes.shapes.get(name)
            if expected is not None and found != expected:
                raise AccelsimError(f"{name} has the shape {list(found)}, and {list(expected)} in the exact one")


def _run(step: Step, shapes: Shapes, inputs: Inputs) -> _Run:
    """Values by the shapes given, costs by those of the step."""
    values = evaluate(shapes, inputs)
    found = count(measured(step.shapes, values), step.types)
    return _Run(step, values, Effort(found.macs, sum(found.operations.values()), found.bytes))


def _compared(one: _Run, other: _Run) -> tuple[Fidelity, ...]:
    kept = _kept(one, other)
    return tuple(
        _entry(name, (one.values[name].array, other.values[name].array), (one.cost, other.cost), kept)
        for name in one.step.shapes.cascade.outputs
    )


def _kept(one: _Run, other: _Run) -> dict[str, float]:
    lines = {line.tensor: line for line in one.step.shapes.cascade.einsums if line.reduction == "argtopk"}
    whole = {
        name: _present(other.values[name]) if name in other.values else _candidates(one.step.shapes, line)
        for name, line in lines.items()
    }
    return {name: _present(one.values[name]) / (whole[name] or 1) for name in lines}


def _candidates(shapes: Shapes, line: Einsum) -> int:
    """Among how many elements a selection selects, over all its other coordinates."""
    counted = counting(line)
    others = [rank for rank in coordinates(line.target) if rank not in counted]
    return prod(shapes.sizes[rank] for rank in (*others, *line.reduced))


def _present(values: Values) -> int:
    return values.array.size if values.present is None else int(values.present.sum())


def _entry(
    name: str, arrays: tuple[Floats, Floats], costs: tuple[Effort, Effort], kept: Mapping[str, float]
) -> Fidelity:
    found, expected = arrays
    left = found != 0
    return Fidelity(
        output=name,
        largest=float(np.abs(found - expected).max()),
        relative=_relative(found, expected),
        relative_left=_relative(found[left], expected[left]),
        worst_row=_worst_row(np.atleast_1d(found), np.atleast_1d(expected)),
        cost=costs[0],
        exact_cost=costs[1],
        kept=kept,
    )


def _relative(found: Floats, expected: Floats) -> float | None:
    size = float(np.square(expected).sum())
    return float(np.sqrt(np.square(found - expected).sum() / size)) if size else None


def _worst_row(found: Floats, expected: Floats) -> float | None:
    sizes = np.square(expected).sum(axis=-1)
    counted = (found != 0).any(axis=-1) & (sizes > 0)
    errors = np.square(found - expected).sum(axis=-1)[counted] / sizes[counted]
    return float(np.sqrt(errors.max())) if errors.size else None
