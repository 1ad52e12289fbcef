"""Which points of a line exist: its own `where`, the ends of split ranks, and the absence that its operands pass on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from accelsim.einsum.affine import NEVER, Scope, conjunction, conjuncts, disjunction, mentioned, simplify
from accelsim.einsum.ast import (
    SELECTIONS,
    Access,
    And,
    Coordinate,
    Index,
    IndexExpr,
    IndexOp,
    Int,
    Lookup,
    Predicate,
    Test,
)
from accelsim.einsum.cascade import Einsum, Shapes, Split
from accelsim.einsum.rewrite import rewritten, size_of
from accelsim.einsum.selection import counting, prefix
from accelsim.einsum.sizes import size_values
from accelsim.einsum.through import present_through
from accelsim.einsum.walk import coordinates, reads, walk
from accelsim.errors import AccelsimError

MAX_NODES = 10_000
Condition = tuple[frozenset[str], Predicate | bool]
Case = tuple[Predicate | bool, IndexExpr | None]


def scope_of(shapes: Shapes) -> Scope:
    """What names inside brackets stand for."""
    return Scope(size_values(shapes), shapes.sizes, shapes.cascade.maps)


def presence(shapes: Shapes, einsum: Einsum) -> Predicate | None:
    """The predicate under which a point of the iteration space of `einsum` exists; None: every point."""
    return presences(shapes)[einsum.name]


def presences(shapes: Shapes) -> dict[str, Predicate | None]:
    """The predicate of every line, by the line's name; sizes in it are numbers.

    A point exists if the `where` holds, split ranks do not end before it and every operand exists. A result is absent
    where a condition fails that does not depend on the coordinates reduced (of an operand: those it is read at);
    a reduction skips the points where another fails. Inputs are present, and so is a recurrence's own tensor where an
    earlier step of it is read. What depends on data is as the statistics say.

    Raises:
        AccelsimError: a mask that is read through an index tensor other than a selection among what the mask leaves, a
            selection among masked points of which nothing says how many there are, or a mask that grows beyond bounds.
    """
    return _learned(shapes)[0]


def elements(shapes: Shapes) -> dict[str, Predicate | None]:
    """The predicate of the elements of each tensor that lacks some, in the coordinates of its dimensions.

    None: that depends on how many points there are (a selection among masked points).

    Raises:
        AccelsimError: as `presences`.
    """
    return _learned(shapes)[1].absent


def _learned(shapes: Shapes) -> tuple[dict[str, Predicate | None], _Known]:
    cascade, scope = shapes.cascade, scope_of(shapes)
    known = _Known(shapes, scope, {}, {}, {})
    for line in (cascade.einsums[i] for component in cascade.components for i in component):
        conditions = _conditions(line, known)
        known.points[line.name] = _checked(line, conjunction(part for _, part in conditions))
        known.learn(line, _result(line, conditions, known))
    return known.points, known


def _checked(line: Einsum, part: Predicate | bool) -> Predicate | None:
    if isinstance(part, bool):
        return None if part else NEVER
    if sum(1 for _ in walk(part)) > MAX_NODES:
        raise AccelsimError(f"{line.name}: its mask has more than {MAX_NODES} parts", line.mark)
    return part


@dataclass(frozen=True)
class _Known:
    """What is known of the tensors so far.

    `absent` holds the predicate of each tensor that has absent elements, in the coordinates of its dimensions,
    `results` that of each line, and `points` where the points of each line exist.
    """

    shapes: Shapes
    scope: Scope
    absent: dict[str, Predicate | None]
    results: dict[str, Predicate | bool | None]
    points: dict[str, Predicate | None]

    def learn(self, line: Einsum, result: Predicate | bool | None) -> None:
        """Take up the result of a line; a start line comes before the line that goes on from it."""
        self.results[line.name] = result
        if line.name == line.tensor:
            part = _written(line.tensor, self)
            if part is not True:
                self.absent[line.tensor] = NEVER if part is False else part

    def tabulated(self, predicate: Predicate) -> Predicate | bool:
        """A condition with sizes as numbers and tensors that statistics describe as their tables."""
        return simplify(rewritten(predicate, {}, self.shapes), self.scope)


def _conditions(line: Einsum, known: _Known) -> list[Condition]:
    """What must hold for a point of the line to exist, each with the coordinates that it depends on."""
    where = conjuncts(line.where) if line.where else ()
    return [
        *((frozenset(coordinates(part)), known.tabulated(part)) for part in where),
        *_ends(line, known),
        *_operands(reads(*line.target.indices, line.expr, line.where), known),
    ]


def _ends(line: Einsum, known: _Known) -> list[Condition]:
    tests = split_ends(line.coordinates, known.shapes)
    return [(frozenset(coordinates(test)), simplify(test, known.scope)) for test in tests]


def _operands(accesses: Iterable[Access], known: _Known) -> list[Condition]:
    return [
        (frozenset(coordinates(*access.indices)), _read(access, known))
        for access in accesses
        if access.tensor in known.absent
    ]


def _result(line: Einsum, conditions: list[Condition], known: _Known) -> Predicate | bool | None:
    """Where a line gives a result, in its own coordinates; None: that depends on how many points there are."""
    removed = set(line.reduced) - set(coordinates(line.target))
    if scatters(line):
        return True
    outer = conjunction(part for names, part in conditions if not names & removed)
    inner = [part for names, part in conditions if names & removed and part is not True]
    if line.reduction in SELECTIONS and (inner or known.shapes.statistics.keys() & set(counting(line))):
        return _selected(line, [outer, *inner], known)
    if line.otherwise is None:
        return outer
    other = conjunction(part for _, part in _operands(reads(line.otherwise), known))
    either = other if set(conjuncts(other)) <= set(conjuncts(outer)) else disjunction([outer, other])
    return conjunction([either, *(part for _, part in _ends(line, known))])


def _selected(line: Einsum, parts: Iterable[Predicate | bool], known: _Known) -> Predicate | bool | None:
    """Where a selection among masked points gives a result: where there are enough of them.

    That is what the statistic of a rank of data-dependent size says; else it follows where the points that exist are
    the first ones. None: it is not known.
    """
    (over,) = line.reduced
    apart = [one for part in parts for one in conjuncts(part)]
    outer = [one for one in apart if over not in mentioned(one)]
    inner = [one for one in apart if over in mentioned(one)]
    names = counting(line) if line.reduction != "argmax" else []
    size = size_of(names[0], line, known.shapes) if len(names) == 1 else None
    if size is not None:
        return conjunction([*outer, simplify(Test("<", Coordinate(names[0]), size), known.scope)])
    if len(names) > 1 or not all(prefix(one, over) for one in inner):
        return None
    place = Coordinate(names[0]) if names else Int(0)
    moved = (simplify(rewritten(one, {over: place}, known.shapes), known.scope) for one in inner)
    return conjunction([*outer, *moved])


def scatters(line: Einsum) -> bool:
    """Whether several points may write one element; then all elements exist."""
    left = coordinates(line.target)
    return any(isinstance(node, Lookup) for node in walk(line.target)) or not set(line.reduced).isdisjoint(left)


def split_ends(names: tuple[str, ...], shapes: Shapes) -> Iterator[Test]:
    """`m1*M0+m0 < M` for every split rank of which both parts, split further or not, are among `names`."""
    known: dict[str, IndexExpr] = {name: Coordinate(name) for name in names}
    pending = {split.parent: split for split in shapes.cascade.splits.values()}
    while ready := [split for split in pending.values() if all(part in known for part in split.parts)]:
        for split in ready:
            known[split.parent] = _whole(split, known)
            yield Test("<", known[split.parent], Int(shapes.sizes[split.parent]))
            del pending[split.parent]


def _whole(split: Split, known: Mapping[str, IndexExpr]) -> IndexExpr:
    outer, inner = (known[part] for part in split.parts)
    return IndexOp("+", IndexOp("*", outer, split.step), inner)


def _written(tensor: str, known: _Known) -> Predicate | bool | None:
    """Which elements of a tensor exist, in the coordinates of its dimensions; None: that is not known."""
    along, part = known.shapes.cascade.generative.get(tensor), known.results[tensor]
    if along is None or part is None:
        return part
    scope = known.scope
    grown = Scope(scope.values, {**scope.sizes, along: scope.sizes[along] + 1}, scope.maps)
    place = Coordinate(along)
    earlier = (
        part
        if isinstance(part, bool)
        else simplify(rewritten(part, {along: IndexOp("-", place, Int(1))}, known.shapes), grown)
    )
    start = known.results.get(f"{tensor}@start", False)
    if earlier is True and start is True:
        return True
    first = conjunction([Test("==", place, Int(0)), start is None or start])
    return disjunction([first, conjunction([Test(">", place, Int(0)), earlier])])


def _read(access: Access, known: _Known) -> Predicate | bool:
    """The presence of a tensor at the place that is read, in the coordinates of the line that reads."""
    part, shapes = known.absent[access.tensor], known.shapes
    if part is None:
        raise AccelsimError(
            f"not supported yet: {access.tensor} selects among masked points, and nothing says how many there are "
            "(declare its rank upto(..) and give statistics)",
            access.mark,
        )
    reached = present_through(part, access, shapes, known.points, known.scope)
    if reached is not None:
        return reached
    used = coordinates(part)
    dims = zip(shapes.cascade.tensors[access.tensor], access.indices, shapes.shapes[access.tensor], strict=True)
    kept = [(name, index, size) for name, index, size in dims if name in used or index.edge == "zero"]
    choices = product(*(_cases(index, size, access) for _, index, size in kept))
    return disjunction(_case(part, [name for name, _, _ in kept], choice, known) for choice in choices)


def _case(part: Predicate, names: list[str], choice: tuple[Case, ...], known: _Known) -> Predicate | bool:
    scope, shapes = known.scope, known.shapes
    conditions = [test if isinstance(test, bool) else simplify(test, scope) for test, _ in choice]
    if any(expr is None for _, expr in choice):
        return conjunction(conditions)
    values = {name: expr for name, (_, expr) in zip(names, choice, strict=True) if expr is not None}
    return conjunction([*conditions, simplify(rewritten(part, values, shapes), scope)])


def _cases(index: Index, size: int, access: Access) -> list[Case]:
    """What an index may read: conditions with the place, None for the 0 that stands outside."""
    for node in walk(index.expr):
        if isinstance(node, Lookup):
            reason = f"the mask of {access.tensor} is read through the index tensor {node.tensor}"
            raise AccelsimError(f"not supported yet: {reason}", access.mark)
    expr = index.expr
    if index.edge is None:
        return [(True, expr)]
    if index.edge == "wrap":
        return [(True, IndexOp("%", expr, Int(size)))]
    below, above = Test("<", expr, Int(0)), Test(">=", expr, Int(size))
    inside = And((Test(">=", expr, Int(0)), Test("<", expr, Int(size))))
    zero = index.edge == "zero"
    return [(inside, expr), (below, None if zero else Int(0)), (above, None if zero else Int(size - 1))]
