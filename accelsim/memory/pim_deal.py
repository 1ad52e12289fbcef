"""Which channel of a stack gets which pair of head and request: each goes wholly to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heapreplace
from random import Random

Lengths = tuple[int, ...]


def in_turn(lengths: Sequence[int], channels: int) -> list[Lengths]:
    """One channel after the other, as the trace generators of AttAcc (ASPLOS 2024) do.

    >>> in_turn((5, 1, 1, 1), 2)
    [(5, 1), (1, 1)]
    """
    return [tuple(lengths[channel::channels]) for channel in range(channels)]


def least_loaded(lengths: Sequence[int], channels: int) -> list[Lengths]:
    """The longest that is left to the channel with the fewest positions (Graham's longest processing time first).

    >>> least_loaded((5, 1, 1, 1), 2)
    [(5,), (1, 1, 1)]
    """
    found: list[list[int]] = [[] for _ in range(channels)]
    loads = [(0, channel) for channel in range(channels)]
    heapify(loads)
    for length in sorted(lengths, reverse=True):
        load, channel = loads[0]
        found[channel].append(length)
        heapreplace(loads, (load + length, channel))
    return [tuple(lengths) for lengths in found]


DEALS: Mapping[str, Callable[[Sequence[int], int], list[Lengths]]] = {"in-turn": in_turn, "least-loaded": least_loaded}


def spread_lengths(pairs: int, length: int, spread: int, seed: int) -> Lengths:
    """So many lengths, each drawn evenly from `length - spread` to `length + spread`; a seed gives the same ones."""
    drawn = Random(seed)
    return tuple(drawn.randint(length - spread, length + spread) for _ in range(pairs))
