"""How long a group needs what it keeps: where Einsums take turns, a tile makes room when its last reader has ended."""

from __future__ import annotations

from itertools import takewhile

from accelsim.einsum.ast import Access
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates
from accelsim.mapping.bind import Placement
from accelsim.mapping.model import OUTSIDE, Group


def loops_to(group: Group, einsum: str, at: str) -> tuple[str, ...] | None:
    """The loops of an Einsum at or outside `at`, None where it does not have that loop."""
    loops = group.loops_of(einsum)
    if at == OUTSIDE:
        return ()
    return loops[: loops.index(at) + 1] if at in loops else None


def alive(placement: Placement, group: Group, tensor: str, at: str) -> range:
    """While which Einsums of a group, by their place in it, a tensor that is kept `at` a loop takes room.

    Einsums that run one after the other in each iteration of the loops that they share (`loops` of the group) need a
    tile from the first of them that touches it to the last. A loop that they share and that brings no other tile is
    run through meanwhile, with everything inside it. Einsums that overlap need all that they keep all the time, and so
    does a recurrence.
    """
    every = range(len(group.einsums))
    if group.overlap != "sequential" or tensor in placement.step.shapes.cascade.generative:
        return every
    names = {name: set(coordinates(*accesses(placement.einsum(name), tensor))) for name in group.einsums}
    indexed = set().union(*names.values())
    shared = [tuple(takewhile(lambda loop: loop in group.loops, group.loops_of(name))) for name in group.einsums]
    found: set[int] = set()
    for place, name in enumerate(group.einsums):
        around = loops_to(group, name, at)
        if around is None or not accesses(placement.einsum(name), tensor):
            continue
        while around and placement.owner[around[-1]] not in indexed:
            around = around[:-1]
        inside = shared[place][: len(around) + 1]
        deeper = len(inside) > len(around)
        found |= {place, *(other for other in every if deeper and shared[other][: len(inside)] == inside)}
    return range(min(found, default=0), max(found, default=-1) + 1)


def accesses(einsum: Einsum, tensor: str) -> list[Access]:
    """Every access of an Einsum to a tensor, its target included."""
    return [access for access in (einsum.target, *einsum.reads) if access.tensor == tensor]
