"""What a search makes least, how ties are broken, and which points no other is as good as."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

Objective = Literal["latency", "energy", "edp"]
OBJECTIVES: tuple[Objective, ...] = ("latency", "energy", "edp")
NEAR = 1e-12  # relative: values closer than this are equal, and the next criterion decides


class Cost(Protocol):
    """What is compared: seconds and energy of everything together, the most bytes held at a time."""

    @property
    def seconds(self) -> float: ...

    @property
    def energy_pj(self) -> float: ...

    @property
    def held_bytes(self) -> float: ...


C = TypeVar("C", bound=Cost)


def value_of(seconds: float, energy_pj: float, objective: Objective) -> float:
    """What an objective makes least: seconds, pJ, or pJ s."""
    return {"latency": seconds, "energy": energy_pj, "edp": seconds * energy_pj}[objective]


def best_of(costs: Sequence[C], objective: Objective) -> C:
    """The least by the objective; ties are broken by energy, then latency, then bytes held, then the order given."""
    left = list(costs)
    for key in (
        lambda c: value_of(c.seconds, c.energy_pj, objective),
        lambda c: c.energy_pj,
        lambda c: c.seconds,
        lambda c: c.held_bytes,
    ):
        least = min(map(key, left))
        left = [cost for cost in left if key(cost) <= least * (1 + NEAR)]
    return left[0]


def pruned(costs: Sequence[C], *, room: bool) -> list[C]:
    """Those that no other is as good as in seconds and energy, and with `room` in bytes held; fastest first."""
    kept: list[C] = []
    for cost in sorted(costs, key=lambda c: (c.seconds, c.energy_pj, c.held_bytes)):
        others = kept if room else kept[-1:]  # without bytes the last has the least energy so far
        if not any(o.energy_pj <= cost.energy_pj and (not room or o.held_bytes <= cost.held_bytes) for o in others):
            kept.append(cost)
    return kept
