"""Enumeration with numpy of the points of a mask: ranges of one coordinate for all combinations of the others.

Imported only where a mask has to be counted, so that numpy stays out of everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.affine import Affine
from accelsim.einsum.ast import Coordinate, IndexExpr, IndexOp, Int, MapCall
from accelsim.einsum.halfspaces import Axis, HalfSpace, Tree

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
CELLS = 1 << 22


@dataclass(frozen=True)
class Problem:
    """Half spaces joined by a tree, and the tables of the maps that they call."""

    tree: Tree
    halves: tuple[HalfSpace, ...]
    maps: Mapping[str, tuple[int, ...]]


def count_ranges(solved: Axis, others: tuple[Axis, ...], problem: Problem) -> int:
    """Distinct tuples of images over the points of `problem`; the caller keeps every number below 2**62."""
    others = _ordered(others)
    distinct = all(fold.distinct(size) for _, size, fold in (solved, *others))
    step = max(1, CELLS // (2 * len(problem.halves) + 2))
    total = prod(size for _, size, _ in others)
    chunks = (_coordinates(others, start, min(start + step, total)) for start in range(0, total, step))
    if distinct:
        return sum(int((ends - starts).sum()) for env in chunks for starts, ends, _ in _ranges(problem, solved, env))
    return _union(_images(problem, solved, others, env) for env in chunks)


def _ordered(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Coordinates whose folds keep the order come first: then images never fall behind as the enumeration proceeds."""
    return tuple(sorted(axes, key=lambda axis: (not axis[2].keeps_order(axis[1]), -axis[1])))


def _coordinates(axes: tuple[Axis, ...], start: int, stop: int) -> dict[str, Ints]:
    """The values of every coordinate at combinations `start` to `stop`; the first coordinate varies slowest."""
    place = np.arange(start, stop, dtype=np.int64)
    env: dict[str, Ints] = {"": np.zeros_like(place)}
    for name, size, _ in axes[::-1]:
        place, env[name] = np.divmod(place, size)
    return env


def _ranges(problem: Problem, solved: Axis, env: Mapping[str, Ints]) -> Iterator[tuple[Ints, Ints, Bools]]:
    """Ranges `start, stop` of the solved coordinate where the predicate holds, and the combinations they belong to."""
    rests = [_value(half.rest, env, problem.maps) for half in problem.halves]
    size = solved[1]
    bounds = [_bound(half, rest, size) for half, rest in zip(problem.halves, rests, strict=True)]
    zero = env[""]
    edges = np.sort([zero, *(b for b, h in zip(bounds, problem.halves, strict=True) if h.coefficient), zero + size], 0)
    for start, stop in pairwise(edges):
        truths = [_truth(half, bound, start) for half, bound in zip(problem.halves, bounds, strict=True)]
        present = _holds(problem.tree, truths) & (start < stop)
        yield start[present], stop[present], present


def _bound(half: HalfSpace, rest: Ints, size: int) -> Ints:
    """Where the half space begins or ends along the solved coordinate; its `rest` where it does not depend on it."""
    if half.coefficient == 0:
        return rest
    first = -rest // half.coefficient + 1 if half.coefficient > 0 else -(-rest // -half.coefficient)
    return first.clip(0, size)


def _truth(half: HalfSpace, bound: Ints, start: Ints) -> Bools:
    if half.coefficient == 0:
        return bound <= 0
    return start < bound if half.coefficient > 0 else start >= bound


def _holds(tree: int | Tree, truths: Sequence[Bools]) -> Bools:
    if isinstance(tree, int):
        return truths[tree]
    held = [_holds(child, truths) for child in tree.children]
    result = held[0]
    for other in held[1:]:
        result = result & other if tree.every else result | other
    return result


def _value(form: Affine, env: Mapping[str, Ints], maps: Mapping[str, tuple[int, ...]]) -> Ints:
    result = env[""] + form.constant
    for atom, coefficient in form.terms:
        result = result + coefficient * _atom(atom, env, maps)
    return result


def _atom(expr: IndexExpr, env: Mapping[str, Ints], maps: Mapping[str, tuple[int, ...]]) -> Ints:
    if isinstance(expr, Coordinate):
        return env[expr.name]
    if isinstance(expr, Int):
        return env[""] + expr.value
    if isinstance(expr, MapCall):
        return np.asarray(maps[expr.name], dtype=np.int64)[_atom(expr.argument, env, maps)]
    if not isinstance(expr, IndexOp):
        raise TypeError(f"not a number by now: {expr}")
    left, right = _atom(expr.left, env, maps), _atom(expr.right, env, maps)
    apply = {"+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide, "%": np.remainder}
    return np.asarray(apply[expr.op](left, right), dtype=np.int64)


def _images(
    problem: Problem, solved: Axis, others: tuple[Axis, ...], env: Mapping[str, Ints]
) -> tuple[Ints, Ints, int]:
    """Ranges on a line where every tuple of images has a place, and the place before which no later chunk begins."""
    _, size, fold = solved
    key = env[""]
    for name, extent, other in others:
        key = key * other.places(extent) + other.apply(env[name])
    lines = key * fold.places(size)
    found = list(_ranges(problem, solved, env))
    starts = [fold.apply(start) + lines[present] for start, _, present in found]
    ends = [fold.apply(stop - 1) + 1 + lines[present] for _, stop, present in found]
    return np.concatenate(starts), np.concatenate(ends), _floor(solved, others, env)


def _floor(solved: Axis, others: tuple[Axis, ...], env: Mapping[str, Ints]) -> int:
    """The first place of the outermost image of the chunk: earlier ones are finished, if that fold keeps the order."""
    if not others or not others[0][2].keeps_order(others[0][1]):
        return 0
    name, _, fold = others[0]
    inner = prod(other.places(size) for _, size, other in (*others[1:], solved))
    return int(fold.apply(env[name][:1])[0]) * inner


def _union(chunks: Iterator[tuple[Ints, Ints, int]]) -> int:
    """The number of integers in the union of ranges; ranges that end before a chunk's floor are put away at once."""
    total = 0
    kept: tuple[Ints, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64))
    for starts, ends, floor in chunks:
        done = kept[1] <= floor
        total += int((kept[1][done] - kept[0][done]).sum())
        kept = _merged(np.concatenate((kept[0][~done], starts)), np.concatenate((kept[1][~done], ends)))
    return total + int((kept[1] - kept[0]).sum())


def _merged(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """The same integers as disjoint ranges in rising order."""
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    opens = np.ones(len(starts), dtype=np.bool_)
    opens[1:] = starts[1:] > reach[:-1]
    closes = np.roll(opens, -1)
    return starts[opens], reach[closes]
