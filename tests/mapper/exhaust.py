"""All mappings of the space of `brute`, group by group: the Pareto front of seconds and energy, with the mappings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.problem import Problem
from accelsim.mapping import Placement
from tests.mapper.brute import Group, Run, Space, Way, placed

Floats = NDArray[np.float64]
NEAR = 1 + 1e-12


@dataclass(frozen=True)
class Best:
    """Groups one after the other: seconds, pJ, and what each group keeps."""

    seconds: float
    energy_pj: float
    groups: tuple[tuple[Group, dict[str, Way]], ...]


@dataclass
class Count:
    """How many combinations of groups, tiles and runs were looked at."""

    schemes: int = 0


def space_of(problem: Problem, free: Problem, overlap: str = "pipeline") -> Space:
    inner = [level.capacity_bytes for level in problem.arch.levels]
    return Space(problem, free, np.array([float(room) for room in inner if room is not None]), overlap)


def enumerated(space: Space, most_fused: int, count: Count) -> list[Best]:
    """The front of the whole space; groups have at most so many Einsums."""
    einsums = space.problem.einsums
    fronts: list[list[Best]] = [[Best(0.0, 0.0, ())], *([] for _ in einsums)]
    for end in range(1, len(einsums) + 1):
        for start in range(max(0, end - most_fused), end):
            points = group_front(space, einsums[start:end], count) if fronts[start] else []
            fronts[end] += [
                Best(a.seconds + b.seconds, a.energy_pj + b.energy_pj, (*a.groups, *b.groups))
                for a in fronts[start]
                for b in points
            ]
        fronts[end] = front_of(fronts[end])
    return fronts[-1]


def front_of(found: list[Best]) -> list[Best]:
    kept: list[Best] = []
    for each in sorted(found, key=lambda b: (b.seconds, b.energy_pj)):
        if not kept or each.energy_pj < kept[-1].energy_pj:
            kept.append(each)
    return kept


def schemes(space: Space, einsums: tuple[Einsum, ...]) -> Iterator[Group]:
    """Every nest with every tile and every run of each Einsum; coordinates of all tensors are spread by all or none."""
    batch = space.batch(einsums)
    kinds = dict.fromkeys(
        c for barred in (frozenset[str](), batch) for c in product(*(space.runs(e, barred) for e in einsums))
    )
    must = {space.along(e) for e in einsums}
    for order, chosen in product(space.nests(einsums), kinds):
        each = list(zip(einsums, chosen, strict=True))
        units = [max(r.pes.get(c, 1) for e, r in each if c in e.coordinates) for c in order]
        sizes = [
            [1] if c in must else range(unit, space.problem.sizes[c], unit)
            for c, unit in zip(order, units, strict=True)
        ]
        for tiles, own in product(product(*sizes), own_loops(space, each)):
            group = Group(space, einsums, tuple(zip(order, tiles, strict=True)), chosen, own)
            if group.is_regular():
                yield group


def own_loops(space: Space, each: list[tuple[Einsum, Run]]) -> list[tuple[tuple[str, str, int], ...]]:
    """For each Einsum of several no loop of its own, or one over what none of the others has, with every tile."""
    options = []
    for einsum, run in each:
        others = {c for e, _ in each if e is not einsum for c in e.coordinates}
        free = [c for c in einsum.coordinates if c not in others | run.streamed and c != space.along(einsum)]
        units = {c: run.pes.get(c, 1) for c in free}
        loops = [(einsum.name, c, tile) for c in free for tile in range(units[c], space.problem.sizes[c], units[c])]
        options.append([None, *loops] if len(each) > 1 else [None])
    return [tuple(one for one in chosen if one is not None) for chosen in product(*options)]


def group_front(space: Space, einsums: tuple[Einsum, ...], count: Count) -> list[Best]:
    found: list[Best] = []
    for group in schemes(space, einsums):
        count.schemes += 1
        seconds, energy = fixed(space, group)
        ways = [(t, options) for t, options in group.columns().items()]
        if not all(options for _, options in ways):
            continue
        least = np.sum([np.min([c for _, c in options], axis=0) for _, options in ways], axis=0)
        room = group.room()
        caps = len(room)
        low = (max(seconds, least[caps + 1 :].max()), energy + least[caps])
        if any(b.seconds <= low[0] * NEAR and b.energy_pj <= low[1] * NEAR for b in found):
            continue
        for total, chosen in folded([options for _, options in ways], room):
            keep = dict(zip((t for t, _ in ways), chosen, strict=True))
            found.append(Best(max(seconds, total[caps + 1 :].max()), energy + total[caps], ((group, keep),)))
        found = front_of(found)
    return found


def fixed(space: Space, group: Group) -> tuple[float, float]:
    """Seconds of the units, and energy that no keep changes."""
    busy: dict[str, float] = {}
    energy = 0.0
    for einsum, run in group.each():
        cycles, mine = space.trial(einsum, run)
        busy[run.unit] = busy.get(run.unit, 0.0) + cycles
        energy += mine
    cycles = sum(busy.values()) if space.overlap == "sequential" else max(busy.values())
    return cycles / float(space.problem.arch.clock_hz), energy


def folded(ways: list[list[tuple[Way, Floats]]], capacity: Floats) -> list[tuple[Floats, tuple[Way, ...]]]:
    """Every choice of a way for each tensor that fits and that no other is as good as in everything."""
    states: list[tuple[Floats, tuple[Way, ...]]] = [(np.zeros_like(ways[0][0][1]), ())]
    for options in ways:
        wider = [(total + column, (*chosen, way)) for total, chosen in states for way, column in options]
        wider = [each for each in wider if (each[0][: len(capacity)] <= capacity).all()]
        states = []
        for each in sorted(wider, key=lambda s: tuple(s[0])):
            if not any((other[0] <= each[0]).all() for other in states):
                states.append(each)
    return states


def read_again(space: Space, best: Best) -> Placement:
    """The mapping of a point, on the hardware with its true capacities."""
    return placed(space.problem, [group for group, _ in best.groups], [keep for _, keep in best.groups])
