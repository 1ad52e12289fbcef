"""`overlap: phases` as a modulo schedule: which iteration each Einsum works on in a period, and the barriers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from accelsim.errors import AccelsimError
from accelsim.program.lower.nest import Nest
from accelsim.program.model import Edge, Task

Phases = Sequence[Sequence[str]]


def stages_of(nest: Nest, phases: Phases, tasks: Mapping[str, Task]) -> dict[str, int]:
    """How many periods behind the first Einsums each one works.

    A consumer that stands no later than its producer, phase by phase as they are listed, works on an earlier tile.

    Raises:
        AccelsimError: Einsums that wait for each other leave no such order.
    """
    places = {name: at for at, name in enumerate(name for phase in phases for name in phase)}
    stages = dict.fromkeys(places, 0)
    for _ in range(len(stages) + 1):
        before = dict(stages)
        for name, task in tasks.items():
            for edge in task.after:
                if edge.source in stages:
                    late = int(places[name] <= places[edge.source])
                    stages[name] = max(stages[name], stages[edge.source] + late - _behind(nest, edge))
        if stages == before:
            return stages
    names = ", ".join(sorted(stages, key=lambda name: -stages[name])[:4])
    raise AccelsimError(f"the phases leave no order: {names} wait for each other within one iteration")


def _behind(nest: Nest, edge: Edge) -> int:
    """How many iterations earlier the source of an edge stands, at least."""
    extents = [nest.existing.extents[loop] for loop in nest.loops]
    steps = dict(edge.distance)
    return sum(steps.get(loop, 0) * prod(extents[at + 1 :]) for at, loop in enumerate(nest.loops))


def barriers(phases: Phases, stages: Mapping[str, int], tasks: Mapping[str, Task]) -> dict[str, list[Edge]]:
    """Edges by which a phase starts when the one before has ended, in the same period or the one before."""
    found: dict[str, list[Edge]] = {}
    for at, phase in enumerate(phases):
        earlier = [(other, 0) for other in reversed(phases[:at])] + [(other, 1) for other in reversed(phases[at:])]
        for name in phase:
            found[name] = []
            for other, periods in earlier:
                found[name] += [Edge(source, back=stages[source] - stages[name] + periods) for source in other]
                if any(tasks[source].when is None for source in other):
                    break
    return found
