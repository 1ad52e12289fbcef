"""Where something exists, as a condition: an interval of one loop whose ends move with the other loops, or a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.ast import And, Coordinate, IndexExpr, IndexOp, Int, Predicate, Test
from accelsim.program.lower.shares import Share

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Entry = Callable[[Share], IndexExpr]  # makes the table of a number that has no simpler form


def condition_of(flags: Share, entry: Entry) -> Predicate:
    """Where flags are set: ends of intervals can be compared for many iterations at once, entries of a table singly."""
    for axis in reversed(range(flags.values.ndim)):
        tests = _interval(flags, axis)
        if tests:
            return tests[0] if len(tests) == 1 else And(tuple(tests))
    return Test("<", Int(0), entry(flags))


def _interval(flags: Share, axis: int) -> list[Predicate]:
    """Tests of one loop against ends that are affine in one other loop at most; none where there are no such ends."""
    lines = np.moveaxis(flags.values > 0, axis, -1)
    size, some = lines.shape[-1], lines.sum(axis=-1) > 0
    low, high = _affine(lines.argmax(axis=-1), some, size), _affine(size - lines[..., ::-1].argmax(axis=-1), some, size)
    if low is None or high is None:
        return []
    places = np.arange(len(lines) if lines.ndim > 1 else 1).reshape([-1] + [1] * (lines.ndim - 1))
    start, end = (line.constant + line.slope * places for line in (low, high))
    here = np.arange(size)
    if (((start <= here) & (here < end)) != lines).any():
        return []
    of = [Coordinate(loop) for loop in flags.loops if loop != flags.loops[axis]]
    rank = Coordinate(flags.loops[axis])
    later = Test("<=", low.of(of), rank) if low.slope else Test("<", Int(low.constant - 1), rank)
    sooner = replace(high, constant=high.constant - 1).of(of) if high.slope else Int(high.constant)
    earlier = Test("<=" if high.slope else "<", rank, sooner)
    return [*([later] if (start > 0).any() else []), *([earlier] if (end < size).any() else [])]


@dataclass(frozen=True)
class Line:
    """A number that grows by `slope` with each iteration of one loop."""

    constant: int
    slope: int

    def of(self, loops: Sequence[Coordinate]) -> IndexExpr:
        steps: IndexExpr = IndexOp("*", Int(abs(self.slope)), loops[0]) if abs(self.slope) != 1 else loops[0]
        if self.slope < 0:
            return IndexOp("-", Int(self.constant), steps)
        return IndexOp("+" if self.constant > 0 else "-", steps, Int(abs(self.constant))) if self.constant else steps


def _affine(ends: Integers, some: Flags, size: int) -> Line | None:
    """The line through what is known of some ends; where one lies at 0 or `size` it may be anything beyond."""
    known = np.unique(ends[some])
    if len(known) == 1:
        return Line(int(known[0]), 0)
    inside = np.flatnonzero(some & (ends > 0) & (ends < size)) if ends.ndim == 1 else np.zeros(0, dtype=np.int64)
    if len(inside) < 2:
        return None
    a, b = inside[:2].tolist()
    slope = int(ends[b] - ends[a]) // (b - a)
    return Line(int(ends[a]) - slope * a, slope)
