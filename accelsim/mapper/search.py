"""The best mappings of a step: groups one after the other, joined on a Pareto front over seconds and energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def best_mappings(problem: Problem, limits: Limits, tally: Tally, *, room: bool = False) -> list[Found]:
    """The Pareto front of a step, fastest first."""
    names, known = [e.name for e in problem.einsums], Known(problem, limits)
    fronts: list[list[Found]] = [[Found(0.0, 0.0, 0.0, ())], *([] for _ in names)]
    for end in range(1, len(names) + 1):
        for start in range(end):
            segment = names[start:end]
            if not fronts[start] or not _is_whole(problem, segment, limits):
                continue
            points = group_front(known, segment, tally, room=room)
            fronts[end] += [_joined(before, point) for before in fronts[start] for point in points]
        fronts[end] = _pruned(fronts[end], room=room)
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


def _pruned(found: list[Found], *, room: bool) -> list[Found]:
    kept: list[Found] = []
    least = float("inf")
    for each in sorted(found, key=lambda f: (f.seconds, f.energy_pj, f.held_bytes)):
        if room:
            if not any(k.energy_pj <= each.energy_pj and k.held_bytes <= each.held_bytes for k in kept):
                kept.append(each)
        elif each.energy_pj < least:
            kept.append(each)
            least = each.energy_pj
    return kept
