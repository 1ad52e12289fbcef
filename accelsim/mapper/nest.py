"""The loops that Einsums may share: which coordinates, in which order, around tiles of which sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import permutations

from accelsim.einsum.ast import Access, Coordinate
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.walk import coordinates
from accelsim.mapper.problem import Problem, Touch


@dataclass(frozen=True)
class Nest:
    """Loops around the tiles of a group, outer to inner.

    Attributes:
        batch: coordinates that index every tensor of the group: outermost, one array at a time.
        order: the others; an Einsum without one of these coordinates runs before the loop begins or after it ends.
        own: Einsum to a loop that it alone has, inside all of these.
    """

    batch: tuple[str, ...]
    order: tuple[str, ...]
    own: tuple[tuple[str, str], ...] = ()

    @cached_property
    def _hash(self) -> int:
        return hash((self.batch, self.order, self.own))

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, object]:
        return {each.name: getattr(self, each.name) for each in fields(self)}  # hashes of text hold in one process

    @cached_property
    def _loops(self) -> dict[tuple[str, int | None], tuple[str, ...]]:
        """What `loops_of` has said."""
        return {}

    def loops_of(self, einsum: Einsum, depth: int | None = None) -> tuple[str, ...]:
        """The loops that an Einsum runs in, down to `depth` of `order`; its own one is one deeper."""
        key = (einsum.name, depth)
        if key not in self._loops:
            inside = (*self.order, *(c for name, c in self.own if name == einsum.name))
            self._loops[key] = tuple([c for c in (*self.batch, *inside[:depth]) if c in einsum.coordinates])
        return self._loops[key]

    def own_of(self, touches: Sequence[Touch]) -> tuple[str, ...]:
        """The loop of its own of the only Einsum that has these touches."""
        names = {touch.einsum.name for touch in touches}
        return tuple(c for name, c in self.own if names == {name})


def batch_of(problem: Problem, einsums: Sequence[Einsum]) -> frozenset[str]:
    """Coordinates that index every tensor that the Einsums touch: a loop over them costs nothing and saves room."""
    touches = [touch for e in einsums for touch in (problem.writes[e.name], *problem.reads[e.name])]
    shared = frozenset.intersection(*(touch.plain for touch in touches))
    recurring = {problem.recurs.get(e.name) for e in einsums}
    return frozenset(c for c in shared if c not in recurring and problem.sizes[c] > 1)


def steady(problem: Problem, einsums: Sequence[Einsum]) -> frozenset[str]:
    """Coordinates along which something of the group recurs: their loop takes one value at a time."""
    return frozenset(c for e in einsums if (c := problem.recurs.get(e.name)) and problem.sizes[c] > 1)


def nests(problem: Problem, einsums: Sequence[Einsum]) -> Iterator[Nest]:
    """Every order of every set of coordinates that the Einsums may loop over together."""
    batch = batch_of(problem, einsums)
    must = steady(problem, einsums)
    loops = [
        c for c in problem.coordinates if c not in batch and problem.sizes[c] > 1 and may_fuse(problem, einsums, c)
    ]
    if any(c not in loops for c in must):
        return
    outer = tuple(c for c in problem.coordinates if c in batch)
    for number in range(len(loops) + 1):
        for order in permutations(loops, number):
            if must <= set(order):
                yield Nest(outer, order)


def visible(problem: Problem, einsums: Sequence[Einsum]) -> tuple[str, ...]:
    """Coordinates of what the group makes and reads again: whether they are looped or streamed concerns both sides."""
    made = {e.tensor: problem.writes[e.name] for e in einsums}
    read = {touch.tensor for e in einsums for touch in problem.reads[e.name] if touch.einsum.tensor != touch.tensor}
    names = {c for tensor in read & set(made) for c in made[tensor].names}
    taken = batch_of(problem, einsums) | steady(problem, einsums)
    return tuple(c for c in problem.coordinates if c in names and c not in taken and problem.sizes[c] > 1)


def may_fuse(problem: Problem, einsums: Sequence[Einsum], c: str) -> bool:
    """Whether the Einsums may run in one loop over a coordinate: all, or at least two and others that wait for its end.

    What is summed over it is finished only when the loop ends, so that no reader, and nothing that depends on a reader,
    may be inside; what is made in one iteration must be read in the same one.
    """
    after: set[str] = set()
    made = {e.tensor: e for e in einsums}
    for reader in einsums:
        for access in reader.reads:
            maker = made.get(access.tensor)
            if maker is None or maker.name == reader.name:
                continue
            if maker.name in after:
                after.add(reader.name)
            if c not in maker.coordinates:
                continue
            if c not in reader.coordinates:
                after.add(reader.name)
            elif not _same_iteration(problem, maker, access, c):
                return False
    inside = sum(c in e.coordinates for e in einsums)
    return inside >= min(2, len(einsums)) and all((c in e.coordinates) != (e.name in after) for e in einsums)


def _same_iteration(problem: Problem, maker: Einsum, access: Access, c: str) -> bool:
    """Whether what an access reads was made in the same iteration of `c`, or recurs along it."""
    if problem.step.shapes.cascade.generative.get(access.tensor) == c:
        return True
    for written, read in zip(maker.target.indices, access.indices, strict=True):
        if written.expr == Coordinate(c):
            return read.expr == Coordinate(c) and not read.edge
        if c in coordinates(written):
            return False
    return False


def depths(nest: Nest, touches: Sequence[Touch]) -> list[int]:
    """Depths of `order` at which keeping a tensor differs: all who touch it run there, and it moves on."""
    moved = set[str]().union(*(touch.names for touch in touches)).intersection(*(t.einsum.coordinates for t in touches))
    return [0, *(depth for depth, c in enumerate((*nest.order, *nest.own_of(touches)), 1) if c in moved)]


def loops_to(nest: Nest, einsum: Einsum, names: frozenset[str], depth: int) -> tuple[str, ...]:
    """The loops of an Einsum down to `depth`, without those inside the innermost one that is among `names`."""
    loops = nest.loops_of(einsum, depth)
    while loops and loops[-1] not in names:
        loops = loops[:-1]
    return loops
