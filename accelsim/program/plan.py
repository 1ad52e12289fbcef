"""A program made ready to run: tasks by their place in the body, with who reads what and which lists order them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from accelsim.einsum.ast import IndexExpr
from accelsim.program.model import Body, Hold, Loop, Program, Resource, Task
from accelsim.program.values import Values, depends, form

Reading = tuple[int, int]  # the place of a writer in the body and of one of its holds in that task


@dataclass(frozen=True, eq=False)
class Plan:
    """A body and its nest of loops.

    Attributes:
        places: name of a task to its place in the body.
        reads: for every task the holds whose tiles it reads.
        writers: buffer to the places of the tasks that acquire from it.
        static: resource to the (place, stage) of its list that belong to this body.
    """

    body: Body
    loops: tuple[Loop, ...]
    resources: Mapping[str, Resource]

    @cached_property
    def ranks(self) -> tuple[str, ...]:
        return tuple(loop.rank for loop in self.loops)

    @cached_property
    def places(self) -> dict[str, int]:
        return {task.name: place for place, task in enumerate(self.body.tasks)}

    @cached_property
    def reads(self) -> tuple[tuple[Reading, ...], ...]:
        found: dict[str, list[Reading]] = {task.name: [] for task in self.body.tasks}
        for place, writer in enumerate(self.body.tasks):
            for number, hold in enumerate(writer.holds):
                again = (writer.name,) if hold.users else ()
                for name in dict.fromkeys((*hold.readers, *hold.users, *again)):
                    found[name].append((place, number))
        return tuple(tuple(found[task.name]) for task in self.body.tasks)

    @cached_property
    def writers(self) -> dict[str, tuple[int, ...]]:
        buffers = {hold.buffer for task in self.body.tasks for hold in task.holds}
        return {name: tuple(p for p, task in enumerate(self.body.tasks) if acquires(task, name)) for name in buffers}

    @cached_property
    def static(self) -> dict[str, tuple[tuple[int, int], ...]]:
        here = {name for task in self.body.tasks for name, _ in task.claims}
        ordered = [self.resources[name] for name in sorted(here) if self.resources[name].order == "static"]
        return {
            resource.name: tuple((self.places[n], stage) for n, stage in resource.static if n in self.places)
            for resource in ordered
        }

    @cached_property
    def channels(self) -> tuple[str | None, ...]:
        """The resource whose rate each task's transfer has."""
        return tuple(channel(task, self.resources) for task in self.body.tasks)

    @cached_property
    def spent(self) -> tuple[str, ...]:
        """The resource on which each task spends its ticks: its channel, or the first that it claims."""
        return tuple(
            channel or next((name for name, _ in task.claims), "")
            for channel, task in zip(self.channels, self.body.tasks, strict=True)
        )

    @cached_property
    def gate(self) -> str:
        """The task under whose name waits for the window are counted: the first that computes."""
        return next((task.name for task in self.body.tasks if task.kind == "task"), self.body.tasks[0].name)

    @cached_property
    def numbers(self) -> tuple[tuple[IndexExpr, ...], ...]:
        """For every loop the durations, sizes and bounds of loops inside that may change along it, each once."""
        found = [expr for task in self.body.tasks for expr in numbers_of(task)]
        return tuple(
            tuple(
                dict.fromkeys(
                    expr
                    for expr in (*found, *(inner.bound for inner in self.loops[level + 1 :]))
                    if depends(form(expr), loop.rank)
                )
            )
            for level, loop in enumerate(self.loops)
        )

    def hold(self, reading: Reading) -> Hold:
        return self.body.tasks[reading[0]].holds[reading[1]]


def acquires(task: Task, buffer: str) -> bool:
    """Whether a task writes into a buffer."""
    return any(hold.buffer == buffer for hold in task.holds)


def numbers_of(task: Task) -> list[IndexExpr]:
    """Every number of a task that may depend on the iteration."""
    busy = [task.busy] if task.busy is not None else []
    moved = [task.transfer.bytes] if task.transfer else []
    at = [task.transfer.at] if task.transfer and task.transfer.at else []
    return [*busy, task.latency, *moved, *at, *(hold.bytes for hold in task.holds)]


def channel(task: Task, resources: Mapping[str, Resource]) -> str | None:
    """The claimed resource that transfers run on, for a task with one."""
    if task.transfer is None:
        return None
    return next((name for name, _ in task.claims if resources[name].is_channel), None)


def values_of(program: Program) -> Values:
    """The evaluator with the tables of a program."""
    return Values({table.name: table for table in program.tables})
