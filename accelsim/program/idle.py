"""Why a unit idles: what the task waits for that comes next on it, tick by tick."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from accelsim.program.nest import Coords
from accelsim.program.obstacles import blocked, short_of
from accelsim.program.state import Instance, Key

if TYPE_CHECKING:
    from accelsim.program.machine import Machine

Queue = list[tuple[int, Coords, int, Instance]]
WINDOW = "window", ""


class Idle:
    """Counts the ticks in which nothing claims a resource of count 1, as ("idle", resource, cause, what).

    Attributes:
        queues: for every such resource without a static list its live instances that have not started whole, in a heap
            by program order; some that have started stay until they come to the front.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.single = tuple(name for name, resource in machine.resources.items() if resource.count == 1)
        self.queues: dict[str, Queue] = {}
        self.line_up()

    def line_up(self) -> None:
        """Queue all live instances anew, as their coordinates are now."""
        resources = self.machine.resources
        self.queues = {name: [] for name in self.single if resources[name].order != "static"}
        for run in self.machine.runs:
            for instance in run.live.values():
                self.looked(instance)

    def looked(self, instance: Instance) -> None:
        """An instance has become live."""
        for name, _ in instance.task.claims:
            queue = self.queues.get(name)
            if queue is not None:
                if queue and queue[0][3].begun:
                    _tidy(queue)
                heappush(queue, (instance.run.number, instance.coords, instance.place, instance))

    def wait(self, ticks: int) -> None:
        """The clock is about to move."""
        free, counts = self.machine.free, self.machine.counts
        for name in self.single:
            if free[name]:
                cause, what = self.reason(name)
                counts["idle", name, cause, what] += ticks

    def reason(self, name: str) -> tuple[str, str]:
        """What the next instance on a resource waits for; the window where no instance is live that claims it."""
        instance = self.next_on(name)
        if instance is None or instance.cause is None:
            return WINDOW
        if instance.cause == "dependency":
            missing = instance.missing
            place, _ = next(iter(missing)) if len(missing) == 1 else min(missing, key=_program_order)
            return "dependency", instance.run.plan.body.tasks[place].name
        return instance.cause, self.lacking(instance, name)

    def next_on(self, name: str) -> Instance | None:
        queue = self.queues.get(name)
        if queue is not None:
            if queue and queue[0][3].begun:
                _tidy(queue)
            return queue[0][3] if queue else None
        for run in self.machine.runs:
            head = run.lines[name].head(run) if name in run.lines else None
            if head:
                return run.live.get(head)
        return None

    def lacking(self, instance: Instance, name: str) -> str:
        """The buffer without room, or the resource that keeps an instance from starting: another one if there is."""
        if instance.cause == "buffer":
            buffers = {hold.buffer for hold in instance.task.holds}
            return buffers.pop() if len(buffers) == 1 else short_of(self.machine, instance) or ""
        others = [other for other in blocked(self.machine, instance) if other != name]
        return others[0] if others else name


def _tidy(queue: Queue) -> None:
    while queue and queue[0][3].begun and not queue[0][3].left:
        heappop(queue)


def _program_order(key: Key) -> tuple[Coords, int]:
    return key[1], key[0]
