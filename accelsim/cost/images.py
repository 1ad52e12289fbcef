"""How many different things an Einsum touches: distinct (iteration, element) pairs over the points that exist.

Every byte count of the analytic rule is such a number. Without masks it is a product of closed forms. Where an index
mixes coordinates, leaves its tensor, or is another one for another reader, the place in the tensor becomes a coordinate
of its own, tied to the index by a predicate, so that masks and indices are counted by the same exact counter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from accelsim.einsum.affine import NEVER, conjunction, disjunction
from accelsim.einsum.ast import Access, And, Coordinate, Index, IndexExpr, IndexOp, Int, Lookup, Or, Predicate, Test
from accelsim.einsum.cascade import Einsum, Shapes, Split
from accelsim.einsum.fold import DROP, KEEP, Fold
from accelsim.einsum.points import count_points
from accelsim.einsum.presence import elements, presences
from accelsim.einsum.selection import searched
from accelsim.einsum.sizes import size_values
from accelsim.einsum.walk import coordinates, reads, walk
from accelsim.mapping.bind import Placement

Digits = Mapping[str, tuple[tuple[str, int], ...]]
Spread = Mapping[str, tuple[str, int]]


def operands(einsum: Einsum) -> tuple[Access, ...]:
    """What a point that exists reads; what follows `else` belongs to absent points, which cost nothing."""
    return reads(*einsum.target.indices, einsum.expr, einsum.where)


@dataclass(frozen=True)
class Visit:
    """An access of an Einsum at all of its points."""

    einsum: Einsum
    access: Access


@dataclass(frozen=True, eq=False)
class Counter:
    """Counts for the Einsums of one cascade whose coordinates have `digits`; masks are worked out once per Einsum."""

    shapes: Shapes
    digits: Digits
    values: dict[str, int]
    presences: dict[str, Predicate | None]
    elements: dict[str, Predicate | None]

    @staticmethod
    def of(placement: Placement) -> Counter:
        return Counter.over(placement.step.shapes, placement.digits)

    @staticmethod
    def over(shapes: Shapes, digits: Digits) -> Counter:
        return Counter(shapes, digits, size_values(shapes), presences(shapes), elements(shapes))

    def points(self, einsum: Einsum) -> int:
        """Points that exist, of a selection its candidates."""
        return self.count(dict.fromkeys(searched(einsum), KEEP), self.presences[einsum.name])

    def firings(self, einsum: Einsum, spread: Spread) -> int:
        """Steps of the array: distinct temporal iterations and passes over the array with at least one point."""
        folds = {}
        for c in searched(einsum):
            digits = self.digits[c]
            folds[c] = Fold(tuple((span, spread[part][1] if part in spread else 1) for part, span in digits))
        return self.count(folds, self.presences[einsum.name])

    def results(self, tensor: str) -> int:
        """Elements of a tensor that exist."""
        dims, shape = self.shapes.cascade.tensors[tensor], self.shapes.shapes[tensor]
        predicate = self.elements.get(tensor)
        return self.count(dict.fromkeys(dims, KEEP), predicate, dict(zip(dims, shape, strict=True)))

    def images(self, visits: Sequence[Visit], loops: Iterable[str], lanes: Spread | None = None) -> int:
        """Distinct (iteration of `loops`, PE along the parts in `lanes`, element) of a tensor over several visits.

        An Einsum without a rank of the loops takes part in the first iteration of that rank.
        """
        return View.of(self, visits, loops, lanes).count()

    def count(
        self, folds: Mapping[str, Fold], predicate: Predicate | None, sizes: Mapping[str, int] | None = None
    ) -> int:
        """Distinct images under `folds` of the points of a predicate; `sizes` of coordinates that are not ours."""
        extents = {**self.shapes.sizes, **(sizes or {})}
        return count_points(extents, tuple(folds), predicate, self.values, self.shapes.cascade.maps, folds)


@dataclass(frozen=True)
class _Axis:
    """How a coordinate is seen: its fold, and the places on the array (name, PEs, index) that a fold cannot say."""

    fold: Fold
    places: tuple[tuple[str, int, IndexExpr], ...]


@dataclass(frozen=True, eq=False)
class View:
    """Visits of one tensor, seen through loops and the PEs of an array."""

    counter: Counter
    visits: tuple[Visit, ...]
    loops: frozenset[str]
    lanes: Spread

    @staticmethod
    def of(counter: Counter, visits: Sequence[Visit], loops: Iterable[str], lanes: Spread | None = None) -> View:
        distinct = {(v.einsum.name, v.access.indices): v for v in visits}
        return View(counter, tuple(distinct.values()), frozenset(loops), lanes or {})

    @property
    def names(self) -> tuple[str, ...]:
        """Every coordinate of the visits."""
        return tuple(dict.fromkeys(c for visit in self.visits for c in visit.einsum.coordinates))

    @cached_property
    def axes(self) -> dict[str, _Axis]:
        return {c: self._axis(c) for c in self.names}

    @cached_property
    def folds(self) -> dict[str, Fold]:
        """How coordinates are collapsed: an index that tells its coordinates apart keeps them."""
        folds = {c: axis.fold for c, axis in self.axes.items()}
        for indices in self._dims:
            if self._is_plain(indices):
                folds.update(dict.fromkeys(coordinates(indices[0]), KEEP))
        return folds

    @cached_property
    def tied(self) -> list[int]:
        """The dimensions whose place does not follow from what is kept of the coordinates."""
        return [at for at, indices in enumerate(self._dims) if not self._is_settled(indices, self.folds)]

    @cached_property
    def _dims(self) -> list[tuple[Index, ...]]:
        return list(zip(*(visit.access.indices for visit in self.visits), strict=True))

    def count(self) -> int:
        """The number of images; where visits meet at places that only data tells, each is taken to have its own."""
        if any(isinstance(item, Lookup) for at in self.tied for item in walk(*self._dims[at])):
            return sum(View(self.counter, (visit,), self.loops, self.lanes).count() for visit in self.visits)
        shape = self.counter.shapes.shapes[self.visits[0].access.tensor]
        places = [place for axis in self.axes.values() for place in axis.places]
        sizes = {**{_place(at): shape[at] for at in self.tied}, **{name: pes for name, pes, _ in places}}
        on_pes = {c for c in self.names if any(coordinates(e) == (c,) for _, _, e in places)}
        seen = {c for c in self.names if self.folds[c] != DROP} | on_pes
        tests = [conjunction(self._conditions(visit, self.tied, places, seen)) for visit in self.visits]
        folds = {**self.folds, **dict.fromkeys(sizes, KEEP)}
        return self.counter.count(folds, _predicate(disjunction(tests)), sizes)

    def _axis(self, coordinate: str) -> _Axis:
        """Digits of loops and of PEs; values that share a PE in turn differ by its passes, which are dropped."""
        marks: list[tuple[int, int | None]] = []
        places: list[tuple[str, int, IndexExpr]] = []
        bound, outside = self.counter.shapes.sizes[coordinate], 0
        for part, span in self.counter.digits[coordinate]:
            pes = self.lanes[part][1] if part in self.lanes and part not in self.loops else 0
            wraps = 0 < pes < -(-bound // span)
            if wraps and outside % (span * pes) == 0:
                marks.append((span * pes, None))
            elif wraps:
                places.append((f"{part} PE", pes, _digit(coordinate, outside, span, pes)))
            shown = part in self.loops or (pes > 0 and not (wraps and outside % (span * pes)))
            marks.append((span, 1 if shown else None))
            bound, outside = min(bound, span), span
        while marks and marks[-1][1] is None:
            marks.pop()
        return _Axis(Fold(tuple(marks)) if marks else DROP, tuple(places))

    def _is_plain(self, indices: tuple[Index, ...]) -> bool:
        """Whether one index, the same for all, tells its coordinates apart; each lookup is taken to differ."""
        first = indices[0]
        if any(index.expr != first.expr or index.edge != first.edge for index in indices):
            return False
        if any(isinstance(item, Lookup) for item in walk(first)):
            return True
        return first.edge is None and tells_apart(first.expr, self.counter.shapes.cascade.splits)

    def _is_settled(self, indices: tuple[Index, ...], folds: Mapping[str, Fold]) -> bool:
        """Whether the place in this dimension follows from what is kept of the coordinates."""
        same = all(index.expr == indices[0].expr and index.edge == indices[0].edge != "zero" for index in indices)
        sizes = self.counter.shapes.sizes
        return same and all(folds[c].distinct(sizes[c]) for c in coordinates(indices[0]))

    def _conditions(
        self, visit: Visit, tied: Sequence[int], places: Sequence[tuple[str, int, IndexExpr]], seen: set[str]
    ) -> list[Predicate | bool]:
        """When a visit touches a place: its point exists, and the index and the PE are those."""
        own = set(visit.einsum.coordinates)
        shape = self.counter.shapes.shapes[visit.access.tensor]
        present = self.counter.presences[visit.einsum.name]
        return [
            True if present is None else present,
            *(_at(visit.access.indices[at], Coordinate(_place(at)), shape[at]) for at in tied),
            *(Test("==", Coordinate(name), expr) for name, _, expr in places),
            *(Test("==", Coordinate(c), Int(0)) for c in sorted(seen - own)),
        ]


def _place(dimension: int) -> str:
    """The coordinate that stands for a place in a tensor; no coordinate of a cascade has such a name."""
    return f"[{dimension}]"


def _predicate(condition: Predicate | bool) -> Predicate | None:
    if isinstance(condition, bool):
        return None if condition else NEVER
    return condition


def _digit(coordinate: str, outside: int, span: int, pes: int) -> IndexExpr:
    """The PE of a coordinate: its digit, modulo the PEs along that part."""
    whole: IndexExpr = Coordinate(coordinate)
    inside = IndexOp("%", whole, Int(outside)) if outside else whole
    return IndexOp("%", IndexOp("//", inside, Int(span)), Int(pes))


def _at(index: Index, place: IndexExpr, size: int) -> Predicate:
    """`index` reads at `place`; what a `zero` edge replaces is not read."""
    if index.edge == "wrap":
        return Test("==", place, IndexOp("%", index.expr, Int(size)))
    inside = Test("==", place, index.expr)
    if index.edge != "clamp":
        return inside
    below = And((Test("<", index.expr, Int(0)), Test("==", place, Int(0))))
    above = And((Test(">=", index.expr, Int(size)), Test("==", place, Int(size - 1))))
    return Or((inside, below, above))


def tells_apart(expr: IndexExpr, splits: Mapping[str, Split]) -> bool:
    """Whether an index has a value of its own for each value of its coordinates."""
    return _one_to_one(expr) or _is_split(expr, splits)


def _is_split(expr: IndexExpr, splits: Mapping[str, Split]) -> bool:
    """Whether an index is exactly `outer*step + inner` of a split: then it names the pair."""
    names = coordinates(expr)
    if len(names) != 2 or any(n not in splits for n in names) or splits[names[0]] != splits[names[1]]:
        return False
    (outer, inner), step = splits[names[0]].parts, splits[names[0]].step
    wholes = (IndexOp("*", Coordinate(outer), step), IndexOp("*", step, Coordinate(outer)))
    sums = [(whole, Coordinate(inner)) for whole in wholes] + [(Coordinate(inner), whole) for whole in wholes]
    return isinstance(expr, IndexOp) and expr.op == "+" and (expr.left, expr.right) in sums


def _one_to_one(expr: IndexExpr) -> bool:
    """Whether an index has at most one coordinate, and a different value for each of its values."""
    if isinstance(expr, IndexOp) and expr.op in ("+", "-"):
        sides = [side for side in (expr.left, expr.right) if coordinates(side)]
        return len(sides) == 1 and _one_to_one(sides[0])
    return isinstance(expr, Coordinate)
