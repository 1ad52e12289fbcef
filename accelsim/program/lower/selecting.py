"""How long an engine selects in each iteration: drawn for each selection, by its place and not by when it runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accelsim.cost.images import Counter
from accelsim.cost.selections import Selections, selections
from accelsim.einsum.cascade import Einsum
from accelsim.errors import AccelsimError
from accelsim.program.lower.engine import Span
from accelsim.program.lower.numbers import Integers
from accelsim.program.lower.shares import Share
from accelsim.units.topk.selector import Selector, drawn_times


def selecting_span(counter: Counter, einsum: Einsum, loops: Sequence[str], selector: Selector, per_cycle: int) -> Span:
    """Ticks for which the selections of a tile take the engine, one after the other, and from then to the last result.

    Raises:
        AccelsimError: a loop that cuts the candidates of a selection.
    """
    found = selections(counter, einsum)
    owners = {part: name for name in einsum.coordinates for part, _ in counter.digits[name]}
    for loop in loops:
        if owners[loop] not in found.names:
            raise AccelsimError(f"{einsum.name}: an engine selects among all of {owners[loop]}, which {loop} cuts")
    axes = [_digits(counter, loop, owners[loop], found.names) for loop in loops]
    axes.insert(0, np.zeros([1] * found.candidates.ndim, np.int64))  # so that there is a place where no loop is left
    shape = tuple(int(axis.max(initial=0)) + 1 for axis in axes)
    place = tuple(np.broadcast_to(axis, found.candidates.shape) for axis in axes)
    intervals, behind = _times(found, selector)
    busy, latency = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(busy, place, intervals)
    np.maximum.at(latency, place, behind)
    return Span(Share(tuple(loops), busy[0] * per_cycle), Share(tuple(loops), latency[0] * per_cycle))


def _digits(counter: Counter, loop: str, owner: str, names: Sequence[str]) -> Integers:
    """The iteration of a loop in which each value of its coordinate is, along the axis of the coordinate."""
    values: Integers = np.arange(counter.shapes.sizes[owner], dtype=np.int64)
    for part, span in counter.digits[owner]:
        digit, values = values // span, values % span
        if part == loop:
            break
    return digit.reshape([-1 if name == owner else 1 for name in names])


def _times(found: Selections, selector: Selector) -> tuple[Integers, Integers]:
    """For each selection the cycles until the next may enter, and from then to behind its last result."""
    intervals, behind = (np.zeros(found.candidates.shape, np.int64) for _ in range(2))
    for n, k, count in found.sizes():
        those = (found.candidates == n) & (found.kept == k)
        intervals[those], behind[those] = drawn_times(selector, n, k, count)
    return intervals, behind
