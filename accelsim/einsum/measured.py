"""Statistics measured on data: what the tensors of an evaluation say of sizes and masks that depend on data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from accelsim.einsum.ast import Access, Lookup, Predicate
from accelsim.einsum.cascade import Einsum, Shapes
from accelsim.einsum.grid import Values
from accelsim.einsum.selection import counting
from accelsim.einsum.walk import coordinates, walk
from accelsim.errors import AccelsimError

Table = tuple[tuple[str, ...], tuple[int, ...]]


def measured(shapes: Shapes, values: Mapping[str, Values]) -> Shapes:
    """The cascade described by its own data, so that counts are those of an evaluation.

    Every index tensor that a `where` reads becomes a table of what it holds (0 where it is absent), and every rank of
    data-dependent size one of how many its selection found. Statistics that were given are replaced.

    Args:
        values: every tensor, as `evaluate` returns them.

    Raises:
        AccelsimError: a map has the name of such a tensor or rank.
    """
    upto = shapes.cascade.upto
    tables = {name: _held(shapes, values[name], name) for name in _masking(shapes.cascade.einsums)}
    for line in shapes.cascade.einsums:
        if line.reduction in ("argtopk", "argsort"):
            tables |= {rank: _found(line, rank, values[line.tensor]) for rank in counting(line) if rank in upto}
    for name in tables.keys() & (shapes.cascade.maps.keys() - shapes.statistics.keys()):
        raise AccelsimError(f"a map has the name {name}, too")
    maps = {**shapes.cascade.maps, **{name: table for name, (_, table) in tables.items()}}
    statistics = {**shapes.statistics, **{name: by for name, (by, _) in tables.items()}}
    return replace(shapes, cascade=replace(shapes.cascade, maps=maps), statistics=statistics)


def _masking(lines: tuple[Einsum, ...]) -> list[str]:
    """The index tensors that conditions read."""
    conditions: list[Predicate] = [line.where for line in lines if line.where is not None]
    return list(dict.fromkeys(item.tensor for item in walk(*conditions) if isinstance(item, Access | Lookup)))


def _held(shapes: Shapes, values: Values, name: str) -> Table:
    array = values.array if values.present is None else np.where(values.present, values.array, 0.0)
    return shapes.cascade.tensors[name], tuple(int(entry) for entry in array.ravel())


def _found(line: Einsum, rank: str, values: Values) -> Table:
    """How many results a selection has at each of its other coordinates."""
    names = coordinates(line.target)
    present = np.ones(values.array.shape, dtype=np.bool_) if values.present is None else values.present
    counts = present.sum(axis=names.index(rank))
    return tuple(name for name in names if name != rank), tuple(int(entry) for entry in counts.ravel())
