"""Decoding of a fixed batch: means between the first token and the last, and of all of them where there are few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cluster import Batch, closed_loop, decode, step_cost
from accelsim.cluster.decode import MOST_LENGTHS
from accelsim.errors import AccelsimError
from tests.cluster.named import model, system

GPT3 = "gpt3-175b"


@settings(max_examples=12)
@given(st.integers(1, 200), st.integers(1, 5000), st.integers(0, 5000))
def test_the_mean_lies_between_the_first_and_the_last_step(sequences: int, first: int, more: int) -> None:
    of = system("h100-node"), model(GPT3)
    ends = [step_cost(*of, Batch(sequences, length)).seconds for length in (first, first + more)]
    found = decode(*of, sequences, (first, first + more))
    assert ends[0] * (1 - 1e-12) <= found.seconds <= ends[1] * (1 + 1e-12)
    assert found.seconds == pytest.approx(sum(found.seconds_by.values()))
    assert found.tokens_per_s == sequences / found.seconds
    assert found.energy_pj == sum(found.energy_by.values())


@pytest.mark.parametrize("last", [100, 100 + MOST_LENGTHS - 1])
def test_few_lengths_are_all_costed(last: int) -> None:
    of = system("h100-node"), model(GPT3)
    every = [step_cost(*of, Batch(8, length)) for length in range(100, last + 1)]
    found = decode(*of, 8, (100, last))
    assert found.seconds == pytest.approx(sum(cost.seconds for cost in every) / len(every), rel=1e-12)
    assert found.energy_pj == pytest.approx(sum(cost.energy_pj for cost in every) / len(every), rel=1e-12)


@pytest.mark.parametrize("name", ["dgx-a100", "duplex"])
def test_many_lengths_are_costed_as_if_all_were(name: str) -> None:
    """Time is nearly linear in the length, so the middles of equal parts have its mean."""
    of = system(name), model(GPT3)
    every = [step_cost(*of, Batch(8, length)).seconds for length in range(1, 151)]
    assert decode(*of, 8, (1, 150)).seconds == pytest.approx(sum(every) / len(every), rel=2e-4)


@pytest.mark.parametrize(("sequences", "lengths"), [(0, (1, 2)), (1, (0, 2)), (1, (3, 2))])
def test_no_sequences_and_no_lengths_are_refused(sequences: int, lengths: tuple[int, int]) -> None:
    with pytest.raises(AccelsimError) as caught:
        decode(system("h100-node"), model(GPT3), sequences, lengths)
    first, last = lengths
    assert caught.value.message == (
        f"needs sequences, and lengths from 1 upwards; got {sequences} and {first} to {last}"
    )


def test_a_closed_loop_is_decoding_and_a_prompt_for_each_answer() -> None:
    """In 200 stages each of 10 sequences takes in one prompt: one stage in 20 is mixed."""
    of = system("duplex"), model("mixtral-8x7b")
    decoding, loop = decode(*of, 10, (501, 699)), closed_loop(*of, 10, 500, 200)
    mixed, plain = (step_cost(*of, batch) for batch in (Batch(9, 600, 1, 500), Batch(10, 600)))
    assert loop.seconds == pytest.approx(decoding.seconds + (mixed.seconds - plain.seconds) / 20, rel=1e-12)
    assert loop.seconds == pytest.approx(sum(loop.seconds_by.values()), rel=1e-12)
    assert loop.energy_pj == pytest.approx(decoding.energy_pj + (mixed.energy_pj - plain.energy_pj) / 20, rel=1e-12)
    assert set(loop.seconds_by) == {*decoding.seconds_by, "prompts"}


@pytest.mark.parametrize(("prompt", "output"), [(0, 5), (5, 0)])
def test_a_closed_loop_needs_prompts_and_answers(prompt: int, output: int) -> None:
    with pytest.raises(AccelsimError, match=f"^prompt and output must be at least 1, got {prompt} and {output}$"):
        closed_loop(system("h100-node"), model(GPT3), 1, prompt, output)
