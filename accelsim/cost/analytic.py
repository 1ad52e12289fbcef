"""Depth `analytic`: the closed rule of SEMANTICS section 3 for one step, exact in rationals."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from accelsim.arch import Arch, Level
from accelsim.cost.compute import Work, busy_by_unit, group_cycles, work_of
from accelsim.cost.images import Counter
from accelsim.cost.registers import register_accesses
from accelsim.cost.traffic import group_traffic
from accelsim.einsum.counts import count
from accelsim.einsum.parse import parse_index
from accelsim.errors import nearest
from accelsim.mapping.bind import Placement, placed_value
from accelsim.mapping.model import Group
from accelsim.result import Part, Transfer

Traffic = dict[str, dict[str, Transfer]]
Actions = dict[str, dict[str, Fraction]]


@dataclass(frozen=True)
class StepCost:
    """What one step costs: its parts in time, the work of every Einsum, bytes, and actions of components."""

    parts: tuple[Part, ...]
    works: dict[str, Work]
    traffic: Traffic
    actions: Actions
    macs: int

    @property
    def seconds(self) -> Fraction:
        return sum((part.seconds for part in self.parts), Fraction(0))


@lru_cache(maxsize=64)
def step_cost(placement: Placement) -> StepCost:
    """The cost of a placed step; memoised on the placement, which is compared by identity."""
    views = {name: placement.within(group) for group in placement.plan.groups for name in group.einsums}
    counters = {view: Counter.of(view) for view in dict.fromkeys(map(placement.within, placement.plan.groups))}
    works = {e.name: work_of(views[e.name], counters[views[e.name]], e) for e in placement.einsums}
    traffic: Traffic = {}
    parts = []
    for group in placement.plan.groups:
        _check_engines(group, works)
        view = placement.within(group)
        found = group_traffic(view, counters[view], group)
        parts.append(_part(placement.arch, group, works, found))
        add_traffic(traffic, found)
    macs = count(placement.step.shapes, placement.step.types).macs
    return StepCost(tuple(parts), works, traffic, _actions(placement, counters, works, traffic), macs)


def _check_engines(group: Group, works: dict[str, Work]) -> None:
    """Raise AccelsimError where an Einsum that an engine selects for is to be done together with others."""
    for task, names in group.together.items():
        for name in names:
            if works[name].selector:
                raise group.node.error(f"together.{task}: {name} is selected by an engine, which does nothing beside")


def add_traffic(total: Traffic, found: Traffic) -> None:
    for level, table in found.items():
        into = total.setdefault(level, {})
        for tensor, moved in table.items():
            into[tensor] = into[tensor] + moved if tensor in into else moved


def _part(arch: Arch, group: Group, works: dict[str, Work], traffic: Traffic) -> Part:
    """One group: what each port of a level and the units would take alone, and the greatest of it."""
    limits: dict[str, Fraction] = {}
    for level in arch.levels:
        limits |= port_seconds(level, traffic.get(level.name, {}).values())
    compute = group_cycles(group, {name: works[name] for name in group.einsums}) / arch.clock_hz
    busiest = _busiest(group, works)
    limits[busiest] = compute
    bound_by = max(limits, key=lambda name: limits[name])
    return Part(group.name, max(limits.values()), limits, bound_by)


def port_seconds(level: Level, moved: Iterable[Transfer]) -> dict[str, Fraction]:
    """How long each limited port of a level would take alone."""
    total = sum(moved, Transfer(Fraction(0), Fraction(0)))
    return {port.name: port.seconds(total.read, total.write) for port in level.ports}


def _busiest(group: Group, works: dict[str, Work]) -> str:
    busy = busy_by_unit(group, group.einsums, works)
    return max(busy, key=lambda unit: busy[unit])


def _actions(
    placement: Placement, counters: Table[Placement, Counter], works: dict[str, Work], traffic: Traffic
) -> Actions:
    """Component to action to count: level accesses, operator uses, register accesses."""
    arch = placement.arch
    actions: Actions = {}
    for level in arch.levels:
        width = arch.components[level.component].width_bytes or Fraction(1)
        moved = traffic.get(level.name, {}).values()
        actions[level.name] = {
            "read": sum((t.read for t in moved), Fraction(0)) / width,
            "write": sum((t.write for t in moved), Fraction(0)) / width,
        }
    for work in works.values():
        for component, uses in work.uses.items():
            table = actions.setdefault(f"{work.unit.name}.{component}", {"use": Fraction(0)})
            table["use"] += uses * work.points
    for group in placement.plan.groups:
        view = placement.within(group)
        for name in group.einsums:
            _add_registers(view, counters[view], group, name, actions)
    return _replaced(placement, actions)


def _add_registers(placement: Placement, counter: Counter, group: Group, name: str, actions: Actions) -> None:
    einsum, unit = placement.einsum(name), placement.unit(name)
    if unit.registers is None:
        return
    width = placement.arch.components[unit.registers].width_bytes or Fraction(1)
    share = placement.step.types[einsum.tensor].bytes / width * Fraction(unit.counted, unit.pes)
    reads, writes = register_accesses(placement, counter, group, einsum)
    table = actions.setdefault(f"{unit.name}.registers", {"read": Fraction(0), "write": Fraction(0)})
    table["read"] += reads * share
    table["write"] += writes * share


def _replaced(placement: Placement, actions: Actions) -> Actions:
    """Counts that the mapping gives as expressions take the place of ours: how a study counted is data."""
    for name, table in placement.plan.counts.items():
        if name not in actions:
            raise placement.plan.document.error(f'counts: unknown component "{name}"{nearest(name, actions)}')
        for action, node in table.items():
            if action not in actions[name]:
                raise node.error(f'unknown action "{action}"{nearest(action, actions[name])}')
            value = placed_value(parse_index(node), placement.step, node)
            if value < 0:
                raise node.error(f"gives {value} at these sizes; a count is never negative")
            actions[name][action] = Fraction(value)
    return actions


def energy_by(arch: Arch, actions: Actions) -> dict[str, Fraction] | None:
    """Component to pJ: count x table; None where the table lacks an action that was counted."""
    found: dict[str, Fraction] = {}
    for name, table in actions.items():
        energies = arch.components[component_of(arch, name)].energy_pj
        for action, times in table.items():
            if times and action not in energies:
                return None
            found[name] = found.get(name, Fraction(0)) + times * energies.get(action, Fraction(0))
    return found


def component_of(arch: Arch, name: str) -> str:
    """The table entry behind a name in `actions`."""
    level = arch.level(name)
    if level:
        return level.component
    unit, _, component = name.partition(".")
    if component == "registers":
        return arch.units[unit].registers or ""
    return component
