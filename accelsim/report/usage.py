"""The numbers of single designs: utilisation, energy by component, busy share by Einsum, latency, roofline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from accelsim.report.rows import Run
from accelsim.report.settings import Scope
from accelsim.report.study import Study
from accelsim.report.tables import Table, table_of

MAC, REGISTERS = "mac", "registers"
OTHER = "other"
OPERATORS = ("add", "max", "exp", "div")  # in this order in every report, others after them
MOST_GROUPS = 8
SMALL = 0.01


def utilization(study: Study, scope: Scope) -> Table:
    """Work over (PEs x cycles) of every unit of every design at every point; None where the point is missing."""
    rows = (
        (unit, workload, size, arch, run.utilization.get(unit) if run else None)
        for unit in units_of(study)
        for workload in scope.workloads
        for size in study.sizes
        for arch in study.archs
        for run in [study.run(arch, workload, size)]
    )
    return table_of(("unit", "workload", "size", "arch", "utilization"), rows)


def units_of(study: Study) -> list[str]:
    """The units of all designs, in order of appearance."""
    return list(dict.fromkeys(unit for run in study.runs.values() for unit in run.utilization))


def latency(study: Study) -> Table:
    """Seconds of every design over the size, for every scope and workload."""
    rows = (
        (scope.name, workload, arch, size, run.seconds if run else None)
        for scope in study.settings.scopes
        for workload in scope.workloads
        for arch in study.archs
        for size in study.sizes
        for run in [study.run(arch, workload, size)]
    )
    return table_of(("scope", "workload", "arch", "size", "seconds"), rows)


def energy_parts(study: Study, scope: Scope) -> Table:
    """Energy by group of components at the focus size: pJ, relative to the baseline's total, share of the design's."""
    groups = component_groups(study)
    order = list(dict.fromkeys(groups.values()))
    rows = (
        (workload, arch, group, energy, energy / base.energy_pj if base and base.energy_pj else None, energy / total)
        for workload in scope.workloads
        for base in [study.run(study.baseline, workload, study.focus)]
        for arch, run in _runs_at(study, workload)
        for total in [run.energy_pj]
        if total
        for group in order
        for energy in [sum(pj for name, pj in run.energy_by.items() if groups[name] == group)]
    )
    return table_of(("workload", "arch", "component", "energy_pj", "relative", "share"), rows)


def component_groups(study: Study) -> Mapping[str, str]:
    """Component to the group it is drawn in, from MAC over the other operators and registers out to the last level.

    `<unit>.<operator>` belongs to the operator, whatever the unit; a name without a dot is a level of its own, the
    outermost first. With more than eight groups, the operators that cost least are drawn as one.
    """
    runs = list(study.runs.values())
    names = dict.fromkeys(name for run in runs for name in run.energy_by)
    levels = [name for name in names if "." not in name]
    kinds = {name: name.rpartition(".")[2] for name in names}
    operators = [kind for kind in dict.fromkeys(kinds.values()) if kind not in (MAC, REGISTERS, *levels)]
    operators.sort(key=lambda kind: OPERATORS.index(kind) if kind in OPERATORS else len(OPERATORS))
    kept = _costliest(operators, kinds, runs, MOST_GROUPS - 2 - len(levels))
    order = [MAC, *kept, OTHER, REGISTERS, *reversed(levels)]
    drawn = {name: kind if kind in order else OTHER for name, kind in kinds.items()}
    return dict(sorted(drawn.items(), key=lambda item: order.index(item[1])))


def _costliest(operators: list[str], kinds: Mapping[str, str], runs: list[Run], most: int) -> list[str]:
    if len(operators) <= most:
        return operators
    cost = {
        kind: max((sum(e for n, e in r.energy_by.items() if kinds[n] == kind) / (r.energy_pj or 1.0)) for r in runs)
        for kind in operators
    }
    best = sorted(operators, key=lambda kind: -cost[kind])[: max(0, most - 1)]
    return [kind for kind in operators if kind in best]


def _runs_at(study: Study, workload: str) -> Iterator[tuple[str, Run]]:
    """The designs that have a run of a workload at the focus size."""
    for arch in study.archs:
        if run := study.run(arch, workload, study.focus):
            yield arch, run


def einsum_shares(study: Study, scope: Scope) -> Table:
    """Busy cycles of every Einsum over all cycles by unit at the focus size; those under 1% everywhere are `other`."""
    names = short_names(study)
    found = [
        (workload, arch, unit, names[name], cycles / (run.seconds * run.clock_hz))
        for workload in scope.workloads
        for arch, run in _runs_at(study, workload)
        if run.clock_hz
        for unit, einsums in run.einsums.items()
        for name, cycles in einsums.items()
    ]
    largest: dict[tuple[str, str], float] = {}
    for _, _, unit, name, share in found:
        largest[unit, name] = max(largest.get((unit, name), 0.0), share)
    sums: dict[tuple[str, str, str, str], float] = {}
    for workload, arch, unit, name, share in found:
        key = (workload, arch, unit, OTHER if largest[unit, name] < SMALL else name)
        sums[key] = sums.get(key, 0.0) + share
    ordered = sorted(sums.items(), key=lambda item: item[0][3] == OTHER)
    return table_of(("workload", "arch", "unit", "einsum", "busy_share"), [(*key, share) for key, share in ordered])


def short_names(study: Study) -> Mapping[str, str]:
    """Einsum to what it is called in figures: `step.einsum` is the step if it has no other, else the Einsum."""
    names = dict.fromkeys(n for run in study.runs.values() for table in run.einsums.values() for n in table)
    steps = Counter(name.partition(".")[0] for name in names)
    pairs = ((name, *name.partition(".")[::2]) for name in names)
    return {name: (step if steps[step] == 1 else einsum) if einsum else name for name, step, einsum in pairs}


def roofline(study: Study, scope: Scope) -> Table:
    """Points (2 x MACs per byte of the outermost level, and per second) and the machines' ceilings, if they are known.

    Rows of kind `peak` name a unit and its flop/s, rows of kind `bandwidth` a level and its bytes/s, both in `per_s`.
    A unit whose peak is under half of what the slowest point reaches limits no point and is left out.
    """
    found = list(_on_roof(study, scope))
    points = [
        ("point", arch, workload, size, 2 * run.macs / run.bytes[level], 2 * run.macs / run.seconds)
        for arch, workload, size, run, level in found
    ]
    slowest = min((point[-1] for point in points), default=0.0)
    slopes = {("bandwidth", level, run.bandwidth[level]): None for *_, run, level in found}
    peaks = {("peak", *peak): None for *_, run, _ in found for peak in run.peak_flops.items() if peak[1] > slowest / 2}
    ceilings = [(kind, name, None, None, None, value) for kind, name, value in (*slopes, *peaks)]
    return table_of(("kind", "name", "workload", "size", "flop_per_byte", "per_s"), [*points, *ceilings])


def _on_roof(study: Study, scope: Scope) -> Iterator[tuple[str, str, int, Run, str]]:
    """The runs that a roofline can show, each with its outermost level of known bandwidth."""
    for arch in study.archs:
        for workload in scope.workloads:
            for size in study.sizes:
                run = study.run(arch, workload, size)
                level = next((name for name in run.bandwidth if run.bytes.get(name)), None) if run else None
                if run and level and run.macs:
                    yield arch, workload, size, run, level
