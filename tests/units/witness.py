"""First, last and busy of a product on a systolic array, observed: folds are begun as early as nothing goes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accelsim.units.pe_array import Job, Trace, run_compiled
from accelsim.units.systolic import Product, SystolicParams
from accelsim.units.timing import Timing

Integers = npt.NDArray[np.int64]
LARGE = 1000  # values of up to so many: a wrong sum that is right by chance is as good as impossible


@dataclass(frozen=True)
class Fold:
    """A part of a product: the rows, columns and depth of it that one fold computes."""

    m: slice
    n: slice
    k: slice


def matrices(shape: Product, seed: int) -> tuple[Integers, Integers]:
    draw = random.Random(seed)
    inputs = [[draw.randint(1, LARGE) for _ in range(shape.K)] for _ in range(shape.M)]
    weights = [[draw.randint(1, LARGE) for _ in range(shape.N)] for _ in range(shape.K)]
    return np.array(inputs, np.int64), np.array(weights, np.int64)


def folds_of(params: SystolicParams, shape: Product) -> Iterator[Fold]:
    """The folds in order: down the rows of the array slowest, across its columns fastest."""
    whole = slice(None)
    down, across = {"os": (shape.M, shape.N), "ws": (shape.K, shape.N), "is": (shape.K, shape.M)}[params.dataflow]
    for d in range(0, down, params.rows):
        for a in range(0, across, params.cols):
            rows, cols = slice(d, d + params.rows), slice(a, a + params.cols)
            yield {
                "os": Fold(rows, cols, whole),
                "ws": Fold(whole, cols, rows),
                "is": Fold(cols, whole, rows),
            }[params.dataflow]


def value_of(params: SystolicParams, trace: Trace, number: int, shape: tuple[int, int]) -> Integers:
    """What a fold gave, zeros of padded lanes left out; -1 where nothing came out."""
    found = np.full(shape, -1, np.int64)
    for output in trace.outputs:
        place = (output.col, output.beat) if params.dataflow == "is" else (output.beat, output.col)
        if output.job == number and place[0] < shape[0] and place[1] < shape[1]:
            found[place] = output.value
    return found


def is_right(params: SystolicParams, jobs: list[Job], trace: Trace) -> bool:
    """Whether nothing met and every fold gave its product."""
    if trace.clashes:
        return False
    wanted = [np.array(job.inputs) @ np.array(job.weights) for job in jobs]
    return all(np.array_equal(value_of(params, trace, n, w.shape), w) for n, w in enumerate(wanted))


def begin(params: SystolicParams, jobs: list[Job], fold: tuple[Integers, Integers]) -> list[Job]:
    """The jobs and one more: serialised after the last output so far, else at the first edge that goes well."""
    inputs, weights = fold[0].tolist(), fold[1].tolist()
    if not jobs:
        return [Job(inputs, weights, 0)]
    start = jobs[-1].start + 1
    if params.folds == "serialised":
        start = max(output.edge for output in run_compiled(params, jobs).outputs) + 1
    while True:
        tried = [*jobs, Job(inputs, weights, start)]
        if is_right(params, tried, run_compiled(params, tried)):
            return tried
        assert params.folds == "overlapped", "a fold that has the array for itself must go well"
        start += 1


def observe(params: SystolicParams, shape: Product, seed: int = 1) -> tuple[Timing, Integers]:
    """Timing and value of a product, followed by an equal one."""
    jobs: list[Job] = []
    folds = list(folds_of(params, shape))
    for turn in range(2):
        inputs, weights = matrices(shape, seed + turn)
        for fold in folds:
            jobs = begin(params, jobs, (inputs[fold.m, fold.k], weights[fold.k, fold.n]))
    trace = run_compiled(params, jobs)
    edges = [output.edge for output in trace.outputs if output.job < len(folds)]
    product = np.zeros((shape.M, shape.N), np.int64)
    for number, fold in enumerate(folds):
        part = product[fold.m, fold.n]
        part += value_of(params, trace, number, part.shape)
    return Timing(min(edges), max(edges), jobs[len(folds)].start), product
