"""Every unit by name: what it is, what it takes, and its timing function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accelsim.errors import AccelsimError, nearest
from accelsim.units import (
    array_engine,
    attention,
    buffer,
    divide,
    dma,
    exp,
    fuse_array,
    gemv,
    link,
    roofline,
    softmax,
    systolic,
    vector,
    vector_engine,
)
from accelsim.units.fields import Checked, Parameter, parameters
from accelsim.units.timing import Timing
from accelsim.units.topk import digits, merge, queues, quick, study_of
from accelsim.units.topk.job import Ranking


@dataclass(frozen=True)
class Unit:
    """A unit: `params` and `shape` are the dataclasses of its hardware and of its job, with no name in common.

    `report` tells what is known of a job beside its timing, as plain data. Where the time depends on the data, `timing`
    is that of the worst case, and `study` tells what so many jobs take that are drawn from a seed.
    """

    name: str
    says: str
    params: type[Checked]
    shape: type[Checked]
    timing: Callable[[Any, Any], Timing]
    report: Callable[[Any, Any], Mapping[str, object]] | None = None
    study: Callable[[Any, Any, int, int], Mapping[str, object]] | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the hardware, then those of the job."""
        return (*parameters(self.params), *parameters(self.shape))

    def request(self, plain: Mapping[str, object]) -> tuple[Any, Any]:
        """Hardware and job from plain data by name.

        Raises:
            AccelsimError: led by the parameter's name: unknown, missing, or of a value that is not allowed.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in plain:
            if name not in known:
                raise AccelsimError(f"{name}: is no parameter of {self.name}{nearest(name, known)}")
        for name, parameter in known.items():
            if parameter.required and name not in plain:
                raise AccelsimError(f"{name}: must be given ({parameter.rule.says}): --set {name}=VALUE")
        values = {name: known[name].rule.read(value) for name, value in plain.items()}
        return _made(self.params, values), _made(self.shape, values)


def _made(kind: type[Checked], values: Mapping[str, object]) -> Checked:
    names = [parameter.name for parameter in parameters(kind)]
    return kind(**{name: values[name] for name in names if name in values})


TOPK = tuple(
    Unit(name, says, params, Ranking, timing, study=study_of(name))
    for name, says, params, timing in (
        (
            "quickselect",
            "top-k by quick-select: split around a pivot and again",
            quick.QuickParams,
            quick.timing,
        ),
        ("radixselect", "top-k by radix select: digit by digit from the top", digits.RadixParams, digits.timing),
        ("bitserial", "top-k by bit-serial select: bit by bit from the top", digits.BitParams, digits.timing),
        ("odd-even-merge", "top-k by odd-even merge sort: rows, then runs", merge.MergeParams, merge.timing),
        ("priority-queue", "top-k by a priority queue of k cells", queues.QueueParams, queues.queue_timing),
        ("heap", "top-k by a heap of k scores in a memory", queues.HeapParams, queues.heap_timing),
    )
)
"""Engines that keep the k largest of n scores."""

UNITS = {
    unit.name: unit
    for unit in (
        Unit(
            "systolic", "systolic array: M x K times K x N", systolic.SystolicParams, systolic.Product, systolic.timing
        ),
        Unit(
            "vector",
            "vector unit: an operator over a vector, or a reduction",
            vector.VectorParams,
            vector.Vector,
            vector.timing,
        ),
        Unit("exp", "exp unit: a polynomial behind a range reduction", exp.ExpParams, exp.Elements, exp.timing),
        Unit(
            "softmax",
            "vector unit with online softmax: a row of scores, tile by tile",
            softmax.SoftmaxParams,
            softmax.Scores,
            softmax.timing,
        ),
        Unit(
            "divide",
            "divider: a vector of quotients by restoring steps",
            divide.DivideParams,
            divide.Quotients,
            divide.timing,
        ),
        Unit(
            "attention",
            "attention tile: a query and its keys, one per edge",
            attention.AttentionParams,
            attention.Row,
            attention.timing,
        ),
        Unit(
            "fuse-array",
            "array that does the softmax of a tile itself: queries and tiles of keys",
            fuse_array.FuseParams,
            fuse_array.KeyTiles,
            fuse_array.timing,
        ),
        Unit(
            "array-engine",
            "array engine: an instruction for products, from pads into pads",
            array_engine.ArrayEngineParams,
            array_engine.Products,
            array_engine.timing,
        ),
        Unit(
            "vector-engine",
            "vector engine: an instruction for softmax of a tile, sums of P x V, or their division",
            vector_engine.VectorEngineParams,
            vector_engine.Words,
            vector_engine.timing,
        ),
        Unit(
            "gemv",
            "GEMV unit in memory: rows of weights with vectors that are held",
            gemv.GemvParams,
            gemv.Matrix,
            gemv.timing,
        ),
        Unit("dma", "DMA engine: a block from memory in bursts", dma.DmaParams, dma.Block, dma.timing),
        Unit(
            "buffer",
            "buffer with ports and banks: strided accesses",
            buffer.BufferParams,
            buffer.Accesses,
            buffer.timing,
        ),
        Unit(
            "roofline",
            "processor at its peaks: products of matrices",
            roofline.RooflineParams,
            roofline.Products,
            roofline.timing,
        ),
        Unit("link", "link: a message in beats", link.LinkParams, link.Message, link.timing),
        *TOPK,
    )
}


def find_unit(name: str, units: Mapping[str, Unit] = UNITS) -> Unit:
    """The unit of that name. Raises AccelsimError with the nearest name where there is none."""
    if name not in units:
        raise AccelsimError(f'no unit named "{name}"{nearest(name, units)}')
    return units[name]
