"""The iterations of the loops around a body: their order, and the next one at which a task exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accelsim.einsum.ast import IndexExpr, Int, Predicate
from accelsim.errors import AccelsimError
from accelsim.program.model import Edge
from accelsim.program.values import Values

Coords = tuple[int, ...]
MOST_STEPS = 200_000


@dataclass(frozen=True)
class Nest:
    """Loops, outer first, inside the coordinates `env` of the loops further out."""

    ranks: tuple[str, ...]
    bounds: tuple[IndexExpr, ...]
    env: Mapping[str, int]
    values: Values

    def at(self, coords: Sequence[int]) -> dict[str, int]:
        """Every coordinate by rank, those further out included."""
        return {**self.env, **dict(zip(self.ranks, coords, strict=False))}

    def bound(self, prefix: Coords) -> int:
        """How many iterations the loop inside `prefix` has."""
        expr = self.bounds[len(prefix)]
        return expr.value if isinstance(expr, Int) else self.values.at(expr, self.at(prefix))

    def contains(self, coords: Coords) -> bool:
        """Whether an iteration exists."""
        return all(c >= 0 and c < self.bound(coords[:level]) for level, c in enumerate(coords))

    def exists(self, when: Predicate | None, coords: Coords) -> bool:
        """Whether a task with this condition exists at coordinates that may lie outside."""
        return self.contains(coords) and self.values.holds(when, self.at(coords))

    def source(self, edge: Edge, coords: Coords) -> Coords:
        """The iteration at the other end of an edge, which may not exist."""
        back = dict(edge.distance)
        found = tuple(
            0 if rank in edge.first else c - back.get(rank, 0) for rank, c in zip(self.ranks, coords, strict=True)
        )
        return self.shifted(found, edge.back) if edge.back and self.contains(found) else found

    def shifted(self, coords: Coords, back: int) -> Coords:
        """The iteration so many places earlier (negative: later) in the order of all; past an end one that is none."""
        for _ in range(abs(back)):
            found = self.preceding(coords) if back > 0 else self.following(after=coords)
            if found is None:
                return (-1,) * len(coords)
            coords = found
        return coords

    def preceding(self, coords: Coords) -> Coords | None:
        """The iteration before this one; None before the first."""
        for level in reversed(range(len(coords))):
            for value in reversed(range(coords[level])):
                found = self._last_inside((*coords[:level], value))
                if found is not None:
                    return found
        return None

    def _last_inside(self, prefix: Coords) -> Coords | None:
        if len(prefix) == len(self.ranks):
            return prefix
        candidates = (self._last_inside((*prefix, c)) for c in reversed(range(self.bound(prefix))))
        return next((found for found in candidates if found is not None), None)

    def following(
        self,
        when: Predicate | None = None,
        after: Coords | None = None,
        fixed: Mapping[str, int] | None = None,
    ) -> Coords | None:
        """The first iteration where `when` holds, later than `after`, with the coordinates that `fixed` gives.

        Halves the ranges in which the condition is not certainly false, so that a rare task is found at once.
        """
        if after and not fixed:
            near = (*after[:-1], after[-1] + 1)
            if near[-1] < self.bound(near[:-1]) and (when is None or self.values.holds(when, self.at(near))):
                return near
        if after and fixed:
            free = next((level for level in reversed(range(len(after))) if self.ranks[level] not in fixed), None)
            if free is None:
                return None
            near = (*after[:free], after[free] + 1, *after[free + 1 :])
            same = all(fixed.get(rank, c) == c for rank, c in zip(self.ranks, after, strict=True))
            if same and self.exists(when, near):
                return near
        return _Search(self, when, after, fixed or {}, [MOST_STEPS]).inside(())


@dataclass(frozen=True)
class _Search:
    nest: Nest
    when: Predicate | None
    after: Coords | None
    fixed: Mapping[str, int]
    left: list[int]

    def inside(self, prefix: Coords) -> Coords | None:
        """The first match that begins with `prefix`."""
        self.count()
        level = len(prefix)
        tight = self.after is not None and prefix == self.after[:level]
        if level == len(self.nest.ranks):
            return None if tight or not self.nest.values.holds(self.when, self.nest.at(prefix)) else prefix
        low, high = self.after[level] if tight and self.after else 0, self.nest.bound(prefix) - 1
        value = self.fixed.get(self.nest.ranks[level])
        if value is not None:
            low, high = max(low, value), min(high, value)
        for start, end in self.spans(prefix, low, high):
            for coordinate in range(start, end + 1):
                found = self.inside((*prefix, coordinate))
                if found is not None:
                    return found
        return None

    def count(self) -> None:
        """One step of the search; it has only so many."""
        self.left[0] -= 1
        if self.left[0] < 0:
            where = ", ".join(self.nest.ranks)
            raise AccelsimError(f"loops {where}: it takes more than {MOST_STEPS} steps to find the next iteration")

    def spans(self, prefix: Coords, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Stretches of the next coordinate in which the condition may hold, in order."""
        rank, pending = self.nest.ranks[len(prefix)], [(low, high)]
        ranges = {name: (value, value) for name, value in self.nest.at(prefix).items()}
        ranges |= {name: (value, value) for name, value in self.fixed.items()}
        while pending:
            self.count()
            start, end = pending.pop()
            if start > end:
                continue
            found = True if self.when is None else self.nest.values.decide(self.when, {**ranges, rank: (start, end)})
            if found is False:
                continue
            if found or start == end:
                yield start, end
            else:
                middle = (start + end) // 2
                pending += [(middle + 1, end), (start, middle)]
