"""Decoding of a fixed batch: the mean over the tokens of its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from accelsim.cluster.model import Model, System
from accelsim.cluster.part import Batch
from accelsim.cluster.step import StepCost, step_costs
from accelsim.cluster.units import add_up
from accelsim.errors import AccelsimError

MOST_LENGTHS = 8


@dataclass(frozen=True)
class Decoding:
    """Means of a step: seconds and pJ of all sequences, each of which gets a token."""

    sequences: int
    seconds: float
    seconds_by: Mapping[str, float]
    energy_by: Mapping[str, float]

    @property
    def tokens_per_s(self) -> float:
        return self.sequences / self.seconds

    @property
    def energy_pj(self) -> float:
        """Of a step; without what no source gives."""
        return sum(self.energy_by.values())


def decode(system: System, model: Model, sequences: int, lengths: tuple[int, int]) -> Decoding:
    """Steps with caches of `lengths[0]` to `lengths[1]` tokens, the new one included; of many lengths eight are costed.

    Raises:
        AccelsimError: no sequences, or lengths that are not ascending from 1.
    """
    return _decoded(step_costs(system, model), sequences, lengths)


def _decoded(cost_of: Callable[[Batch], StepCost], sequences: int, lengths: tuple[int, int]) -> Decoding:
    first, last = lengths
    if sequences < 1 or not 1 <= first <= last:
        raise AccelsimError(f"needs sequences, and lengths from 1 upwards; got {sequences} and {first} to {last}")
    costs = [cost_of(Batch(sequences, length)) for length in _spread(first, last)]
    seconds = sum(cost.seconds for cost in costs) / len(costs)
    return Decoding(
        sequences, seconds, _mean([cost.seconds_by for cost in costs]), _mean([cost.energy_by for cost in costs])
    )


def _spread(first: int, last: int) -> list[int]:
    """All lengths, or the middles of so many equal parts."""
    count = min(last - first + 1, MOST_LENGTHS)
    return [first + (2 * at + 1) * (last - first + 1) // (2 * count) for at in range(count)]


def _mean(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: value / len(tables) for name, value in add_up(*tables).items()}


def closed_loop(system: System, model: Model, sequences: int, prompt: int, output: int) -> Decoding:
    """A stage on average where each request that ends makes room for the next, as `serve` finds it after a long time.

    Every stage gives all a token; of `output` stages `sequences` take in a prompt beside it, one each.

    Raises:
        AccelsimError: as `decode` does, and a prompt or an output below 1.
    """
    if min(prompt, output) < 1:
        raise AccelsimError(f"prompt and output must be at least 1, got {prompt} and {output}")
    cost_of, length = step_costs(system, model), prompt + (output + 1) // 2
    running = _decoded(cost_of, sequences, (prompt + 1, prompt + max(1, output - 1)))
    with_prompt = cost_of(Batch(max(1, sequences - 1), length, 1, prompt))
    without = cost_of(Batch(sequences, length))
    often = sequences / output
    return Decoding(
        sequences,
        running.seconds + often * (with_prompt.seconds - without.seconds),
        _more(running.seconds_by, with_prompt.seconds_by, without.seconds_by, often),
        _more(running.energy_by, with_prompt.energy_by, without.energy_by, often),
    )


def _more(
    table: Mapping[str, float], added: Mapping[str, float], taken: Mapping[str, float], times: float
) -> dict[str, float]:
    names = dict.fromkeys((*table, *added))
    return {name: table.get(name, 0.0) + times * (added.get(name, 0.0) - taken.get(name, 0.0)) for name in names}
