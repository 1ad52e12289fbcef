"""One group as loops around a body: a task for every Einsum and every transfer, with their order and window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, lcm, prod

from accelsim.cost.compute import Work, phases_of
from accelsim.cost.images import Counter, operands
from accelsim.einsum.ast import IndexExpr, Int
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.mapping.capacity import check_reservations
from accelsim.mapping.model import Group
from accelsim.program.check import is_here
from accelsim.program.lower.engine import Span, engine_of, engine_span, folds_of, largest, scaled, steps_of
from accelsim.program.lower.flows import Setting
from accelsim.program.lower.merge import merged
from accelsim.program.lower.nest import Nest, Run, edges, in_turn, nest_of, runs_of
from accelsim.program.lower.numbers import Tables, amount, conjunction_of
from accelsim.program.lower.phases import barriers, stages_of
from accelsim.program.lower.room import Moves
from accelsim.program.lower.selecting import selecting_span
from accelsim.program.lower.shares import Share, firings
from accelsim.program.lower.together import Joint, joined
from accelsim.program.lower.transfers import moves_of
from accelsim.program.model import Body, Buffer, Edge, Order, Task, Tree

MOST_IN_FLIGHT = 1 << 14


Orders = Mapping[str, tuple[Order, tuple[tuple[str, int], ...]]]  # unit to how its tasks are issued, and the list


@dataclass(frozen=True)
class Lowered:
    """A group as a part of a program; `channels` are the ports that its transfers run on."""

    tree: Tree
    buffers: tuple[Buffer, ...]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Clock:
    """Ticks: `per_cycle` of them, so that every duration is whole, `per_s` in a second."""

    per_cycle: int
    per_s: Fraction


def clock_of(placements: Sequence[Placement], works: Sequence[Mapping[str, Work]]) -> Clock:
    """The coarsest tick in which what operators cost, and named latencies, are whole."""
    costs = [work.cycles_per_point for table in works for work in table.values()]
    waits = [
        cycles for placement in placements for unit in placement.arch.units.values() for cycles in unit.latency.values()
    ]
    per_cycle = lcm(*(cost.denominator for cost in (*costs, *waits)))
    return Clock(per_cycle, placements[0].arch.clock_hz * per_cycle)


@dataclass(frozen=True)
class Setup:
    """A group and what it is lowered with, the placement as the group sees it; `prefix` leads every name.

    `layout`: as in `Setting`.
    """

    placement: Placement
    counter: Counter
    group: Group
    works: Mapping[str, Work]
    clock: Clock
    tables: Tables
    prefix: str
    layout: Mapping[str, int]


def lowered(setup: Setup, resources: Mapping[str, str]) -> Lowered:
    """The loops, tasks and buffers of a group; `resources` names the resource of every unit."""
    check_reservations(setup.placement, setup.group)
    nest = nest_of(setup.placement, setup.group, setup.tables)
    runs = runs_of(nest, setup.group)
    found = {name: _task(setup, nest, run, resources) for name, run in runs.items()}
    runs = {name: replace(run, masked=found[name][1]) for name, run in runs.items()}
    tasks = {name: replace(found[name][0], after=_after(nest, runs, run)) for name, run in runs.items()}
    tasks, in_flight = _scheduled(nest, setup.group, runs, tasks, setup.works)
    per_s, prefix = setup.clock.per_s, setup.prefix
    moves = moves_of(
        Setting(nest, setup.counter, setup.group, runs, setup.tables, in_flight, per_s, prefix, setup.layout)
    )
    named = [_named(task, prefix) for task in tasks.values()]
    joints = [_joint(setup, nest, runs, task) for task in setup.group.together]
    held = joined(_held([*moves.tasks, *named], moves), joints)
    body = Body(tuple(in_order(held)), in_flight)
    channels = tuple(dict.fromkeys(name for task in moves.tasks for name, _ in task.claims))
    return Lowered(merged(nest.around(body)), tuple(moves.buffers), channels)


def _task(setup: Setup, nest: Nest, run: Run, resources: Mapping[str, str]) -> tuple[Task, bool]:
    """An Einsum: busy for its firings in an iteration, its result there after the latency that the mapping names.

    Beside it whether there are iterations in which it has no points.
    """
    work, group, per_cycle = setup.works[run.name], setup.group, setup.clock.per_cycle
    idle = work.cycles_per_point == 0 and not work.selector
    scale = work.cycles_per_point * per_cycle or Fraction(1)
    found = firings(nest.placement, setup.counter, run.einsum, run.along)
    steps = amount(setup.tables, nest.existing, found, scale)
    named = group.latency.get(run.name, group.exposed.get(run.name))
    latency: IndexExpr = Int(int(work.unit.latency[named] * per_cycle)) if named else Int(0)
    busy: IndexExpr = Int(1) if idle else steps.expr
    if work.selector:
        span = selecting_span(setup.counter, run.einsum, run.along, work.selector, per_cycle)
        busy, latency = _spanned(setup, nest, span)
    if engine_of(work.unit.rtl) and group.task_of(run.name) == run.name:
        busy, latency = _engine_ticks(setup, nest, [run], run.name)
    when = [*nest.at_first(run.first), *nest.at_last(run.last)]
    claims = () if idle else ((resources[work.unit.name], 1),)
    return Task(run.name, claims, busy, latency, conjunction_of([*when, steps.present])), steps.present is not None


def _joint(setup: Setup, nest: Nest, runs: Mapping[str, Run], task: str) -> Joint:
    """Einsums done at once: as long as the slowest of them takes, or as the engine says."""
    names, prefix = setup.group.together[task], setup.prefix
    members = [runs[name] for name in names]
    works = [setup.works[name] for name in names]
    if engine_of(works[0].unit.rtl):
        busy, latency = _engine_ticks(setup, nest, members, task)
    else:
        ticks = [
            scaled(_steps(setup, nest, run), work.cycles_per_point * setup.clock.per_cycle)
            for run, work in zip(members, works, strict=True)
        ]
        busy = amount(setup.tables, nest.existing, [largest(ticks, nest.loops)]).expr
        named = [setup.group.latency[name] for name in names if name in setup.group.latency]
        latency = Int(int(max((works[0].unit.latency[n] for n in named), default=Fraction(0)) * setup.clock.per_cycle))
    return Joint(f"{prefix}{task}", tuple(f"{prefix}{name}" for name in names), busy, latency)


def _steps(setup: Setup, nest: Nest, run: Run) -> Share:
    return steps_of(nest.placement, setup.counter, run.einsum, run.along)


def _engine_ticks(setup: Setup, nest: Nest, runs: Sequence[Run], task: str) -> tuple[IndexExpr, IndexExpr]:
    """Ticks that an engine is taken by an instruction for some Einsums, and those from then to its result."""
    unit = setup.works[runs[0].name].unit
    steps = largest([_steps(setup, nest, run) for run in runs], nest.loops)
    folds = largest([folds_of(nest.placement, setup.counter, run.einsum, run.along) for run in runs], nest.loops)
    return _spanned(setup, nest, engine_span(unit, task, steps, folds, setup.clock.per_cycle))


def _spanned(setup: Setup, nest: Nest, span: Span) -> tuple[IndexExpr, IndexExpr]:
    busy, latency = (amount(setup.tables, nest.existing, [share]) for share in (span.busy, span.latency))
    return busy.expr, latency.expr if latency.largest else Int(0)


def _after(nest: Nest, runs: Mapping[str, Run], run: Run) -> tuple[Edge, ...]:
    """What an Einsum waits for: the makers, in this group, of what it reads; and its own last turn, where others wait
    for the end of its loops."""
    makers = {maker.einsum.tensor: maker for maker in runs.values()}
    found = [
        edge
        for access in operands(run.einsum)
        if access.tensor in makers
        for edge in edges(nest, makers[access.tensor], run, access, makers[access.tensor].name)
    ]
    ends = {loop for reader in runs.values() for loop in reader.last if _reads(reader, run)}
    dims = set(coordinates(run.einsum.target))
    ends |= {loop for loop in run.along if nest.owner(loop) not in dims}
    return tuple(dict.fromkeys([*found, *in_turn(nest, run, ends)]))


def _reads(reader: Run, maker: Run) -> bool:
    return any(access.tensor == maker.einsum.tensor for access in operands(reader.einsum))


def _scheduled(
    nest: Nest, group: Group, runs: Mapping[str, Run], tasks: dict[str, Task], works: Mapping[str, Work]
) -> tuple[dict[str, Task], int]:
    """The tasks with barriers where the mapping asks for phases, and how many iterations may be open."""
    if group.policy is not None or group.overlap == "pipeline":
        in_flight = group.in_flight or _window(nest, runs, tasks, works)
        for unit, listed in group.order.items():
            for name, stage in (_entry(task, "") for task in listed):
                if group.in_flight is not None and stage >= group.in_flight:
                    raise group.node.error(
                        f"order.{unit}: {name}+{stage} works {stage} iterations back, so in_flight must be at least "
                        f"{stage + 1}, not {group.in_flight} (or say order: oldest)"
                    )
        return tasks, in_flight
    phases = phases_of(group)
    stages = stages_of(nest, phases, tasks)
    walls = barriers(phases, stages, tasks)
    if not nest.loops:  # a single iteration: there is none before or after it
        walls = {name: [edge for edge in found if not edge.back] for name, found in walls.items()}
    held = {
        name: replace(task, after=tuple(dict.fromkeys([*task.after, *walls[name]]))) for name, task in tasks.items()
    }
    return held, max(stages.values(), default=0) + 1


def _window(nest: Nest, runs: Mapping[str, Run], tasks: Mapping[str, Task], works: Mapping[str, Work]) -> int:
    """As many iterations as hide the way through one of them behind its busiest unit (Little's law), and one more."""
    iterations = prod(nest.existing.extents.values())
    reached: dict[str, Fraction] = {}
    load: dict[str, Fraction] = {}
    for name, task in tasks.items():
        work = works[name]
        times = prod(nest.existing.extents[loop] for loop in runs[name].along)
        own = work.busy_cycles / times + (task.latency.value if isinstance(task.latency, Int) else 0)
        before = [reached[e.source] for e in task.after if e.source in reached and not any(n for _, n in e.distance)]
        reached[name] = max(before, default=Fraction(0)) + own
        load[work.unit.name] = load.get(work.unit.name, Fraction(0)) + work.busy_cycles / iterations
    busiest = max(load.values(), default=Fraction(0))
    return min(MOST_IN_FLIGHT, 1 + ceil(max(reached.values()) / busiest)) if busiest else 1


def _named(task: Task, prefix: str) -> Task:
    after = tuple(replace(edge, source=f"{prefix}{edge.source}") for edge in task.after)
    return replace(task, name=f"{prefix}{task.name}", after=after)


def _held(tasks: Sequence[Task], moves: Moves) -> list[Task]:
    """Tasks with the tiles that they write, behind the transfers that bring their operands."""
    return [
        replace(
            task,
            after=(*task.after, *(Edge(name) for name in moves.before.get(task.name, ()))),
            holds=tuple(moves.holds.get(task.name, ())),
        )
        for task in tasks
    ]


def in_order(tasks: Sequence[Task]) -> list[Task]:
    """Tasks so that each stands behind what it waits for in its own iteration; else as given."""
    waits = {task.name: {e.source for e in task.after if is_here(e)} for task in tasks}
    for task in tasks:
        for reader in {reader for hold in task.holds for reader in hold.readers}:
            waits[reader].add(task.name)
    left, found, seen = list(tasks), list[Task](), set[str]()
    while left:
        ready = next((task for task in left if waits[task.name] <= seen), None)
        if ready is None:
            names = ", ".join(task.name for task in left[:6])
            raise AccelsimError(f"{names} wait for each other within one iteration")
        left.remove(ready)
        found.append(ready)
        seen.add(ready.name)
    return found


def orders_of(placement: Placement, group: Group, prefix: str) -> Orders:
    """How each unit of a group issues its tasks."""
    found: dict[str, tuple[Order, tuple[tuple[str, int], ...]]] = {}
    for unit in dict.fromkeys(placement.plan.bind[name] for name in group.einsums):
        listed = tuple(_entry(task, prefix) for task in group.order.get(unit, ()))
        policy: Order = group.policy or "oldest"
        found[unit] = (policy, listed) if listed or policy != "static" else ("oldest", ())
    return found


def _entry(text: str, prefix: str) -> tuple[str, int]:
    name, _, stage = text.partition("+")
    if stage and not stage.isdigit():
        raise AccelsimError(
            f'order: "{text}": expected a task and how many iterations back it stands, such as {name}+2'
        )
    return f"{prefix}{name}", int(stage or 0)
