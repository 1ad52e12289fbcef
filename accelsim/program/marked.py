"""An unrolled program as a marked graph: tasks in their queues, each with the tasks that must have completed before it.

Room in a buffer is a wait as well: who takes some waits for those that give back, in the order in which it was taken,
what was there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program.execute import Run, execute
from accelsim.program.model import Body, Buffer, Edge, Hold, Program, Task
from accelsim.program.unroll import queues, unrolled


@dataclass(frozen=True)
class Node:
    """A task: the resource that runs it, its ticks, when depth `cycle` starts it.

    Attributes:
        of, at: the task of the program before it was unrolled, and the iteration.
        needs: places of tasks, all before this one in the order of starts, whose results it waits for.
    """

    task: str
    queue: str
    busy: int
    latency: int
    start: int
    needs: frozenset[int]
    of: str = ""
    at: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class MarkedGraph:
    """Nodes in the order of their starts, and the tick at which the last result exists."""

    name: str
    nodes: tuple[Node, ...]
    ticks: int


def marked_graph(program: Program) -> MarkedGraph:
    """The graph of a program, which starts everything at the same ticks as depth `cycle`.

    Raises:
        AccelsimError: what `unrolled` refuses; a task that claims something else than one server of a resource with
            one; room that is not given back in the order in which it was taken.
    """
    flat = unrolled(program)
    tasks = flat.root.tasks if isinstance(flat.root, Body) else ()
    queues(flat)
    run = execute(flat, skip=False, trace=len(tasks) + 1, explain=False)
    before = execute(program, skip=False, trace=len(tasks) + 1, explain=False).trace
    nodes = _nodes(flat, tasks, run)
    named = (replace(node, of=start.task, at=start.coordinates) for node, start in zip(nodes, before, strict=True))
    graph = MarkedGraph(program.name, tuple(named), run.ticks)
    again = execute(_without_buffers(flat, graph), skip=False, trace=len(tasks) + 1, explain=False)
    if [start.start for start in again.trace] != [node.start for node in graph.nodes]:
        raise AccelsimError(
            f"program {program.name}: room is not given back in the order in which it was taken, so that no order of "
            "instructions says when there is some"
        )
    return graph


def _nodes(flat: Program, tasks: tuple[Task, ...], run: Run) -> tuple[Node, ...]:
    counts = {resource.name: resource.count for resource in flat.resources}
    places = {task.name: place for place, task in enumerate(tasks)}
    needs = [{places[edge.source] for edge in task.after} for task in tasks]
    for buffer in flat.buffers:
        for taker, givers in _room(buffer, tasks, places):
            needs[taker] |= givers
    return tuple(
        Node(task.name, _queue_of(task, counts), at.end - at.start, _latency(task), at.start, frozenset(needed))
        for task, at, needed in zip(tasks, run.trace, needs, strict=True)
    )


def _queue_of(task: Task, counts: Mapping[str, int]) -> str:
    if len(task.claims) != 1 or task.claims[0][1] != 1 or counts[task.claims[0][0]] != 1:
        claimed = ", ".join(f"{amount} of {name}" for name, amount in task.claims) or "nothing"
        raise AccelsimError(f"task {task.name} claims {claimed}; an instruction has one unit, and that to itself")
    return task.claims[0][0]


def _latency(task: Task) -> int:
    if not isinstance(task.latency, Int):
        raise AccelsimError(f"task {task.name}: an unrolled task has a latency that is a number")
    return task.latency.value


def _room(buffer: Buffer, tasks: tuple[Task, ...], places: Mapping[str, int]) -> Iterator[tuple[int, set[int]]]:
    """Who takes room, with all that must have given theirs back."""
    tiles: list[tuple[int, set[int]]] = []
    for place, task in enumerate(tasks):
        for hold in task.holds:
            if hold.buffer != buffer.name:
                continue
            tiles.append((_bytes(task, hold), {places[n] for n in (*hold.readers, *hold.users)} or {place}))
            held, first = 0, len(tiles)
            while first and held + tiles[first - 1][0] <= buffer.capacity:
                first -= 1
                held += tiles[first][0]
            yield place, set().union(*(givers for _, givers in tiles[:first])) - {place}


def _bytes(task: Task, hold: Hold) -> int:
    if not isinstance(hold.bytes, Int):
        raise AccelsimError(f"task {task.name}: an unrolled task holds a number of bytes")
    return hold.bytes.value


def _without_buffers(flat: Program, graph: MarkedGraph) -> Program:
    """The program with waits in place of buffers and of turns on a channel."""
    tasks = flat.root.tasks if isinstance(flat.root, Body) else ()
    bare = tuple(
        replace(
            task,
            busy=Int(node.busy),
            after=tuple(Edge(graph.nodes[need].task) for need in sorted(node.needs)),
            holds=(),
            transfer=None,
        )
        for task, node in zip(tasks, graph.nodes, strict=True)
    )
    resources = tuple(replace(resource, rate=None) for resource in flat.resources)
    return replace(flat, resources=resources, buffers=(), root=Body(bare) if bare else flat.root)
