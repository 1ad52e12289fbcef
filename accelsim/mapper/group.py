"""The best ways to run some Einsums as one group: every nest, assignment and tile, and what to keep of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from accelsim.mapper.assign import Assignment
from accelsim.mapper.fold import PARETO, Cost, fold, makes_needless
from accelsim.mapper.grids import Grid
from accelsim.mapper.known import Kept, Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.members import Members, units_of
from accelsim.mapper.nest import Nest
from accelsim.mapper.pick import Partial, Regime, regimes
from accelsim.mapper.queue import first_tries, queue_of
from accelsim.mapper.tensors import Keeping, Scene

FIRST_POINTS = 64
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GroupPoint:
    """A group that no other is better than: seconds, energy in pJ, bytes held, and how it is run."""

    seconds: float
    energy_pj: float
    held_bytes: float
    einsums: tuple[str, ...]
    nest: Nest
    tiles: Mapping[str, int]
    picked: Mapping[str, Assignment]
    keeping: tuple[Keeping, ...]


@dataclass
class Tally:
    """How large the space was, and whether all of it was looked at.

    Attributes:
        schemes: pairs of a nest and assignments.
        candidates: of tiles.
        looked_at: choices of what to keep.
        until: on the clock of `time.monotonic`, when to be content with what has been found.
        stopped: whether something was left out for that reason.
        watch: told of the search every second.
    """

    schemes: int = 0
    candidates: int = 0
    looked_at: int = 0
    until: float = inf
    stopped: bool = False
    watch: Callable[[Tally], None] | None = None
    told: float = 0.0

    def is_late(self) -> bool:
        return self.until < inf and monotonic() > self.until

    def tick(self) -> None:
        if self.watch is not None and monotonic() > self.told + 1:
            self.told = monotonic()
            self.watch(self)


@dataclass(frozen=True)
class Around:
    """What the other Einsums cost at least, and whole mappings (seconds, energy, bytes) that are known already."""

    seconds: float
    energy_pj: float
    known: Sequence[Cost]

    def beats(self, seconds: float, energy_pj: float, goal: int) -> bool:
        """Whether a mapping that has a group which takes so much is needless."""
        return _beaten(self.known, (self.seconds + seconds, self.energy_pj + energy_pj, 0.0), goal)


def _beaten(known: Iterable[Cost], point: Cost, goal: int) -> bool:
    """Whether one of some costs makes a point needless."""
    for cost in known:  # noqa: SIM110 - any() with a generator takes twice as long, and this is asked all the time
        if makes_needless(cost, point, goal):
            return True
    return False


@dataclass(frozen=True, eq=False)
class GroupSearch:
    """The search for the best points of a group of Einsums: their Pareto front, or one where a goal counts most.

    No points where the Einsums cannot share a group or nothing fits.
    """

    members: Members
    front: _Front
    seen: set[object] = field(default_factory=set)

    @staticmethod
    def of(known: Known, names: Sequence[str], goal: int = PARETO) -> GroupSearch:
        members = Members(known, tuple(e for e in known.problem.einsums if e.name in names))
        return GroupSearch(members, _Front(members, goal))

    @cached_property
    def usable(self) -> tuple[Regime, ...]:
        return tuple(regime for regime in regimes(self.members) if regime.choices)

    def first(self, tally: Tally) -> None:
        """Find some point that is likely to be good."""
        for regime, partial in first_tries(self.usable):
            self._extend(regime, partial, tally)
            if self.front.origins:
                return

    def rest(self, tally: Tally, around: Around | None = None) -> None:
        """Find all others, but those that cannot be a part of a mapping that is better than the ones known."""

        def needless(seconds: float, energy_pj: float) -> bool:
            beaten = self.front.beats(seconds, energy_pj)
            return beaten or (around is not None and around.beats(seconds, energy_pj, self.front.goal))

        def is_late() -> bool:
            some = self.front.origins or (around is not None and around.known)
            tally.stopped = tally.stopped or (bool(some) and tally.is_late())
            return tally.stopped

        queue = queue_of(() if is_late() else self.usable, needless)
        while (entry := queue.pop()) is not None:
            tally.tick()
            if is_late():
                break
            regime, partial = entry
            if not partial.is_refined:
                refined = regime.refined(partial)
                if refined is not None:
                    queue.push(regime, refined)
            elif len(partial.prefix.picked) < len(self.members.einsums):
                for wider in regime.wider(partial):
                    queue.push(regime, wider)
            else:
                self._extend(regime, partial, tally)

    def _extend(self, regime: Regime, partial: Partial, tally: Tally) -> None:
        """Add what a combination reaches, once."""
        key = (regime.nest, *(a.key for a in partial.prefix.picked))
        if key not in self.seen:
            self.seen.add(key)
            tally.schemes += 1
            self.front.extend(regime.nest, partial.prefix.by_name, tally)

    def points(self) -> list[GroupPoint]:
        return self.front.points()


def busy_cycles(picked: Mapping[str, Assignment], limits: Limits) -> float:
    """Cycles of a group's units: of the busiest one, or of all of them in turn."""
    busy: dict[str, float] = {}
    for assignment in picked.values():
        busy[assignment.unit] = busy.get(assignment.unit, 0.0) + assignment.cycles
    return sum(busy.values()) if limits.overlap == "sequential" else max(busy.values())


@dataclass(frozen=True)
class _Origin:
    """Where a point came from: scene, what is kept, candidate of tiles, and the way of each parcel."""

    scene: Scene
    kept: tuple[Kept, ...]
    candidate: int
    chosen: tuple[int, ...]


@dataclass
class _Front:
    """The points of a group."""

    members: Members
    goal: int
    values: Floats = field(default_factory=lambda: np.empty((0, 3)))
    costs: list[Cost] = field(default_factory=list)
    origins: list[_Origin] = field(default_factory=list)

    def beats(self, seconds: float, energy_pj: float) -> bool:
        """Whether a point is as good as anything that takes at least so much."""
        return _beaten(self.costs, (seconds, energy_pj, 0.0), self.goal)

    def extend(self, nest: Nest, picked: Mapping[str, Assignment], tally: Tally) -> None:
        """Add what a nest and assignments reach with any tiles."""
        members, problem, limits = self.members, self.members.known.problem, self.members.known.limits
        units = units_of(members.einsums, nest, picked)
        if units is None:
            return
        kept = tuple([members.kept(nest, picked, parcel, units) for parcel in members.parcels])
        if not all(each.ways for each in kept):
            return
        tiles = members.known.grids.tiles(Grid(nest, tuple(units.items()), members.steady))
        scene = Scene(problem, members.einsums, nest, picked, tiles, limits)
        seconds = busy_cycles(picked, limits) / float(problem.arch.clock_hz)
        fixed = np.array([seconds, sum(a.energy_pj for a in picked.values())])
        firsts = np.cumsum([0, *(len(each.ways) for each in kept)])
        options = np.concatenate([each.columns for each in kept])
        old = len(self.origins)
        values, rows = (
            np.empty((max(FIRST_POINTS, old), 3)),
            np.zeros((max(FIRST_POINTS, old), 1 + len(kept)), int),
        )
        values[:old], rows[:old, 0] = self.values, -1 - np.arange(old)
        room = (np.array(members.room), members.moments)
        values, rows, points, seen = fold((options, firsts, room, fixed, self.goal), (values, rows, old))
        tally.candidates += options.shape[1]
        tally.looked_at += seen
        rows[:, 1:] -= firsts[:-1]
        self.origins = [
            self.origins[-1 - at] if at < 0 else _Origin(scene, kept, at, tuple(chosen))
            for at, *chosen in rows[:points].tolist()
        ]
        self.values = values[:points].copy()
        self.costs = [(row[0], row[1], row[2]) for row in self.values.tolist()]

    def points(self) -> list[GroupPoint]:
        return [self._point(values, origin) for values, origin in zip(self.values, self.origins, strict=True)]

    def _point(self, values: Floats, origin: _Origin) -> GroupPoint:
        scene = origin.scene
        chosen = [kept.way(at) for kept, at in zip(origin.kept, origin.chosen, strict=True)]
        loops = [way.loop for way in chosen if way.loop]
        tiles = {c: int(tile[origin.candidate]) for c, tile in scene.tiles.items()} | {c: tile for _, c, tile in loops}
        nest = replace(scene.nest, own=tuple((name, c) for name, c, _ in loops))
        seconds, energy, held = map(float, values)
        by_tensor = {keeping.tensor: keeping for way in chosen for keeping in way.keepings}
        keeping = tuple(by_tensor[tensor] for tensor in self.members.touching)
        names = tuple(e.name for e in self.members.einsums)
        return GroupPoint(seconds, energy, held, names, nest, tiles, scene.picked, keeping)
