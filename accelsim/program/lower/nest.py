"""The nest of a group: its loops with more than one iteration, and where each Einsum runs in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from accelsim.cost.images import operands
from accelsim.einsum.ast import Access, Coordinate, Index, IndexExpr, IndexOp, Int, Predicate, Test
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.fold import DROP
from accelsim.einsum.sizes import integer_value, size_values
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.mapping.model import Group
from accelsim.program.lower.numbers import Existing, Tables, amount
from accelsim.program.lower.shares import Axis, Share
from accelsim.program.model import Edge, Loop, Tree

MOST_EDGES = 4096


@dataclass(frozen=True)
class Run:
    """Where an Einsum runs: once per iteration of the loops `along`, at 0 of those in `first`, at the end of `last`.

    `masked`: in some iterations it has no points and does not run.
    """

    einsum: Einsum
    along: tuple[str, ...]
    first: frozenset[str]
    last: frozenset[str]
    masked: bool = False

    @property
    def name(self) -> str:
        return self.einsum.name


@dataclass(frozen=True)
class Nest:
    """Loops outer first, with the number of iterations of each as an expression over those outside."""

    placement: Placement
    existing: Existing
    bounds: dict[str, IndexExpr]

    @property
    def loops(self) -> tuple[str, ...]:
        return self.existing.loops

    def owner(self, loop: str) -> str:
        return self.placement.owner[loop]

    def around(self, inside: Tree) -> Tree:
        for loop in reversed(self.loops):
            inside = Loop(loop, self.bounds[loop], inside)
        return inside

    def at_first(self, loops: Iterable[str]) -> list[Predicate]:
        wanted = set(loops)
        return [Test("==", Coordinate(loop), Int(0)) for loop in self.loops if loop in wanted]

    def at_last(self, loops: Iterable[str]) -> list[Predicate]:
        wanted = set(loops)
        return [Test("==", Coordinate(loop), _less_one(self.bounds[loop])) for loop in self.loops if loop in wanted]

    def others(self, loops: Iterable[str]) -> tuple[str, ...]:
        """The loops that are not among these."""
        given = set(loops)
        return tuple(loop for loop in self.loops if loop not in given)

    def inside(self, loops: Iterable[str]) -> tuple[str, ...]:
        """The loops inside the innermost of these."""
        places = [self.loops.index(loop) for loop in loops]
        return self.loops[max(places) + 1 :] if places else self.loops

    def outside(self, loops: Iterable[str]) -> tuple[str, ...]:
        """The loops outside the innermost of these."""
        return self.loops[: max((self.loops.index(loop) for loop in loops), default=0)]


def _less_one(bound: IndexExpr) -> IndexExpr:
    return Int(bound.value - 1) if isinstance(bound, Int) else IndexOp("-", bound, Int(1))


def nest_of(placement: Placement, group: Group, tables: Tables) -> Nest:
    """The loops of a group; one with a single iteration is left out.

    Raises:
        AccelsimError: a loop of an Einsum is spread over its unit as well, or a recurrence would run out of order.
    """
    for name in group.einsums:
        _check_loops(placement, group, placement.einsum(name))
        _check_recurrence(placement, group, placement.einsum(name))
    loops = tuple(loop for loop in group.loops if placement.extent(loop) > 1)
    lengths = {loop: _length(placement, loops, loop) for loop in loops}
    existing = Existing(loops, {loop: placement.extent(loop) for loop in loops}, lengths)
    bounds = {loop: amount(tables, existing, [lengths[loop]]).expr for loop in loops}
    return Nest(placement, existing, bounds)


def _check_loops(placement: Placement, group: Group, einsum: Einsum) -> None:
    """What depth `analytic` counts both one after the other and side by side has no order."""
    for loop in group.loops_of(einsum.name):
        spread = placement.spread(einsum).get(loop)
        if spread and placement.extent(loop) > 1:
            where = f"the {spread[0]} of {placement.unit(einsum.name).name}"
            raise group.node.error(
                f"loops of {einsum.name}: {loop} is spread over {where}; at depth cycle it cannot loop too"
            )


def _check_recurrence(placement: Placement, group: Group, einsum: Einsum) -> None:
    """Parts of a coordinate along which a tensor recurs must loop from the outermost inwards."""
    along = placement.step.shapes.cascade.generative.get(einsum.tensor)
    if along not in einsum.coordinates:
        return
    own = group.loops_of(einsum.name)
    parts = [part for part, _ in placement.digits[along] if placement.extent(part) > 1]
    looped = [loop for loop in group.loops if loop in own and loop in parts]
    if looped != parts[: len(looped)]:
        raise group.node.error(
            f"loops of {einsum.name}: {einsum.tensor} recurs along {along}, whose parts are {', '.join(parts)} from "
            f"the outermost inwards; {', '.join(looped)} cannot loop alone, or in that order, at depth cycle"
        )


def _length(placement: Placement, loops: Sequence[str], loop: str) -> Share:
    """How many iterations a loop has by the loops outside it that cut the same coordinate."""
    coordinate = placement.owner[loop]
    digits, size = placement.digits[coordinate], placement.step.shapes.sizes[coordinate]
    position = [part for part, _ in digits].index(loop)
    outer = [part for part, _ in digits[:position] if placement.extent(part) > 1]
    before = [part for part in loops[: loops.index(loop)] if part in outer]
    axis = Axis(coordinate, size, digits, tuple(part for part, _ in digits[:position]) if before == outer else (), DROP)
    lengths = -(-axis.lengths() // digits[position][1])
    if before != outer:
        lengths = lengths.clip(max=placement.extent(loop))
    kept = tuple(at for at, part in enumerate(axis.pinned) if part in before)
    return Share(tuple(axis.pinned[at] for at in kept), lengths.reshape([lengths.shape[at] for at in kept]))


# where Einsums run


def runs_of(nest: Nest, group: Group) -> dict[str, Run]:
    """Every Einsum of a group behind those that make what it reads.

    An Einsum that reads what is finished only at the end of a loop runs there, once; one that has no part in a loop
    runs in its first iteration, unless it reads something of the loop. The last iteration of a loop may have fewer of a
    loop inside, so what runs there once does so of that loop too.
    """
    made = {nest.placement.einsum(name).tensor: name for name in group.einsums}
    found: dict[str, Run] = {}
    for einsum in ordered(nest.placement, group):
        makers = [
            (found[made[access.tensor]], access)
            for access in operands(einsum)
            if access.tensor in made and made[access.tensor] in found
        ]
        found[einsum.name] = _run(nest, group, einsum, makers)
    return found


def _run(nest: Nest, group: Group, einsum: Einsum, makers: Sequence[tuple[Run, Access]]) -> Run:
    own = group.loops_of(einsum.name)
    along, first, last = list[str](), set[str](), set[str]()
    for loop in nest.loops:
        waits = any(_ends(nest, maker, access, einsum, loop) for maker, access in makers)
        mine = loop in own and nest.owner(loop) in einsum.coordinates
        waits = waits or (mine and not last.isdisjoint(nest.existing.lengths[loop].loops))
        if mine and not waits:
            along.append(loop)
        elif waits or any(loop in maker.along for maker, _ in makers):
            last.add(loop)
        else:
            first.add(loop)
    return Run(einsum, tuple(along), frozenset(first), frozenset(last))


def _ends(nest: Nest, maker: Run, access: Access, einsum: Einsum, loop: str) -> bool:
    """Whether what an access reads is there only when a loop has ended."""
    if loop in maker.last:
        return True
    return loop in maker.along and offset(nest.placement, maker.einsum, access, nest.owner(loop)) is None


def offset(placement: Placement, maker: Einsum, access: Access, coordinate: str) -> int | None:
    """How many coordinates earlier an element was made along a coordinate; None where that is not one number >= 0."""
    for target, index in zip(maker.target.indices, access.indices, strict=True):
        if coordinate in coordinates(target):
            made, read = _shift(placement, target, coordinate), _shift(placement, index, coordinate)
            return made - read if made is not None and read is not None and made >= read else None
    return None


def _shift(placement: Placement, index: Index, coordinate: str) -> int | None:
    """n of an index `coordinate + n`."""
    expr = index.expr
    if expr == Coordinate(coordinate):
        return 0
    moved = isinstance(expr, IndexOp) and expr.op in ("+", "-") and expr.left == Coordinate(coordinate)
    if not isinstance(expr, IndexOp) or not moved or coordinates(expr.right):
        return None
    n = integer_value(expr.right, size_values(placement.step.shapes))
    return n if expr.op == "+" else -n


def ordered(placement: Placement, group: Group) -> list[Einsum]:
    """Einsums so that each stands behind what makes what it reads in the same iteration; else as written."""
    left = [einsum for einsum in placement.einsums if einsum.name in group.einsums]
    made = {einsum.tensor: einsum for einsum in left}
    found: list[Einsum] = []
    while left:
        ready = [e for e in left if not any(_is_before(placement, made, m, e) for m in left)]
        if not ready:
            names = ", ".join(e.name for e in left)
            raise AccelsimError(f"group {group.name}: {names} wait for each other in a circle")
        found.append(ready[0])
        left.remove(ready[0])
    return found


def _is_before(placement: Placement, made: dict[str, Einsum], maker: Einsum, reader: Einsum) -> bool:
    """Whether a reader needs what a maker makes, other than from an earlier coordinate of a recurrence."""
    return any(
        access.tensor == maker.tensor and not is_earlier(placement, made[access.tensor], access)
        for access in operands(reader)
    )


def is_earlier(placement: Placement, maker: Einsum, access: Access) -> bool:
    """Whether an access to a recurrent tensor reads what an earlier coordinate made, or its start."""
    along = placement.step.shapes.cascade.generative.get(access.tensor)
    if along is None:
        return False
    if is_start_read(placement, maker, access, along):
        return True
    return bool(offset(placement, maker, access, along))


def is_start_read(placement: Placement, maker: Einsum, access: Access, along: str) -> bool:
    """Whether an access reads the first value of a recurrence, `X[0]`, which no iteration makes."""
    for target, index in zip(maker.target.indices, access.indices, strict=True):
        if along in coordinates(target) and not coordinates(index):
            return integer_value(index.expr, size_values(placement.step.shapes)) == 0
    return False


# what an Einsum waits for


def edges(nest: Nest, maker: Run, reader: Run, access: Access, source: str) -> list[Edge]:
    """From the task `source`, which stands where the maker runs, to a task where the reader runs.

    A recurrence that no loop cuts goes on inside a task: there is nothing to wait for.
    """
    cascade = nest.placement.step.shapes.cascade
    along = cascade.generative.get(access.tensor)
    if along is not None and is_start_read(nest.placement, maker.einsum, access, along):
        return []
    cut = any(nest.owner(loop) == along for loop in maker.along)
    if along is not None and not cut and offset(nest.placement, maker.einsum, access, along):
        return []
    first = tuple(loop for loop in nest.loops if loop in maker.first and loop not in reader.first)
    shifted = [
        distance
        for coordinate in dict.fromkeys(nest.owner(loop) for loop in maker.along)
        if (n := offset(nest.placement, maker.einsum, access, coordinate))
        for distance in _distances(nest, maker, coordinate, n)
    ]
    return [Edge(source, distance, first) for distance in shifted] or [
        Edge(source, distance, first) for distance in ended(nest, maker, reader.last)
    ]


def ended(nest: Nest, maker: Run, loops: Iterable[str]) -> list[tuple[tuple[str, int], ...]]:
    """Distances from the end of some loops to the maker's iterations of them.

    The last one is enough, since its iterations follow one another (`in_turn`); where a mask may remove it, all.
    """
    over = [loop for loop in nest.loops if loop in maker.along and loop in set(loops)]
    if not over or not maker.masked:
        return [()]
    extents = [nest.existing.extents[loop] for loop in over]
    if prod(extents) > MOST_EDGES:
        raise AccelsimError(
            f"{maker.name} is masked, and what waits for the end of {', '.join(over)} waits for {prod(extents)} of "
            f"its iterations; {MOST_EDGES} are the most"
        )
    places = product(*map(range, extents))
    return [tuple((loop, n) for loop, n in zip(over, place, strict=True) if n) for place in places]


def in_turn(nest: Nest, maker: Run, loops: Iterable[str]) -> list[Edge]:
    """A maker's iterations of loops whose end others wait for follow one another."""
    over = [loop for loop in nest.loops if loop in maker.along and loop in set(loops)]
    borrowed, found = list[tuple[str, int]](), []
    for loop in reversed(over) if not maker.masked else ():
        found.append(Edge(maker.name, ((loop, 1), *borrowed)))
        borrowed.append((loop, 1 - nest.existing.extents[loop]))
    return found


def _distances(nest: Nest, maker: Run, coordinate: str, n: int) -> list[tuple[tuple[str, int], ...]]:
    """`n` coordinates earlier, in iterations of the loops that cut the coordinate, but never in the same one.

    One distance for the innermost loop alone, and one for each loop further out that a step may borrow from; of these
    one leads to an iteration that exists.
    """
    loops = [(part, span) for part, span in nest.placement.digits[coordinate] if part in maker.along]
    inner, span = loops[-1]
    steps, extents = max(1, n // span), nest.existing.extents
    found: list[tuple[tuple[str, int], ...]] = [((inner, steps),)]
    borrowed = [(inner, steps - extents[inner])]
    for part, _ in reversed(loops[:-1]):
        found.append(((part, 1), *borrowed))
        borrowed.append((part, 1 - extents[part]))
    return found
