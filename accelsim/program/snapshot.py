"""The state of a running program with times and coordinates made relative, so that equal states compare equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from accelsim.program.machine import Counts, Machine
from accelsim.program.nest import Coords
from accelsim.program.path import Mark
from accelsim.program.state import BodyRun, Instance
from accelsim.program.stock import Runs, Stock, stock

Relative = tuple[object, ...]
Markers = dict[tuple[str, object], tuple[Coords | None, ...]]


@dataclass(frozen=True)
class View:
    """A body seen along one loop: iterations that agree with its front further out count from the front.

    Attributes:
        level: the loop along which coordinates are relative.
    """

    run: BodyRun
    level: int
    front: Coords

    @property
    def prefix(self) -> Coords:
        return self.front[: self.level]

    def is_here(self, coords: Coords) -> bool:
        """Whether an iteration belongs to the same sweep of the loop."""
        return coords[: self.level] == self.prefix

    def relative(self, coords: Coords) -> Relative:
        if not self.is_here(coords):
            return ("elsewhere", coords)
        return (coords[self.level] - self.front[self.level], *coords[self.level + 1 :])

    def moved(self, coords: Coords, by: int) -> Coords:
        """The iteration `by` further along the loop; those of other sweeps stay."""
        if not self.is_here(coords):
            return coords
        return (*coords[: self.level], coords[self.level] + by, *coords[self.level + 1 :])


@dataclass(frozen=True)
class Snapshot:
    """An instant: `key` is all that decides what comes next but the markers, which move along or stand still.

    Attributes:
        markers: per body, where streams, writers and static lists stand.
        runs: per body, the ends of runs of tiles, which move along or stand still too.
        missing: per body, what unbegun streams wait for, in absolute coordinates.
        low: per body, the smallest coordinate in use along its loop.
        mark: the paths at this instant, where they are kept.
    """

    key: Relative
    now: int
    counts: Counts
    views: tuple[View, ...]
    markers: tuple[Markers, ...]
    runs: tuple[Runs, ...]
    missing: tuple[dict[int, frozenset[tuple[int, Coords]]], ...]
    low: tuple[int, ...]
    executed: int
    mark: Mark | None


def snapshot(machine: Machine, views: tuple[View, ...]) -> Snapshot:
    """The state before the starts of an instant; the machine goes on changing, the snapshot does not."""
    mark = machine.why.mark() if machine.why else None
    stocks = [stock(view) for view in views]
    recent = sorted((turn, run.number, place) for run in machine.runs for place, turn in run.turns.items())
    key = (
        tuple(machine.slack.values()),
        tuple(machine.used.values()),
        tuple(pair[1:] for pair in recent),
        tuple(_body(machine, view, tiles) for view, tiles in zip(views, stocks, strict=True)),
        mark.key if mark else (),
    )
    return Snapshot(
        key,
        machine.now,
        machine.counted(),
        views,
        tuple(markers(view.run) for view in views),
        tuple(tiles.runs for tiles in stocks),
        tuple({i.place: frozenset(i.missing) for i in view.run.live.values() if is_head(i)} for view in views),
        tuple(min(c[view.level] for c in in_use(view)) for view in views),
        machine.executed,
        mark,
    )


def is_head(instance: Instance) -> bool:
    """Whether an instance is the next of its stream and has not begun: it may stand still while others go on."""
    return instance.task.kind != "task" and not instance.begun


def markers(run: BodyRun) -> Markers:
    """Where everything stands that goes through the iterations at its own pace."""
    found: Markers = {("frontier", place): (coords,) for place, coords in run.frontier.items()}
    found |= {("upcoming", place): (coords,) for place, coords in run.upcoming.items()}
    return found | {("line", name): tuple(line.recent) for name, line in run.lines.items()}


def in_use(view: View) -> Iterator[Coords]:
    """The iterations of this sweep that are looked at now."""
    run = view.run
    yield view.front
    yield from (i.coords for i in run.live.values() if view.is_here(i.coords) and not is_head(i))
    yield from (coords for coords in run.opened if view.is_here(coords))


def _body(machine: Machine, view: View, tiles: Stock) -> Relative:
    run = view.run
    return (
        run.number,
        view.level,
        view.prefix,
        view.front[view.level + 1 :],
        tuple((view.relative(coords), run.left[coords]) for coords in run.opened),
        frozenset(_instance(machine, view, i) for i in run.live.values()),
        tiles.key,
        tuple((name, line.index, line.spent, line.recent.count(None)) for name, line in run.lines.items()),
    )


def _instance(machine: Machine, view: View, i: Instance) -> Relative:
    at = ("head",) if is_head(i) else view.relative(i.coords)
    clock = 0 if i.phase == "waiting" else machine.now - i.arrival if i.phase == "ready" else i.end - machine.now
    return (i.place, at, i.phase, clock if i.phase != "ready" or _queued(machine, i) else 0, i.left, i.begun)


def _queued(machine: Machine, instance: Instance) -> bool:
    """Whether it matters since when an instance waits."""
    return any(machine.resources[name].order == "fifo" for name, _ in instance.task.claims)
