"""Index tensors whose values nobody knows before the run: drawn from a seed, so that what they gather has a place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from zlib import crc32

import numpy as np

from accelsim.cost.images import Counter
from accelsim.cost.selections import selections
from accelsim.einsum.ast import SELECTIONS, Coordinate
from accelsim.einsum.cascade import Einsum
from accelsim.einsum.grid import Integers

MOST_ENTRIES = 1 << 26


@lru_cache(maxsize=4)
def drawn_indices(counter: Counter) -> dict[str, Integers]:
    """The index tensors that selections make, by name, each entry an index of a candidate.

    As many of the candidates as are kept, all such sets as likely, in rising order: that is how an engine hands them on
    that passes over a copy of the scores. The seed of a selection is its tensor's name. Tensors that are too large are
    left out.
    """
    shapes, tables = counter.shapes.shapes, dict[str, Integers]()
    for line in counter.shapes.cascade.einsums:
        names = [index.expr.name for index in line.target.indices if isinstance(index.expr, Coordinate)]
        plain = len(names) == len(line.target.indices)
        if line.reduction in SELECTIONS and plain and prod(shapes[line.tensor]) <= MOST_ENTRIES:
            tables[line.tensor] = _drawn(counter, line, names)
    return tables


def _drawn(counter: Counter, line: Einsum, dims: Sequence[str]) -> Integers:
    found, shape = selections(counter, line), counter.shapes.shapes[line.tensor]
    entries = np.zeros((found.candidates.size, prod(shape) // max(1, found.candidates.size)), np.int64)
    rng = np.random.default_rng(crc32(line.tensor.encode()))
    for row, n, k in zip(entries, found.candidates.ravel().tolist(), found.kept.ravel().tolist(), strict=True):
        row[:k] = np.sort(rng.choice(n, k, replace=False)) if k < n else np.arange(k)
    order = [*found.names, *(name for name in dims if name not in found.names)]
    whole = entries.reshape([counter.shapes.sizes[name] for name in order])
    return whole.transpose([order.index(name) for name in dims])
