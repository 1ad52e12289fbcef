"""What a device has of a model: published parameter counts, and nothing lost or doubled when devices share."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.cluster import Batch, System, room
from accelsim.cluster.part import Part
from tests.cluster.named import MODELS, model, part, system, with_policy
from tests.tries import tries

# Of the publication that each model's file names, in billions; embeddings are left out of the layers.
PARAMETERS = {
    "glam": 143.0,  # GLaM, table 4: 8B/64E
    "gpt3-175b": 175.0,
    "grok-1": 314.0,
    "llama-65b": 65.2,
    "llama3-70b": 70.0,
    "mixtral-8x7b": 46.7,  # Mistral AI, 2023, announcement of the model
    "opt-66b": 66.0,
}
WIDTHS = {"llama-65b": 8192, "opt-66b": 9216, "gpt3-175b": 12288}
ONE_H100 = "h100-node"


def devices(number: int, nodes: int = 1, experts: str = "whole") -> System:
    return replace(with_policy(system(ONE_H100), experts=experts), devices=number, nodes=nodes)


def elements(of: System, name: str) -> float:
    """Of the weights of all devices, two bytes each."""
    return room(of, model(name), 1).weights / 2


def parts(of: System, name: str) -> list[Part]:
    return [Part(of, model(name), step) for layer in model(name).layers for step in layer.steps]


@pytest.mark.golden
@pytest.mark.parametrize("name", MODELS)
def test_models_have_as_many_parameters_as_published(name: str) -> None:
    assert elements(devices(1), name) == pytest.approx(PARAMETERS[name] * 1e9, rel=0.03)


@pytest.mark.parametrize(("name", "matrices"), [("gpt3-175b", 12.0), ("opt-66b", 12.0), ("llama-65b", None)])
def test_parameters_by_the_sizes_of_the_matrices(name: str, matrices: float | None) -> None:
    """Four of attention and two of four times the width; or three of 22016."""
    width = WIDTHS[name]
    of_layer = matrices * width**2 if matrices else 4 * width**2 + 3 * width * 22016
    assert elements(devices(1), name) == sum(layer.count for layer in model(name).layers) * (of_layer + 2 * width)


@pytest.mark.parametrize("experts", ["whole", "split"])
@pytest.mark.parametrize("number", [2, 4, 8])
@pytest.mark.parametrize("name", MODELS)
def test_devices_share_all_weights_but_gains_and_routers(name: str, number: int, experts: str) -> None:
    """Every device has its own copy of those."""
    one, several = (elements(devices(each, 1, experts), name) for each in (1, number))
    copied = 0.0
    for layer in model(name).layers:
        for step in layer.steps:
            held = step.shapes.shapes
            router = held["WR"][0] * held["WR"][1] if "WR" in held else 0
            copied += layer.count * (router + (held["GN"][0] if "GN" in held else 0))
    assert several == one + (number - 1) * copied
    assert copied < 0.001 * one


@pytest.mark.parametrize("name", MODELS)
def test_every_node_has_the_whole_model(name: str) -> None:
    assert elements(devices(4, nodes=3), name) == 3 * elements(devices(4), name)


@pytest.mark.golden
def test_a_request_of_gpt3_needs_19_gigabytes_of_cache() -> None:
    """Prompt and answer of 2048 tokens each: 96 layers of keys and values of 12288 elements of 2 bytes."""
    cache = room(devices(8), model("gpt3-175b"), 4096).cache
    assert cache == 96 * 2 * 12288 * 2 * 4096
    assert cache / 1e9 == pytest.approx(19.3, abs=0.05)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("number", [1, 2, 8])
def test_a_new_token_adds_its_keys_and_values_to_the_cache(name: str, number: int) -> None:
    for one in parts(devices(number), name):
        if one.has_cache:
            assert one.new_cache_bytes(3) == one.cache_bytes(3, 8) - one.cache_bytes(3, 7) > 0
        else:
            assert one.cache_bytes(3, 8) == one.new_cache_bytes(3) == 0


def test_grouped_heads_shrink_the_cache() -> None:
    """Eight of 64 heads have keys; a device without one of its own has a copy, and three have three each."""
    cache = {number: room(devices(number), model("llama3-70b"), 100).cache for number in (1, 3, 8, 16)}
    assert cache[1] == cache[8] == 80 * 2 * 8 * 128 * 2 * 100
    assert cache[16] == 2 * cache[8]
    assert cache[3] == cache[1] * 9 / 8


@settings(max_examples=tries(40))
@given(st.sampled_from(MODELS), st.integers(1, 64), st.integers(1, 4000), st.sampled_from([1, 2, 4, 8]))
def test_devices_share_all_multiplications(name: str, tokens: int, length: int, number: int) -> None:
    """But those of the norms and routers, which each device does for itself."""
    for one, share in zip(parts(devices(1), name), parts(devices(number, 1, "split"), name), strict=True):
        for whole, shared in zip(one.kernels(tokens, length), share.kernels(tokens, length), strict=True):
            copied = not whole.ranks & set(model(name).shard)
            assert shared.flops * (1 if copied else number) == whole.flops, whole.name


def test_classes() -> None:
    """Attention is what touches the cache; the products of its layer half are projections, others of the network."""
    of = devices(4)
    found = {kernel.name: part(of, "gpt3-175b").class_of(kernel) for kernel in part(of, "gpt3-175b").kernels(2, 9)}
    assert found == {
        "MS+N": "elementwise",
        "Q+KN+VN": "projection",
        "QK": "attention",
        "GM+SN+SD+P": "attention",
        "AV": "attention",
        "Z": "projection",
        "Y": "elementwise",
    }
    ffn = part(of, "gpt3-175b", "ffn")
    assert [ffn.class_of(kernel) for kernel in ffn.kernels(2)] == ["elementwise", "ffn"] * 2 + ["elementwise"]


def test_attention_as_one_kernel_moves_queries_cache_and_results() -> None:
    one = part(devices(4), "llama3-70b")
    fused = one.fused_attention(3, 50)
    heads, head, size = 16, 128, 2
    assert fused.bytes == one.cache_bytes(3, 50) + 2 * 3 * heads * head * size
    assert fused.flops == sum(kernel.flops for kernel in one.attention_kernels(3, 50))


@pytest.mark.parametrize("number", [1, 4])
def test_a_token_between_layers_is_as_wide_as_the_model(number: int) -> None:
    for one in parts(devices(number), "mixtral-8x7b"):
        assert one.token_bytes() == (2 * 4096 if one.step.name != "router" else 2 * 8)


def test_an_expert_is_whole_or_divided() -> None:
    whole, split = (part(devices(4, 1, how), "mixtral-8x7b", "experts") for how in ("whole", "split"))
    assert (whole.experts, split.experts) == (8, 8)
    assert whole.weight_bytes() == split.weight_bytes() == 2 * 8 * 3 * 4096 * 14336 / 4
    flops = [sum(kernel.flops for kernel in one.kernels(5) if kernel.product) for one in (whole, split)]
    assert flops == [2 * 5 * 3 * 4096 * 14336, 2 * 5 * 3 * 4096 * 14336 / 4]


def test_tokens_of_a_batch() -> None:
    assert Batch(3, 10).tokens == 3
    assert Batch(3, 10, 2, 100).tokens == 203
