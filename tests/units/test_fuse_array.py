"""The array that does softmax itself: edges by hand, against a walk through all elements, and the published sums."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.fuse_array import FuseParams, KeyTiles, step_timings, timing
from accelsim.units.timing import Timing

SIDES = st.integers(1, 6)
FEW = st.integers(1, 9)


def params() -> st.SearchStrategy[FuseParams]:
    return st.builds(FuseParams, SIDES, SIDES, st.integers(0, 3), st.integers(0, 3))


def shapes() -> st.SearchStrategy[KeyTiles]:
    return st.builds(KeyTiles, FEW, FEW, st.integers(1, 4))


Beat = tuple[str, int]


def beats_of(shape: KeyTiles) -> list[Beat]:
    """What every element does, step by step: seven turns of SLN, and SLNV of a tile behind LM of the next."""
    found: list[Beat] = []
    for tile in range(shape.tiles):
        found += [("QK", tile)] * shape.E + [("LM", tile)]
        found += [("SLNV", tile - 1)] * (shape.F if tile else 0)
        found += [("SUB", tile)] + [("exp", tile)] * 6 + [("SLD", tile)]
    return found + [("SLNV", shape.tiles - 1)] * shape.F


def observe(array: FuseParams, shape: KeyTiles) -> tuple[Timing, dict[Beat, list[int]]]:
    """Every element does its next step as soon as it has what it needs; the edges of first, last and next job.

    Also the edges at which the beats of each step enter, from that of the first one on.
    """
    beats, rows, cols = beats_of(shape), range(array.rows), range(array.cols)
    done: dict[tuple[int, int, int], int] = {}
    maxima: dict[int, list[int]] = {}
    for place, (name, tile) in enumerate([*beats, ("QK", shape.tiles)]):
        for row in rows:
            for col in cols:
                needs = [done[row, col, place - 1]] if place else [-1]
                needs += [done[row - 1, col, place]] if row else []
                needs += [done[row, col - 1, place]] if col else []
                # Below the last row the maximum is in a register of that element, then in the one that SUB reads.
                needs += [maxima[tile][col] + 1] if name == "SUB" and not row else []
                done[row, col, place] = 1 + max(needs)
                assert done[row, col, place] == done[0, 0, place] + row + col, "operands arrive in step"
        if name == "LM":
            maxima[tile] = [done[array.rows - 1, col, place] for col in cols]
    enter = {beat: [done[0, 0, p] for p, other in enumerate(beats) if other == beat] for beat in beats}
    leave = array.input_registers + 1 + array.output_registers
    outs = [
        done[array.rows - 1, array.cols - 1, p] + leave for p, b in enumerate(beats) if b[0] in ("LM", "SLD", "SLNV")
    ]
    return Timing(outs[0], outs[-1], done[0, 0, len(beats)]), enter


@given(params(), shapes())
def test_the_formula_is_what_the_elements_do(array: FuseParams, shape: KeyTiles) -> None:
    assert timing(array, shape) == observe(array, shape)[0]


@given(params(), shapes())
def test_steps_are_as_far_apart_as_they_say(array: FuseParams, shape: KeyTiles) -> None:
    steps, enter = step_timings(array, shape.E, shape.F), observe(array, shape)[1]
    for tile in range(shape.tiles):
        begin = {
            name: enter[other, tile][0] for name, other in (*((n, n) for n in ("QK", "LM", "SLD")), ("SLN", "SUB"))
        }
        assert begin["LM"] == begin["QK"] + steps["QK"].after
        assert begin["SLN"] >= begin["LM"] + steps["LM"].after
        assert begin["SLD"] == begin["SLN"] + steps["SLN"].after
        assert enter["SLNV", tile][0] >= begin["SLD"] + steps["SLD"].after
    assert enter["SUB", 0][0] == enter["LM", 0][0] + steps["LM"].after


@given(params(), FEW, FEW)
def test_a_lone_step(array: FuseParams, E: int, F: int) -> None:
    """Results that leave and results in place, from the step's first beat."""
    steps = step_timings(array, E, F)
    corner, begin = array.rows + array.cols - 2, array.input_registers
    down = corner + 1 + begin + array.output_registers
    assert steps["QK"].timing == Timing(E - 1 + begin, E - 1 + begin + corner, E)
    assert steps["LM"].timing == steps["SLD"].timing == Timing(down, down, 1)
    assert steps["SLN"].timing == Timing(6 + begin, 6 + begin + corner, 7)
    assert steps["SLNV"].timing == Timing(down, down + F - 1, F)


@given(params(), shapes())
def test_published_sums(array: FuseParams, shape: KeyTiles) -> None:
    """FuseMax's artifact: a tile keeps the 2D array busy for E + F + 9 cycles; alone it waits n more for its drain.

    In its order of steps the wait is hidden by SLNV of as many beats, but for that of the first tile.
    """
    tile = sum(step.timing.busy for step in step_timings(array, shape.E, shape.F).values())
    assert tile == shape.E + shape.F + 9
    assert timing(array, replace(shape, tiles=1)).busy == tile + array.rows
    bare = max(0, array.rows - shape.F)
    assert timing(array, shape).busy == shape.tiles * tile + array.rows + (shape.tiles - 1) * bare


def test_by_hand() -> None:
    """2 x 3: LM enters at 4, leaves 4 edges later; SUB at 4 + 3, six of exp, SLD at 14, SLNV at 15 and 16."""
    found = timing(FuseParams(2, 3), KeyTiles(E=4, F=2))
    assert (found.first, found.last, found.busy) == (4 + 4, 16 + 4, 17)


@given(params(), shapes(), st.sampled_from(["input_registers", "output_registers"]))
def test_registers_delay_outputs_and_nothing_else(array: FuseParams, shape: KeyTiles, name: str) -> None:
    more, found = timing(replace(array, **{name: getattr(array, name) + 1}), shape), timing(array, shape)
    assert (more.first, more.last, more.busy) == (found.first + 1, found.last + 1, found.busy)


def test_arrays_and_jobs_that_cannot_be_are_refused() -> None:
    with pytest.raises(AccelsimError, match=r'^rows: must be an integer from 1 to 65536, got "0"$'):
        FuseParams(0, 4)
    with pytest.raises(AccelsimError, match=r'^tiles: must be an integer from 1 to 2147483648, got "0"$'):
        KeyTiles(1, 1, 0)
