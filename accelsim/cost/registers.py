"""Accesses to the register files of PEs.

At every point a PE reads each operand and, under a reduction, the partial result, and writes the result. An operand
that another PE, unit or level holds is first written into the file, once for as long as it is of use within one
iteration of the Einsum's loops. A partial result that comes from the neighbour (a reduction over rows or columns) is
latched first; lanes accumulate on their own.
"""

from __future__ import annotations

from accelsim.cost.images import Counter, Visit, operands
from accelsim.cost.traffic import chain_of
from accelsim.einsum.ast import Access
from accelsim.einsum.cascade import Einsum
from accelsim.mapping.bind import Placement
from accelsim.mapping.model import Group


def register_accesses(placement: Placement, counter: Counter, group: Group, einsum: Einsum) -> tuple[int, int]:
    """Elements read from and written to the register files of an Einsum's unit."""
    points = counter.points(einsum)
    partial, latched = _partials(placement, counter, einsum, points)
    fills = sum(
        _fills(placement, counter, group, einsum, access)
        for access in operands(einsum)
        if not _is_local(placement, group, einsum, access)
    )
    return points * len(operands(einsum)) + partial, fills + latched + points


def _partials(placement: Placement, counter: Counter, einsum: Einsum, points: int) -> tuple[int, int]:
    """Partial results read, and those of them that come from a neighbour."""
    if not einsum.reduced:
        return 0, 0
    spread = placement.spread(einsum)
    lanes = {part: place for part, place in spread.items() if place[0] == "lanes"}
    partial = points - counter.images([Visit(einsum, einsum.target)], (), lanes)
    across = any(placement.owner[part] in einsum.reduced and part not in lanes for part in spread)
    return partial, partial if across else 0


def _fills(placement: Placement, counter: Counter, group: Group, einsum: Einsum, access: Access) -> int:
    return counter.images([Visit(einsum, access)], group.loops_of(einsum.name), placement.spread(einsum))


def _is_local(placement: Placement, group: Group, einsum: Einsum, access: Access) -> bool:
    """Whether the PE already holds what it reads: made on the same unit in the same group, and not kept elsewhere."""
    plan = placement.plan
    if (access.tensor, einsum.name) in plan.forward:
        makers = [e for e in placement.einsums if e.tensor == access.tensor]
        return any(plan.bind[e.name] == plan.bind[einsum.name] for e in makers)
    kept = chain_of(placement, group, einsum, access.tensor) or access.tensor in plan.home
    inside = [e for e in placement.einsums if e.tensor == access.tensor and e.name in group.einsums]
    return not kept and any(plan.bind[e.name] == plan.bind[einsum.name] for e in inside)
