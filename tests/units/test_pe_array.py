"""The systolic functions proven by registers: same values as numpy, same edges as the formula, for any small array."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.units.pe_array import Job, run_array, run_compiled
from accelsim.units.systolic import Dataflow, Edges, Folds, Outputs, Product, SystolicParams, timing
from tests.tries import tries
from tests.units.witness import folds_of, is_right, matrices, observe

SIDES = st.integers(1, 5)
SIZES = st.integers(1, 7)
REGISTERS = st.integers(0, 3)


@st.composite
def arrays(draw: st.DrawFn) -> SystolicParams:
    """Any array of at most 5 x 5."""
    dataflow: Dataflow = draw(st.sampled_from(get_args(Dataflow)))
    edges: Edges = draw(st.sampled_from(get_args(Edges)))
    folds: Folds = draw(st.sampled_from(get_args(Folds)))
    buffers = draw(st.integers(1, 1 if dataflow == "os" or folds == "serialised" else 2))
    r, s, t = (draw(REGISTERS) for _ in range(3))
    outputs: Outputs = draw(st.sampled_from(get_args(Outputs)))
    return SystolicParams(draw(SIDES), draw(SIDES), dataflow, edges, folds, buffers, r, s, t, outputs)


@settings(max_examples=tries(250))
@given(arrays(), st.builds(Product, SIZES, SIZES, SIZES), st.integers(0, 1000))
def test_registers_agree_with_the_formula_and_with_numpy(params: SystolicParams, shape: Product, seed: int) -> None:
    """Folds and the next job begin as early as no two values meet and every product is right: at `busy`."""
    inputs, weights = matrices(shape, seed)
    seen, product = observe(params, shape, seed)
    assert np.array_equal(product, inputs @ weights)
    assert seen == timing(params, shape)


@pytest.mark.parametrize("dataflow", get_args(Dataflow))
@pytest.mark.parametrize("folds", get_args(Folds))
def test_a_larger_array_agrees_too(dataflow: Dataflow, folds: Folds) -> None:
    """An array of 12 x 9 with edge tiles on both sides."""
    params, shape = SystolicParams(12, 9, dataflow, "trimmed", folds), Product(17, 13, 14)
    seen, product = observe(params, shape)
    assert np.array_equal(product, np.matmul(*matrices(shape, 1)))
    assert seen == timing(params, shape)


@given(st.integers(1, 4), st.data())
def test_jobs_of_other_shapes_may_follow_where_weights_stay(side: int, data: st.DataObject) -> None:
    """The next fold, whatever its shape, begins at this one's `busy` and all is right."""
    params = SystolicParams(side, side, "ws", "trimmed", "overlapped", data.draw(st.integers(1, 2)))
    jobs: list[Job] = []
    start = 0
    for seed in range(3):
        shape = Product(data.draw(SIZES), data.draw(st.integers(1, side)), data.draw(st.integers(1, side)))
        inputs, weights = matrices(shape, seed)
        jobs.append(Job(inputs.tolist(), weights.tolist(), start))
        start += timing(params, shape).busy
    assert is_right(params, jobs, run_compiled(params, jobs))


@settings(max_examples=tries(150))
@given(arrays(), st.builds(Product, SIZES, SIZES, SIZES), st.lists(st.integers(0, 12), min_size=1, max_size=3))
def test_the_compiled_simulation_is_the_readable_one(params: SystolicParams, shape: Product, starts: list[int]) -> None:
    """Everything equal, also when jobs are begun so early that their values meet."""
    fold = next(folds_of(params, shape))
    pairs = [matrices(shape, seed) for seed in range(len(starts))]
    jobs = [
        Job(inputs[fold.m, fold.k].tolist(), weights[fold.k, fold.n].tolist(), start)
        for start, (inputs, weights) in zip(starts, pairs, strict=True)
    ]
    assert run_compiled(params, jobs) == run_array(params, jobs)


@pytest.mark.parametrize("dataflow", get_args(Dataflow))
def test_a_fold_begun_an_edge_too_early_is_wrong(dataflow: Dataflow) -> None:
    params = SystolicParams(3, 3, dataflow, folds="overlapped")
    shape = Product(3, 3, 3)
    (first, first_weights), (second, second_weights) = (map(np.ndarray.tolist, matrices(shape, n)) for n in (1, 2))
    for early, right in ((0, True), (1, False)):
        jobs = [Job(first, first_weights, 0), Job(second, second_weights, timing(params, shape).busy - early)]
        assert is_right(params, jobs, run_array(params, jobs)) is right


def test_an_output_is_written_once() -> None:
    """8 x 8 outputs on an 8 x 8 array are 64 transfers; the published simulator counts 80 (docs/units.md)."""
    inputs, weights = (matrix.tolist() for matrix in matrices(Product(8, 8, 8), 1))
    trace = run_array(SystolicParams(8, 8, "os"), [Job(inputs, weights, 0)])
    assert (len(trace.outputs), trace.clashes) == (64, 0)
    assert len({(output.beat, output.col) for output in trace.outputs}) == 64
