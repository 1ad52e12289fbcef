"""A step of a whole system: its parts add up, more hardware never slows it down, and by hand where that is short."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cluster import Batch, System, room, step_cost
from accelsim.cluster.experts import Sides, routed
from accelsim.cluster.step import DRAWS, _as_in_table, _of_device, step_costs
from accelsim.cluster.units import Spent
from tests.cluster.named import FREE, MODELS, SYSTEMS, model, near_of, part, placed, system, with_policy
from tests.tries import tries

CLASSES = {"projection", "attention", "ffn", "experts", "elementwise", "link", "transfer", "prompts"}
models = st.sampled_from(MODELS)
batches = st.builds(Batch, st.integers(1, 256), st.integers(1, 8000), st.integers(0, 3), st.integers(1, 2000))
small = st.builds(Batch, st.integers(1, 32), st.integers(1, 400), st.integers(0, 3), st.integers(1, 400))


def seconds(of: System, name: str, batch: Batch) -> float:
    return step_cost(of, model(name), batch).seconds


def h100(**changed: Any) -> System:
    return replace(system("h100-node"), **changed)


@settings(max_examples=tries(20))
@given(st.sampled_from(SYSTEMS), models, small)
def test_classes_add_up(name: str, of: str, batch: Batch) -> None:
    found = step_cost(system(name), model(of), batch)
    assert found.seconds == pytest.approx(sum(found.seconds_by.values()), rel=1e-12)
    assert found.energy_pj == sum(found.energy_by.values())
    assert set(found.seconds_by) <= CLASSES
    assert min(found.seconds_by.values()) >= 0
    assert min(found.energy_by.values()) >= 0
    assert not set(found.energy_by) & set(system(name).energy_unknown)


@settings(max_examples=tries(20))
@given(models, batches, st.sampled_from([1, 2, 4]))
def test_twice_the_devices_are_never_slower_and_never_more_than_twice_as_fast(
    name: str, batch: Batch, number: int
) -> None:
    """Without a link, with heads that both numbers divide and experts that all devices share."""
    of = with_policy(h100(link=FREE), experts="split")
    one, two = (seconds(replace(of, devices=each), name, batch) for each in (number, 2 * number))
    assert one / 2 * (1 - 1e-9) <= two <= one * (1 + 1e-9)


@settings(max_examples=tries(30))
@given(models, batches, st.sampled_from(["bytes_per_s", "flops_per_s"]), st.floats(1, 8))
def test_a_faster_processor_is_never_slower(name: str, batch: Batch, rate: str, factor: float) -> None:
    of = h100()
    roofline = replace(of.processor.roofline, **{rate: factor * getattr(of.processor.roofline, rate)})
    faster = replace(of, processor=replace(of.processor, roofline=roofline))
    slow, fast = (seconds(each, name, batch) for each in (of, faster))
    assert slow / factor * (1 - 1e-9) <= fast <= slow * (1 + 1e-9)


@settings(max_examples=tries(30))
@given(models, batches, st.sampled_from(["attention", "projection", "ffn", "experts"]))
def test_a_choice_of_units_is_never_slower_than_either(name: str, batch: Batch, what: str) -> None:
    at = {where: seconds(placed(system("duplex"), **{what: where}), name, batch) for where in ("processor", "near")}
    assert seconds(placed(system("duplex"), **{what: "fastest"}), name, batch) <= min(at.values()) * (1 + 1e-9)


@settings(max_examples=tries(30))
@given(models, batches, st.sampled_from(["projection", "ffn"]))
def test_units_that_share_a_product_are_faster_than_either_and_no_more_than_twice(
    name: str, batch: Batch, what: str
) -> None:
    fastest, shared = (seconds(placed(system("duplex"), **{what: how}), name, batch) for how in ("fastest", "shared"))
    assert fastest / 2 <= shared <= fastest


@settings(max_examples=10)
@given(st.sampled_from(["mixtral-8x7b", "glam"]), batches)
def test_experts_of_both_units_at_once(name: str, batch: Batch) -> None:
    places = ("shared", "greedy", "near")
    shared, greedy, near = (seconds(placed(system("duplex"), experts=where), name, batch) for where in places)
    assert shared <= greedy * (1 + 1e-12)
    assert greedy <= near * (1 + 1e-12)


@settings(max_examples=tries(20))
@given(st.sampled_from(["gpt3-175b", "llama3-70b"]), batches)
def test_overlap_saves_time_and_no_energy(name: str, batch: Batch) -> None:
    of = placed(system("duplex"), attention="near")
    apart, beside = (step_cost(with_policy(of, overlap=how), model(name), batch) for how in ("none", "heads"))
    assert beside.energy_by == apart.energy_by
    hidden = ("projection", "attention", "transfer")
    times = [apart.seconds_by[key] for key in hidden if key in apart.seconds_by]
    assert apart.seconds - sum(times) + max(times) <= beside.seconds * (1 + 1e-12)
    assert beside.seconds <= apart.seconds


@pytest.mark.parametrize("name", SYSTEMS)
def test_nodes_share_the_batch(name: str) -> None:
    one, three = (replace(system(name), nodes=nodes) for nodes in (1, 3))
    small, large = (
        step_cost(one, model("mixtral-8x7b"), Batch(8, 100)),
        step_cost(three, model("mixtral-8x7b"), Batch(24, 100)),
    )
    assert large.seconds == small.seconds
    assert large.energy_pj == pytest.approx(3 * small.energy_pj, rel=1e-12)
    assert step_cost(three, model("mixtral-8x7b"), Batch(22, 100)).seconds == small.seconds


@settings(max_examples=6)
@given(st.sampled_from(["h100-node", "duplex"]), models, batches, st.integers(1, 50))
def test_more_work_takes_longer(name: str, of: str, batch: Batch, more: int) -> None:
    before = seconds(system(name), of, batch)
    assert before <= seconds(system(name), of, replace(batch, length=batch.length + more)) * (1 + 1e-12)
    assert before <= seconds(system(name), of, replace(batch, prompts=batch.prompts + more)) * (1 + 1e-12)


@settings(max_examples=tries(20))
@given(st.sampled_from([name for name in MODELS if name not in ("glam", "grok-1", "mixtral-8x7b")]), batches)
def test_weights_and_caches_are_read_in_every_step(name: str, batch: Batch) -> None:
    """No step is faster than its bytes at full bandwidth: all weights and, unless only prompts run, all caches."""
    held = room(h100(), model(name), batch.length)
    least = (held.weights + batch.sequences * held.cache) / (4 * h100().processor.roofline.bytes_per_s)
    assert seconds(h100(link=FREE), name, batch) >= least


def test_many_batches_are_costed_as_each_alone() -> None:
    cost_of = step_costs(system("duplex"), model("mixtral-8x7b"))
    for batch in (Batch(3, 50), Batch(3, 51), Batch(3, 50)):
        assert cost_of(batch) == step_cost(system("duplex"), model("mixtral-8x7b"), batch)


# By hand.


def drawn_of(tokens: int) -> list[tuple[int, ...]]:
    return [routed(tokens, 8, 2, draw) for draw in range(DRAWS)]


def bytes_of_experts(of: System, tokens: int) -> float:
    """On average in a layer, on a device that has them all: weights of those with tokens, and their tensors."""
    one = part(of, "mixtral-8x7b", "experts")
    busy = [count for drawn in drawn_of(tokens) for count in drawn if count]
    return sum(kernel.bytes for count in busy for kernel in one.kernels(count)) / DRAWS


def test_few_tokens_read_the_weights_of_the_experts_that_have_some() -> None:
    of = h100(devices=1)
    found = step_cost(of, model("mixtral-8x7b"), Batch(4, 10)).seconds_by
    assert found["experts"] == pytest.approx(32 * bytes_of_experts(of, 4) / 3352e9, rel=1e-3)
    assert found["link"] == 0


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_a_layer_reduces_its_results_twice(devices: int) -> None:
    """After attention and after the network: rounds of a ring, 32 tokens of 8192 numbers of 2 bytes."""
    of = h100(devices=devices)
    size, steps = 32 * 8192 * 2, 2 * (devices - 1)
    expected = 80 * 2 * steps * (0.8e-6 + size / devices / 450e9)
    assert step_cost(of, model("llama3-70b"), Batch(32, 10)).seconds_by["link"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reduces", [0, 1, 2])
def test_a_layer_of_experts_reduces_as_often_as_the_policy_says(reduces: int) -> None:
    of = with_policy(h100(), expert_reduces=reduces)
    once = 32 * 6 * (0.8e-6 + 16 * 4096 * 2 / 4 / 450e9)
    found = step_cost(of, model("mixtral-8x7b"), Batch(16, 10)).seconds_by["link"]
    assert found == pytest.approx((1 + reduces) * once, rel=1e-12)


def test_whole_experts_wait_for_the_device_with_most_to_do() -> None:
    """Eight experts on four devices, two neighbours each; with one expert's weights each read takes as long."""
    whole, split = (with_policy(h100(link=FREE), experts=how) for how in ("whole", "split"))
    apart, together = (
        step_cost(of, model("mixtral-8x7b"), Batch(2, 10)).seconds_by["experts"] for of in (whole, split)
    )
    busiest = [max(sum(map(bool, drawn[at : at + 2])) for at in range(0, 8, 2)) for drawn in drawn_of(2)]
    each = sum(kernel.bytes for kernel in part(whole, "mixtral-8x7b", "experts").kernels(1)) / 3352e9
    assert apart == pytest.approx(32 * each * sum(busiest) / DRAWS, rel=0.01)
    assert together < apart


def test_energy_of_a_step_that_only_reads_weights() -> None:
    """GPT-3 at one token of context: nearly all bytes are weights, two flops to a weight."""
    found = step_cost(h100(), model("gpt3-175b"), Batch(1, 1)).energy_by
    weights = room(h100(), model("gpt3-175b"), 1).weights
    assert found["memory"] == pytest.approx(weights * 28.73, rel=2e-3)
    assert found["arithmetic"] == pytest.approx(weights * 0.23, rel=2e-3)


def test_what_a_processor_would_have_spent_on_a_shared_kernel() -> None:
    of = placed(system("duplex"), ffn="shared")
    policies = [with_policy(of, shared_energy=how) for how in ("each", "processor")]
    each, alone, base = (
        step_cost(one, model("gpt3-175b"), Batch(8, 1)) for one in (*policies, placed(system("duplex")))
    )
    assert each.seconds == alone.seconds < base.seconds
    assert alone.energy_by == base.energy_by
    assert "near memory" in each.energy_by


def test_units_that_share_a_product_spend_on_their_parts_of_it() -> None:
    """Memory bound, with four times the bandwidth near: those units read four fifths of the weights."""
    found = step_cost(placed(system("duplex"), ffn="shared"), model("gpt3-175b"), Batch(1, 1)).energy_by
    ffn = 96 * 8 * 12288**2 * 2
    assert found["near memory"] == pytest.approx(15.37 * ffn * 4 / 5, rel=1e-3)
    assert found["memory"] == pytest.approx(28.73 * (ffn / 5 + ffn / 2), rel=3e-3)


def test_devices_with_whole_experts_spend_as_much_as_one() -> None:
    """The same experts read the same weights, wherever they are."""
    one, four = (step_cost(h100(devices=number), model("mixtral-8x7b"), Batch(8, 1)).energy_by for number in (1, 4))
    assert four["memory"] == pytest.approx(one["memory"], rel=1e-3)


def test_experts_take_turns_over_the_parts_of_the_memory() -> None:
    """The first and third of two parts share one, so that only one unit can have their 20 tokens at once."""
    of = placed(system("duplex"), experts="shared")
    of = replace(of, near=replace(near_of(of), spaces=2))
    each = Sides(lambda tokens: Spent(1.0 * tokens), lambda tokens: Spent(1.0 * tokens))
    assert _of_device(of, (10, 0, 10, 0), each, each).seconds == 20
    assert _of_device(of, (10, 10, 0, 0), each, each).seconds == 10


def test_the_table_of_a_policy_has_its_bandwidth_on_both_units() -> None:
    of = with_policy(system("duplex"), table_efficiency=0.75)
    table = _as_in_table(part(of, "mixtral-8x7b", "experts")).system
    for ours, real in (
        (table.processor.roofline, of.processor.roofline),
        (near_of(table).roofline, near_of(of).roofline),
    ):
        assert ours == replace(real, bandwidth_efficiency=0.75)
