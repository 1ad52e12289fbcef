"""The vector engine: first, last and next instruction by hand, and the laws of its words and registers."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.vector_engine import Operation, VectorEngineParams, Words, timing

STAGES = [name for name in VectorEngineParams.__dataclass_fields__ if name.endswith("_stages")]
BARE = VectorEngineParams(2, **dict.fromkeys(STAGES, 0), output_bits=3, division_bits=4)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@st.composite
def engines(draw: st.DrawFn) -> VectorEngineParams:
    stages = {name: draw(st.integers(0, 3)) for name in STAGES}
    bits = draw(st.integers(2, 40))
    return VectorEngineParams(
        draw(st.integers(2, 64)), **stages, output_bits=bits, division_bits=draw(st.integers(1, 9))
    )


@st.composite
def instructions(draw: st.DrawFn) -> Words:
    operation: Operation = draw(st.sampled_from(OPERATIONS))
    folds = 1 if operation == "SOFTMAX" else draw(st.integers(1, 9))
    return Words(operation, draw(st.integers(1, 20)), folds)


def test_a_tile_by_hand() -> None:
    """Read at edge 1; scale, rounding, 3 levels of maxima, difference, 4 of exp; 3 levels of sums, product and sum."""
    found = timing(VectorEngineParams(8), Words("SOFTMAX", 8))
    assert found.first == 1 + 1 + 1 + 3 + 1 + 4 + 1
    assert (found.last, found.busy) == (found.first + 3 + 2 + 7, 8)


def test_sums_and_quotients_by_hand() -> None:
    """Read at edge 1; product and sum; 25 steps of a division to 24 bits, two to a stage."""
    params = VectorEngineParams(8, division_bits=2)
    sums, quotients, scale = (timing(params, Words(*job)) for job in (("SCALE_ADD", 5, 3), ("DIVIDE", 5, 3), ("SETP",)))
    assert (sums.first, sums.last, sums.busy) == (4, 4 + 14, 15)
    assert (quotients.first, quotients.last, quotients.busy) == (1 + 13 + 1, 15 + 14, 15)
    assert (scale.first, scale.last, scale.busy) == (4, 4, 1)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_registers_a_word_is_written_at_the_edge_after_it_was_read(operation: Operation) -> None:
    found = timing(BARE, Words(operation))
    assert (found.first, found.busy) == (2 + (operation == "DIVIDE"), 1)


@given(engines(), instructions())
def test_words_follow_one_another_at_every_edge(params: VectorEngineParams, job: Words) -> None:
    found, lone = timing(params, job), timing(params, Words(job.operation))
    assert found.busy == job.rows * job.folds
    assert (found.first, found.last - lone.last) == (lone.first, found.busy - 1)


@given(engines(), instructions(), st.sampled_from(STAGES))
def test_registers_delay_those_that_pass_them(params: VectorEngineParams, job: Words, name: str) -> None:
    found, more = timing(params, job), timing(replace(params, **{name: getattr(params, name) + 1}), job)
    levels = (params.lanes - 1).bit_length()
    times = levels if name in ("maximum_stages", "sum_stages") else 1
    merges = name in ("rescale_stages", "add_stages")
    passes = {"SOFTMAX": True, "SCALE_ADD": merges, "SETP": merges, "DIVIDE": False}[job.operation]
    weighs = job.operation != "SOFTMAX" or not (merges or name == "sum_stages")
    assert more.busy == found.busy
    assert more.last - found.last == times * passes
    assert more.first - found.first == times * (passes and weighs)


def test_a_scale_may_not_complete_with_a_sum() -> None:
    """Both complete on one port: the next instruction's completion never comes at the edge of the one before."""
    for rows in (1, 3):
        before, after = (
            timing(VectorEngineParams(4), Words("SCALE_ADD", rows)),
            timing(VectorEngineParams(4), Words("SETP")),
        )
        assert before.busy + after.last == before.last + 1


BAD: list[tuple[dict[str, object], str]] = [
    ({"operation": "SOFTMAX", "folds": 2}, 'folds: must be 1 for SOFTMAX, got "2"'),
    ({"operation": "SOFTMAXX"}, "operation: must be SOFTMAX, SCALE_ADD, DIVIDE or SETP, got"),
    ({"operation": "DIVIDE", "rows": 0}, 'rows: must be an integer from 1 to 2147483648, got "0"'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_instructions_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        Words(**values)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
