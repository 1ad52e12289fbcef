"""Where an Einsum may run: its unit, the coordinates spread over the array, and those that pass by inside an iteration.

Inside one iteration of its loops an Einsum holds at most one element of each tensor per PE. The coordinates that it
steps through there are *streamed*: a tensor that is not indexed by one of them stays in the PEs meanwhile (weight,
input or output stationary). That works when the tensors' idle coordinates nest: what stays longest is idle in all that
the others are idle in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise, permutations, product
from math import prod

from accelsim.arch import Unit
from accelsim.cost.compute import point_cost
from accelsim.cost.images import Visit, operands
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.selection import searched
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapper.limits import Limits
from accelsim.mapper.problem import Problem

Ranks = tuple[tuple[str, int], ...]
"""Coordinates on one dimension of an array, outer to inner, each with the PEs that it takes."""


@dataclass(frozen=True)
class Assignment:
    """One way to run an Einsum on a unit.

    Attributes:
        spread: dimension of the unit to the coordinates on it.
        streamed: coordinates that are stepped through inside an iteration.
        cycles: busy cycles of the whole Einsum.
        energy_pj: of its operators, and of register accesses that do not depend on loops; 0 where it is not known.
        fill_pj: for each element that is written into the registers from elsewhere.
    """

    einsum: str
    unit: str
    spread: tuple[tuple[str, Ranks], ...]
    streamed: frozenset[str]
    cycles: float
    energy_pj: float
    fill_pj: Mapping[str, float]

    @cached_property
    def pes(self) -> dict[str, int]:
        """Coordinate to the PEs that it is spread over."""
        return {c: n for _, ranks in self.spread for c, n in ranks}

    def inner(self, einsum: Einsum, sizes: Mapping[str, int]) -> dict[str, int]:
        """What an innermost iteration spans of each coordinate that is neither streamed nor all on PEs."""
        pes = ((c, self.pes.get(c, 1)) for c in einsum.coordinates if c not in self.streamed)
        return {c: n for c, n in pes if n < sizes[c]}

    @cached_property
    def face(self) -> tuple[object, ...]:
        """All that the traffic of tensors depends on: assignments of an Einsum with equal faces move the same bytes."""
        return (frozenset(self.pes.items()), self.streamed)

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Einsum, unit and face."""
        return (self.einsum, self.unit, self.face)


def assignments(
    problem: Problem, einsum: Einsum, looped: frozenset[str], alone: frozenset[str], limits: Limits
) -> list[Assignment]:
    """Every assignment of an Einsum in the map space.

    On each unit that has all its operators: the spreads with the fewest steps, and for each of them every largest set
    of streamed coordinates.

    Args:
        looped: coordinates that are loops down to what the array takes: not streamed.
        alone: coordinates whose loops take one value at a time: not spread.
    """
    found: list[Assignment] = []
    for unit in problem.arch.units.values():
        if limits.units.get(einsum.name, unit.name) != unit.name or not _runs(einsum, unit):
            continue
        for spread in _fewest_steps(problem, einsum, unit, alone, limits):
            cycles, energy, fills = _cost(problem, einsum, unit, spread)
            for streamed in streamed_sets(problem, einsum, spread, looped, limits.stationary.get(unit.name)):
                found.append(Assignment(einsum.name, unit.name, spread, streamed, cycles, energy, fills))
    return found


def _runs(einsum: Einsum, unit: Unit) -> bool:
    try:
        point_cost(einsum, unit)
    except AccelsimError:
        return False
    return True


def _fewest_steps(
    problem: Problem, einsum: Einsum, unit: Unit, alone: frozenset[str], limits: Limits
) -> list[tuple[tuple[str, Ranks], ...]]:
    """The spreads with the fewest steps over all other coordinates, the simplest ones of equal spreads."""
    by_steps: dict[int, list[tuple[tuple[str, Ranks], ...]]] = {}
    for spread in _spreads(problem, einsum, unit, alone, limits):
        steps = prod(-(-problem.sizes[c] // n) for _, ranks in spread for c, n in ranks if c in searched(einsum))
        steps *= prod(problem.sizes[c] for c in searched(einsum) if all(c != d for _, r in spread for d, _ in r))
        by_steps.setdefault(steps, []).append(spread)
    best = by_steps[min(by_steps)]
    simplest = min(sum(len(ranks) for _, ranks in spread) for spread in best)
    kept: dict[frozenset[object], tuple[tuple[str, Ranks], ...]] = {}
    for spread in best:
        if sum(len(ranks) for _, ranks in spread) == simplest:
            kept.setdefault(_alike(spread, limits, unit), spread)
    return list(kept.values())


def _alike(spread: tuple[tuple[str, Ranks], ...], limits: Limits, unit: Unit) -> frozenset[object]:
    """Equal for spreads that differ in nothing but which of two like dimensions is called rows."""
    if limits.dims.get(unit.name):
        return frozenset(spread)
    return frozenset((unit.dims[dim] if dim != "lanes" else 0, ranks) for dim, ranks in spread)


def _spreads(
    problem: Problem, einsum: Einsum, unit: Unit, alone: frozenset[str], limits: Limits
) -> Iterator[tuple[tuple[str, Ranks], ...]]:
    """Each dimension has no coordinate, one, or a short one with another outside it."""
    options = {}
    for dim, extent in unit.dims.items():
        names = [c for c in problem.coordinates if c in einsum.coordinates and c not in alone]
        usable = [c for c in names if _may_lie(problem, einsum, c, unit, dim, limits)]
        single: list[Ranks] = [((c, min(problem.sizes[c], extent)),) for c in usable]
        double: list[Ranks] = [
            ((outer, min(problem.sizes[outer], extent // problem.sizes[c])), (c, problem.sizes[c]))
            for outer, c in permutations(usable, 2)
            if problem.sizes[c] * 2 <= extent
        ]
        options[dim] = [(), *single, *double]
    for chosen in product(*options.values()):
        on_array = [c for ranks in chosen for c, _ in ranks]
        if len(set(on_array)) == len(on_array):
            yield tuple((dim, ranks) for dim, ranks in zip(options, chosen, strict=True) if ranks)


def _may_lie(problem: Problem, einsum: Einsum, c: str, unit: Unit, dim: str, limits: Limits) -> bool:
    if problem.sizes[c] == 1 or problem.recurs.get(einsum.name) == c:
        return False
    if dim == "lanes" and c in einsum.reduced:
        return False  # lanes have no links that a sum could go along
    rule = limits.dims.get(unit.name, {}).get(dim)
    if rule == "reduced":
        return c in einsum.reduced
    if rule == "shared":
        return c not in einsum.reduced and _is_shared(problem, einsum, c)
    return True


def _is_shared(problem: Problem, einsum: Einsum, c: str) -> bool:
    """Whether the first operand is not indexed by a coordinate: it is passed on from PE to PE along it."""
    first = operands(einsum)[0]
    return c not in coordinates(first)


def streamed_sets(
    problem: Problem,
    einsum: Einsum,
    spread: tuple[tuple[str, Ranks], ...],
    looped: frozenset[str],
    holds: frozenset[int | str] | None,
) -> list[frozenset[str]]:
    """The largest sets of coordinates that can be stepped through with one element of each tensor per PE."""
    pes = {c: n for _, ranks in spread for c, n in ranks}
    steps = [
        c
        for c in einsum.coordinates
        if -(-problem.sizes[c] // pes.get(c, 1)) > 1 and c not in looped and problem.recurs.get(einsum.name) != c
    ]
    found: list[frozenset[str]] = []
    for size in range(len(steps), -1, -1):
        for names in map(frozenset, combinations(steps, size)):
            if not any(names < larger for larger in found) and _nests(problem, einsum, names, pes, holds):
                found.append(names)
    return found


def _nests(
    problem: Problem, einsum: Einsum, names: frozenset[str], pes: Mapping[str, int], holds: frozenset[int | str] | None
) -> bool:
    """Whether of any two tensors one is idle in all streamed coordinates that the other is idle in, and can be held."""
    indexed = problem.indexed[einsum.name]
    known = ("result", *range(len(indexed) - 1))
    if holds is not None and any(
        names - mine and place not in holds for place, (mine, _) in zip(known, indexed, strict=True)
    ):
        return False
    idle = sorted({names - mine for mine, _ in indexed}, key=len)
    if any(not a <= b for a, b in pairwise(idle)):
        return False
    for _, indices in indexed:
        for together in indices:
            if len(together) > 1 and together & names and (together & set(pes) or len(together & names) > 1):
                return False  # neighbouring steps read the same elements, which nothing holds
    return True


def _cost(
    problem: Problem, einsum: Einsum, unit: Unit, spread: tuple[tuple[str, Ranks], ...]
) -> tuple[float, float, dict[str, float]]:
    """Busy cycles; energy of operators and of registers as far as loops do not matter; energy of a fill by tensor."""
    pes = {c: n for _, ranks in spread for c, n in ranks}
    digits = {c: ((f"{c}/0", pes[c]), (f"{c}/1", 1)) if c in pes else ((c, 1),) for c in einsum.coordinates}
    places = {f"{c}/1": (dim, n) for dim, ranks in spread for c, n in ranks}
    counter = problem.counter(digits)
    points = counter.points(einsum)
    cycles, uses = point_cost(einsum, unit)
    energy = operators_pj(problem, uses, points)
    if unit.registers is None:
        return float(counter.firings(einsum, places) * cycles), energy, {}
    lanes = {part: place for part, place in places.items() if place[0] == "lanes"}
    partial = 0
    if einsum.reduced:
        partial = points - counter.images([Visit(einsum, einsum.target)], (), lanes)
    latched = partial if any(c in einsum.reduced for dim, r in spread if dim != "lanes" for c, _ in r) else 0
    read, write = register_pj(problem, einsum, unit)
    energy += read * (points * len(operands(einsum)) + partial) + write * (latched + points)
    return (
        float(counter.firings(einsum, places) * cycles),
        energy,
        dict.fromkeys({a.tensor for a in operands(einsum)}, write),
    )


def operators_pj(problem: Problem, uses: Mapping[str, Fraction], points: int) -> float:
    """Energy of the operators of so many points, from the uses of components at each."""
    components = problem.arch.components
    return sum(float(n * points * components[name].energy_pj.get("use", 0)) for name, n in uses.items())


def register_pj(problem: Problem, einsum: Einsum, unit: Unit) -> tuple[float, float]:
    """Energy of an element of an Einsum read from and written to the register file of a PE; 0 where none counts."""
    if unit.registers is None:
        return 0.0, 0.0
    table = problem.arch.components[unit.registers]
    share = float(unit.counted) / unit.pes / float(table.width_bytes or 1) * problem.word(einsum.tensor)
    return float(table.energy_pj.get("read", 0)) * share, float(table.energy_pj.get("write", 0)) * share
