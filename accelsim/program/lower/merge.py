"""Neighbouring loops that no number, condition, edge or tile tells apart become one: less to skip, the same program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from accelsim.einsum.ast import Int
from accelsim.einsum.walk import coordinates
from accelsim.program.model import Body, Hold, Loop, Task, Tree
from accelsim.program.plan import numbers_of


def merged(tree: Tree) -> Tree:
    """A nest around a body with its outer loops merged where that changes nothing but their names.

    Iterations of `b < 2` around `h < 3` are those of `b_h < 6`, in the same order.
    """
    loops, inner = list[Loop](), tree
    while isinstance(inner, Loop):
        loops.append(inner)
        inner = inner.child
    if not isinstance(inner, Body):
        return tree
    body, at = inner, 0
    while at + 1 < len(loops):
        outer, other = loops[at], loops[at + 1]
        if _are_alike(body, loops, outer, other) and isinstance(outer.bound, Int) and isinstance(other.bound, Int):
            name = f"{outer.rank}_{other.rank}"
            loops[at : at + 2] = [Loop(name, Int(outer.bound.value * other.bound.value), body)]
            body = _renamed(body, outer.rank, other.rank, name)
        else:
            at += 1
    found: Tree = body
    for loop in reversed(loops):
        found = replace(loop, child=found)
    return found


def _are_alike(body: Body, loops: list[Loop], outer: Loop, inner: Loop) -> bool:
    pair = {outer.rank, inner.rank}
    together = all(len(pair & set(hold.by)) != 1 for task in body.tasks for hold in task.holds)
    named = {name for task in body.tasks for name in _named(task)} | {
        n for loop in loops for n in coordinates(loop.bound)
    }
    return together and not pair & named


def _named(task: Task) -> Iterator[str]:
    """The loops that a task names other than in tiles."""
    yield from coordinates(task.when, *numbers_of(task))
    for edge in task.after:
        yield from (rank for rank, _ in edge.distance)
        yield from edge.first


def _renamed(body: Body, outer: str, inner: str, name: str) -> Body:
    tasks = tuple(
        replace(task, holds=tuple(_hold(hold, outer, inner, name) for hold in task.holds)) for task in body.tasks
    )
    return replace(body, tasks=tasks)


def _hold(hold: Hold, outer: str, inner: str, name: str) -> Hold:
    return replace(hold, by=tuple(name if rank == outer else rank for rank in hold.by if rank != inner))
