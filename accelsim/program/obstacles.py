"""What keeps a task from starting: order, resources and room; and who waits for what when nothing can go on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from accelsim.program.nest import Coords
from accelsim.program.state import Instance
from accelsim.program.tiles import acquires

if TYPE_CHECKING:
    from accelsim.program.machine import Machine


def turn(instance: Instance) -> tuple[int, tuple[int, Coords, int]]:
    """Program order; transfers come after the rest, the least recently served task first."""
    served = instance.run.turns.get(instance.place, 0) if instance.task.transfer else -1
    return served, instance.order


def obstacle(machine: Machine, instance: Instance) -> str | None:
    """What keeps a ready instance from starting now: `buffer`, `resource` or nothing."""
    if not instance.begun and not has_room(machine, instance):
        return "buffer"
    for name, amount in instance.task.claims:
        if machine.free[name] < amount or not is_next(machine, instance, name):
            return "resource"
    return None


def is_next(machine: Machine, instance: Instance, name: str) -> bool:
    """Whether the order of a resource lets an instance go."""
    order = machine.resources[name].order
    if order == "static":
        return instance.run.lines[name].head(instance.run) == instance.key
    if order == "fifo":
        mine = instance.arrival, instance.order
        others = (i for i in machine.ready if (i.arrival, i.order) < mine and name in dict(i.task.claims))
        return not any(other.begun or has_room(machine, other) for other in others)
    return True


def has_room(machine: Machine, instance: Instance) -> bool:
    """Whether the buffers of a writer have room, and it is the next in program order to take from them."""
    return not instance.task.holds or short_of(machine, instance) is None


def short_of(machine: Machine, instance: Instance) -> str | None:
    """The first buffer from which a writer may not take now."""
    run = instance.run
    if instance.needs is None:
        instance.needs = needs_of(machine, instance)
    for name, needed in instance.needs:
        if machine.used[name] + needed > machine.buffers[name].capacity:
            return name
        for place in run.plan.writers[name]:
            coming = run.upcoming[place]
            if coming is not None and (coming, place) < (instance.coords, instance.place):
                return name
    return None


def needs_of(machine: Machine, instance: Instance) -> tuple[tuple[str, int], ...]:
    """The bytes of each buffer that an instance takes when it starts."""
    needs, env = Counter[str](), instance.run.nest.at(instance.coords)
    for number, hold in enumerate(instance.task.holds):
        if acquires(machine, instance, number):
            needs[hold.buffer] += machine.values.at(hold.bytes, env)
    return tuple(needs.items())


def blocked(machine: Machine, instance: Instance) -> list[str]:
    """The claimed resources that are taken, or whose order does not let an instance go."""
    return [n for n, a in instance.task.claims if machine.free[n] < a or not is_next(machine, instance, n)]


def deadlock(machine: Machine) -> str:
    """Who waits for what, when nothing can go on."""
    found = [reason(machine, i) for run in machine.runs for i in sorted(run.live.values(), key=lambda i: i.order)]
    more = f"; and {len(found) - 6} more" if len(found) > 6 else ""
    return f"deadlock at tick {machine.now}: {'; '.join(found[:6])}{more}"


def reason(machine: Machine, instance: Instance) -> str:
    """One instance and what it waits for, in words."""
    run = instance.run
    if instance.missing:
        place, coords = min(instance.missing)
        where = ",".join(f"{rank}={c}" for rank, c in zip(run.plan.ranks, coords, strict=True))
        return f"{instance} waits for the result of {run.plan.body.tasks[place].name}[{where}]"
    if obstacle(machine, instance) == "buffer":
        return f"{instance} waits for room: {room(machine, instance)}"
    names = blocked(machine, instance)
    heads = [run.lines[name].head(run) for name in names if name in run.lines]
    first = next((f", where {run.plan.body.tasks[h[0]].name} must start first" for h in heads if h), "")
    return f"{instance} waits for {', '.join(names)}{first}"


def room(machine: Machine, instance: Instance) -> str:
    env = instance.run.nest.at(instance.coords)
    return ", ".join(
        f"{machine.values.at(hold.bytes, env)} B of {hold.buffer}, where {machine.used[hold.buffer]} of "
        f"{machine.buffers[hold.buffer].capacity} B are taken"
        for hold in instance.task.holds
    )
