"""The kernel of the search: what to keep of each tensor, for every candidate of tiles, on one Pareto front."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap

import numpy as np
from numpy.typing import NDArray

from accelsim.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Room = tuple[Floats, int]
Space = tuple[Floats, Ints, Room, Floats, int]
Front = tuple[Floats, Ints, int]
States = tuple[Floats, Ints]
Cost = tuple[float, float, float]
"""Seconds, energy in pJ, and bytes held."""
NEAR = 1 + 1e-12  # sums in another order differ by less

PARETO, FASTEST, THRIFTIEST, ROOMY = range(4)
"""What counts: seconds and energy alike, one before the other, or bytes held as well."""


@kernel
def dominates(a: Floats, b: Floats, goal: int) -> bool:
    """Whether (seconds, energy, bytes) `a` makes `b` needless; bytes decide where seconds and energy are equal."""
    if goal in (FASTEST, THRIFTIEST):
        first, then = goal - 1, 2 - goal
        if a[first] * NEAR < b[first]:
            return True
        if a[first] > b[first] * NEAR:
            return False
        if a[then] * NEAR < b[then]:
            return True
        return bool(a[then] <= b[then] * NEAR and a[2] <= b[2])
    if a[0] > b[0] * NEAR or a[1] > b[1] * NEAR:
        return False
    return bool(a[2] <= b[2] or (goal == PARETO and (a[0] * NEAR < b[0] or a[1] * NEAR < b[1])))


makes_needless: Callable[[Cost, Cost, int], bool] = unwrap(dominates)
"""The same for plain numbers: of a few costs it takes less time than a kernel takes to start."""


@kernel
def is_beaten(front: Floats, count: int, point: Floats, goal: int) -> bool:
    for at in range(count):  # noqa: SIM110 - numba knows no generators in any()
        if dominates(front[at], point, goal):
            return True
    return False


@kernel
def no_worse(a: Floats, b: Floats) -> bool:
    """Whether one row is as good as another in every column."""
    for d in range(a.shape[0]):  # noqa: SIM110 - numba knows no generators in all()
        if a[d] > b[d]:
            return False
    return True


@kernel
def prune(values: Floats, choices: Ints, count: int) -> int:
    """Keep the first `count` rows that no other row is as good as in every column; returns how many are left."""
    kept = 0
    for at in range(count):
        beaten = False
        for other in range(kept):
            if no_worse(values[other], values[at]):
                beaten = True
                break
        if beaten:
            continue
        left = 0
        for other in range(kept):
            if not no_worse(values[at], values[other]):
                if left != other:
                    values[left], choices[left] = values[other], choices[other]
                left += 1
        if left != at:
            values[left], choices[left] = values[at], choices[at]
        kept = left + 1
    return kept


@kernel
def needed(options: Floats) -> NDArray[np.bool_]:
    """Which options [option, candidate, column] no other is as good as in every column, for some candidate at least."""
    count = options.shape[0]
    found = np.zeros(count, np.bool_)
    for n in range(options.shape[1]):
        numbers = np.arange(count).reshape(count, 1)
        left = prune(options[:, n].copy(), numbers, count)
        found[numbers[:left, 0]] = True
    return found


@kernel
def find_least(options: Floats, firsts: Ints, n: int, least: Floats) -> None:
    """The least that the tensors from each on can add to each column."""
    for t in range(firsts.shape[0] - 2, -1, -1):
        for d in range(options.shape[2]):
            low = np.inf
            for o in range(firsts[t], firsts[t + 1]):
                low = min(low, options[o, n, d])
            least[t, d] = least[t + 1, d] + low


@kernel
def add_option(values: Floats, option: Floats, rest: Floats, capacity: Floats, into: Floats) -> bool:
    """Write the sum of what is chosen and an option; whether it fits, if the rest takes as little as can be."""
    for d in range(values.shape[0]):
        into[d] = values[d] + option[d]
    for d in range(capacity.shape[0]):  # noqa: SIM110 - numba knows no generators in all()
        if into[d] + rest[d] > capacity[d]:
            return False
    return True


@kernel
def best_at_least(values: Floats, rest: Floats, room: Room, fixed: Floats, point: Floats) -> None:
    """(seconds, energy, bytes) that no completion of what is chosen can be better than."""
    caps, moments = room[0].shape[0], room[1]
    point[2] = 0.0
    for first in range(0, caps, moments):
        most = 0.0
        for d in range(first, first + moments):
            most = max(most, values[d] + rest[d])
        point[2] += most
    point[1] = fixed[1] + values[caps] + rest[caps]
    point[0] = fixed[0]
    for d in range(caps + 1, values.shape[0]):
        point[0] = max(point[0], values[d] + rest[d])


@kernel
def drop_beaten(front: Floats, picks: Ints, count: int, point: Floats, goal: int) -> int:
    """Keep the points of a front that a new one does not dominate; returns how many are left."""
    left = 0
    for at in range(count):
        if not dominates(point, front[at], goal):
            front[left], picks[left] = front[at], picks[at]
            left += 1
    return left


@kernel
def doubled(front: Floats, picks: Ints) -> tuple[Floats, Ints]:
    """The same with room for twice as many points."""
    longer, more = np.empty((2 * len(front), front.shape[1])), np.empty((2 * len(picks), picks.shape[1]), np.int64)
    longer[: len(front)], more[: len(picks)] = front, picks
    return longer, more


@kernel
def widen(space: Space, front: Front, n: int, t: int, states: States, rest: Floats) -> States:
    """Every state with every option of tensor `t`, but for what does not fit or is beaten."""
    options, firsts, room, fixed, goal = space
    values, choices = states
    rows, number = len(values) * (firsts[t + 1] - firsts[t]), 0
    wider, chosen = np.empty((rows, values.shape[1])), np.empty((rows, choices.shape[1]), np.int64)
    point = np.zeros(3)
    for s in range(len(values)):
        for o in range(firsts[t], firsts[t + 1]):
            if not add_option(values[s], options[o, n], rest, room[0], wider[number]):
                continue
            best_at_least(wider[number], rest, room, fixed, point)
            if is_beaten(front[0], front[2], point, goal):
                continue
            chosen[number] = choices[s]
            chosen[number, t] = o
            number += 1
    left = prune(wider, chosen, number)
    return wider[:left], chosen[:left]


@kernel
def added(front: Front, point: Floats, n: int, choices: Ints, goal: int) -> Front:
    """The front with a point that nothing in it beats, and without what the point beats."""
    values, picks, count = front
    count = drop_beaten(values, picks, count, point, goal)
    if count == len(values):
        values, picks = doubled(values, picks)
    values[count], picks[count, 0], picks[count, 1:] = point, n, choices
    return values, picks, count + 1


@kernel
def fold(space: Space, front: Front) -> tuple[Floats, Ints, int, int]:
    """Add to a front what each candidate reaches with the best choices of an option for each tensor.

    Args:
        space: options [option, candidate, column], whose columns are bytes held at each level at each moment, energy
            in pJ, and seconds of each port; the first option of each tensor, and the number of all; bytes of each
            level at each moment, and how many moments there are; seconds of the units, and energy that no option
            changes; what counts.
        front: points [point, 3] of seconds, energy and bytes; their candidate and option of each tensor [point,
            1 + tensors]; how many there are.

    Returns:
        The front, and how many choices were looked at.
    """
    options, firsts, room, fixed, goal = space
    tensors, columns = firsts.shape[0] - 1, options.shape[2]
    least, point, none = np.zeros((tensors + 1, columns)), np.zeros(3), np.zeros(columns)
    seen = 0
    for n in range(options.shape[1]):
        find_least(options, firsts, n, least)
        seen += 1
        best_at_least(none, least[0], room, fixed, point)
        if is_beaten(front[0], front[2], point, goal):
            continue
        states = (np.zeros((1, columns)), np.zeros((1, tensors), np.int64))
        for t in range(tensors):
            seen += len(states[0]) * (firsts[t + 1] - firsts[t])
            states = widen(space, front, n, t, states, least[t + 1])
        values, choices = states
        for s in range(len(values)):
            best_at_least(values[s], none, room, fixed, point)
            if not is_beaten(front[0], front[2], point, goal):
                front = added(front, point, n, choices[s], goal)
    return front[0], front[1], front[2], seen
