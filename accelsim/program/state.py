"""What changes while a program runs: instances of tasks, tiles in buffers, static lists, and the body of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from accelsim.program.model import Task
from accelsim.program.nest import Coords, Nest
from accelsim.program.path import Leg
from accelsim.program.plan import Plan

Phase = Literal["waiting", "ready", "running", "cooling"]
BEGIN = Leg({}, "", 0)
Key = tuple[int, Coords]  # an instance: place of the task in the body, coordinates of the iteration


@dataclass(eq=False)
class Instance:
    """A task of one iteration, from the moment it may start as far as the window is concerned until its result exists.

    Attributes:
        left: bytes still to move, of a transfer.
        data: tick at which what a DRAM was asked for has passed; None while that is not known, 0 for anything else.
        missing: instances whose results it waits for.
        arrival: the tick at which everything but resources and room was there.
        cause: what it waits for, for the tally; None while it does not wait.
        by: what made it ready, and the cause that it had waited for.
        leg: its latest start.
        needs: bytes of each buffer that it takes when it starts, once that was asked.
    """

    run: BodyRun
    place: int
    coords: Coords
    busy: int
    latency: int
    left: int
    missing: set[Key]
    phase: Phase = "waiting"
    begun: bool = False
    arrival: int = 0
    end: int = 0
    cause: str | None = None
    by: tuple[Leg, str] = (BEGIN, "dependency")
    leg: Leg = BEGIN
    needs: tuple[tuple[str, int], ...] | None = None
    data: int | None = 0
    task: Task = field(init=False)

    def __post_init__(self) -> None:
        self.task = self.run.plan.body.tasks[self.place]

    @property
    def key(self) -> Key:
        return self.place, self.coords

    @property
    def order(self) -> tuple[int, Coords, int]:
        """Program order: of bodies that run at once the earlier begun, then coordinates, then position in the body."""
        return self.run.number, self.coords, self.place

    def __str__(self) -> str:
        where = ",".join(f"{rank}={c}" for rank, c in zip(self.run.plan.ranks, self.coords, strict=True))
        return f"{self.task.name}[{where}]"


@dataclass
class Tile:
    """Bytes of one hold: `unseen` readers have instances that are not looked at yet, `reading` ones have not ended."""

    bytes: int
    writer: Coords
    unseen: frozenset[str]
    reading: int = 0
    taken: bool = False
    written: bool = False


@dataclass
class Line:
    """Where a static list stands: `recent` are the last iterations it went through, None before the first and after
    the last, the newest at the end; `index` is the place in the list."""

    items: tuple[tuple[int, int], ...]
    recent: deque[Coords | None]
    index: int = 0
    spent: bool = False

    def head(self, run: BodyRun) -> Key | None:
        """The instance that must start next; None: the list is done. Skips those that do not exist."""
        while not self.spent:
            if self.index == len(self.items):
                self._turn(run)
                continue
            place, stage = self.items[self.index]
            coords = self.recent[-1 - stage]
            if coords is not None and (run.is_closed(place, coords) or run.exists(place, coords)):
                return place, coords
            self.index += 1
        return None

    def _turn(self, run: BodyRun) -> None:
        last = self.recent[-1]
        following = run.nest.following(after=last) if last is not None else None
        self.recent.append(following)
        self.index = 0
        self.spent = all(coords is None for coords in self.recent)


@dataclass(eq=False)
class BodyRun:
    """A body being run inside given outer coordinates.

    Attributes:
        front: the next iteration to open; None after the last.
        opened: open iterations from the oldest with compute left; `left` says how many compute tasks each has left.
        frontier: for every stream (task outside the window) its next iteration that has not started whole.
        upcoming: for every task that acquires, the next iteration in which it will.
        turns: when each task's transfers were last served, as a count.
        closed: the latest start whose result was the last of the then oldest iteration.
    """

    number: int
    plan: Plan
    nest: Nest
    then: Callable[[], None]
    front: Coords | None = None
    left: dict[Coords, int] = field(default_factory=dict)
    opened: deque[Coords] = field(default_factory=deque)
    live: dict[Key, Instance] = field(default_factory=dict)
    frontier: dict[int, Coords | None] = field(default_factory=dict)
    upcoming: dict[int, Coords | None] = field(default_factory=dict)
    waiters: dict[Key, list[Instance]] = field(default_factory=dict)
    tiles: dict[tuple[int, int, Coords], Tile] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    turns: dict[int, int] = field(default_factory=dict)
    reach: list[int] = field(default_factory=list)
    closed: Leg | None = None

    def exists(self, place: int, coords: Coords) -> bool:
        return self.nest.exists(self.plan.body.tasks[place].when, coords)

    def is_closed(self, place: int, coords: Coords) -> bool:
        """Whether a compute task belongs to an iteration that is not open yet."""
        return self.plan.body.tasks[place].kind == "task" and self.front is not None and coords >= self.front

    def is_pending(self, place: int, coords: Coords) -> bool:
        """Whether the result of an instance that exists is still to come."""
        if (place, coords) in self.live:
            return True
        coming = self.front if self.plan.body.tasks[place].kind == "task" else self.frontier[place]
        return coming is not None and coords >= coming

    @property
    def is_over(self) -> bool:
        return self.front is None and not self.live
