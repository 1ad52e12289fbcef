"""Depth `bound`: no mapping can be faster than the best split of all operations over the units, or than its bytes."""

from __future__ import annotations

from fractions import Fraction
from math import prod

from accelsim.arch import Arch
from accelsim.cost.analytic import StepCost, port_seconds
from accelsim.cost.compute import least_cycles
from accelsim.cost.images import Counter, Visit, operands
from accelsim.einsum.ast import Lookup
from accelsim.einsum.counts import Counts, count
from accelsim.einsum.walk import walk
from accelsim.errors import AccelsimError
from accelsim.result import Part, Transfer
from accelsim.workload import Step

ROUNDS = 12  # sweeps over pairs of units; two units need one


def step_bound(arch: Arch, step: Step) -> StepCost:
    """The lower bound of one step: compulsory bytes over bandwidth against operations over peak."""
    counts = count(step.shapes, step.types)
    counter = Counter.over(step.shapes, {c: ((c, 1),) for e in step.shapes.cascade.einsums for c in e.coordinates})
    table = _compulsory(step, counter)
    off_chip = arch.off_chip
    limits = {"compute": _compute_seconds(arch, step, counts, counter), **port_seconds(off_chip, table.values())}
    bound_by = max(limits, key=lambda name: limits[name])
    part = Part(step.name, max(limits.values()), limits, bound_by)
    return StepCost((part,), {}, {off_chip.name: table}, {}, counts.macs)


def _compulsory(step: Step, counter: Counter) -> dict[str, Transfer]:
    """Bytes of what some point reads of the inputs and of what exists of the outputs, each once."""
    shapes, zero = step.shapes, Fraction(0)
    visits: dict[str, list[Visit]] = {}
    for einsum in shapes.cascade.einsums:
        for access in operands(einsum):
            visits.setdefault(access.tensor, []).append(Visit(einsum, access))
    read = {tensor: _read(counter, visits[tensor]) for tensor in shapes.cascade.inputs if tensor in visits}
    table = {tensor: Transfer(size * step.types[tensor].bytes, zero) for tensor, size in read.items()}
    for tensor in shapes.cascade.outputs:
        table[tensor] = Transfer(zero, _written(counter, tensor) * step.types[tensor].bytes)
    return table


def _written(counter: Counter, tensor: str) -> int:
    """Elements of a result that are written: those that exist; of a scatter no more than it has places."""
    found = counter.results(tensor)
    lines = [einsum for einsum in counter.shapes.cascade.einsums if einsum.tensor == tensor]
    if not all(any(isinstance(item, Lookup) for item in walk(einsum.target)) for einsum in lines):
        return found
    return min(found, max(counter.images([Visit(einsum, einsum.target)], ()) for einsum in lines))


def _read(counter: Counter, visits: list[Visit]) -> int:
    """Elements of a tensor that are read; of a gathered one no more than the whole of it."""
    whole = prod(counter.shapes.shapes[visits[0].access.tensor])
    gathers = any(isinstance(item, Lookup) for visit in visits for item in walk(visit.access))
    found = max(counter.images([v], ()) for v in visits) if gathers else counter.images(visits, ())
    return min(found, whole)


def _compute_seconds(arch: Arch, step: Step, counts: Counts, counter: Counter) -> Fraction:
    """Every Einsum split over all units that can run it, as well as can be."""
    rows = []
    for einsum in step.shapes.cascade.einsums:
        if einsum.name in counts.per_einsum:
            costs = {}
            reasons = []
            for unit in arch.units.values():
                try:
                    costs[unit.name] = least_cycles(counter, einsum, unit)
                except AccelsimError as error:
                    reasons.append(error)
            if not costs:
                said = " | ".join(reason.message for reason in reasons)
                raise AccelsimError(f"no unit can run {einsum.name}: {said}", einsum.mark)
            rows.append(costs)
    return split_bound(rows, tuple(arch.units)) / arch.clock_hz


def split_bound(rows: list[dict[str, Fraction]], units: tuple[str, ...]) -> Fraction:
    """A lower bound on the makespan when each row is divided freely over the units that it has a time for.

    By duality no division is faster than `sum over rows of min over units of weight x time`, for any weights that add
    up to 1. With two units the best weights lie where a row is indifferent, and the bound is exact; with more, pairs of
    units are improved in turn and the bound may lie below the optimum.
    """
    weights = {unit: Fraction(1, len(units)) for unit in units}
    best = _dual(rows, weights)
    for _ in range(1 if len(units) == 2 else ROUNDS):
        for at, left in enumerate(units):
            for right in units[at + 1 :]:
                weights, best = _improved(rows, weights, best, left, right)
    return max(best, *(_dual(rows, {u: Fraction(int(u == only)) for u in units}) for only in units))


def _dual(rows: list[dict[str, Fraction]], weights: dict[str, Fraction]) -> Fraction:
    return sum((min(weights[u] * time for u, time in row.items()) for row in rows), Fraction(0))


def _improved(
    rows: list[dict[str, Fraction]], weights: dict[str, Fraction], best: Fraction, left: str, right: str
) -> tuple[dict[str, Fraction], Fraction]:
    """The weights of two units divided anew, at every ratio at which a row is indifferent between them."""
    total = weights[left] + weights[right]
    for row in rows:
        if left in row and right in row and row[left] + row[right] > 0:
            share = total * row[right] / (row[left] + row[right])
            tried = {**weights, left: share, right: total - share}
            value = _dual(rows, tried)
            if value > best:
                weights, best = tried, value
    return weights, best
