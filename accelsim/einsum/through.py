"""What is read through a selection exists: what was selected among present points leads to such points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from accelsim.einsum.affine import NEVER, Scope, conjunction, conjuncts, simplify
from accelsim.einsum.ast import SELECTIONS, Access, Coordinate, Index, IndexExpr, Lookup, Predicate
from accelsim.einsum.cascade import Einsum, Shapes
from accelsim.einsum.rewrite import rewritten
from accelsim.einsum.walk import coordinates, walk


@dataclass(frozen=True)
class _Reading:
    """A dimension read through what `line` selected; `name` stands for the coordinate that was selected."""

    line: Einsum
    at: tuple[str, ...]
    name: str


def present_through(
    part: Predicate, access: Access, shapes: Shapes, points: Mapping[str, Predicate | None], scope: Scope
) -> Predicate | bool | None:
    """Where a tensor exists at the place that an access reads through selections; None: it cannot be told.

    Args:
        part: where the tensor's elements exist, in the coordinates of its dimensions.
        points: where the points of each line exist. What was selected is such a point, so that every condition of the
            selecting line holds for it.
    """
    dims = list(zip(shapes.cascade.tensors[access.tensor], access.indices, strict=True))
    found = {dim: reading for dim, index in dims if (reading := _reading(dim, index, shapes)) is not None}
    values: dict[str, IndexExpr] = {dim: index.expr for dim, index in dims}
    values |= {dim: Coordinate(reading.name) for dim, reading in found.items()}
    known = all(reading.line.name in points for reading in found.values())
    if not found or not known or any(isinstance(item, Lookup) for item in walk(*values.values())):
        return None
    if any(index.edge for _, index in dims):
        return None
    sizes = {reading.name: shapes.sizes[reading.line.reduced[0]] for reading in found.values()}
    wide = Scope(scope.values, {**scope.sizes, **sizes}, scope.maps)
    given = {one for reading in found.values() for one in _given(reading, points, shapes, wide)}
    if NEVER in given:
        return False  # nothing is ever selected
    left = [one for one in conjuncts(simplify(rewritten(part, values, shapes), wide)) if one not in given]
    return None if set(sizes).intersection(coordinates(*left)) else conjunction(left)


def _reading(dim: str, index: Index, shapes: Shapes) -> _Reading | None:
    """How a dimension is read through a selection, where its index tensor is read and written at plain coordinates."""
    lookup = index.expr
    if not isinstance(lookup, Lookup):
        return None
    at = _plain(lookup.indices)
    lines = [line for line in shapes.cascade.einsums if line.name == lookup.tensor and line.reduction in SELECTIONS]
    if at is None or not lines or _plain(lines[0].target.indices) is None:
        return None
    return _Reading(lines[0], at, f"[{dim}]")


def _plain(indices: tuple[Index, ...]) -> tuple[str, ...] | None:
    names = tuple(index.expr.name for index in indices if isinstance(index.expr, Coordinate) and not index.edge)
    return names if len(names) == len(indices) else None


def _given(
    reading: _Reading, points: Mapping[str, Predicate | None], shapes: Shapes, scope: Scope
) -> Iterator[Predicate]:
    """What holds for a selected coordinate, in the coordinates of the line that reads it."""
    where, line = points[reading.line.name], reading.line
    if where is not None:
        names = dict(zip(coordinates(line.target), reading.at, strict=True)) | {line.reduced[0]: reading.name}
        yield from conjuncts(
            simplify(rewritten(where, {old: Coordinate(new) for old, new in names.items()}, shapes), scope)
        )
