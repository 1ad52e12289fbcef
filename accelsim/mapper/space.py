"""How many mappings the space of a step has: what a search that tries them one by one would be up against."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, prod

from accelsim.einsum.cascade import Einsum
from accelsim.mapper.known import Known, Parcel
from accelsim.mapper.limits import Limits
from accelsim.mapper.members import Members
from accelsim.mapper.nest import Nest, depths
from accelsim.mapper.pick import Regime, regimes
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import is_whole


def mappings_at_most(problem: Problem, limits: Limits) -> int:
    """The number of mappings of the space, groups, loops, tiles, assignments and what is kept multiplied out.

    Of choices that do not go together all are counted, so the space is no larger than this.
    """
    known, names = Known(problem, limits), [e.name for e in problem.einsums]
    found = [1, *(0 for _ in names)]
    for end in range(1, len(names) + 1):
        for start in range(end):
            if found[start] and is_whole(problem, names[start:end], limits):
                found[end] += found[start] * _of_group(Members(known, problem.einsums[start:end]))
    return found[-1]


def _of_group(members: Members) -> int:
    return sum(_of_regime(members, regime) for regime in regimes(members) if regime.choices)


def _of_regime(members: Members, regime: Regime) -> int:
    """Assignments, tiles of the nest, and ways to keep each parcel."""
    known, order = members.known, [c for c in regime.nest.order if c not in members.steady]
    tiles = prod(len(known.grids.sizes(c, _unit(c, members.einsums, regime))) for c in order)
    return prod(map(len, regime.choices)) * tiles * prod(_ways(members, regime.nest, p) for p in members.parcels)


def _unit(c: str, einsums: Sequence[Einsum], regime: Regime) -> int:
    """The fewest PEs that some assignment of each Einsum takes: tiles are multiples of them."""
    least = [
        min(choice.assignment.pes.get(c, 1) for choice in choices)
        for e, choices in zip(einsums, regime.choices, strict=True)
        if c in e.coordinates
    ]
    return max(least, default=1)


def _ways(members: Members, nest: Nest, parcel: Parcel) -> int:
    """Of each tensor any levels at any depths, inner ones no further out; and with any loop of its Einsum alone."""
    problem = members.known.problem
    levels = len(problem.arch.levels) - 1
    touches = {
        t: [x for e in parcel.touching for x in (problem.writes[e.name], *problem.reads[e.name]) if x.tensor == t]
        for t in parcel.tensors
    }
    shared = prod(_chains(levels, len(depths(nest, touches[t]))) for t in parcel.tensors)
    deeper = prod(_chains(levels, len(depths(nest, touches[t])) + 1) for t in parcel.tensors)
    loops = sum(len(members.known.grids.sizes(c, 1)) for c in parcel.alone)
    return shared + loops * (deeper - shared)


def _chains(levels: int, number: int) -> int:
    """Ways to choose levels and for each a depth of so many, in order."""
    return sum(comb(levels, kept) * comb(number + kept - 1, kept) for kept in range(levels + 1))
