"""The best mappings of a step: groups one after the other, joined on a Pareto front over seconds and energy."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from accelsim.mapper.floor import Floor
from accelsim.mapper.fold import PARETO, Cost, makes_needless
from accelsim.mapper.group import Around, GroupPoint, GroupSearch, Tally
from accelsim.mapper.known import Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem

Range = tuple[int, int]
"""Einsums from a first one up to but not including another."""


@dataclass(frozen=True)
class Found:
    """A mapping of all Einsums: seconds and energy of its groups together, the most bytes that one of them holds."""

    seconds: float
    energy_pj: float
    held_bytes: float
    groups: tuple[GroupPoint, ...]


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cyclic garbage: what a search remembers has no cycles, and looking takes a quarter of its time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@_uncollected()
def best_mappings(problem: Problem, limits: Limits, tally: Tally, goal: int = PARETO) -> list[Found]:
    """The best mappings of a step, fastest first: its Pareto front, or one where `goal` says what counts most."""
    names, known = [e.name for e in problem.einsums], Known(problem, limits)
    floor, count = Floor(known), len(names)
    ranges = [(start, end) for end in range(1, count + 1) for start in range(end)]
    ranges = [(start, end) for start, end in ranges if is_whole(problem, names[start:end], limits)]
    groups = {(start, end): GroupSearch.of(known, names[start:end], goal) for start, end in ranges}
    whole = groups.get((0, count)) if count > 1 else None
    if whole is not None:
        whole.first(tally)
    if whole is None or not whole.front.origins:
        for each, group in groups.items():
            if group is not whole and not (tally.is_late() and _has_parts(problem, names[slice(*each)], limits)):
                group.first(tally)
    complete = _joined_all({each: group.points() for each, group in groups.items()}, count, goal)[-1]
    if whole is not None:
        whole.rest(tally, Around(0.0, 0.0, [_cost(found) for found in complete]))
        complete = _joined_all({each: group.points() for each, group in groups.items()}, count, goal)[-1]
    fronts: list[list[Found]] = [[Found(0.0, 0.0, 0.0, ())], *([] for _ in names)]
    for start, end in ranges:
        if fronts[start] and groups[start, end] is not whole:
            groups[start, end].rest(tally, _around(floor, fronts[start], (end, count), complete))
        fronts[end] += [_joined(before, point) for before in fronts[start] for point in groups[start, end].points()]
        fronts[end] = _pruned(fronts[end], goal)
    return fronts[-1]


def _joined_all(points: Mapping[Range, Sequence[GroupPoint]], count: int, goal: int) -> list[list[Found]]:
    """For each number of Einsums the best ways to run the first of them in these groups."""
    fronts: list[list[Found]] = [[Found(0.0, 0.0, 0.0, ())], *([] for _ in range(count))]
    for (start, end), each in points.items():
        fronts[end] = _pruned([*fronts[end], *(_joined(f, point) for f in fronts[start] for point in each)], goal)
    return fronts


def floor_of(problem: Problem, limits: Limits) -> tuple[float, float]:
    """Seconds and energy in pJ that every mapping of a step takes at least."""
    return Floor(Known(problem, limits)).of(0, len(problem.einsums))


def _around(floor: Floor, before: Sequence[Found], rest: tuple[int, int], complete: Sequence[Found]) -> Around:
    """The least that the groups before and the Einsums behind take, and the mappings that are known."""
    seconds, energy = floor.of(*rest) if rest[0] < rest[1] else (0.0, 0.0)
    seconds += min(found.seconds for found in before)
    energy += min(found.energy_pj for found in before)
    return Around(seconds, energy, [_cost(found) for found in complete])


def is_whole(problem: Problem, segment: Sequence[str], limits: Limits) -> bool:
    """Whether Einsums that need each other are all inside or all outside."""
    if limits.most_fused is not None and len(segment) > limits.most_fused:
        return False
    return all(not component & set(segment) or component <= set(segment) for component in problem.components)


def _has_parts(problem: Problem, segment: Sequence[str], limits: Limits) -> bool:
    """Whether a run of Einsums could also be two groups."""
    cuts = ((segment[:at], segment[at:]) for at in range(1, len(segment)))
    return any(is_whole(problem, a, limits) and is_whole(problem, b, limits) for a, b in cuts)


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
    for each in sorted(found, key=_cost):
        if not any(makes_needless(_cost(other), _cost(each), goal) for other in kept):
            kept = [other for other in kept if not makes_needless(_cost(each), _cost(other), goal)] + [each]
    return kept


def _cost(found: Found) -> Cost:
    return found.seconds, found.energy_pj, found.held_bytes
