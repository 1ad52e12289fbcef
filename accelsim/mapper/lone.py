"""Indices of one coordinate that several of its values share, such as `h//R` of grouped heads: counted along it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.ast import Access, Coordinate, Index, IndexExpr, IndexOp, Int, Size
from accelsim.einsum.walk import coordinates, walk

MOST_VALUES = 1 << 22
OPERATORS = {"+": np.add, "-": np.subtract, "*": np.multiply, "//": np.floor_divide, "%": np.remainder}


def is_lone(access: Access, index: Index, sizes: Mapping[str, int]) -> bool:
    """Whether an index is arithmetic on one coordinate that no other index of the access has."""
    names = coordinates(index)
    if len(names) != 1 or index.edge is not None or sizes[names[0]] > MOST_VALUES:
        return False
    if not all(isinstance(item, Coordinate | Int | Size | IndexOp) for item in walk(index.expr)):
        return False
    return sum(names[0] in coordinates(other) for other in access.indices) == 1


@lru_cache(maxsize=1 << 16)
def pairs_along(expr: IndexExpr, size: int, values: tuple[tuple[str, int], ...], tile: int, pes: int) -> int:
    """Distinct (tile, PE, index) along a coordinate of `size` values; a tile of 0 or PEs of 0: not told apart.

    Args:
        values: names of sizes with their numbers.
    """
    at = np.arange(size, dtype=np.int64)
    index = _valued(expr, at, dict(values))
    keys = [index]
    if tile:
        keys.append(at // tile)
    if pes:
        keys.append(at % pes)
    return len(np.unique(np.stack(keys), axis=1).T)


def _valued(expr: IndexExpr, at: NDArray[np.int64], values: Mapping[str, int]) -> NDArray[np.int64]:
    if isinstance(expr, Coordinate):
        return at
    if isinstance(expr, IndexOp):
        left, right = (_valued(side, at, values) for side in (expr.left, expr.right))
        found: NDArray[np.int64] = OPERATORS[expr.op](left, right)
        return found
    number = expr.value if isinstance(expr, Int) else values[expr.name] if isinstance(expr, Size) else 0
    return np.full(len(at), number, np.int64)
