"""The best ways to run some Einsums as one group: every nest, assignment and tile, and what to keep of each tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import lcm

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment
from accelsim.mapper.bound import Bound
from accelsim.mapper.columns import Columns
from accelsim.mapper.fold import PARETO, fold, is_beaten
from accelsim.mapper.known import Known
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest, nests, steady
from accelsim.mapper.pick import Queue, picked_of, queue_of
from accelsim.mapper.scheme import Scheme
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
    """How large the space was: pairs of a nest and assignments, candidates of tiles, choices of what to keep."""

    schemes: int = 0
    candidates: int = 0
    looked_at: int = 0


def group_front(known: Known, names: Sequence[str], tally: Tally, goal: int = PARETO) -> list[GroupPoint]:
    """The best points of a group of Einsums: its Pareto front, or one where `goal` says what counts most.

    Empty where the Einsums cannot share a group, or nothing fits.
    """
    einsums = tuple(e for e in known.problem.einsums if e.name in names)
    front, bound = _Front(known, einsums, goal), Bound(known, einsums)
    every = list(nests(known.problem, einsums))
    queue, seen = queue_of(known, einsums, bound) if every else Queue(), set[object]()
    while queue.entries:
        seconds, energy, regime, partial = queue.pop()
        if front.beats(max(seconds, bound.compulsory_seconds), energy):
            continue
        if len(partial.picked) < len(einsums):
            for wider in regime.wider(partial):
                queue.push(regime, wider)
        elif (key := tuple(a.key for a in partial.picked)) not in seen:
            seen.add(key)
            for scheme in schemes(known, einsums, every, picked_of(partial)):
                tally.schemes += 1
                if not front.beats(max(seconds, bound.compulsory_seconds), energy + bound.shared_pj(scheme.picked)):
                    front.extend(scheme, tally)
    return front.points()


def schemes(
    known: Known, einsums: tuple[Einsum, ...], every: Sequence[Nest], picked: Mapping[str, Assignment]
) -> Iterator[Scheme]:
    """Every nest that the assignments can share tiles in."""
    seconds = busy_cycles(picked, known.limits) / float(known.problem.arch.clock_hz)
    energy = sum(a.energy_pj for a in picked.values())
    for nest in every:
        units = _units(einsums, nest, picked)
        if units is not None:
            yield Scheme(nest, picked, units, seconds, energy)


def _units(einsums: Sequence[Einsum], nest: Nest, picked: Mapping[str, Assignment]) -> dict[str, int] | None:
    """What each coordinate of the nest is taken in multiples of; None where the Einsums' PEs do not nest."""
    units = {}
    for c in (*nest.batch, *nest.order):
        spans = sorted({picked[e.name].pes.get(c, 1) for e in einsums if c in e.coordinates})
        units[c] = lcm(*spans)
        if units[c] != spans[-1]:
            return None
    return units


def busy_cycles(picked: Mapping[str, Assignment], limits: Limits) -> float:
    """Cycles of a group's units: of the busiest one, or of all of them in turn."""
    busy: dict[str, float] = {}
    for assignment in picked.values():
        busy[assignment.unit] = busy.get(assignment.unit, 0.0) + assignment.cycles
    return sum(busy.values()) if limits.overlap == "sequential" else max(busy.values())


@dataclass(frozen=True)
class _Origin:
    """Where a point came from: scene, ways of all tensors in a row, candidate of tiles, and the way of each tensor."""

    scene: Scene
    ways: tuple[Keeping, ...]
    candidate: int
    chosen: tuple[int, ...]


@dataclass
class _Front:
    """The points of a group."""

    known: Known
    einsums: tuple[Einsum, ...]
    goal: int
    values: Floats = field(default_factory=lambda: np.empty((0, 3)))
    origins: list[_Origin] = field(default_factory=list)

    @cached_property
    def steady(self) -> frozenset[str]:
        return steady(self.known.problem, self.einsums)

    @cached_property
    def touching(self) -> dict[str, tuple[Einsum, ...]]:
        """Tensor to the Einsums of the group that make or read it."""
        reads = self.known.problem.reads
        pairs = [(t, e) for e in self.einsums for t in dict.fromkeys((e.tensor, *(r.tensor for r in reads[e.name])))]
        return {tensor: tuple(e for t, e in pairs if t == tensor) for tensor, _ in pairs}

    def beats(self, seconds: float, energy_pj: float) -> bool:
        """Whether a point is as good as anything that takes at least so much."""
        return is_beaten(self.values, len(self.values), np.array([seconds, energy_pj, 0.0]), self.goal)

    def extend(self, scheme: Scheme, tally: Tally) -> None:
        """Add what a scheme reaches with any tiles."""
        grid = (scheme.nest, tuple(scheme.units.items()), self.steady)
        tiles = self.known.tiles(grid)
        scene = Scene(self.known.problem, self.einsums, scheme.nest, scheme.picked, tiles, self.known.limits)
        count = max((len(tile) for tile in tiles.values()), default=1)
        if count == 0:
            return
        parts = [self.known.columns(scene, grid, tensor, them, count) for tensor, them in self.touching.items()]
        if not all(ways for ways, _ in parts):
            return
        firsts = np.cumsum([0, *(len(ways) for ways, _ in parts)])
        options = np.concatenate([columns for _, columns in parts])
        old = len(self.origins)
        values, rows = (
            np.empty((max(FIRST_POINTS, old), 3)),
            np.zeros((max(FIRST_POINTS, old), 1 + len(parts)), int),
        )
        values[:old], rows[:old, 0] = self.values, -1 - np.arange(old)
        capacity, fixed = Columns.of(self.known.problem).capacity, np.array([scheme.seconds, scheme.energy_pj])
        values, rows, points, seen = fold((options, firsts, capacity, fixed, self.goal), (values, rows, old))
        tally.candidates += count
        tally.looked_at += seen
        ways = tuple(way for each, _ in parts for way in each)
        self.origins = [
            self.origins[-1 - row[0]] if row[0] < 0 else _Origin(scene, ways, int(row[0]), tuple(map(int, row[1:])))
            for row in rows[:points]
        ]
        self.values = values[:points].copy()

    def points(self) -> list[GroupPoint]:
        return [self._point(values, origin) for values, origin in zip(self.values, self.origins, strict=True)]

    def _point(self, values: Floats, origin: _Origin) -> GroupPoint:
        scene = origin.scene
        tiles = {c: int(tile[origin.candidate]) for c, tile in scene.tiles.items()}
        seconds, energy, held = map(float, values)
        keeping = tuple(origin.ways[at] for at in origin.chosen)
        names = tuple(e.name for e in self.einsums)
        return GroupPoint(seconds, energy, held, names, scene.nest, tiles, scene.picked, keeping)
