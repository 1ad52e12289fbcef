"""The tree of a program in control of a machine: loops, `seq` and `par` begin bodies and go on when those end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from accelsim.program.model import Body, Loop, Par, Seq, Tree
from accelsim.program.nest import Nest
from accelsim.program.path import Path
from accelsim.program.plan import Plan
from accelsim.program.state import BodyRun, Line

if TYPE_CHECKING:
    from accelsim.program.machine import Counts, Machine

Env = Mapping[str, int]
Then = Callable[[], None]


def begin(machine: Machine, tree: Tree, env: Env, then: Then) -> None:
    """Run `tree` inside outer coordinates, then `then`; through a queue, so that empty loops need no stack."""
    machine.todo.append(lambda: _begin(machine, tree, env, then))


def _begin(machine: Machine, tree: Tree, env: Env, then: Then) -> None:
    loops, inner = unwound(tree)
    if isinstance(inner, Body):
        begin_body(machine, Plan(inner, loops, machine.resources), env, then)
    elif isinstance(tree, Loop):
        Lap(machine, tree, dict(env), then).step()
    elif isinstance(tree, Seq):
        _begin_sequence(machine, tree.children, env, then)
    elif isinstance(tree, Par):
        _begin_all(machine, tree.children, env, then)


def _begin_sequence(machine: Machine, trees: tuple[Tree, ...], env: Env, then: Then) -> None:
    if not trees:
        then()
    else:

        def ended() -> None:
            if trees[-1] is whole[-1]:
                machine.stages.append(machine.now)
            _begin_sequence(machine, trees[1:], env, then)

        whole = machine.program.root.children if isinstance(machine.program.root, Seq) else (None,)
        begin(machine, trees[0], env, ended)


def _begin_all(machine: Machine, trees: tuple[Tree, ...], env: Env, then: Then) -> None:
    left = [len(trees)]

    def joined() -> None:
        left[0] -= 1
        if not left[0]:
            then()

    for child in trees:
        begin(machine, child, env, joined)
    if not trees:
        then()


def begin_body(machine: Machine, plan: Plan, env: Env, then: Then) -> None:
    """Make a body live: its first iteration may open, its streams look at their first instances."""
    plan = machine.plans.setdefault(id(plan.body), plan)
    nest = Nest(plan.ranks, tuple(loop.bound for loop in plan.loops), env, machine.values)
    run = BodyRun(machine.begun, plan, nest, then, nest.following(), reach=[0] * len(plan.loops))
    if run.front is None:
        then()
        return
    machine.begun += 1
    machine.runs.append(run)
    tasks = plan.body.tasks
    run.upcoming = {place: nest.following(task.when) for place, task in enumerate(tasks) if task.holds}
    run.frontier = {place: nest.following(task.when) for place, task in enumerate(tasks) if task.kind != "task"}
    for name, items in plan.static.items():
        deepest = max((stage for _, stage in items), default=0)
        run.lines[name] = Line(items, deque([*[None] * deepest, run.front], maxlen=deepest + 1), spent=not items)
    for place in run.frontier:
        machine.next_of_stream(run, place, None)


class Lap:
    """A loop around `seq` or `par`: one iteration after another."""

    def __init__(self, machine: Machine, loop: Loop, env: dict[str, int], then: Callable[[], None]) -> None:
        self.machine, self.loop, self.env, self.then = machine, loop, env, then
        self.next, self.bound = 0, machine.values.at(loop.bound, env)
        self.seen: dict[tuple[int, ...], tuple[int, int, Counts, Path]] = {}

    def step(self) -> None:
        self.machine.on_lap(self)
        if self.next >= self.bound:
            self.then()
            return
        self.next += 1
        begin(self.machine, self.loop.child, {**self.env, self.loop.rank: self.next - 1}, self.step)


def unwound(tree: Tree) -> tuple[tuple[Loop, ...], Tree]:
    """The loops that stand directly around one another, and what is inside them."""
    loops: list[Loop] = []
    while isinstance(tree, Loop):
        loops.append(tree)
        tree = tree.child
    return tuple(loops), tree
