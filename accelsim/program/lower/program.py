"""The program of placed steps: their groups one after another, on the units and channels of the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd, lcm

from accelsim.arch.model import Level, Port
from accelsim.cost.analytic import step_cost
from accelsim.cost.images import Counter
from accelsim.einsum.ast import IndexExpr, IndexOp, Int
from accelsim.mapping.bind import Placement
from accelsim.memory.setup import device_of
from accelsim.program.lower.body import Clock, Orders, Setup, clock_of, lowered, orders_of
from accelsim.program.lower.engine import is_moved_by_engine
from accelsim.program.lower.numbers import Tables
from accelsim.program.lower.places import layout_of
from accelsim.program.model import Body, Loop, Memory, Order, Program, Resource, Seq, Task, Tree

SEPARATOR = "-in-order-"
MOST_TICKS = 1 << 80
PS_PER_S = 10**12


def program_of(placements: Sequence[Placement], name: str) -> Program:
    """The tile program of steps that run one after another; one child of the root for each group.

    Raises:
        AccelsimError: Einsums that wait for each other in a circle, a mask that depends on data, a unit that lacks an
            operator.
    """
    works = [step_cost(placement).works for placement in placements]
    clock, tables, layout = clock_of(placements, works), Tables(), layout_of(placements)
    groups = [
        (placement, group, table)
        for placement, table in zip(placements, works, strict=True)
        for group in placement.plan.groups
    ]
    orders = [orders_of(p, group, prefix_of(placements, p, group.name)) for p, group, _ in groups]
    names = _names(orders)
    parts = [
        lowered(
            Setup(
                placement.within(group),
                Counter.of(placement.within(group)),
                group,
                table,
                clock,
                tables,
                prefix_of(placements, placement, group.name),
                layout,
            ),
            {unit: names[unit, order] for unit, (order, _) in said.items()},
        )
        for (placement, group, table), said in zip(groups, orders, strict=True)
    ]
    channels = tuple(
        _channel(level, port, clock)
        for level in placements[0].arch.levels
        for port in level.ports
        if any(port.name in part.channels for part in parts)
    )
    program = Program(
        name,
        clock.per_s,
        (*_units(orders, names), *channels),
        Seq(tuple(part.tree for part in parts)),
        tuple(buffer for part in parts for buffer in part.buffers),
        tuple(tables.found.values()),
        tuple(tables.places.values()),
    )
    seconds = sum(step_cost(placement).seconds for placement in placements)
    finest = int(MOST_TICKS / (seconds * program.ticks_per_s * len(groups))) if seconds else 1
    return finer(program, _split_of_tick(program, tables, finest))


def _channel(level: Level, port: Port, clock: Clock) -> Resource:
    """A port of a level: bytes per tick, the DRAM behind it, or neither where an engine moves tiles."""
    if level.dram:
        period = device_of(level.dram).tick_ps * clock.per_s / PS_PER_S
        return Resource(port.name, memory=Memory(level.dram, period))
    return Resource(port.name, rate=None if is_moved_by_engine(level) else port.bytes_per_s / clock.per_s)


def _split_of_tick(program: Program, tables: Tables, most: int) -> int:
    """Into how many parts to split a tick so that transfers, and ticks of a DRAM, take whole ticks; 1 where the numbers
    would be too large.

    Remainders would be kept by the channel all the same; without any, a state recurs sooner. What a DRAM says is
    rounded up to whole ticks.
    """
    rates = [(r.rate, tables.grains[r.name]) for r in program.resources if r.rate is not None]
    periods = [resource.memory.period.denominator for resource in program.resources if resource.memory]
    parts = lcm(*(rate.numerator // gcd(rate.numerator, grain * rate.denominator) for rate, grain in rates), *periods)
    return parts if parts <= most else 1


def finer(program: Program, parts: int) -> Program:
    """The same program in ticks that are `parts` times shorter."""
    if parts == 1:
        return program
    return replace(
        program,
        ticks_per_s=program.ticks_per_s * parts,
        resources=tuple(_finer_resource(resource, parts) for resource in program.resources),
        root=_finer_tree(program.root, parts),
    )


def _finer_resource(resource: Resource, parts: int) -> Resource:
    memory = resource.memory and replace(resource.memory, period=resource.memory.period * parts)
    return replace(resource, rate=resource.rate / parts if resource.rate is not None else None, memory=memory)


def _finer_tree(tree: Tree, parts: int) -> Tree:
    match tree:
        case Body(tasks):
            return replace(tree, tasks=tuple(_finer_task(task, parts) for task in tasks))
        case Loop():
            return replace(tree, child=_finer_tree(tree.child, parts))
    return replace(tree, children=tuple(_finer_tree(child, parts) for child in tree.children))


def _finer_task(task: Task, parts: int) -> Task:
    busy = None if task.busy is None else _scaled(task.busy, parts)
    return replace(task, busy=busy, latency=_scaled(task.latency, parts))


def _scaled(expr: IndexExpr, parts: int) -> IndexExpr:
    return Int(expr.value * parts) if isinstance(expr, Int) else IndexOp("*", Int(parts), expr)


def prefix_of(placements: Sequence[Placement], placement: Placement, group: str) -> str:
    """What leads the names of a group: its step where there are several, the group where the step has several."""
    parts = [placement.step.name] if len(placements) > 1 else []
    parts += [group] if len(placement.plan.groups) > 1 else []
    return "".join(f"{part}." for part in parts)


def _names(orders: Sequence[Orders]) -> dict[tuple[str, Order], str]:
    """A resource for every unit; for every order of it where groups issue in different ones."""
    kinds: dict[str, dict[Order, None]] = {}
    for said in orders:
        for unit, (order, _) in said.items():
            kinds.setdefault(unit, {})[order] = None
    return {
        (unit, order): unit if len(known) == 1 else f"{unit}{SEPARATOR}{order}"
        for unit, known in kinds.items()
        for order in known
    }


def unit_of(resource: str) -> str:
    """The unit, or the port of a level, that a resource of a program is."""
    return resource.partition(SEPARATOR)[0]


def _units(orders: Sequence[Orders], names: Mapping[tuple[str, Order], str]) -> list[Resource]:
    lists: dict[str, tuple[Order, list[tuple[str, int]]]] = {}
    for said in orders:
        for unit, (order, listed) in said.items():
            lists.setdefault(names[unit, order], (order, []))[1].extend(listed)
    return [Resource(name, order=order, static=tuple(listed)) for name, (order, listed) in lists.items()]
