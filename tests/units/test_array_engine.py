"""The array engine's timing: against a machine stepped edge by edge, and the laws of folds and instructions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.array_engine import ArrayEngineParams, Products, timing
from accelsim.units.pe_array import Job, run_array
from accelsim.units.systolic import Product, SystolicParams
from accelsim.units.systolic import timing as systolic_timing
from accelsim.units.timing import Timing

SIDES, REGISTERS = st.integers(1, 5), st.integers(0, 2)
ENGINES = st.builds(ArrayEngineParams, SIDES, SIDES, REGISTERS, REGISTERS, REGISTERS)
PRODUCTS = st.builds(Products, st.integers(0, 9), st.integers(1, 3))


def array_of(params: ArrayEngineParams) -> SystolicParams:
    registers = params.input_registers, params.mac_registers, params.output_registers
    return SystolicParams(params.rows, params.cols, "os", "padded", "overlapped", 1, *registers, "aligned")


def fetched(params: ArrayEngineParams, jobs: Sequence[Products]) -> tuple[list[int], list[tuple[int, int]]]:
    """Edges at which instructions are taken; and of each fold its job and the edge at which its beat 0 is multiplied.

    Three registers that move at once: the instruction, with places still to be put to the pads, and what they give.
    """
    taken: list[int] = []
    begun: list[tuple[int, int]] = []
    places: list[tuple[int, int]] = []
    given: tuple[int, int] | None = None
    edge = 0
    while len(taken) < len(jobs) or places or given:
        if given and given[1] == 0:
            begun.append((given[0], edge))
        given = places.pop(0) if places else None
        if not places and len(taken) < len(jobs):
            job = jobs[len(taken)]
            places = [(len(taken), beat) for _ in range(job.folds) for beat in range(max(job.beats, params.rows))]
            taken.append(edge)
        edge += 1
    return taken, begun


def fold(params: ArrayEngineParams, beats: int, start: int) -> Job:
    """A fold of ones, and of zeros past the beats that carry operands."""
    line = [int(beat < beats) for beat in range(max(beats, params.rows))]
    return Job([line] * params.rows, [[value] * params.cols for value in line], start)


@given(ENGINES, st.lists(PRODUCTS, min_size=1, max_size=4))
def test_a_machine_of_three_registers_and_elements(params: ArrayEngineParams, jobs: list[Products]) -> None:
    """Folds never meet in the array, all sums are right, and every edge is where the function says."""
    taken, begun = fetched(params, jobs)
    trace = run_array(array_of(params), [fold(params, jobs[job].beats, start) for job, start in begun])
    assert trace.clashes == 0
    assert len(trace.outputs) == params.rows * params.cols * sum(job.folds for job in jobs)
    assert all(output.value == jobs[begun[output.job][0]].beats for output in trace.outputs)
    for number, job in enumerate(jobs):
        wanted = timing(params, job)
        edges = [output.edge - taken[number] for output in trace.outputs if begun[output.job][0] == number]
        assert (min(edges), max(edges)) == (wanted.first, wanted.last)
    assert [after - before for before, after in pairwise(taken)] == [timing(params, job).busy for job in jobs[:-1]]


@given(ENGINES, st.integers(0, 300), st.integers(1, 50))
def test_folds_follow_one_another_as_instructions_do(params: ArrayEngineParams, beats: int, folds: int) -> None:
    one, all_ = timing(params, Products(beats)), timing(params, Products(beats, folds))
    assert all_ == Timing(one.first, one.cycles_of(folds) - 1, folds * one.busy)


@given(ENGINES, st.integers(1, 300))
def test_a_fold_is_the_published_one_two_edges_later(params: ArrayEngineParams, beats: int) -> None:
    """Without registers SCALE-Sim's count, K + R + C - 2; one more for the instruction, and one for the pads."""
    bare = replace(params, input_registers=0, mac_registers=0, output_registers=0)
    long = max(beats, params.rows)
    assert timing(bare, Products(beats)).cycles == long + params.rows + params.cols - 2 + 2
    whole = systolic_timing(array_of(params), Product(params.rows, params.cols, long))
    assert timing(params, Products(beats)) == Timing(whole.first + 2, whole.last + 2, whole.busy)


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^folds: must be an integer from 1 to 2147483648, got "0"$'):
        Products(1, 0)
    with pytest.raises(AccelsimError, match=r'^rows: must be an integer from 1 to 65536, got "0"$'):
        ArrayEngineParams(0, 1)
