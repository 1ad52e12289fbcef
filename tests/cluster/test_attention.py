"""Attention of a step: where it runs, what goes there and back, and what other work hides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cluster import Batch, System
from accelsim.cluster.attention import attention_costs, overlapped
from accelsim.cluster.units import NOTHING, Spent
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention
from tests.cluster.named import near_of, part, placed, system, with_policy
from tests.tries import tries

seconds = st.floats(0, 1e3)
batches = st.builds(Batch, st.integers(1, 300), st.integers(1, 8000))


def costs(of: System, batch: Batch, model: str = "llama3-70b") -> dict[str, float]:
    found = attention_costs(part(of, model), batch, NOTHING)
    return {name: spent.seconds for name, spent in found.items()}


@pytest.mark.slow
@given(seconds, seconds, seconds, st.integers(1, 100))
def test_overlap_is_between_the_longest_and_the_sum(one: float, two: float, three: float, pieces: int) -> None:
    parts = {name: Spent(time, {name: time}) for name, time in zip("abc", (one, two, three), strict=True)}
    found = overlapped(parts, pieces)
    total = sum(spent.seconds for spent in found.values())
    assert max(one, two, three) <= total <= (one + two + three) * (1 + 1e-12)
    assert {name: spent.energy_pj for name, spent in found.items()} == {name: parts[name].energy_pj for name in parts}


def test_overlap_of_two_equal_parts_in_four_pieces() -> None:
    """The first piece of the one, then four of the other beside the rest of it."""
    found = overlapped({"projection": Spent(8.0), "attention": Spent(8.0)}, 4)
    assert {name: spent.seconds for name, spent in found.items()} == {"projection": 8.0, "attention": 2.0}
    assert overlapped({"projection": Spent(1.0), "attention": Spent(2.0)}, 1)["projection"].seconds == 1.0


@settings(max_examples=tries(25))
@given(batches, st.sampled_from([None, 1e9, 1e11, 1e14]))
def test_fastest_is_the_better_of_both_with_the_way_there(batch: Batch, link: float | None) -> None:
    of = system("duplex")
    of = replace(of, near=replace(near_of(of), link_bytes_per_s=link))
    at = {place: sum(costs(placed(of, attention=place), batch).values()) for place in ("processor", "near", "fastest")}
    assert at["fastest"] == min(at["processor"], at["near"])


def test_the_processor_where_memory_is_slow_and_the_units_where_it_is_fast() -> None:
    """A sixth of eight flops a byte is enough for grouped heads; nothing moves in memory that is shared."""
    at = {place: costs(placed(system("duplex"), attention=place), Batch(64, 2048)) for place in ("processor", "near")}
    assert at["near"]["attention"] < at["processor"]["attention"]
    assert set(at["near"]) == {"attention"}


def test_queries_new_keys_and_results_cross_the_link() -> None:
    """8 devices with 12 heads of 128 elements each: a query, a key, a value and a result for each head."""
    of = placed(system("attacc"), attention="near")
    found = costs(with_policy(of, overlap="none"), Batch(5, 2048), "gpt3-175b")
    assert found["transfer"] == pytest.approx(5 * 12 * 128 * 2 * 4 / 300e9, rel=1e-12)


@pytest.mark.parametrize(("model", "heads", "group"), [("gpt3-175b", 96, 1), ("llama3-70b", 8, 8)])
def test_attention_by_commands_is_what_a_stack_takes(model: str, heads: int, group: int) -> None:
    """10 sequences' heads of keys over 40 stacks; the queries of a group share them."""
    of = with_policy(system("attacc"), overlap="none")
    stack = load_stack("HBM3-PIM", "bank", "corrected", power_limit=True)
    work = Attention(10 * heads // 40, 1000, 128, 2, group)
    expected = run_attention(stack, work).cycles * stack.period_ps * 1e-12
    assert costs(of, Batch(10, 1000), model)["attention"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["attacc", "attacc-released"])
def test_commands_reach_about_the_bandwidth_that_the_units_are_said_to_have(name: str) -> None:
    """Nine times that of the interface: a rounded number, so that commands may be a little faster."""
    of = with_policy(system(name), overlap="none")
    said = part(of, "gpt3-175b").cache_bytes(40, 2048) / near_of(of).roofline.bytes_per_s
    assert costs(of, Batch(40, 2048), "gpt3-175b")["attention"] == pytest.approx(said, rel=0.15)


@settings(max_examples=tries(50))
@given(st.integers(1, 20), st.integers(2, 2000))
def test_prompts_take_their_turns_on_the_processor(prompts: int, tokens: int) -> None:
    of = system("duplex")
    one, several = (costs(of, Batch(0, 1, number, tokens))["prompts"] for number in (1, prompts))
    assert several == pytest.approx(prompts * one, rel=1e-12)
    assert one <= costs(of, Batch(0, 1, 1, tokens + 1))["prompts"]


@pytest.mark.parametrize("tokens", [20, 2000])
def test_prompts_run_beside_what_is_near_and_after_what_is_not(tokens: int) -> None:
    """Seen is the longer of both, or their sum."""
    batch = Batch(64, 2048, 1, tokens)
    apart = {where: placed(system("duplex"), attention=where) for where in ("near", "processor")}
    alone = costs(apart["near"], Batch(0, 1, 1, tokens))["prompts"]
    for where, how in (("near", "beside"), ("near", "after"), ("processor", "beside"), ("processor", "after")):
        found = costs(with_policy(apart[where], prompts=how), batch)
        seen = alone - found["attention"] if (where, how) == ("near", "beside") else alone
        assert found["prompts"] == pytest.approx(max(0.0, seen), rel=1e-9)


@pytest.mark.parametrize("tokens", [1, 2, 100])
def test_a_prompt_multiplies_half_of_all_pairs(tokens: int) -> None:
    """Its arithmetic alone: 16 of 64 heads on a device, scores and results, two flops each."""
    of = placed(system("duplex"))
    roofline = replace(of.processor.roofline, bytes_per_s=1e40, flops_per_s=1e12)
    of = replace(of, processor=replace(of.processor, roofline=roofline))
    keys = (tokens + 1) // 2
    softmax = 5 * tokens * keys * 16
    found = costs(of, Batch(0, 1, 1, tokens))["prompts"]
    assert found == pytest.approx((2 * 2 * 16 * 128 * tokens * keys + softmax) / 1e12, rel=0.01)


def test_nothing_is_spent_on_nothing() -> None:
    assert costs(system("duplex"), Batch(0, 1)) == {}
    assert set(costs(system("duplex"), Batch(3, 10, 1, 5))) == {"attention", "prompts"}
