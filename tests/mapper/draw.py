"""Mappings of the map space drawn at random, most of them far from the best: groups, nests, tiles, what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.assign import Assignment, assignments
from accelsim.mapper.columns import Columns
from accelsim.mapper.group import GroupPoint, busy_cycles
from accelsim.mapper.limits import Limits
from accelsim.mapper.nest import Nest, batch_of, nests, steady, visible
from accelsim.mapper.problem import Problem
from accelsim.mapper.tensors import Keeping, Moved, Scene

CANDIDATES = 3
Tiles = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Drawn:
    """A group as drawn: its point, and what the mapper says that each tensor holds and moves."""

    point: GroupPoint
    moved: dict[str, Moved]
    candidate: int


def draw_groups(rng: Random, problem: Problem, limits: Limits) -> list[Drawn]:
    """A whole mapping: consecutive groups; what cannot be one group is drawn again, smaller."""
    rest = list(problem.einsums)
    found: list[Drawn] = []
    while rest:
        size = rng.choice([1, rng.randint(1, len(rest)), rng.randint(1, len(rest))])
        while _cuts(problem, rest, size):
            size += 1
        drawn = _draw_group(rng, problem, tuple(rest[:size]), limits)
        if drawn is not None:
            found.append(drawn)
            rest = rest[size:]
    return found


def _cuts(problem: Problem, rest: Sequence[Einsum], size: int) -> bool:
    """Whether a group of the first Einsums leaves out some that theirs need."""
    first = {e.name for e in rest[:size]}
    return any(component & first and not component <= first for component in problem.components)


def _draw_group(rng: Random, problem: Problem, einsums: tuple[Einsum, ...], limits: Limits) -> Drawn | None:
    offered = list(nests(problem, einsums))
    for _ in range(30 if offered else 0):
        nest, picked = rng.choice(offered), _draw_runs(rng, problem, einsums, limits)
        tiles = _draw_tiles(rng, problem, einsums, (nest, picked)) if picked else None
        if picked is None or tiles is None:
            continue
        nest, tiles = _with_own_loops(rng, problem, (nest, tiles), picked)
        scene = Scene(problem, einsums, nest, picked, tiles, limits)
        ways = {tensor: list(scene.ways(tensor)) for tensor in scene.tensors}
        if all(ways.values()):
            return _drawn(rng, scene, {tensor: rng.choice(each) for tensor, each in ways.items()})
    return None


def _draw_runs(
    rng: Random, problem: Problem, einsums: tuple[Einsum, ...], limits: Limits
) -> dict[str, Assignment] | None:
    """An assignment for each Einsum; batch coordinates lie on as many PEs for all."""
    batch, single = batch_of(problem, einsums), steady(problem, einsums)
    looped = batch | single | {c for c in visible(problem, einsums) if rng.random() < 0.4}
    alone = single | (batch if rng.random() < 0.5 else frozenset())
    picked: dict[str, Assignment] = {}
    for einsum in einsums:
        offered = assignments(problem, einsum, looped, alone, limits)
        first = next(iter(picked.values()), None)
        alike = [a for a in offered if first is None or all(first.pes.get(c) == a.pes.get(c) for c in batch)]
        if not alike:
            return None
        picked[einsum.name] = rng.choice(alike)
    return picked


def _draw_tiles(
    rng: Random, problem: Problem, einsums: tuple[Einsum, ...], how: tuple[Nest, dict[str, Assignment]]
) -> Tiles | None:
    """Any multiples of what the arrays take, useful or not; None where PEs of the Einsums are not multiples."""
    must, (nest, picked) = steady(problem, einsums), how
    found = {}
    for c in dict.fromkeys(c for e in einsums for c in e.coordinates):
        taken = sorted({picked[e.name].pes.get(c, 1) for e in einsums if c in e.coordinates})
        if any(b % a for a, b in pairwise(taken)):
            return None
        unit, size = taken[-1], problem.sizes[c]
        steps = [unit] if c in nest.batch else [1] if c in must else list(range(unit, size, unit))
        if c in (*nest.batch, *nest.order):
            if not steps:
                return None
            found[c] = np.array([rng.choice(steps) for _ in range(CANDIDATES)], np.int64)
    return {c: found[c] for c in (*nest.batch, *nest.order)}


def _with_own_loops(
    rng: Random, problem: Problem, nest: tuple[Nest, Tiles], picked: dict[str, Assignment]
) -> tuple[Nest, Tiles]:
    """Each Einsum of several may loop, in tiles, over something that it neither streams nor shares with any other."""
    loops, tiles = nest
    einsums = [e for e in problem.einsums if e.name in picked]
    for einsum in einsums if len(einsums) > 1 else ():
        others = {c for e in einsums if e is not einsum for c in e.coordinates}
        found = picked[einsum.name]
        steps = {c: range(found.pes.get(c, 1), problem.sizes[c], found.pes.get(c, 1)) for c in einsum.coordinates}
        free = [c for c in einsum.coordinates if c not in others | found.streamed and steps[c]]
        free = [c for c in free if problem.recurs.get(einsum.name) != c]
        if free and rng.random() < 0.7:
            c = rng.choice(free)
            loops = replace(loops, own=(*loops.own, (einsum.name, c)))
            tiles = {**tiles, c: np.array([rng.choice(steps[c]) for _ in range(CANDIDATES)], np.int64)}
    return loops, tiles


def _drawn(rng: Random, scene: Scene, ways: dict[str, Keeping]) -> Drawn:
    busy = busy_cycles(scene.picked, scene.limits) / float(scene.problem.arch.clock_hz)
    table = Columns.of(scene.problem)
    number = CANDIDATES if scene.tiles else 1
    moved = {tensor: scene.moved(way) for tensor, way in ways.items()}
    total = np.zeros((number, table.width))
    for each in moved.values():
        row = np.empty((number, table.width))
        table.fill(row, each)
        total += row
    at = rng.randrange(number)
    caps = len(table.levels)
    point = GroupPoint(
        seconds=max([busy, *map(float, total[at, caps + 1 :])]),
        energy_pj=sum(a.energy_pj for a in scene.picked.values()) + float(total[at, caps]),
        held_bytes=float(total[at, :caps].sum()),
        einsums=tuple(e.name for e in scene.einsums),
        nest=scene.nest,
        tiles={c: int(tile[at]) for c, tile in scene.tiles.items()},
        picked=scene.picked,
        keeping=tuple(ways.values()),
    )
    return Drawn(point, moved, at)
