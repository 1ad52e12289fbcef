"""The merge engine: first, last and next instruction by hand, and the laws of its words and registers."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units.merge_engine import MergeEngineParams, MergeWords, Operation, timing

STAGES = [name for name in MergeEngineParams.__dataclass_fields__ if name.endswith("_stages")]
MERGES = ("rescale_stages", "add_stages")
BARE = MergeEngineParams(**dict.fromkeys(STAGES, 0), output_bits=3, division_bits=4)
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@st.composite
def engines(draw: st.DrawFn) -> MergeEngineParams:
    stages = {name: draw(st.integers(0, 3)) for name in STAGES}
    return MergeEngineParams(**stages, output_bits=draw(st.integers(2, 40)), division_bits=draw(st.integers(1, 9)))


INSTRUCTIONS = st.builds(MergeWords, st.sampled_from(OPERATIONS), st.integers(1, 70))


def test_instructions_by_hand() -> None:
    """Maxima at edge 1; distance, rounding, 4 of exp, sums at edge 7; product and sum, or 25 bits, two to a stage."""
    params = MergeEngineParams(division_bits=2)
    sums, quotients = (timing(params, MergeWords(each, 16)) for each in OPERATIONS)
    assert (sums.first, sums.last, sums.busy) == (1 + 2 + 4 + 2 + 1, 10 + 16, 17)
    assert (quotients.first, quotients.last, quotients.busy) == (1 + 2 + 4 + 13 + 1, 21 + 15, 16)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_registers_a_word_is_written_at_the_edge_after_it_was_read(operation: Operation) -> None:
    found = timing(BARE, MergeWords(operation))
    assert found.first == 2 + (operation == "DIVIDE")


@given(engines(), INSTRUCTIONS)
def test_words_follow_one_another_at_every_edge(params: MergeEngineParams, job: MergeWords) -> None:
    found, more = timing(params, job), timing(params, replace(job, words=job.words + 1))
    assert found.busy == job.words + (job.operation == "SCALE_ADD")
    assert found.last - found.first == found.busy - 1
    assert (more.first, more.last, more.busy) == (found.first, found.last + 1, found.busy + 1)


@given(engines(), INSTRUCTIONS, st.sampled_from(STAGES))
def test_registers_delay_those_that_pass_them(params: MergeEngineParams, job: MergeWords, name: str) -> None:
    """Whatever lies before the sums delays both operations; the merge has nothing to do with a division."""
    found, more = timing(params, job), timing(replace(params, **{name: getattr(params, name) + 1}), job)
    passes = job.operation == "SCALE_ADD" or name not in MERGES
    assert (more.first - found.first, more.last - found.last, more.busy) == (passes, passes, found.busy)


@given(engines(), st.integers(1, 99))
def test_more_bits_of_a_stage_take_fewer_of_them(params: MergeEngineParams, bits: int) -> None:
    params = replace(params, output_bits=30)
    one, other = (timing(replace(params, division_bits=each), MergeWords("DIVIDE")) for each in (1, min(bits, 31)))
    assert one.last - other.last == 31 - -(-31 // min(bits, 31))


@given(engines(), INSTRUCTIONS, INSTRUCTIONS)
def test_instructions_of_one_port_complete_one_by_one(
    params: MergeEngineParams, before: MergeWords, after: MergeWords
) -> None:
    """Of the same operation none completes at the edge of, or before, the one before it."""
    after = replace(after, operation=before.operation)
    first, second = (timing(params, each) for each in (before, after))
    assert first.busy + second.last > first.last


BAD: list[tuple[dict[str, object], str]] = [
    ({"operation": "SOFTMAX"}, 'operation: must be SCALE_ADD or DIVIDE, got "SOFTMAX"'),
    ({"operation": "DIVIDE", "words": 0}, 'words: must be an integer from 1 to 2147483648, got "0"'),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_instructions_that_cannot_be_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        MergeWords(**values)  # type: ignore[arg-type]
    assert str(caught.value) == message
