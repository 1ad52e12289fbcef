"""How many different things an Einsum touches: distinct (loop iteration, element) pairs over the points that exist.

Every byte count of the analytic rule is such a number. Without masks it is a product of closed forms; a mask or an index
that mixes coordinates is counted exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

from accelsim.einsum.ast import Access, Coordinate, Index, IndexExpr, IndexOp, Int, Lookup, MapCall, Predicate, Size
from accelsim.einsum.cascade import Einsum, Split
from accelsim.einsum.fold import DROP, KEEP, Fold
from accelsim.einsum.points import count_points
from accelsim.einsum.presence import presences
from accelsim.einsum.sizes import size_values
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement

MAX_ENUMERATED = 1 << 22


@dataclass(frozen=True, eq=False)
class Counter:
    """Counts for the Einsums of one placement; masks are worked out once per Einsum."""

    placement: Placement
    values: dict[str, int]
    presences: dict[str, Predicate | None]
    splits: tuple[Split, ...]

    @staticmethod
    def of(placement: Placement) -> Counter:
        shapes = placement.step.shapes
        splits = tuple(dict.fromkeys(shapes.cascade.splits.values()))
        return Counter(placement, size_values(shapes), presences(shapes), splits)

    def points(self, einsum: Einsum) -> int:
        """Points that exist."""
        return self._count(einsum, dict.fromkeys(einsum.coordinates, KEEP))

    def firings(self, einsum: Einsum) -> int:
        """Steps of the array: distinct temporal iterations and passes over the array with at least one point."""
        spread = self.placement.spread(einsum)
        folds = {}
        for c in einsum.coordinates:
            digits = self.placement.digits[c]
            folds[c] = Fold(tuple((span, spread[part][1] if part in spread else 1) for part, span in digits))
        return self._count(einsum, folds)

    def touched(self, einsum: Einsum, access: Access, loops: Iterable[str], masked: bool = True) -> int:
        """Distinct (iteration of `loops`, element of the access)."""
        kept = set(loops)
        folds = {c: self._digits(c, kept) for c in einsum.coordinates}
        named, mixed = _roles(access, self.splits)
        folds.update(dict.fromkeys(named, KEEP))
        open_ones = [expr for expr in mixed if any(folds[c] != KEEP for c in coordinates(expr))]
        return self._with_mixed(einsum, folds, open_ones, masked)

    def _digits(self, coordinate: str, kept: set[str]) -> Fold:
        parts = self.placement.digits[coordinate]
        marks = [(span, 1 if part in kept else None) for part, span in parts]
        while marks and marks[-1][1] is None:
            marks.pop()
        return Fold(tuple(marks)) if marks else DROP

    def _with_mixed(self, einsum: Einsum, folds: dict[str, Fold], mixed: list[IndexExpr], masked: bool) -> int:
        total = 1
        for names, exprs in _joined(mixed):
            predicate = self.presences[einsum.name] if masked else None
            if predicate is not None and set(names) & set(coordinates(predicate)):
                listed = ", ".join(sorted(names))
                raise AccelsimError(f"not supported yet: a mask over {listed}, mixed in an index", einsum.mark)
            total *= self._mixed(names, exprs, folds, einsum)
            folds.update(dict.fromkeys(names, DROP))
        return total * self._count(einsum, folds, masked)

    def _mixed(
        self, names: tuple[str, ...], exprs: tuple[IndexExpr, ...], folds: dict[str, Fold], einsum: Einsum
    ) -> int:
        sizes = self.placement.step.shapes.sizes
        if prod(sizes[c] for c in names) > MAX_ENUMERATED:
            raise AccelsimError(
                f"{einsum.name}: an index over {', '.join(names)} needs more than {MAX_ENUMERATED} points", einsum.mark
            )
        shapes = self.placement.step.shapes
        axes = tuple((c, sizes[c], folds[c]) for c in names)
        used = tuple(sorted((n, v) for n, v in self.values.items()))
        return _distinct(axes, exprs, used, tuple(sorted((n, tuple(t)) for n, t in shapes.cascade.maps.items())))

    def _count(self, einsum: Einsum, folds: dict[str, Fold], masked: bool = True) -> int:
        shapes = self.placement.step.shapes
        predicate = self.presences[einsum.name] if masked else None
        return count_points(shapes.sizes, einsum.coordinates, predicate, self.values, shapes.cascade.maps, folds)


@lru_cache(maxsize=4096)
def _roles(access: Access, splits: tuple[Split, ...]) -> tuple[tuple[str, ...], tuple[IndexExpr, ...]]:
    """Coordinates that an access's element tells apart, and indices that mix coordinates."""
    named: list[str] = []
    mixed: list[IndexExpr] = []
    for index in access.indices:
        names = coordinates(index.expr)
        if (len(names) == 1 and _one_to_one(index.expr)) or _has_lookup(index) or _is_split(index.expr, splits):
            named += names
        elif names:
            mixed.append(index.expr)
    return tuple(named), tuple(mixed)


def _is_split(expr: IndexExpr, splits: tuple[Split, ...]) -> bool:
    """Whether an index is exactly `outer*step + inner` of a split: then it names the pair."""
    for split in splits:
        outer, inner = (Coordinate(part) for part in split.parts)
        whole = (IndexOp("*", outer, split.step), IndexOp("*", split.step, outer))
        if expr in (*(IndexOp("+", w, inner) for w in whole), *(IndexOp("+", inner, w) for w in whole)):
            return True
    return False


def _one_to_one(expr: IndexExpr) -> bool:
    """Whether different coordinates surely give different indices."""
    if isinstance(expr, Coordinate):
        return True
    if isinstance(expr, IndexOp) and expr.op in ("+", "-"):
        sides = [side for side in (expr.left, expr.right) if coordinates(side)]
        return len(sides) == 1 and _one_to_one(sides[0])
    return False


def _has_lookup(index: Index) -> bool:
    """A gathered index: every lookup is taken to touch an element of its own."""
    found: list[IndexExpr] = [index.expr]
    while found:
        expr = found.pop()
        if isinstance(expr, Lookup):
            return True
        if isinstance(expr, IndexOp):
            found += [expr.left, expr.right]
    return False


def _joined(exprs: list[IndexExpr]) -> list[tuple[tuple[str, ...], tuple[IndexExpr, ...]]]:
    """Indices that share coordinates, together."""
    groups: list[tuple[set[str], list[IndexExpr]]] = []
    for expr in exprs:
        names, members = set(coordinates(expr)), [expr]
        for other in [g for g in groups if g[0] & names]:
            groups.remove(other)
            names, members = names | other[0], other[1] + members
        groups.append((names, members))
    return [(tuple(sorted(names)), tuple(members)) for names, members in groups]


@lru_cache(maxsize=4096)
def _distinct(
    axes: tuple[tuple[str, int, Fold], ...],
    exprs: tuple[IndexExpr, ...],
    values: tuple[tuple[str, int], ...],
    maps: tuple[tuple[str, tuple[int, ...]], ...],
) -> int:
    """Distinct (folded coordinates, indices) over a box, by enumeration."""
    numbers, tables = dict(values), dict(maps)
    digits = {name: _images(fold, size) for name, size, fold in axes}
    seen = set()
    for point in product(*(range(size) for _, size, _ in axes)):
        at = {name: value for (name, _, _), value in zip(axes, point, strict=True)}
        seen.add(
            (tuple(digits[n][v] for n, v in at.items()), tuple(_value(expr, at, numbers, tables) for expr in exprs))
        )
    return len(seen)


def _images(fold: Fold, size: int) -> list[tuple[int, ...]]:
    found = []
    for value in range(size):
        rest, image = value, []
        for tile, width in fold.digits:
            digit, rest = divmod(rest, tile)
            if width is not None:
                image.append(digit // width)
        found.append(tuple(image))
    return found


def _value(expr: IndexExpr, at: dict[str, int], numbers: dict[str, int], tables: dict[str, tuple[int, ...]]) -> int:
    if isinstance(expr, Int):
        return expr.value
    if isinstance(expr, Coordinate):
        return at[expr.name]
    if isinstance(expr, Size):
        return numbers[expr.name]
    if isinstance(expr, MapCall):
        return tables[expr.name][_value(expr.argument, at, numbers, tables)]
    if isinstance(expr, IndexOp):
        left, right = (_value(side, at, numbers, tables) for side in (expr.left, expr.right))
        results = {"+": left + right, "-": left - right, "*": left * right}
        if expr.op in results:
            return results[expr.op]
        return left // right if expr.op == "//" else left % right
    raise AccelsimError("a gathered index has no value before the data are known", expr.mark)
