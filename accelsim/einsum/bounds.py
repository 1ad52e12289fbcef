"""The least and the greatest value of an index, from sizes of ranks, the ends of splits and the guards of a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.einsum.affine import Affine
from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Lookup, MapCall, Predicate, Size
from accelsim.einsum.cascade import Split
from accelsim.einsum.linear import guards, linear
from accelsim.einsum.text import render_index
from accelsim.einsum.walk import Item, walk
from accelsim.errors import AccelsimError, Mark, nearest

Range = tuple[int, int]


@dataclass(frozen=True)
class Space:
    """Sizes of coordinates, values of upper-case names, splits by part, least and greatest entry of every map."""

    sizes: Mapping[str, int]
    values: Mapping[str, int]
    splits: Mapping[str, Split]
    tables: Mapping[str, Range]


class Bounds:
    """Bounds of the indices of one line at the points where `where` holds; errors stand at `mark`."""

    def __init__(self, space: Space, where: Predicate | None, mark: Mark) -> None:
        self.space, self.mark = space, mark
        self.known: dict[IndexExpr, Range] = {}
        forms = [form for form in guards(where, space.values) if not is_looked_up(*(atom for atom, _ in form.terms))]
        self.simple = [form for form in forms if all(isinstance(atom, Coordinate) for atom, _ in form.terms)]
        self.forms = forms
        self.absent = any(self._plain(form)[1] < 0 for form in self.simple)
        if where is not None:
            self.settle(where)

    def of(self, expr: IndexExpr) -> Range:
        """Bounds of an index in which no tensor is looked up; the least is above the greatest where no point exists.

        Raises:
            AccelsimError: a divisor that may be zero or negative, a parameter without a value.
        """
        if self.absent:
            return 0, -1
        self.settle(expr)
        return self._guarded(linear(expr, self.space.values), self.forms)

    def settle(self, item: Item) -> None:
        """Find the bounds of all products and quotients inside, inner ones first, so that nothing recurses."""
        for inner in reversed(list(walk(item))):
            if isinstance(inner, IndexOp) and inner.op in ("*", "//", "%") and not is_looked_up(inner):
                self.known[inner] = self._operated(inner)

    def _guarded(self, form: Affine, forms: list[Affine]) -> Range:
        """A guard `g >= 0` gives `form >= form - g` and `form <= form + g`."""
        low, high = self._plain(form)
        for guard in forms:
            low = max(low, self._plain(form - guard)[0])
            high = min(high, self._plain(form + guard)[1])
        return low, high

    def _plain(self, form: Affine) -> Range:
        low = high = form.constant
        for atom, coefficient in self._joined(form).items():
            ends = [coefficient * end for end in self._ends(atom)]
            low, high = low + min(ends), high + max(ends)
        return low, high

    def _joined(self, form: Affine) -> dict[IndexExpr, int]:
        """The terms with `outer*step + inner` as the parent: points past its end are absent."""
        terms = dict(form.terms)
        pending = [atom.name for atom in terms if isinstance(atom, Coordinate)]
        while pending:
            split = self.space.splits.get(pending.pop())
            if split is None:
                continue
            outer, inner = (Coordinate(part) for part in split.parts)
            coefficient = terms.get(inner, 0)
            if coefficient and terms.get(outer, 0) == coefficient * self.space.sizes[inner.name]:
                del terms[outer], terms[inner]
                parent = Coordinate(split.parent)
                terms[parent] = terms.get(parent, 0) + coefficient
                pending.append(split.parent)
        return terms

    def _ends(self, atom: IndexExpr) -> Range:
        match atom:
            case Coordinate(name):
                return 0, self.space.sizes[name] - 1
            case MapCall(name):
                return self.space.tables[name]
            case Size(name):
                raise AccelsimError(f'parameter "{name}" has no value{nearest(name, self.space.values)}', self.mark)
        return self.known[atom]

    def _operand(self, expr: IndexExpr) -> Range:
        form = linear(expr, self.space.values)
        low, high = self._guarded(form, self.simple)
        return (low, high) if low <= high else self._plain(form)

    def _operated(self, expr: IndexOp) -> Range:
        left, right = self._operand(expr.left), self._operand(expr.right)
        if expr.op == "*":
            products = [a * b for a in left for b in right]
            return min(products), max(products)
        if right[0] < 1:
            shown = render_index(expr)
            raise AccelsimError(f'the divisor in "{shown}" must be positive, but may be {right[0]}', self.mark)
        if expr.op == "//":
            quotients = [a // b for a in left for b in right]
            return min(quotients), max(quotients)
        if left[0] >= 0 and left[1] < right[0]:
            return left
        return 0, min(left[1], right[1] - 1) if left[0] >= 0 else right[1] - 1


def is_looked_up(*items: Item) -> bool:
    """Does an index tensor stand in the items? Its values are known at evaluation only."""
    return any(isinstance(item, Lookup) for item in walk(*items))
