"""Tiles in one state as runs of neighbouring places, which compare and move along a loop whatever their number.

Behind the newest iteration tiles may be in one state from the beginning of the loop on, and ahead of it in another up
to the end, where the loop outside went before. Each end of such a run moves with the loop or stands still; tasks look
at tiles of their own coordinate only, so an end that stands still decides nothing as long as none comes past it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from accelsim.program.nest import Coords
from accelsim.program.plan import Reading
from accelsim.program.state import Tile

if TYPE_CHECKING:
    from accelsim.program.snapshot import View

TileKey = tuple[int, int, Coords]
Relative = tuple[object, ...]


@dataclass(frozen=True)
class Alike:
    """All that tells tiles of a body apart but their place along the loop: `before` and `after` it in their key."""

    task: int
    number: int
    before: Coords
    after: Coords
    state: Relative

    def at(self, place: int) -> TileKey:
        return self.task, self.number, (*self.before, place, *self.after)


Runs = Mapping[Alike, tuple[int, ...]]  # first and last place of each run, in order


@dataclass(frozen=True)
class Stock:
    """The tiles of a body: those that do not move with the loop, whole, and the others as runs."""

    here: Relative
    runs: Runs

    @property
    def key(self) -> Relative:
        """What must be equal for states to be equal, but for the ends of runs."""
        return self.here, frozenset((alike, len(ends)) for alike, ends in self.runs.items())


def stock(view: View) -> Stock:
    """The tiles as they are."""
    still, moving = _sorted(view)
    here = frozenset((key, _state(tile), tile.written or tile.writer) for key, tile in still.items())
    return Stock((view.level, here), {alike: _runs(places) for alike, places in moving.items()})


def steps(before: Runs, now: Runs, step: int) -> list[tuple[int, bool, bool]] | None:
    """For each end of a run its place, whether it begins the run, and whether it moved; None where one did neither."""
    found = []
    for alike, ends in now.items():
        for at, (old, new) in enumerate(zip(before[alike], ends, strict=True)):
            if new - old not in (0, step):
                return None
            found.append((new, at % 2 == 0, new != old))
    return found


def moved_tiles(view: View, before: Runs, by: int) -> dict[TileKey, Tile]:
    """The tiles once the front is `by` further along the loop: the ends that moved since `before` go on."""
    found, moving = _sorted(view)
    for alike, places in moving.items():
        sample, ends = view.run.tiles[alike.at(places[0])], _runs(places)
        first, last = (
            [end + by * (end != old) for end, old in zip(ends, before[alike], strict=True)][at::2] for at in (0, 1)
        )
        for a, b in zip(first, last, strict=True):
            found |= {alike.at(place): _tile_at(sample, view.level, place) for place in range(a, b + 1)}
    return found


def _sorted(view: View) -> tuple[dict[TileKey, Tile], dict[Alike, list[int]]]:
    """Tiles that stand, and the places along the loop of those that are alike."""
    still: dict[TileKey, Tile] = {}
    moving: dict[Alike, list[int]] = {}
    outer = {reading: _outer(view, reading) for reading in {key[:2] for key in view.run.tiles}}
    level = view.level
    for key, tile in view.run.tiles.items():
        task, number, coords = key
        before = outer[task, number]
        if before is None or coords[: len(before)] != before:
            still[key] = tile
            continue
        writer = tile.written or (tile.writer[:level], tile.writer[level + 1 :])
        alike = Alike(task, number, before, coords[len(before) + 1 :], (_state(tile), writer))
        moving.setdefault(alike, []).append(coords[len(before)])
    return still, moving


def _state(tile: Tile) -> Relative:
    return tile.bytes, tile.unseen, tile.reading, tile.taken


def _outer(view: View, reading: Reading) -> Coords | None:
    """The coordinates further out of tiles that move with the loop; None where no tile of a hold does."""
    plan, by = view.run.plan, view.run.plan.hold(reading).by
    if plan.ranks[view.level] not in by:
        return None
    return tuple(c for rank, c in zip(plan.ranks, view.prefix, strict=False) if rank in by)


def _runs(places: list[int]) -> tuple[int, ...]:
    """First and last of each stretch of neighbouring places."""
    ordered = sorted(places)
    gaps = [(a, b) for a, b in pairwise(ordered) if b != a + 1]
    return (ordered[0], *(end for gap in gaps for end in gap), ordered[-1])


def _tile_at(tile: Tile, level: int, place: int) -> Tile:
    """A tile in the same state; its writer stands at its place, since the loop tells tiles apart."""
    return replace(tile, writer=(*tile.writer[:level], place, *tile.writer[level + 1 :]))
