"""From the points of one line to its results: products under a sum, reductions, selections, and what is absent.

A result is absent where a condition fails that does not depend on the coordinates reduced; a reduction skips the points
where one of the other conditions fails. So a masked score is absent, while the maximum of masked scores is `lowest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from accelsim.einsum.ast import SELECTIONS, BinaryOp, Expr
from accelsim.einsum.grid import Condition, Flags, Floats, Grid, Integers
from accelsim.einsum.selection import counting
from accelsim.errors import AccelsimError

REDUCE: dict[str, Any] = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}
NEUTRAL = {"sum": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}


def factors(expr: Expr) -> list[Expr]:
    """The factors of a product; the expression itself if it is none."""
    if isinstance(expr, BinaryOp) and expr.op == "*":
        return [*factors(expr.left), *factors(expr.right)]
    return [expr]


def collapse(grid: Grid, reduced: frozenset[str]) -> tuple[Floats, Flags | None]:
    """Results of a line and which of them exist (None: all), the `reduced` coordinates being axes of length 1.

    Raises:
        AccelsimError: an index that leaves its tensor at a point that exists, or `else` under a reduction.
    """
    ends = list(grid.split_ends())
    grid.conditions += [*ends, *grid.where_parts()]
    values = _reduced(grid, reduced)
    _check_inside(grid)
    outer = [condition for condition in grid.conditions if not condition.coordinates & reduced]
    if grid.einsum.otherwise is None:
        return values, _all(outer)
    if len(outer) < len(grid.conditions):
        raise AccelsimError("not supported yet: else where a reduction skips points", grid.einsum.mark)
    return _with_otherwise(grid, values, _all(outer), ends)


def _all(conditions: Iterable[Condition]) -> Flags | None:
    """Where all conditions hold; None where there are none or nothing fails."""
    flags = [condition.flags for condition in conditions if not condition.flags.all()]
    return reduce(np.logical_and, flags) if flags else None


def _check_inside(grid: Grid) -> None:
    """An index without an edge rule may leave its tensor only at points that do not exist."""
    for access, left in grid.outside:
        exists = _all(grid.conditions)
        bad = left.flags if exists is None else left.flags & exists
        if bad.any():
            raise AccelsimError(
                f"{grid.einsum.name}: an index leaves {access.tensor} at {grid.point(bad)}; "
                "say clamp, zero or wrap, or exclude the point by where",
                access.mark,
            )


def _with_otherwise(
    grid: Grid, values: Floats, exists: Flags | None, ends: list[Condition]
) -> tuple[Floats, Flags | None]:
    """Absent results given the value of `else`; past the end of a split rank nothing exists all the same."""
    if exists is None or grid.einsum.otherwise is None:
        return values, exists
    other = replace(grid, conditions=list(ends), outside=[])
    given = other.floats(grid.einsum.otherwise)
    _check_inside(other)
    present = _all(other.conditions)
    inside = _all(ends)
    if present is not None:
        present = exists | present if inside is None else (exists | present) & inside
    return np.where(exists, values, given), present


def _reduced(grid: Grid, reduced: frozenset[str]) -> Floats:
    reduction = grid.einsum.reduction
    if reduction in SELECTIONS:
        return _selected(grid, next(iter(reduced)))
    if reduction is None or not reduced:
        return grid.floats(grid.einsum.expr)
    if reduction == "sum":
        values = [grid.floats(factor) for factor in factors(grid.einsum.expr)]
        if all(np.isfinite(one).all() for one in values):
            return _contracted(grid, values, reduced)
        return _folded(grid, reduce(np.multiply, values), reduced)
    return _folded(grid, grid.floats(grid.einsum.expr), reduced)


def _inner(grid: Grid, reduced: frozenset[str]) -> list[Condition]:
    """The conditions by which a reduction skips points."""
    found = (condition for condition in grid.conditions if condition.coordinates & reduced)
    return [condition for condition in found if not condition.flags.all()]


def _contracted(grid: Grid, values: list[Floats], reduced: frozenset[str]) -> Floats:
    """The sum of a product without the product itself: each factor on its own axes, skipped points as zeros."""
    values = list(values)
    for condition in _inner(grid, reduced):
        _mask(values, condition.flags)
    carried = [any(one.shape[axis] > 1 for one in values) for axis in range(len(grid.axes))]
    missing = [name for name, held in zip(grid.axes, carried, strict=True) if name in reduced and not held]
    values += [np.ones(grid.shape([name])) for name in missing]
    operands: list[Any] = []
    for one in values:
        operands += [one.reshape([size for size in one.shape if size > 1]), _wide(one)]
    out = [axis for axis, name in enumerate(grid.axes) if name not in reduced and carried[axis]]
    largest = max(one.size for one in values)
    found: Floats = np.einsum(*operands, out, optimize=("greedy", largest))
    return found.reshape(grid.shape(grid.axes[axis] for axis in out))


def _wide(values: Floats) -> list[int]:
    return [axis for axis, size in enumerate(values.shape) if size > 1]


def _mask(values: list[Floats], flags: Flags) -> None:
    """Zeros where a flag is not set, in a factor that has all axes of the flags, else as one more factor."""
    for at, one in enumerate(values):
        if all(size == 1 or one.shape[axis] == size for axis, size in enumerate(flags.shape)):
            values[at] = np.where(flags, one, 0.0)
            return
    values.append(flags.astype(np.float64))


def _folded(grid: Grid, values: Floats, reduced: frozenset[str]) -> Floats:
    """A reduction over every point, an empty one giving the reduction's own value (`lowest` for max)."""
    reduction = grid.einsum.reduction or "sum"
    axes = tuple(axis for axis, name in enumerate(grid.axes) if name in reduced)
    present = _all(_inner(grid, reduced))
    flags = np.ones(grid.shape(())) > 0 if present is None else present
    full = np.broadcast_shapes(values.shape, flags.shape, grid.shape(reduced))
    kept = np.broadcast_to(values if present is None else np.where(flags, values, NEUTRAL[reduction]), full)
    found: Floats = REDUCE[reduction].reduce(kept, axis=axes, keepdims=True)
    if present is None or reduction in ("sum", "prod"):
        return found
    some = np.broadcast_to(flags, np.broadcast_shapes(flags.shape, grid.shape(reduced))).any(axis=axes, keepdims=True)
    return np.where(some, found, grid.kind.lowest if reduction == "max" else grid.kind.highest)


def _selected(grid: Grid, over: str) -> Floats:
    """Coordinates along `over` of the largest value, of the k largest, or of all in ascending order.

    Ties go to the lowest. What is absent is never selected; results for which too few points exist are absent.
    """
    reduction, axis = grid.einsum.reduction, grid.axes.index(over)
    values = grid.floats(grid.einsum.expr)
    present = _all(_inner(grid, frozenset([over])))
    flags = np.ones(grid.shape([over])) > 0 if present is None else np.broadcast_to(present, _with(grid, present, over))
    keys = values if reduction == "argsort" else -values
    keys = np.where(flags, keys, np.inf)
    best = np.lexsort((keys, ~np.broadcast_to(flags, keys.shape)), axis=axis)
    rank = _rank(grid)
    count = grid.ranges[rank].size if rank else 1
    if count > best.shape[axis]:
        points = f"the {best.shape[axis]} points of {over}"
        raise AccelsimError(f"{grid.einsum.name}: {reduction} takes {count} of {points}", grid.einsum.mark)
    first: Integers = np.take(best, range(count), axis=axis)
    if rank:
        first = np.swapaxes(first, axis, grid.axes.index(rank))
    _require(grid, flags, over, rank)
    return grid.ranges[over][first].astype(np.float64)


def _with(grid: Grid, flags: Flags, name: str) -> tuple[int, ...]:
    return np.broadcast_shapes(flags.shape, grid.shape([name]))


def _rank(grid: Grid) -> str | None:
    """The coordinate that counts what is selected."""
    if grid.einsum.reduction == "argmax":
        return None
    extra = counting(grid.einsum)
    if len(extra) != 1:
        raise AccelsimError(
            f"{grid.einsum.name}: {grid.einsum.reduction} needs one coordinate on the left that is not on the right, "
            f"got {', '.join(extra) or 'none'}",
            grid.einsum.mark,
        )
    return extra[0]


def _require(grid: Grid, flags: Flags, over: str, rank: str | None) -> None:
    """The k-th result exists where more than k points do."""
    points = flags.sum(axis=grid.axes.index(over), keepdims=True)
    if points.min() < flags.shape[grid.axes.index(over)]:
        enough = points > (grid.coordinate(rank) if rank else 0)
        known = frozenset(name for name, size in zip(grid.axes, enough.shape, strict=True) if size > 1)
        grid.conditions.append(Condition(known - {over}, enough))
