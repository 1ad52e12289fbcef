"""How large the selections of a line are: from how many candidates each takes how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np

from accelsim.cost.images import Counter
from accelsim.einsum.affine import conjuncts, mentioned
from accelsim.einsum.ast import Predicate
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.grid import Flags, Integers
from accelsim.einsum.indices import flags_of
from accelsim.einsum.selection import counting
from accelsim.errors import AccelsimError

MOST_FIBERS = 1 << 22


@dataclass(frozen=True)
class Selections:
    """The selections of a line, an axis for each of `names`; where there is none, there are no candidates."""

    names: tuple[str, ...]
    candidates: Integers
    kept: Integers

    def sizes(self) -> Iterator[tuple[int, int, int]]:
        """Each different pair of candidates and kept ones, with the number of such selections."""
        pairs = np.stack([self.candidates.ravel(), self.kept.ravel()])
        found, counts = np.unique(pairs, axis=1, return_counts=True)
        for (n, k), count in zip(found.T.tolist(), counts.tolist(), strict=True):
            if n:
                yield n, k, count


def selections(counter: Counter, einsum: Einsum) -> Selections:
    """The selections of a line that `argmax`, `argtopk` or `argsort` makes.

    Raises:
        AccelsimError: too many to be told apart, or a condition that ties candidates to what counts the kept ones.
    """
    (over,) = einsum.reduced
    ranks = counting(einsum) if einsum.reduction != "argmax" else []
    names = tuple(name for name in einsum.coordinates if name not in (over, *ranks))
    sizes = counter.shapes.sizes
    shape = tuple(sizes[name] for name in names)
    if np.prod(shape, dtype=object) > MOST_FIBERS:
        raise AccelsimError(
            f"{einsum.name}: makes {np.prod(shape, dtype=object)} selections; {MOST_FIBERS} can be told apart"
        )
    parts = conjuncts(present) if (present := counter.presences[einsum.name]) is not None else ()
    for part in parts:
        if over in mentioned(part) and set(ranks) & set(mentioned(part)):
            raise AccelsimError(f"{einsum.name}: a condition ties {over} to {ranks[0]}", einsum.mark)

    def number(of: Sequence[str]) -> Integers:
        """How many places along some coordinates the conditions leave that speak of them."""
        said = [part for part in parts if set(of) & set(mentioned(part))]
        whole = prod(sizes[name] for name in of)
        flags = _flags(said, (*names, *of), counter)
        axes = tuple(range(len(names), len(names) + len(of)))
        held: Integers = np.broadcast_to(flags, (*flags.shape[: len(names)], *(sizes[name] for name in of))).sum(axes)
        return held if said else np.full((1,) * len(names), whole)

    outside = [part for part in parts if not {over, *ranks} & set(mentioned(part))]
    there = _flags(outside, names, counter)
    candidates = np.broadcast_to(np.where(there, number([over]), 0), shape)
    kept = np.broadcast_to(number(ranks) if ranks else np.ones((1,) * len(names), np.int64), shape)
    return Selections(names, candidates, np.minimum(kept, candidates))


def _flags(parts: Sequence[Predicate], names: Sequence[str], counter: Counter) -> Flags:
    """Where all of some conditions hold, an axis for each of `names`, of length 1 where nothing depends on it."""
    sizes, maps = counter.shapes.sizes, counter.shapes.cascade.maps
    grid = dict(zip(names, np.ix_(*(np.arange(sizes[name]) for name in names)), strict=True)) if names else {}
    shape = (1,) * len(names)
    found = [flags_of(part, grid, maps) for part in parts]
    return reduce(np.logical_and, found, np.ones(shape, np.bool_))
