"""One step of decoding: every sequence of a batch gets its next token; seconds and energy by what is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil

from accelsim.cluster.attention import attention_costs
from accelsim.cluster.experts import Sides, divided, routed
from accelsim.cluster.kernels import Kernel
from accelsim.cluster.model import Model, System
from accelsim.cluster.part import Batch, Part
from accelsim.cluster.units import NOTHING, Spent, add_up, all_reduce, on_near, on_processor

DRAWS = 16  # layers whose routing is drawn; the others are like them


@dataclass(frozen=True)
class StepCost:
    """One step of the whole system.

    Attributes:
        seconds_by: by class of kernels, `link`, `transfer` and `prompts` (their attention); they add up to `seconds`,
            so that work beside other work counts as far as it is not hidden.
        energy_by: pJ by component, of all devices.
    """

    seconds: float
    seconds_by: Mapping[str, float]
    energy_by: Mapping[str, float]

    @property
    def energy_pj(self) -> float:
        return sum(self.energy_by.values())


def step_cost(system: System, model: Model, batch: Batch) -> StepCost:
    """Seconds and energy of a step of all layers, one after another; nodes share the sequences, devices the layers."""
    return step_costs(system, model)(batch)


def step_costs(system: System, model: Model) -> Callable[[Batch], StepCost]:
    """The same for many batches: what is equal in them is worked out once."""
    parts = [_prepared(Part(system, model, step), layer.count) for layer in model.layers for step in layer.steps]

    @cache
    def cost(batch: Batch) -> StepCost:
        sequences, prompts = ceil(batch.sequences / system.nodes), ceil(batch.prompts / system.nodes)
        share = Batch(sequences, batch.length, prompts, batch.prompt)
        seconds: dict[str, float] = {}
        energy: dict[str, float] = {}
        for prepared in parts:
            for name, spent in _spent(prepared, share):
                seconds[name] = seconds.get(name, 0.0) + spent.seconds * prepared.count
                energy = add_up(energy, spent.times(prepared.count * system.devices * system.nodes).energy_pj)
        return StepCost(sum(seconds.values()), seconds, energy)

    return cost


@dataclass(frozen=True)
class _Prepared:
    """A function of `count` layers; what an expert costs, and costs in the policy's table."""

    part: Part
    count: int
    costs: Sides
    table: Sides


def _prepared(part: Part, count: int) -> _Prepared:
    return _Prepared(part, count, _sides(part), _sides(_as_in_table(part)))


def _spent(prepared: _Prepared, batch: Batch) -> Iterator[tuple[str, Spent]]:
    """What a device spends on a function of a layer, by class; a class may come more than once."""
    part = prepared.part
    if part.has_experts:
        yield from _experts(prepared, batch)
        return
    projection = NOTHING
    for kernel in part.kernels(batch.tokens, batch.length):
        name = part.class_of(kernel)
        if name == "projection":
            projection += _placed(part, name, kernel)
        elif name != "attention":
            yield name, _placed(part, name, kernel)
        if kernel.product is not None and kernel.reduced & set(part.model.shard):
            yield "link", all_reduce(part.system.link, part.system.devices, kernel.written_bytes)
    if part.has_cache:
        yield from attention_costs(part, batch, projection).items()


def _placed(part: Part, name: str, kernel: Kernel) -> Spent:
    """A kernel where the policy has its class."""
    near, place = part.system.near, part.system.policy.place.get(name, "processor")
    high = on_processor(part.system.processor, kernel)
    if near is None or kernel.product is None or place == "processor":
        return high
    low = on_near(near, kernel)
    if place == "shared":
        shared = _shared(high, low)
        return shared if part.system.policy.shared_energy == "each" else high.lasting(shared.seconds)
    return low if place == "near" else min(high, low, key=lambda spent: spent.seconds)


def _shared(high: Spent, low: Spent) -> Spent:
    """A kernel of which both units do so much that they end together."""
    seconds = 1 / (1 / high.seconds + 1 / low.seconds)
    portion = seconds / high.seconds
    return (high.times(portion) + low.times(1 - portion)).lasting(seconds)


def _experts(prepared: _Prepared, batch: Batch) -> Iterator[tuple[str, Spent]]:
    part, system = prepared.part, prepared.part.system
    split = system.policy.experts == "split"
    for draw in range(DRAWS):
        tokens = routed(batch.tokens, part.experts, part.model.experts_per_token, draw)
        shares = [tokens] if split else _dealt(tokens, system.devices)
        spent = [_of_device(system, share, prepared.costs, prepared.table) for share in shares]
        mean = sum(spent, NOTHING).times(1 if split else 1 / system.devices)
        yield "experts", mean.lasting(max(cost.seconds for cost in spent)).times(1 / DRAWS)
    reduced = all_reduce(system.link, system.devices, batch.tokens * part.token_bytes())
    yield "link", reduced.times(system.policy.expert_reduces)


def _sides(part: Part) -> Sides:
    processor, near = part.system.processor, part.system.near

    @cache
    def high(tokens: int) -> Spent:
        return sum((on_processor(processor, kernel) for kernel in part.kernels(tokens)), NOTHING)

    @cache
    def low(tokens: int) -> Spent:
        return sum((on_near(near, kernel) for kernel in part.kernels(tokens)), NOTHING) if near else high(tokens)

    return Sides(high, low)


def _as_in_table(part: Part) -> Part:
    """The part on units that reach as much of their bandwidth as the policy's table says."""
    system = part.system
    efficiency = system.policy.table_efficiency
    processor = replace(system.processor, roofline=replace(system.processor.roofline, bandwidth_efficiency=efficiency))
    near = system.near and replace(system.near, roofline=replace(system.near.roofline, bandwidth_efficiency=efficiency))
    return replace(part, system=replace(system, processor=processor, near=near))


def _of_device(system: System, tokens: Sequence[int], costs: Sides, table: Sides) -> Spent:
    """The experts of one device, with so many tokens each; those without cost nothing.

    Experts are dealt to the parts of the memory in turn, since both units cannot use a part at once.
    """
    place, near = system.policy.place.get("experts", "processor"), system.near
    groups = [tokens] if near is None else [tokens[first :: near.spaces] for first in range(near.spaces)]
    busy = [[count for count in group if count] for group in groups]
    busy = [group for group in busy if group]
    if place in ("shared", "greedy"):
        return divided(place, busy, costs, table)
    high, low = costs.of([count for group in busy for count in group])
    return {"processor": high, "near": low, "fastest": min(high, low, key=lambda spent: spent.seconds)}[place]


def _dealt(tokens: tuple[int, ...], devices: int) -> list[tuple[int, ...]]:
    """Neighbouring experts to a device."""
    each = ceil(len(tokens) / devices)
    return [tokens[first : first + each] for first in range(0, len(tokens), each)]
