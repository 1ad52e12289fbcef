"""Busy cycles of units: firings of the array times what the operators of a point cost on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from accelsim.arch import Op, Unit
from accelsim.cost.images import Counter
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.operators import match_cost
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.mapping.model import Group

if TYPE_CHECKING:
    from accelsim.units.topk.selector import Selector


@dataclass(frozen=True)
class Work:
    """One Einsum on its unit.

    Attributes:
        points: points that exist; firings: steps of the array that issue them.
        cycles_per_point: of all operators of a point; uses: component to uses per point.
        selector: the engine that makes the Einsum's selections; None: each point is issued.
        selecting: mean cycles for which they take it.
    """

    einsum: Einsum
    unit: Unit
    points: int
    firings: int
    cycles_per_point: Fraction
    uses: dict[str, Fraction]
    selector: Selector | None = None
    selecting: Fraction = Fraction(0)

    @property
    def busy_cycles(self) -> Fraction:
        return self.firings * self.cycles_per_point + self.selecting

    @property
    def pe_cycles(self) -> Fraction:
        """Cycles that PEs spend on points: what utilisation counts. Of an engine all lanes are taken."""
        return self.points * self.cycles_per_point + self.unit.pes * self.selecting


def work_of(placement: Placement, counter: Counter, einsum: Einsum) -> Work:
    unit = placement.unit(einsum.name)
    points, firings = counter.points(einsum), counter.firings(einsum, placement.spread(einsum))
    if selector := selector_of(einsum, unit):
        cycles, compared = selecting(counter, einsum, selector)
        ((op, _),) = matched(einsum, unit)
        uses = {component: number * compared / max(points, 1) for component, number in op.uses.items()}
        return Work(einsum, unit, points, firings, Fraction(0), uses, selector, cycles)
    return Work(einsum, unit, points, firings, *point_cost(einsum, unit))


def selector_of(einsum: Einsum, unit: Unit) -> Selector | None:
    """The engine of a unit that makes the selections of an Einsum; None: each point is issued.

    Raises:
        AccelsimError: other operators at its points, for which the engine has no place.
    """
    found = matched(einsum, unit)
    engine = next((op.selector for op, _ in found if op.selector), None)
    if engine and len(found) > 1:
        raise AccelsimError(f"unit {unit.name}: its engine selects among values, which {einsum.name} computes first")
    return engine


def least_cycles(counter: Counter, einsum: Einsum, unit: Unit) -> Fraction:
    """Cycles that all PEs of a unit take at the least for an Einsum, whatever its data.

    Raises:
        AccelsimError: the unit lacks an operator.
    """
    if not (selector := selector_of(einsum, unit)):
        return point_cost(einsum, unit)[0] * counter.points(einsum) / unit.pes
    from accelsim.cost.selections import selections
    from accelsim.units.topk.selector import least_interval

    sizes = selections(counter, einsum).sizes()
    return sum((Fraction(count) * least_interval(selector, n, k) for n, k, count in sizes), Fraction(0))


def selecting(counter: Counter, einsum: Einsum, selector: Selector) -> tuple[Fraction, Fraction]:
    """Mean cycles in which an engine is taken by all selections of an Einsum, and its comparisons."""
    from accelsim.cost.selections import selections
    from accelsim.units.topk.selector import mean_served

    cycles = compared = Fraction(0)
    for n, k, count in selections(counter, einsum).sizes():
        served = mean_served(selector, n, k)
        cycles, compared = cycles + count * served.interval, compared + count * served.compared
    return cycles, compared


def point_cost(einsum: Einsum, unit: Unit) -> tuple[Fraction, dict[str, Fraction]]:
    """Cycles and component uses of one point of an Einsum on a unit.

    Raises:
        AccelsimError: the unit lacks an operator; what it has is listed. Or an engine makes whole selections there.
    """
    cycles, uses = Fraction(0), dict[str, Fraction]()
    for op, times in matched(einsum, unit):
        if op.selector:
            raise AccelsimError(f"unit {unit.name}: {op.selector.engine} selects as data have it, not point by point")
        cycles += op.cycles * times
        for component, number in op.uses.items():
            uses[component] = uses.get(component, Fraction(0)) + number * times
    return cycles, uses


def matched(einsum: Einsum, unit: Unit) -> tuple[tuple[Op, int], ...]:
    try:
        return tuple(match_cost(einsum, unit.ops))
    except AccelsimError as error:
        raise AccelsimError(f"unit {unit.name}: {error.message}", error.mark) from None


def group_cycles(group: Group, works: dict[str, Work]) -> Fraction:
    """Cycles of a group: the sum over its phases of the busiest unit and of latency that nothing hides."""
    return sum((_phase_cycles(group, phase, works) for phase in phases_of(group)), Fraction(0))


def phases_of(group: Group) -> tuple[tuple[str, ...], ...]:
    """Einsums that run side by side; `sequential` runs one Einsum after the other."""
    if group.overlap == "phases":
        return group.phases
    return tuple((e,) for e in group.einsums) if group.overlap == "sequential" else (group.einsums,)


def _phase_cycles(group: Group, phase: tuple[str, ...], works: dict[str, Work]) -> Fraction:
    exposed = Fraction(0)
    for name in phase:
        if name in group.exposed:
            exposed += works[name].unit.latency[group.exposed[name]] * works[name].firings
    return max(busy_by_unit(group, phase, works).values(), default=Fraction(0)) + exposed


def busy_by_unit(group: Group, names: Iterable[str], works: Mapping[str, Work]) -> dict[str, Fraction]:
    """Cycles that each unit works on some Einsums of a group; those done together take as long as the slowest."""
    return _by_unit(group, {name: works[name].busy_cycles for name in names}, works)


def pe_cycles_by_unit(group: Group, works: Mapping[str, Work]) -> dict[str, Fraction]:
    """Cycles that PEs of each unit spend on points of a group; on those done together as many as the most takes."""
    return _by_unit(group, {name: works[name].pe_cycles for name in group.einsums}, works)


def _by_unit(group: Group, cycles: Mapping[str, Fraction], works: Mapping[str, Work]) -> dict[str, Fraction]:
    tasks: dict[tuple[str, str], Fraction] = {}
    for name, own in cycles.items():
        key = works[name].unit.name, group.task_of(name)
        tasks[key] = max(tasks.get(key, Fraction(0)), own)
    found: dict[str, Fraction] = {}
    for (unit, _), most in tasks.items():
        found[unit] = found.get(unit, Fraction(0)) + most
    return found
