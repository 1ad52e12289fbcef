"""What a kernel costs on a processor, and on the units in its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from accelsim.cluster.kernels import Kernel
from accelsim.cluster.model import Energies, Link, Near, Processor
from accelsim.units.roofline import Cost, product_cost, stream_cost


@dataclass(frozen=True)
class Spent:
    """Seconds of a device, and picojoules by component; what is not known is not in there."""

    seconds: float = 0.0
    energy_pj: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, add_up(self.energy_pj, other.energy_pj))

    def times(self, factor: float) -> Spent:
        return Spent(self.seconds * factor, {name: value * factor for name, value in self.energy_pj.items()})

    def lasting(self, seconds: float) -> Spent:
        """The same energy in other time."""
        return Spent(seconds, self.energy_pj)


NOTHING = Spent()


def add_up(*parts: Mapping[str, float]) -> dict[str, float]:
    """The sums by component."""
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total


def on_processor(processor: Processor, kernel: Kernel) -> Spent:
    """A kernel on one processor: a roofline, or what was measured of element-wise lines that its file has a fit for."""
    if kernel.product is not None:
        cost = product_cost(processor.roofline, kernel.product)
        return Spent(cost.seconds, _energy(processor.energies, cost, macs=True))
    cost = stream_cost(processor.roofline, kernel.bytes, kernel.flops)
    fit = next((processor.fits[name] for name in kernel.einsums if name in processor.fits), None)
    seconds = cost.seconds if fit is None else fit.latency_s + fit.seconds_per_byte * kernel.bytes
    return Spent(seconds, _energy(processor.energies, cost, macs=False))


def _energy(energies: Energies, cost: Cost, *, macs: bool) -> dict[str, float]:
    found = {
        "memory": cost.moved.memory * energies.memory,
        "shared cache": _known(energies.shared, cost.moved.shared),
        "core caches": _known(energies.core, cost.moved.core),
        "registers": _known(energies.register, cost.flops / 2 if macs else 0.0),
        "arithmetic": cost.flops * energies.flop,
    }
    return {name: value for name, value in found.items() if value is not None}


def _known(each: float | None, count: float) -> float | None:
    return None if each is None else each * count


def on_near(near: Near, kernel: Kernel) -> Spent:
    """A kernel on the units in the memory of one device."""
    if kernel.product is not None:
        cost = product_cost(near.roofline, kernel.product)
    else:
        cost = stream_cost(near.roofline, kernel.bytes, kernel.flops)
    read = max(cost.moved.memory, cost.flops / near.flops_per_byte) if near.rereads else cost.moved.memory
    return Spent(cost.seconds, near_energy(near, read, cost.flops))


def near_energy(near: Near, moved: float, flops: float) -> dict[str, float]:
    return {"near memory": moved * near.memory_energy, "near arithmetic": flops * near.flop_energy}


def all_reduce(link: Link, devices: int, size: float) -> Spent:
    """Of `size` bytes that every device has; each round moves a share of it between neighbours.

    Source: Thakur et al., IJHPCA 2005, section 4 (ring: rounds = 2).
    """
    if devices == 1:
        return NOTHING
    seconds = link.rounds * (devices - 1) * (link.latency_s + size / devices / link.bytes_per_s)
    moved = link.rounds * (devices - 1) * size / devices
    return Spent(seconds, {} if link.energy is None else {"link": moved * link.energy})
