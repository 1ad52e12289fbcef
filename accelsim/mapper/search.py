"""The best mappings of a step: groups one after the other, joined on a Pareto front over seconds and energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accelsim.mapper.fold import PARETO, ROOMY, dominates
from accelsim.mapper.group import GroupPoint, Tally, group_front
from accelsim.mapper.known import Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem


@dataclass(frozen=True)
class Found:
    """A mapping of all Einsums: seconds and energy of its groups together, the most bytes that one of them holds."""

    seconds: float
    energy_pj: float
    held_bytes: float
    groups: tuple[GroupPoint, ...]


def best_mappings(
    problem: Problem, limits: Limits, tally: Tally, goal: int = PARETO, *, room: bool = False
) -> list[Found]:
    """The best mappings of a step, fastest first: its Pareto front, or one where `goal` says what counts most."""
    goal = ROOMY if room else goal
    names, known = [e.name for e in problem.einsums], Known(problem, limits)
    fronts: list[list[Found]] = [[Found(0.0, 0.0, 0.0, ())], *([] for _ in names)]
    for end in range(1, len(names) + 1):
        for start in range(end):
            segment = names[start:end]
            if not fronts[start] or not _is_whole(problem, segment, limits):
                continue
            points = group_front(known, segment, tally, goal)
            fronts[end] += [_joined(before, point) for before in fronts[start] for point in points]
        fronts[end] = _pruned(fronts[end], goal)
    return fronts[-1]


def _is_whole(problem: Problem, segment: Sequence[str], limits: Limits) -> bool:
    """Whether Einsums that need each other are all inside or all outside."""
    if limits.most_fused is not None and len(segment) > limits.most_fused:
        return False
    return all(not component & set(segment) or component <= set(segment) for component in problem.components)


def _joined(before: Found, point: GroupPoint) -> Found:
    return Found(
        before.seconds + point.seconds,
        before.energy_pj + point.energy_pj,
        max(before.held_bytes, point.held_bytes),
        (*before.groups, point),
    )


def _pruned(found: list[Found], goal: int) -> list[Found]:
    """Those that no other makes needless, fastest first."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda f: (f.seconds, f.energy_pj, f.held_bytes)):
        point = _vector(each)
        if not any(dominates(_vector(other), point, goal) for other in kept):
            kept = [other for other in kept if not dominates(point, _vector(other), goal)] + [each]
    return kept


def _vector(found: Found) -> NDArray[np.float64]:
    return np.array([found.seconds, found.energy_pj, found.held_bytes])
