"""Continuous batching: tokens are conserved, waits are those of stages, and long runs agree with the closed form."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cluster import Batch, Served, StepCost, System, Traffic, closed_loop, room, serve, step_cost
from accelsim.cluster.serve import FINENESS, _Log, _record, _Request, _round
from accelsim.errors import AccelsimError
from tests.cluster.named import model, near_of, system

GPT3, MIXTRAL = "gpt3-175b", "mixtral-8x7b"
LOOP = Traffic(sequences=6, prompt=300, output=20, spread=0.0, per_s=None, requests=12, seed=1)


def served(traffic: Traffic, name: str = "duplex", of: str = MIXTRAL) -> Served:
    return serve(system(name), model(of), traffic)


def small(sequences: int) -> System:
    """With room for so many requests of Mixtral with 320 tokens."""
    whole = room(system("duplex"), model(MIXTRAL), 320)
    capacity = (whole.weights + (sequences + 0.5) * whole.cache) / 4
    return replace(system("duplex"), processor=replace(system("duplex").processor, capacity_bytes=capacity))


loops = st.builds(
    Traffic,
    sequences=st.integers(1, 8),
    prompt=st.integers(1, 600),
    output=st.integers(1, 30),
    spread=st.sampled_from([0.0, 0.3]),
    per_s=st.sampled_from([None, 1.0, 100.0]),
    requests=st.integers(1, 12),
    seed=st.integers(1, 5),
)


@settings(max_examples=12)
@given(loops)
def test_every_token_is_the_first_of_a_request_or_follows_one(traffic: Traffic) -> None:
    found = served(traffic)
    assert found.tokens == len(found.first_token_s) + len(found.between_tokens_s)
    assert found.tokens <= found.stages * traffic.sequences
    assert found.mixed_stages <= found.stages
    assert len(found.whole_s) >= traffic.requests
    assert min((*found.between_tokens_s, *found.first_token_s, *found.whole_s)) > 0
    assert sum(found.between_tokens_s) <= found.seconds * traffic.sequences * (1 + 1e-9)
    assert found.tokens_per_s == found.tokens / found.seconds


@settings(max_examples=12)
@given(st.integers(1, 8), st.integers(2, 30), st.integers(1, 12), st.sampled_from([None, 50.0]))
def test_tokens_of_equal_requests_are_those_of_all_that_ended_and_of_some_that_run(
    sequences: int, output: int, requests: int, per_s: float | None
) -> None:
    """What was begun before the measurement and what still runs after it are at most as many as run at once."""
    found = served(replace(LOOP, sequences=sequences, output=output, requests=requests, per_s=per_s))
    assert abs(found.tokens - output * len(found.whole_s)) <= sequences * output
    assert abs(len(found.first_token_s) - len(found.whole_s)) <= sequences


def test_one_sequence_after_another_by_hand() -> None:
    """A prompt, then a token at a time with a cache that grows by one: all stages are known."""
    traffic = Traffic(1, 10, 4, 0.0, None, 3, 1)
    of = system("duplex"), model(MIXTRAL)
    stages = [step_cost(*of, batch).seconds for batch in (Batch(0, 1, 1, 10), *(Batch(1, 10 + n) for n in (1, 2, 3)))]
    found = serve(*of, traffic)
    assert found.first_token_s == pytest.approx([stages[0]] * 3)
    assert found.between_tokens_s == pytest.approx(stages[1:] * 3)
    assert found.whole_s == pytest.approx([sum(stages)] * 3)
    assert found.seconds == pytest.approx(3 * sum(stages))
    assert (found.tokens, found.stages, found.mixed_stages) == (12, 12, 3)
    energy = [step_cost(*of, batch).energy_pj for batch in (Batch(0, 1, 1, 10), *(Batch(1, 10 + n) for n in (1, 2, 3)))]
    assert found.energy_pj_per_token == pytest.approx(sum(energy) / 4)


@pytest.mark.parametrize("name", ["duplex", "h100-node"])
def test_a_long_closed_loop_is_as_fast_as_its_mean_stage(name: str) -> None:
    traffic = Traffic(16, 512, 64, 0.0, None, 200, 3)
    found = serve(system(name), model(MIXTRAL), traffic)
    loop = closed_loop(system(name), model(MIXTRAL), 16, 512, 64)
    assert found.tokens_per_s == pytest.approx(loop.tokens_per_s, rel=0.02)
    assert found.energy_pj_per_token == pytest.approx(loop.energy_pj / 16, rel=0.02)


def test_little_s_law() -> None:
    """Requests at once are the rate of those that end times the time of each: all places are taken in a closed loop."""
    found = served(replace(LOOP, requests=300))
    assert len(found.whole_s) / found.seconds * np.mean(found.whole_s) == pytest.approx(6, rel=0.03)


@settings(max_examples=6)
@given(st.sampled_from([0.0, 0.5]), st.integers(1, 1000))
def test_rare_requests_wait_for_their_prompt_only(spread: float, seed: int) -> None:
    traffic = Traffic(4, 100, 8, spread, 1e-3, 5, seed)
    found = served(traffic)
    if spread == 0:
        alone = step_cost(system("duplex"), model(MIXTRAL), Batch(0, 1, 1, _round(100))).seconds
        assert found.first_token_s == pytest.approx([alone] * len(found.first_token_s))
    assert found.mixed_stages == len(found.first_token_s)
    assert found.tokens_per_s < 1


def test_requests_come_as_often_as_they_are_said_to() -> None:
    """1000 gaps of 10 s on average: within five standard deviations."""
    found = served(Traffic(2, 5, 1, 0.0, 0.1, 1000, 1))
    assert found.seconds / 1000 == pytest.approx(10, rel=5 / np.sqrt(1000))


def test_more_traffic_waits_longer_for_its_first_token() -> None:
    waits = [np.mean(served(Traffic(4, 300, 20, 0.0, per_s, 100, 1)).first_token_s) for per_s in (1.0, 20.0, 200.0)]
    assert waits[0] < waits[1] < waits[2]


@pytest.mark.parametrize("places", [1, 3])
def test_never_more_at_once_than_fit(places: int) -> None:
    found = serve(small(places), model(MIXTRAL), replace(LOOP, sequences=50))
    assert found.sequences == places
    assert found.tokens <= found.stages * places
    assert serve(small(places), model(MIXTRAL), replace(LOOP, sequences=places)) == found


def test_a_model_that_does_not_fit_is_refused() -> None:
    """314 billion parameters of two bytes, less the embeddings, on four times 80 GB."""
    with pytest.raises(AccelsimError) as caught:
        served(LOOP, "h100-node", "grok-1")
    assert caught.value.message == (
        "grok-1 does not fit h100-node: weights and one request need 586.6 GiB of 298.0 GiB"
    )
    with pytest.raises(AccelsimError, match="does not fit"):
        serve(small(0), model(MIXTRAL), LOOP)


def test_the_same_seed_gives_the_same_answer() -> None:
    traffic = replace(LOOP, spread=0.4, per_s=30.0, requests=4)
    assert served(traffic) == served(traffic)
    assert served(traffic) != served(replace(traffic, seed=2))


def test_memory_with_units_serves_more() -> None:
    plain, ours = (served(LOOP, name) for name in ("h100-node", "duplex"))
    assert ours.tokens_per_s > plain.tokens_per_s
    assert np.mean(ours.between_tokens_s) < np.mean(plain.between_tokens_s)
    assert near_of(system("duplex")).capacity_bytes == 0


def test_a_request_that_ran_from_the_start_on_counts_no_whole_time() -> None:
    """It has been in its answer when the clock began to run; its tokens count."""
    log = _Log()
    running = [_Request(0.0, 5, 2, done=1, from_start=True), _Request(1.0, 5, 2, done=1)]
    _record(log, StepCost(0.5, {"ffn": 0.5}, {"memory": 3.0}), running, [], 4.0)
    assert (log.whole, log.between, log.tokens, log.energy) == ([3.0], [0.5, 0.5], 2, {"memory": 3.0})


@given(st.integers(1, 100000))
def test_lengths_are_rounded_by_no_more_than_a_64th(length: int) -> None:
    assert abs(_round(length) - length) <= length / (2 * FINENESS)
    assert _round(_round(length)) == _round(length)


@given(st.integers(1, 10000), st.integers(1, 10000))
def test_rounding_keeps_the_order(one: int, other: int) -> None:
    assert (_round(one) <= _round(other)) or one > other


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sequences": 0}, "sequences, prompt, output and requests must be at least 1"),
        ({"prompt": 0}, "sequences, prompt, output and requests must be at least 1"),
        ({"output": 0}, "sequences, prompt, output and requests must be at least 1"),
        ({"requests": 0}, "sequences, prompt, output and requests must be at least 1"),
        ({"spread": -0.1}, "spread must be from 0 to below 1, per_s above 0"),
        ({"spread": 1.0}, "spread must be from 0 to below 1, per_s above 0"),
        ({"per_s": 0.0}, "spread must be from 0 to below 1, per_s above 0"),
    ],
)
def test_traffic_that_is_none_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        served(replace(LOOP, **changed))
    assert caught.value.message == message
