"""Pareto fronts: the points than which no other is at least as good in everything and better in something."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.explore.objectives import objective
from accelsim.explore.store import Row

DESIGN = ("arch.", "mapping.")


def front(values: Sequence[Sequence[float]]) -> list[int]:
    """Indices of the vectors that no other dominates, all objectives minimised; equal vectors stay together.

    In lexicographic order a vector can only be dominated by an earlier one, and then by one of the front.

    >>> front([(1, 5), (2, 2), (3, 3), (2, 2)])
    [0, 1, 3]
    """
    kept: list[int] = []
    for index in sorted(range(len(values)), key=lambda i: tuple(values[i])):
        if not any(_dominates(values[other], values[index]) for other in kept):
            kept.append(index)
    return sorted(kept)


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def pareto_front(rows: Sequence[Row], objectives: Sequence[str]) -> list[int]:
    """Indices of the rows on the front; rows without a result or without one of the objectives are never on it."""
    values = {index: _vector(row, objectives) for index, row in enumerate(rows)}
    known = {index: vector for index, vector in values.items() if vector is not None}
    return [list(known)[position] for position in front(list(known.values()))]


def _vector(row: Row, objectives: Sequence[str]) -> tuple[float, ...] | None:
    found = [None if row.result is None else objective(row.result, name) for name in objectives]
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(found) else None


def design_fronts(rows: Sequence[Row], objectives: Sequence[str]) -> list[int]:
    """Indices of the rows on the front among the designs for the same work: a front for each workload and its sizes."""
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(_work(row), []).append(index)
    fronts = ([group[i] for i in pareto_front([rows[j] for j in group], objectives)] for group in groups.values())
    return sorted(index for indices in fronts for index in indices)


def _work(row: Row) -> str:
    sizes = {path: value for path, value in row.settings.items() if not path.startswith(DESIGN)}
    return repr((row.point["workload"], row.point["depth"], sizes))
