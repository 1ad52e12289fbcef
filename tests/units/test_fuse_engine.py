"""The timing of the engine that does softmax itself: against a machine stepped edge by edge, and its laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.fuse_array import FuseParams, KeyTiles, step_timings
from accelsim.units.fuse_array import timing as array_timing
from accelsim.units.fuse_engine import FuseEngineParams, TileStep, timing
from accelsim.units.timing import Timing

SIDES, REGISTERS = st.integers(1, 5), st.integers(0, 2)
ENGINES = st.builds(FuseEngineParams, SIDES, SIDES, REGISTERS, REGISTERS)
WHOLE = st.builds(TileStep, st.sampled_from(["weights", "setup"]))
STEPS = st.one_of(WHOLE, st.builds(TileStep, st.sampled_from(["scores", "values"]), st.integers(1, 9)))

Beat = tuple[int, int, bool]
"""The number of its instruction, its own within it, and whether something leaves below."""


def beats_of(job: int, step: TileStep) -> list[Beat]:
    """What every element does, step by step: a product, a comparison, SUB, six of exp, or a product that goes down."""
    leaves = {
        "scores": [False] * step.elements + [True],
        "weights": [False] * 7 + [True],
        "values": [True] * step.elements,
        "setup": [True],
    }[step.operation]
    return [(job, beat, down) for beat, down in enumerate(leaves)]


def fetched(jobs: Sequence[TileStep]) -> tuple[list[int], dict[int, Beat]]:
    """Edges at which instructions are taken, and the beat that enters the array at an edge.

    Three registers that move at once: the instruction, with places still to be put to the pads, and what they give.
    """
    taken: list[int] = []
    enter: dict[int, Beat] = {}
    places: list[Beat] = []
    gives: Beat | None = None
    edge = 0
    while len(taken) < len(jobs) or places or gives:
        if gives:
            enter[edge] = gives
        gives = places.pop(0) if places else None
        if not places and len(taken) < len(jobs):
            places = beats_of(len(taken), jobs[len(taken)])
            taken.append(edge)
        edge += 1
    return taken, enter


def run_grid(params: FuseEngineParams, enter: dict[int, Beat]) -> dict[Beat, set[int]]:
    """Beats move right and what leaves moves down, a register at a time; edges at which each column of a result leaves.

    What comes down must meet its own beat in every row.
    """
    rows, cols = params.rows, params.cols
    after = 1 + params.output_registers
    right: dict[tuple[int, int], Beat] = {}
    below: dict[tuple[int, int], Beat] = {}
    found: dict[Beat, set[int]] = {}
    for edge in range(max(enter) + rows + cols + params.input_registers + 1):
        acts = {(row, col + 1): beat for (row, col), beat in right.items() if col + 1 < cols}
        for row in range(rows):
            if beat := enter.get(edge - params.input_registers - row):
                acts[row, 0] = beat
        for (row, col), beat in acts.items():
            assert not row or not beat[2] or below.get((row - 1, col)) == beat
        right, below = acts, {place: beat for place, beat in acts.items() if beat[2]}
        for col in range(cols):
            if beat := below.get((rows - 1, col)):
                found.setdefault(beat, set()).add(edge + after + cols - 1 - col)
    return found


@given(ENGINES, st.lists(STEPS, min_size=1, max_size=6))
def test_a_machine_of_registers_and_elements(params: FuseEngineParams, jobs: list[TileStep]) -> None:
    """In any order; columns leave at one edge, each result at its own, and every edge is where the function says."""
    taken, enter = fetched(jobs)
    leave = run_grid(params, enter)
    assert all(len(edges) == 1 for edges in leave.values())
    edges = {beat: min(found) for beat, found in leave.items()}
    assert len(set(edges.values())) == len(edges)
    for number, job in enumerate(jobs):
        mine = [edge - taken[number] for beat, edge in edges.items() if beat[0] == number]
        assert (min(mine), max(mine)) == (timing(params, job).first, timing(params, job).last)
    assert [after - before for before, after in pairwise(taken)] == [timing(params, job).busy for job in jobs[:-1]]


@given(ENGINES, st.integers(1, 300))
def test_weights_may_follow_when_scores_are_complete(params: FuseEngineParams, elements: int) -> None:
    """SLN enters two edges behind its start, as LM does behind that of its last beat."""
    scores = timing(params, TileStep("scores", elements))
    maximum = 2 + elements
    assert scores.last + 1 + 2 - maximum >= step_timings(array_of(params), elements, 1)["LM"].after


@given(ENGINES, st.integers(1, 300), st.integers(1, 300))
def test_a_tile_is_as_long_as_published(params: FuseEngineParams, E: int, F: int) -> None:
    """FuseMax's artifact: the array is busy for E + F + 9 cycles per tile; in its order nothing else is bare."""
    steps = TileStep("scores", E), TileStep("weights"), TileStep("values", F)
    busy = sum(timing(params, step).busy for step in steps)
    assert busy == E + F + 9
    assert busy == array_timing(replace(array_of(params), rows=1), KeyTiles(E, F)).busy - 1


def array_of(params: FuseEngineParams) -> FuseParams:
    return FuseParams(params.rows, params.cols, params.input_registers, params.output_registers)


def test_by_hand() -> None:
    """2 x 3 without registers: beat 0 enters at 2, LM of 4 elements at 6, and leaves 2 + 3 - 1 edges later."""
    bare = FuseEngineParams(2, 3, 0, 0)
    assert timing(bare, TileStep("scores", 4)) == Timing(10, 10, 5)
    assert timing(bare, TileStep("weights")) == Timing(13, 13, 8)
    assert timing(bare, TileStep("values", 4)) == Timing(6, 9, 4)
    assert timing(bare, TileStep("setup")) == Timing(6, 6, 1)


def test_jobs_that_cannot_be_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^elements: must be an integer from 1 to 2147483648, got "0"$'):
        TileStep("scores", 0)
    with pytest.raises(AccelsimError, match=r'^elements: must be 1 for weights, got "2"$'):
        TileStep("weights", 2)
    with pytest.raises(AccelsimError, match=r'^rows: must be an integer from 1 to 65536, got "0"$'):
        FuseEngineParams(0, 1)
