"""From depth to engine: the visible list of stages that turns an architecture and a workload into a `Result`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias

from accelsim.arch import Arch, load_arch
from accelsim.arch.model import Component
from accelsim.cost.analytic import Actions, StepCost, Traffic, component_of, energy_by, step_cost
from accelsim.cost.bound import step_bound
from accelsim.cost.compute import Work, busy_by_unit, pe_cycles_by_unit
from accelsim.errors import AccelsimError, nearest
from accelsim.mapping import Mapping, Placement, default_mapping, load_mapping, mappings_for, place
from accelsim.mapping.bind import mapping_parameters
from accelsim.mapping.sense import doubts
from accelsim.result import EinsumUse, Machine, Part, Result, Transfer, UnitUse
from accelsim.route import Names, Overrides, names_of, route
from accelsim.version import VERSION
from accelsim.workload import Step, Workload, load_workload, provenance, steps
from accelsim.yamlfile import Node

if TYPE_CHECKING:
    from accelsim.program.served import Served
    from accelsim.program.timed import Timed

DEPTHS = ("bound", "analytic", "cycle")
Mappings: TypeAlias = "Mapping | Sequence[Mapping] | None"
"""One or several, each for the functions that it names; every other function takes what is shipped for it."""


def simulate(arch: Arch, workload: Workload, mapping: Mappings = None, depth: str = "analytic") -> Result:
    """What a workload costs on an architecture.

    Args:
        mapping: how it runs: a mapping, or several for different functions of the workload; a function that none is for
            takes the mapping that is shipped for it on this architecture.
        depth: `bound`, `analytic` or `cycle`.

    >>> import accelsim as ac
    >>> result = ac.simulate(ac.load_arch("fusemax"), ac.load_workload("bert", ["L=1024"]))
    >>> result.cycles
    1892352

    Raises:
        AccelsimError: an unknown depth, no mapping, two for the same function, or a mapping that does not fit the
            workload or the hardware.
    """
    if depth not in DEPTHS:
        raise AccelsimError(f'unknown depth "{depth}"{nearest(depth, DEPTHS)}')
    if depth == "bound":
        given = _given(mapping)
        built = steps(workload, partial(_offered_cascade, arch, workload, given))
        _check_used(given, workload, built)
        return _result(arch, workload, depth, [(step, step_bound(arch, step)) for step in built])
    return simulate_placed(arch, workload, placed(arch, workload, mapping), depth)


def simulate_placed(
    arch: Arch, workload: Workload, placements: tuple[Placement, ...], depth: str = "analytic"
) -> Result:
    """`simulate` on the steps of a workload that are placed already, each under a mapping of its own.

    Args:
        depth: `analytic` or `cycle`.
    """
    if depth == "cycle":
        return _executed(arch, workload, placements)[0]
    return _result(arch, workload, depth, [(p.step, step_cost(p)) for p in placements], placements)


def executed(
    arch: Arch, workload: Workload, mapping: Mappings = None, *, skip: bool = True, trace: int = 0
) -> tuple[Result, Timed]:
    """Depth `cycle` with the program that ran and its run.

    Args:
        skip: leap over what repeats; False executes every start, for the same integers.
        trace: how many of the first starts the run keeps.
    """
    return _executed(arch, workload, placed(arch, workload, mapping), skip=skip, trace=trace)


def _executed(
    arch: Arch, workload: Workload, placements: tuple[Placement, ...], *, skip: bool = True, trace: int = 0
) -> tuple[Result, Timed]:
    from accelsim.program.timed import timed

    found = timed(placements, workload.name, skip, trace)
    costs = [(p.step, cost) for p, cost in zip(placements, found.costs, strict=True)]
    result = _result(arch, workload, "cycle", costs, placements)
    result = replace(result, waits=found.waits, bound_by=found.bound_by, units={**result.units, **_drawn(arch, found)})
    return (_with_commands(result, found.served) if found.served else result), found


def _drawn(arch: Arch, found: Timed) -> dict[str, UnitUse]:
    """How units whose engines select were used: by what was drawn for each selection, not by the means."""
    from accelsim.program.lower.program import unit_of

    whole, per_cycle = Fraction(found.run.ticks), found.program.ticks_per_s / arch.clock_hz
    engines = {name for name, unit in arch.units.items() if any(op.selector for op in unit.ops.values())}
    busy = {unit_of(name): Fraction(ticks) for name, ticks in found.run.busy.items() if unit_of(name) in engines}
    return {name: UnitUse(ticks / per_cycle, ticks / whole) for name, ticks in busy.items()}


def _with_commands(result: Result, served: Served) -> Result:
    """The result with what a DRAM did; the energy of its commands, where it is known, instead of that of accesses."""
    level, energy, scope = served.level, result.energy_by, result.scope
    if energy is not None and served.energy_pj is not None:
        energy = {**energy, level: served.energy_pj}
        scope = tuple(served.scope if said.startswith(f"{level}: ") else said for said in scope)
    return replace(
        result,
        actions={**result.actions, f"{level}.commands": served.actions},
        energy_by=energy,
        scope=scope,
        notes=(*result.notes, served.note),
        provenance={**result.provenance, level: served.provenance},
    )


def simulate_named(
    arch: str, workload: str, overrides: Sequence[str] = (), mapping: Names = None, depth: str = "analytic"
) -> Result:
    """`simulate` on names or paths, with `path=value` overrides of any of the three."""
    found = load_named(arch, workload, overrides, mapping)
    return simulate(*found, depth=depth)


def load_named(
    arch: str, workload: str, overrides: Sequence[str] = (), mapping: Names = None
) -> tuple[Arch, Workload, tuple[Mapping, ...]]:
    """Architecture, workload and the mappings that are given, with each override where it belongs."""
    said: Overrides = route(arch, workload, mapping, overrides)
    loaded = load_arch(arch, said.arch), load_workload(workload, said.workload)
    names = names_of(mapping)
    if said.mapping and not names:
        function = steps(loaded[1])[0].function
        names = (default_mapping(loaded[0], function, loaded[1].cascade).path,)
    return (*loaded, tuple(load_mapping(name, said.mapping) for name in names))


def placed(arch: Arch, workload: Workload, mapping: Mappings) -> tuple[Placement, ...]:
    """Every step of a workload placed on the architecture; memoised on the loaded objects."""
    return _placed(arch, workload, _given(mapping))


def _given(mapping: Mappings) -> tuple[Mapping, ...]:
    return (mapping,) if isinstance(mapping, Mapping) else tuple(mapping or ())


@lru_cache(maxsize=32)
def _placed(arch: Arch, workload: Workload, mappings: tuple[Mapping, ...]) -> tuple[Placement, ...]:
    chosen: dict[str, Mapping] = {}

    def mapping_of(function: str) -> Mapping:
        if function not in chosen:
            own = _given_for(mappings, function)
            chosen[function] = own or default_mapping(arch, function, workload.cascade)
        return chosen[function]

    plain = steps(workload, lambda function: mapping_of(function).cascade)
    _check_used(mappings, workload, plain)
    given = {step.function: mapping_parameters(mapping_of(step.function), arch, step) for step in plain}
    final = steps(workload, lambda f: mapping_of(f).cascade, lambda f: given[f]) if any(given.values()) else plain
    for step in final:
        _check_cascade(mapping_of(step.function), step)
    return tuple(place(mapping_of(step.function), arch, step) for step in final)


def _given_for(given: Sequence[Mapping], function: str) -> Mapping | None:
    """The one that is for a function, None where there is none. Raises AccelsimError where there are two."""
    found = [mapping for mapping in given if function in mapping.functions]
    if len(found) > 1:
        one, two = (f"{mapping.name} ({mapping.path})" for mapping in found[:2])
        raise AccelsimError(f"mappings {one} and {two} are both for {function}: give one")
    return found[0] if found else None


def _offered_cascade(arch: Arch, workload: Workload, given: Sequence[Mapping], function: str) -> str | None:
    """The cascade that a run would take, so that its bound is a bound of it; None where no mapping is shipped."""
    mapping = _given_for(given, function)
    if mapping is not None:
        return mapping.cascade
    found = mappings_for(arch, function, workload.cascade)
    return found[0].cascade if found else None


def _check_used(given: Sequence[Mapping], workload: Workload, built: Sequence[Step]) -> None:
    """Refuse a mapping that is given but written for no step of the workload."""
    for mapping in given:
        if not any(step.function in mapping.functions for step in built):
            functions = ", ".join(mapping.functions)
            raise AccelsimError(f"mapping {mapping.name} is for {functions}; {workload.name} has none of it")


def _check_cascade(mapping: Mapping, step: Step) -> None:
    if mapping.cascade not in (None, step.cascade_name):
        raise AccelsimError(
            f"mapping {mapping.name} is for the cascade {mapping.cascade} of {step.function}, not {step.cascade_name}"
        )


def _result(
    arch: Arch,
    workload: Workload,
    depth: str,
    costs: list[tuple[Step, StepCost]],
    placements: tuple[Placement, ...] = (),
) -> Result:
    seconds = sum((cost.seconds for _, cost in costs), Fraction(0))
    actions, traffic = _merged_actions(costs), _merged_traffic(arch, costs)
    works = {_named(costs, step, name): work for step, cost in costs for name, work in cost.works.items()}
    parts = tuple(_part(costs, step, part) for step, cost in costs for part in cost.parts)
    energy = energy_by(arch, actions) if depth != "bound" else None
    names = dict.fromkeys(p.mapping.name for p in placements)
    return Result(
        workload=workload.name,
        arch=arch.name,
        mapping=" + ".join(names) if names else "none",
        depth=depth,
        engine="accelsim",
        seconds=seconds,
        cycles_exact=seconds * arch.clock_hz,
        clock_hz=arch.clock_hz,
        energy_by=energy,
        actions=actions if depth != "bound" else {},
        units=_unit_uses(arch, costs, placements, seconds),
        traffic=traffic,
        einsums=_einsum_uses(arch, works, seconds),
        macs=_macs(costs),
        bound_by=_bound_by(parts),
        params={**workload.params, **_step_params(costs)},
        version=VERSION,
        parts=parts,
        area_um2=arch.area_um2(),
        scope=_scope(arch, actions) if energy is not None else (),
        notes=(*arch.notes, *(doubt for placement in placements for doubt in doubts(placement))),
        provenance=_provenance(arch, workload, placements),
        machine=_machine(arch),
        resolved=_resolved(arch, workload, placements),
    )


def _named(costs: list[tuple[Step, StepCost]], step: Step, name: str) -> str:
    return name if len(costs) == 1 else f"{step.name}.{name}"


def _part(costs: list[tuple[Step, StepCost]], step: Step, part: Part) -> Part:
    return Part(_named(costs, step, part.name), part.seconds, part.limits, part.bound_by)


def _merged_actions(costs: list[tuple[Step, StepCost]]) -> Actions:
    total: Actions = {}
    for _, cost in costs:
        for component, table in cost.actions.items():
            into = total.setdefault(component, {})
            for action, count in table.items():
                into[action] = into.get(action, Fraction(0)) + count
    return total


def _merged_traffic(arch: Arch, costs: list[tuple[Step, StepCost]]) -> Traffic:
    """Bytes by level and tensor, levels outermost first, tensors by their names in the workload."""
    total: Traffic = {level.name: {} for level in arch.levels}
    for step, cost in costs:
        for level, table in cost.traffic.items():
            into = total.setdefault(level, {})
            for tensor, moved in table.items():
                name = step.tensors.get(tensor, tensor)
                into[name] = into.get(name, Transfer(Fraction(0), Fraction(0))) + moved
    return {level: table for level, table in total.items() if table}


def _unit_uses(
    arch: Arch, costs: list[tuple[Step, StepCost]], placements: tuple[Placement, ...], seconds: Fraction
) -> dict[str, UnitUse]:
    """How every unit was used; nothing at depth `bound`, which gives no unit any work."""
    if not any(cost.works for _, cost in costs):
        return {}
    cycles, busy, spent = seconds * arch.clock_hz, dict[str, Fraction](), dict[str, Fraction]()
    for (_, cost), placement in zip(costs, placements, strict=False):
        for group in placement.plan.groups:
            for total, found in (
                (busy, busy_by_unit(group, group.einsums, cost.works)),
                (spent, pe_cycles_by_unit(group, cost.works)),
            ):
                for unit, own in found.items():
                    total[unit] = total.get(unit, Fraction(0)) + own
    nothing = Fraction(0)
    return {
        name: UnitUse(busy.get(name, nothing), spent.get(name, nothing) / (unit.pes * cycles) if cycles else nothing)
        for name, unit in arch.units.items()
    }


def _einsum_uses(arch: Arch, works: dict[str, Work], seconds: Fraction) -> dict[str, EinsumUse]:
    cycles = seconds * arch.clock_hz
    return {
        name: EinsumUse(
            work.unit.name, work.busy_cycles, work.pe_cycles / (work.unit.pes * cycles) if cycles else Fraction(0)
        )
        for name, work in works.items()
    }


def _macs(costs: list[tuple[Step, StepCost]]) -> int:
    return sum(cost.macs for _, cost in costs)


def _bound_by(parts: tuple[Part, ...]) -> str:
    """What limits most of the time."""
    shares: dict[str, Fraction] = {}
    for part in parts:
        shares[part.bound_by] = shares.get(part.bound_by, Fraction(0)) + part.seconds
    return max(shares, key=lambda name: shares[name])


def _step_params(costs: list[tuple[Step, StepCost]]) -> dict[str, int | str]:
    if len(costs) != 1:
        return {}
    step = costs[0][0]
    return {**step.shapes.params, "cascade": step.cascade_name}


def _scope(arch: Arch, actions: Actions) -> tuple[str, ...]:
    """What the energy covers, every entry with node, voltage, class and source."""
    names = {name: arch.components[component_of(arch, name)] for name in actions}
    return tuple(_entry(name, component) for name, component in names.items())


def _entry(name: str, component: Component) -> str:
    volts = f", {component.voltage}" if component.voltage else ", voltage not stated"
    return f"{name}: {component.node}{volts}, {component.kind}: {component.source}"


def _provenance(arch: Arch, workload: Workload, placements: tuple[Placement, ...]) -> dict[str, str]:
    found = {
        "arch": f"{arch.name} sha256:{arch.sha256[:16]}",
        **provenance(workload),
    }
    for placement in placements:
        mapping = placement.mapping
        found[f"mapping.{placement.step.name}"] = f"{mapping.name} sha256:{mapping.sha256[:16]}"
    return found


def _resolved(arch: Arch, workload: Workload, placements: tuple[Placement, ...]) -> dict[str, Node]:
    mappings = {f"mapping.{placement.step.name}": placement.mapping.document for placement in placements}
    return {"arch": arch.resolved, "workload": workload.resolved, **mappings}


def _machine(arch: Arch) -> Machine:
    peaks = {
        unit.name: 2 * unit.pes * arch.clock_hz / unit.ops["mac"].cycles
        for unit in arch.units.values()
        if "mac" in unit.ops and unit.ops["mac"].cycles
    }
    return Machine(peaks, {v.name: v.bytes_per_s for v in arch.levels if v.bytes_per_s is not None})
