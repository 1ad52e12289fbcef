"""Engines that run instructions: which there are, and how long an instruction takes, by its steps and folds."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from accelsim.errors import AccelsimError, nearest
from accelsim.units.array_engine import ArrayEngineParams, Products
from accelsim.units.array_engine import timing as array_timing
from accelsim.units.dma import EngineParams, Rows, load_timing, store_timing
from accelsim.units.fields import Checked
from accelsim.units.fuse_engine import FuseEngineParams, TileStep
from accelsim.units.fuse_engine import Operation as FuseOperation
from accelsim.units.fuse_engine import timing as fuse_timing
from accelsim.units.merge_engine import MergeEngineParams, MergeWords
from accelsim.units.merge_engine import Operation as MergeOperation
from accelsim.units.merge_engine import timing as merge_timing
from accelsim.units.timing import Timing
from accelsim.units.vector_engine import Operation, VectorEngineParams, Words
from accelsim.units.vector_engine import timing as vector_timing

ARRAY, VECTOR, DMA = "array-engine", "vector-engine", "dma-engine"
FUSE, MERGE = "fuse-engine", "merge-engine"
ENGINES = (ARRAY, VECTOR, DMA, FUSE, MERGE)
TILE_STEPS: Mapping[str, FuseOperation] = MappingProxyType(
    {"SCORES": "scores", "WEIGHTS": "weights", "VALUES": "values"}
)
"""Tasks of an array that does softmax itself, as its timing function calls them."""


def compute_timing(kind: str, params: Mapping[str, int], task: str, steps: int, folds: int) -> Timing:
    """Edges of an instruction of a compute engine, counted from its start.

    Args:
        params: of the engine by name, the extents of its unit among them.
        task: what the instruction is called; to a vector engine its operation.
        steps: edges at which it takes operands, in all folds.
        folds: parts of its result, as many columns or lanes wide as the unit, that are made one after the other.

    Raises:
        AccelsimError: a parameter or an operation that the engine does not have.
    """
    if kind == ARRAY:
        return array_timing(
            ArrayEngineParams(**_known(kind, params, ArrayEngineParams)), Products(steps // folds, folds)
        )
    if kind == FUSE:
        return _fuse_timing(params, task, steps)
    if kind == MERGE:
        return _merge_timing(params, task, steps)
    for operation in get_args(Operation):
        if operation == task:
            return vector_timing(
                VectorEngineParams(**_known(kind, params, VectorEngineParams)), Words(operation, steps)
            )
    raise AccelsimError(f'{kind}: no operation "{task}"{nearest(task, get_args(Operation))}')


def _fuse_timing(params: Mapping[str, int], task: str, steps: int) -> Timing:
    fuse = FuseEngineParams(**_known(FUSE, params, FuseEngineParams))
    if task not in TILE_STEPS:
        raise AccelsimError(f'{FUSE}: no operation "{task}"{nearest(task, TILE_STEPS)}')
    return fuse_timing(fuse, TileStep(TILE_STEPS[task], 1 if task == "WEIGHTS" else steps))


def _merge_timing(params: Mapping[str, int], task: str, steps: int) -> Timing:
    own = {name: value for name, value in params.items() if name != "lanes"}
    merge = MergeEngineParams(**_known(MERGE, own, MergeEngineParams))
    for operation in get_args(MergeOperation):
        if operation == task:
            return merge_timing(merge, MergeWords(operation, steps))
    raise AccelsimError(f'{MERGE}: no operation "{task}"{nearest(task, get_args(MergeOperation))}')


def transfer_timing(params: Mapping[str, int], latency: int, kind: str, moved_bytes: int) -> Timing:
    """Edges of a LOAD or STORE of consecutive bytes, which must be one burst.

    Args:
        latency: edges from a request to its first beat, and from the last beat to the answer.
        kind: `load` or `store`.

    Raises:
        AccelsimError: a parameter that the engine does not have, or more bytes than a burst.
    """
    engine = EngineParams(latency=latency, **_known(DMA, params, EngineParams))
    beats = -(-moved_bytes // engine.beat_bytes)
    if beats > engine.longest_burst:
        raise AccelsimError(
            f"{moved_bytes} B are {beats} beats; a tile must fit a burst, {engine.longest_burst} beats: make it smaller"
        )
    job = Rows(1, beats, beats * engine.beat_bytes)
    return load_timing(engine, job) if kind == "load" else store_timing(engine, job)


def _known(kind: str, params: Mapping[str, int], into: type[Checked]) -> dict[str, int]:
    names = list(inspect.signature(into).parameters)
    for name in params:
        if name not in names:
            raise AccelsimError(f'{kind}: no parameter "{name}"{nearest(name, names)}')
    return dict(params)
