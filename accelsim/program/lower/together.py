"""Einsums that a unit does at once become one task: it waits for what they wait for, and holds what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from accelsim.einsum.ast import IndexExpr
from accelsim.errors import AccelsimError
from accelsim.program.check import is_here
from accelsim.program.model import Hold, Task


@dataclass(frozen=True)
class Joint:
    """A task of several: who they are, and its own ticks."""

    name: str
    members: tuple[str, ...]
    busy: IndexExpr
    latency: IndexExpr


def joined(tasks: Sequence[Task], joints: Sequence[Joint]) -> list[Task]:
    """Tasks with one in place of the members of each joint, and its name wherever theirs stood.

    Raises:
        AccelsimError: members that run in different iterations.
    """
    names = {member: joint.name for joint in joints for member in joint.members}
    by_name = {task.name: task for task in tasks}
    found = {joint.name: _one(joint, [by_name[name] for name in joint.members], names) for joint in joints}
    kept: dict[str, Task] = {}
    for task in tasks:
        name = names.get(task.name, task.name)
        kept.setdefault(name, found[name] if name in found else _renamed(task, names))
    return list(kept.values())


def _one(joint: Joint, members: Sequence[Task], names: Mapping[str, str]) -> Task:
    first = members[0]
    for task in members:
        if task.when != first.when:
            raise AccelsimError(f"{joint.name}: {first.name} and {task.name} run in different iterations")
    renamed = [_renamed(task, names) for task in members]
    edges = dict.fromkeys(e for task in renamed for e in task.after if e.source != joint.name or not is_here(e))
    holds = [hold for task in renamed for hold in task.holds]
    return replace(
        next((task for task in renamed if task.claims), first),
        name=joint.name,
        busy=joint.busy,
        latency=joint.latency,
        after=tuple(edges),
        holds=tuple(_without_itself(hold, joint.name) for hold in holds),
    )


def _renamed(task: Task, names: Mapping[str, str]) -> Task:
    return replace(
        task,
        after=tuple(dict.fromkeys(replace(edge, source=names.get(edge.source, edge.source)) for edge in task.after)),
        holds=tuple(
            replace(hold, readers=_new(hold.readers, names), users=_new(hold.users, names)) for hold in task.holds
        ),
    )


def _new(old: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names.get(name, name) for name in old))


def _without_itself(hold: Hold, name: str) -> Hold:
    """A writer frees what it writes anyway: it is named among the users only where nobody else is."""
    users = tuple(user for user in hold.users if user != name)
    return replace(hold, users=users or hold.users)
