"""Accesses to the register files of PEs.

At every point a PE reads each operand and, under a reduction, the partial result, and writes the result. An operand that
another PE, unit or level holds is first written into the file, once for as long as it is of use within one iteration of
the Einsum's loops. A partial result that comes from the neighbour (a reduction over rows or columns) is latched first;
lanes accumulate on their own.
"""

from __future__ import annotations

from accelsim.cost.images import Counter
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
        for access in einsum.reads
        if not _is_local(placement, group, einsum, access)
    )
    return points * len(einsum.reads) + partial, fills + latched + points


def _partials(placement: Placement, counter: Counter, einsum: Einsum, points: int) -> tuple[int, int]:
    """Partial results read, and those of them that come from a neighbour."""
    if not einsum.reduced:
        return 0, 0
    spread = placement.spread(einsum)
    lanes = [part for part, (dim, _) in spread.items() if dim == "lanes"]
    partial = points - counter.touched(einsum, einsum.target, lanes)
    across = any(placement.owner[part] in einsum.reduced and dim != "lanes" for part, (dim, _) in spread.items())
    return partial, partial if across else 0


def _fills(placement: Placement, counter: Counter, group: Group, einsum: Einsum, access: Access) -> int:
    spread = placement.spread(einsum)
    return counter.touched(einsum, access, (*group.loops_of(einsum.name), *spread))


def _is_local(placement: Placement, group: Group, einsum: Einsum, access: Access) -> bool:
    """Whether the PE already holds what it reads: made on the same unit in the same group, and not kept elsewhere."""
    plan = placement.plan
    if (access.tensor, einsum.name) in plan.forward:
        makers = [e for e in placement.einsums if e.tensor == access.tensor]
        return any(plan.bind[e.name] == plan.bind[einsum.name] for e in makers)
    kept = any(access.tensor in keep.tensors for keep in plan.keep.values())
    inside = [e for e in placement.einsums if e.tensor == access.tensor and e.name in group.einsums]
    return not kept and any(plan.bind[e.name] == plan.bind[einsum.name] for e in inside)
