"""What a model and its sequences take of memory, and how many sequences there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.cluster.model import Model, System
from accelsim.cluster.part import Part


@dataclass(frozen=True)
class Room:
    """Bytes of all devices; `cache` of one sequence of the length asked for; `most` sequences fit."""

    weights: float
    cache: float
    capacity: float
    most: int


def room(system: System, model: Model, length: int) -> Room:
    """Of all nodes; weights and caches share the processors' memory and the one that only the units in it have."""
    parts = list(_parts(system, model))
    devices = system.devices * system.nodes
    weights = sum(part.weight_bytes() * count for part, count in parts) * devices
    cache = sum(part.cache_bytes(1, length) * count for part, count in parts) * system.devices
    own = system.near.capacity_bytes * system.nodes if system.near else 0.0
    processors = system.processor.capacity_bytes * devices
    left = own + processors - weights
    return Room(weights, cache, own + processors, max(0, int(left // cache)))


def _parts(system: System, model: Model) -> Iterator[tuple[Part, int]]:
    for layer in model.layers:
        for step in layer.steps:
            yield Part(system, model, step), layer.count
