"""The GEMV unit's timing: a machine that is stepped edge by edge, counts by hand, and published sizes of such units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.gemv import GemvParams, Matrix, interval, load_edges, timing, weight_edges

BUFFERS = st.integers(1, 2)
STAGES = st.integers(0, 2)
SMALL = st.integers(1, 9)


@st.composite
def units(draw: st.DrawFn) -> GemvParams:
    sizes = {name: draw(st.integers(1, 5)) for name in ("lanes", "vectors", "outputs")}
    stages = {name: draw(STAGES) for name in ("read_stages", "product_stages", "align_stages", "round_stages")}
    return GemvParams(**sizes, words=9, vector_buffers=draw(BUFFERS), **stages, sum_stages=draw(STAGES))


@dataclass(frozen=True)
class Seen:
    """Edges of a job: at which its words of vectors and its weights entered, and its outputs left."""

    words: list[int]
    weights: list[int]
    outputs: list[int]


def beats(params: GemvParams, job: Matrix) -> Iterator[tuple[int, int]]:
    """Row and word of each beat of weights."""
    words = range(-(-job.elements // params.lanes))
    for at in range(0, job.rows, params.outputs):
        for word, row in product(words, range(at, min(at + params.outputs, job.rows))):
            yield row, word


def run(params: GemvParams, jobs: list[Matrix]) -> list[Seen]:
    """Offer all jobs at once: what enters when nothing that it needs is on its way, one beat per port and edge."""
    addition = params.addition + 1
    behind = params.read_stages + params.product_stages + (params.lanes - 1).bit_length() * params.addition
    seen = [Seen([], [], []) for _ in jobs]
    words = [-(-job.elements // params.lanes) for job in jobs]
    vectors = [place for place, count in enumerate(words) for _ in range(count * params.vectors)]
    weights = [(place, *beat) for place, job in enumerate(jobs) for beat in beats(params, job)]
    final = {place: number for number, (place, *_) in enumerate(weights)}
    summed: dict[tuple[int, int], int] = {}
    loaded = used = edge = 0
    while used < len(weights):
        held = [len(one.words) == count * params.vectors for one, count in zip(seen, words, strict=True)]
        given_up = sum(final[place] < used for place in range(len(jobs)))
        if loaded < len(vectors) and vectors[loaded] - given_up < params.vector_buffers:
            seen[vectors[loaded]].words.append(edge)
            loaded += 1
        place, row, word = weights[used]
        if held[place] and summed.get((place, row), 0) <= edge + behind:
            seen[place].weights.append(edge)
            summed[place, row] = edge + behind + addition
            if word == words[place] - 1:
                seen[place].outputs.append(edge + behind + addition)
            used += 1
        edge += 1
    return seen


@given(units(), SMALL, SMALL)
def test_a_lone_job_is_that_of_the_stepped_machine(params: GemvParams, rows: int, elements: int) -> None:
    (seen,) = run(params, [Matrix(rows, elements)])
    found = timing(params, Matrix(rows, elements))
    assert (found.first, found.last) == (seen.outputs[0], seen.outputs[-1])
    assert len(seen.outputs) == rows


@given(units(), st.lists(st.tuples(SMALL, SMALL), min_size=2, max_size=4))
def test_jobs_in_a_row_are_those_of_the_stepped_machine(params: GemvParams, sizes: list[tuple[int, int]]) -> None:
    jobs = [Matrix(*size) for size in sizes]
    seen = run(params, jobs)
    begin = load_edges(params, jobs[0])
    for place, job in enumerate(jobs):
        found, loading = timing(params, job), load_edges(params, job)
        assert seen[place].weights[0] == begin
        assert seen[place].outputs[0] - begin == found.first - loading
        assert seen[place].outputs[-1] - begin == found.last - loading
        if place + 1 < len(jobs):
            hidden = params.vector_buffers == 2
            assert seen[place + 1].words[0] == (begin if hidden else begin + weight_edges(params, job))
            begin += interval(params, job, jobs[place + 1])


@given(units(), SMALL, SMALL, st.integers(1, 4))
def test_equal_jobs_cost_what_busy_says(params: GemvParams, rows: int, elements: int, jobs: int) -> None:
    job = Matrix(rows, elements)
    assert run(params, [job] * jobs)[-1].outputs[-1] + 1 == timing(params, job).cycles_of(jobs)


def test_by_hand() -> None:
    """Two lanes: a product, one level of the tree and the row's sum are 1 + 4 + 5 edges, the reading of a vector 1.

    5 elements are 3 beats. Rows 0 to 3 enter at edges 3 to 6; their next beats wait for the sum of row 0, which takes 5
    edges, and enter at 8 and 13; row 4 follows at once at 17, alone, and then at 22 and 27.
    """
    found = timing(GemvParams(lanes=2, outputs=4), Matrix(5, 5))
    assert (found.first, found.last, found.busy) == (13 + 11, 27 + 11, 25)


@pytest.mark.parametrize("rows", [8, 16, 4096])
def test_groups_as_long_as_an_addition_take_weights_at_every_edge(rows: int) -> None:
    params = GemvParams(lanes=8, outputs=8, words=64)
    assert params.addition < params.outputs
    assert weight_edges(params, Matrix(rows, 512)) == rows * 64


@pytest.mark.golden
def test_a_stack_of_memory_with_logic_has_its_published_peak() -> None:
    """Duplex (MICRO 2024), sections VI and VII-E: 32 modules of 512 MACs at 650 MHz give 21.3 TFLOPS per stack.

    4 times 670.4 GB/s of a stack, in 32 parts at 650 MHz, are 64 BF16 weights per edge: so 8 vectors share them. Their
    buffer of 8 KB holds 512 elements of each, half of them in use.
    """
    params = GemvParams(lanes=64, vectors=8, words=4)
    assert params.lanes * params.vectors == 512
    assert params.lanes * params.vectors * params.words * params.vector_buffers * 2 == 8 << 10
    assert params.lanes == pytest.approx(4 * 670.4e9 / 32 / 650e6 / 2, rel=0.02)
    job = Matrix(4096, 256)
    flops = 2 * job.rows * job.elements * params.vectors / timing(params, job).busy
    assert 32 * flops * 650e6 == pytest.approx(21.3e12, rel=0.002)


def test_vectors_that_take_longer_than_weights_bind() -> None:
    params = GemvParams(lanes=1, vectors=4, outputs=4, words=9)
    assert timing(params, Matrix(1, 1)).busy == 4
    assert interval(params, Matrix(100, 1), Matrix(1, 9)) == 100
    assert interval(params, Matrix(1, 1), Matrix(100, 9)) == 36


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^elements: must be at most 64, as a buffer holds, got "65"$'):
        timing(GemvParams(), Matrix(1, 65))
