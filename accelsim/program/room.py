"""The live set: what buffers must hold when a program runs strictly in order, checked before it runs."""

from __future__ import annotations

from accelsim.errors import AccelsimError
from accelsim.program.machine import Machine
from accelsim.program.model import Body, Loop, Program, bodies
from accelsim.program.nest import Nest
from accelsim.program.plan import Plan
from accelsim.program.state import BodyRun, Instance
from accelsim.program.tiles import enter, leave, take

MOST_STEPS = 1_000


def check_room(program: Program, most: int = MOST_STEPS) -> None:
    """Refuse a program whose tiles do not fit even one task after another; one that passes whole cannot deadlock.

    Args:
        most: how many tasks of each body are followed, in the first iteration of the loops around its nest.

    Raises:
        AccelsimError: the buffer, the task and every live tile.
    """
    for outer, nest, body in bodies(program.root):
        if any(task.holds for task in body.tasks):
            machine = Machine(program)
            env = dict.fromkeys((loop.rank for loop in outer), 0)
            if all(machine.values.at(loop.bound, env) > 0 for loop in outer):
                _follow(machine, _run(machine, nest, body, env), most)


def _run(machine: Machine, nest: tuple[Loop, ...], body: Body, env: dict[str, int]) -> BodyRun:
    plan = Plan(body, nest, machine.resources)
    inside = Nest(plan.ranks, tuple(loop.bound for loop in nest), env, machine.values)
    return BodyRun(0, plan, inside, lambda: None, inside.following(), reach=[0] * len(nest))


def _follow(machine: Machine, run: BodyRun, most: int) -> None:
    """One task after another in program order; each takes its room, reads, and gives back what it read last."""
    while run.front is not None and most > 0:
        for place in range(len(run.plan.body.tasks)):
            if run.exists(place, run.front):
                instance = Instance(run, place, run.front, 0, 0, 0, set())
                list(enter(machine, instance))
                take(machine, instance)
                _check(machine, instance)
                leave(machine, instance)
                most -= 1
        run.front = run.nest.following(after=run.front)


def _check(machine: Machine, instance: Instance) -> None:
    for name in {hold.buffer for hold in instance.task.holds}:
        used, capacity = machine.used[name], machine.buffers[name].capacity
        if used > capacity:
            raise AccelsimError(
                f"buffer {name} has {capacity} B, but even strictly in order {instance} needs {used} B of it at once: "
                f"{_live(instance.run, name)}"
            )


def _live(run: BodyRun, buffer: str) -> str:
    """The tiles in a buffer: writer, iteration, bytes."""
    found = [
        f"{Instance(run, key[0], tile.writer, 0, 0, 0, set())} {tile.bytes} B"
        for key, tile in sorted(run.tiles.items())
        if tile.taken and run.plan.hold(key[:2]).buffer == buffer
    ]
    return ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
