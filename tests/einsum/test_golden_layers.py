"""Layers of models beside attention over many queries: each against its definition in numpy, without any cascade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from accelsim.analyze import analyze
from accelsim.einsum.cascade import Shapes
from accelsim.einsum.evaluate import evaluate
from accelsim.shipped import shipped_names
from accelsim.workload import load_workload, steps
from tests.einsum import test_golden_attention as attention
from tests.einsum import test_golden_pruning as pruning
from tests.einsum.build import random_inputs

pytestmark = pytest.mark.golden
Arrays = dict[str, NDArray[Any]]
DECODE = {"B": 2, "H": 6, "G": 2, "E": 4, "F": 5, "M": 11}
LAYER = {**DECODE, "D": 7, "S": 8}
STEP = {name: size for name, size in LAYER.items() if name != "F"}
SIZES: dict[str, dict[str, int]] = {
    "batched-gemm": {"B": 2, "M": 3, "N": 4, "K": 5},
    "conv2d": {"B": 2, "C": 3, "K": 4, "P": 5, "Q": 6, "R": 3, "S": 2},
    "decode-attention": DECODE,
    "decode-block": {**DECODE, "D": 7},
    "decode-layer": LAYER,
    "decoder-layer": LAYER,
    "experts": {"N": 3, "T": 4, "D": 5, "S": 6},
    "factorised-decode": {"B": 2, "H": 3, "D": 7, "C": 6, "E": 4, "F": 5, "M": 11},
    "ffn-block": {"B": 4, "D": 5, "S": 6},
    "gated-decode-layer": LAYER,
    "gated-decoder-layer": LAYER,
    "gated-ffn": {"T": 4, "D": 5, "S": 6},
    "gated-ffn-block": {"B": 4, "D": 5, "S": 6},
    "gated-linear-attention": {"B": 2, "H": 3, "C": 4, "I": 5, "E": 3, "F": 4},
    "latent-decode": {"B": 2, "H": 3, "E": 7, "F": 5, "M": 11},
    "plain-experts": {"N": 3, "T": 4, "D": 5, "S": 6},
    "released-attention": {"H": 2, "M": 3, "KEEP": 4, "E": 5, "F": 3},
    "router": {"B": 4, "D": 5, "N": 3},
}
OF_STEPS: dict[str, dict[str, int]] = {
    "glam-step": {**STEP, "N": 3, "T": 4},
    "gpt-step": STEP,
    "llama-step": STEP,
    "mixtral-step": {**STEP, "N": 3, "T": 4},
}
PAIRS = [("decoder-layer", "decode-layer"), ("gated-decoder-layer", "gated-decode-layer")]


def sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(x / 2))


def one_query(query: Any, keys: Any, values: Any) -> Any:
    """Softmax attention of one query [e] over keys [m, e] and values [m, f]."""
    weights = np.exp(keys @ query - np.max(keys @ query))
    return weights @ values / weights.sum()


def decode_attention(q: Any, k: Any, v: Any) -> Any:
    """Queries [b, h, e] over k [b, g, e, m] and v [b, g, f, m]."""
    share = q.shape[1] // k.shape[1]
    return np.array(
        [
            [one_query(query, k[b, h // share].T, v[b, h // share].T) for h, query in enumerate(heads)]
            for b, heads in enumerate(q)
        ]
    )


def gated(x: Any, wg: Any, wu: Any, wd: Any) -> Any:
    return ((x @ wg) * sigmoid(x @ wg) * (x @ wu)) @ wd


def feed_forward(z: Any, given: Arrays) -> Any:
    """Of a layer: gated where it has three weights, else with GELU as x*sigmoid(1.702*x)."""
    if "WG" in given:
        return gated(z, given["WG"], given["WU"], given["WD"])
    hidden = z @ given["W1"]
    return (hidden * sigmoid(1.702 * hidden)) @ given["W2"]


def block_feed_forward(x: Any, given: Arrays) -> Any:
    """With a norm before it and itself added to it."""
    return x + feed_forward(normed(x, given["GN"]), given)


def normed(x: Any, gain: Any) -> Any:
    """Root-mean-square norm; the gain has the constant of the mean in it."""
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True)) * (gain / sqrt(x.shape[-1]))


def heads(x: Any, weights: Any) -> Any:
    """Tokens [.., d] through weights [d, h, e]."""
    return np.tensordot(x, weights, axes=1)


def decode_layer(given: Arrays, shapes: Shapes) -> Arrays:
    key, value = heads(given["X"], given["WK"]), heads(given["X"], given["WV"])
    k, v = (np.concatenate([given[n][..., :-1], new[..., None]], axis=3) for n, new in (("K", key), ("V", value)))
    attended = decode_attention(heads(given["X"], given["WQ"]), k, v)
    z = np.tensordot(attended, given["WO"], axes=2)
    return {"KN": key, "VN": value, "Y": feed_forward(z, given)}


def decode_block(given: Arrays, shapes: Shapes) -> Arrays:
    x = normed(given["X"], given["GN"])
    key, value, query = (heads(x, given[name]) for name in ("WK", "WV", "WQ"))
    attended = decode_attention(query, given["K"], given["V"])
    return {"KN": key, "VN": value, "Y": given["X"] + np.tensordot(attended, given["WO"], axes=2)}


def router(given: Arrays, shapes: Shapes) -> Arrays:
    x = normed(given["X"], given["GN"])
    return {"XN": x, "R": x @ given["WR"]}


def decoder_layer(given: Arrays, shapes: Shapes) -> Arrays:
    """Token by token, each over what came before it."""
    k, v = (np.moveaxis(heads(given["X"], given[name]), 1, 3) for name in ("WK", "WV"))
    out = []
    for token in range(shapes.sizes["p"]):
        seen = slice(0, token + 1)
        attended = decode_attention(heads(given["X"][:, token], given["WQ"]), k[..., seen], v[..., seen])
        out.append(feed_forward(np.tensordot(attended, given["WO"], axes=2), given))
    return {"K": k, "V": v, "Y": np.stack(out, axis=1)}


def convolution(given: Arrays, shapes: Shapes) -> Arrays:
    stride, dilation = shapes.params["STRIDE"], shapes.params["DILATION"]
    weights = given["W"]
    out = np.zeros(shapes.shapes["O"])
    for p, q in np.ndindex(out.shape[2:]):
        rows, cols = (
            slice(at * stride, at * stride + (n - 1) * dilation + 1, dilation)
            for at, n in zip((p, q), weights.shape[2:], strict=True)
        )
        out[:, :, p, q] = np.tensordot(given["I"][:, :, rows, cols], weights, axes=([1, 2, 3], [1, 2, 3]))
    return {"O": out}


def gated_linear_attention(given: Arrays, shapes: Shapes) -> Arrays:
    """Token by token: S = diag(gate) S + k v', o = S' q; the gate of a token is the quotient of two products."""
    b, h, chunks, tokens, _ = given["Q"].shape
    before = np.concatenate([np.ones_like(given["D"][:, :, :, :1]), given["D"][:, :, :, :-1]], axis=3)
    gates = given["D"] / before
    state = np.zeros((b, h, shapes.sizes["e"], shapes.sizes["f"]))
    out = np.zeros(shapes.shapes["O"])
    for c, i in np.ndindex(chunks, tokens):
        key, value = given["K"][:, :, c, i], given["V"][:, :, c, i]
        state = state * gates[:, :, c, i, :, None] + key[..., :, None] * value[..., None, :]
        out[:, :, c, i] = (given["Q"][:, :, c, i, None, :] @ state)[:, :, 0]
    return {"O": out}


def latent(given: Arrays, shapes: Shapes) -> Arrays:
    values = given["C"][:, :, -shapes.sizes["f"] :]
    return {"AV": decode_attention(given["Q"], *(x.transpose(0, 2, 1)[:, None] for x in (given["C"], values)))}


def factorised(given: Arrays, shapes: Shapes) -> Arrays:
    query = heads(given["X"] @ given["WC"], given["WQ"])
    return {"AV": decode_attention(query, given["K"][:, None], given["V"][:, None])}


def experts(given: Arrays, shapes: Shapes) -> Arrays:
    each = ({name: values[n] for name, values in given.items()} for n in range(3))
    return {"Y": np.stack([feed_forward(one["X"], one) for one in each])}


def without_queries(given: Arrays, shapes: Shapes) -> Arrays:
    """Every query is all ones; the last row of the last head leaves besides."""
    weights = np.exp(given["K"].sum(axis=2))
    rows = weights / weights.sum(axis=1, keepdims=True)
    values = np.einsum("hk,hkf->hf", rows, given["V"])
    return {"AV": np.repeat(values[:, None], shapes.sizes["q"], axis=1), "LR": rows[-1]}


REFERENCES: Mapping[str, Callable[[Arrays, Shapes], Arrays]] = {
    "batched-gemm": lambda given, shapes: {"C": given["A"] @ given["B"]},
    "conv2d": convolution,
    "decode-attention": lambda given, shapes: {"AV": decode_attention(given["Q"], given["K"], given["V"])},
    "decode-block": decode_block,
    "decode-layer": decode_layer,
    "decoder-layer": decoder_layer,
    "experts": experts,
    "factorised-decode": factorised,
    "ffn-block": lambda given, shapes: {"Y": block_feed_forward(given["X"], given)},
    "gated-decode-layer": decode_layer,
    "gated-decoder-layer": decoder_layer,
    "gated-ffn": lambda given, shapes: {"Y": gated(*(given[name] for name in ("X", "WG", "WU", "WD")))},
    "gated-ffn-block": lambda given, shapes: {"Y": block_feed_forward(given["X"], given)},
    "gated-linear-attention": gated_linear_attention,
    "latent-decode": latent,
    "plain-experts": experts,
    "released-attention": without_queries,
    "router": router,
}


def shapes_of(name: str, **changed: int) -> Shapes:
    (step,) = steps(load_workload(name, said({**SIZES[name], **changed})))
    return step.shapes


def said(sizes: Mapping[str, int]) -> list[str]:
    return [f"{key}={value}" for key, value in sizes.items()]


def inputs_of(name: str, shapes: Shapes) -> Arrays:
    """Random, but a cache holds what the layer makes of its new token, and gates are between 0.5 and 1."""
    given = random_inputs(shapes, scale=0.7)
    if name.endswith(("decode-layer", "decode-block")):
        x = normed(given["X"], given["GN"]) if "GN" in given else given["X"]
        given["K"][..., -1], given["V"][..., -1] = (heads(x, given[weights]) for weights in ("WK", "WV"))
    if name == "gated-linear-attention":
        gates = np.random.default_rng(1).uniform(0.5, 1, given["D"].shape)
        given["D"] = np.cumprod(gates, axis=3)
    return given


def check(name: str, shapes: Shapes) -> None:
    given = inputs_of(name, shapes)
    found, expected = evaluate(shapes, given), REFERENCES[name](given, shapes)
    assert set(expected) == set(shapes.cascade.outputs)
    for tensor, values in expected.items():
        assert found[tensor].present is None
        assert np.abs(found[tensor].array - values).max() < 1e-12 * max(1, np.abs(values).max()), tensor


def forms_of(name: str) -> tuple[str, ...]:
    return load_workload(name, said(SIZES[name])).cascades


def test_every_shipped_function_is_compared() -> None:
    assert {*attention.SMALL, *pruning.SMALL, *SIZES, *OF_STEPS, "encoder-layer"} == set(shipped_names("workloads"))
    assert set(SIZES) == set(REFERENCES)


@pytest.mark.parametrize("name", SIZES)
def test_a_layer_is_what_it_is_defined_to_be(name: str) -> None:
    check(name, shapes_of(name))


@pytest.mark.parametrize("name", OF_STEPS)
def test_a_layer_of_steps_hands_tensors_from_one_to_the_next(name: str) -> None:
    """Attention, and what its result goes through: a network, or a router; tokens of experts are given."""
    held: Arrays = {}
    for at, step in enumerate(steps(load_workload(name, said(OF_STEPS[name])))):
        given = random_inputs(step.shapes, seed=at, scale=0.7)
        ours = {tensor: held[step.tensors[tensor]] for tensor in given if step.tensors[tensor] in held}
        assert set(ours) == (set() if step.name in ("attention", "experts") else {"X"})
        given |= ours
        found = evaluate(step.shapes, given)
        for tensor, values in REFERENCES[step.function](given, step.shapes).items():
            held[step.tensors[tensor]] = values
            assert np.abs(found[tensor].array - values).max() < 1e-12 * max(1, np.abs(values).max()), tensor


@pytest.mark.parametrize("name", [name for name in SIZES if len(forms_of(name)) > 1])
@pytest.mark.parametrize("part", [1, 2, 4, 11, 16])
def test_so_is_every_form_of_it(name: str, part: int) -> None:
    """Parts of one token, parts that do not divide M, one part, and a part larger than M."""
    for form in forms_of(name):
        own = [] if form.startswith("3pass") else [f"M0={part}"]
        (step,) = steps(load_workload(name, [*said(SIZES[name]), *own, f"cascade={form}"]))
        check(name, step.shapes)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_query_heads_share_key_heads_all_alike(groups: int) -> None:
    """Multi-query, grouped and multi-head attention are the same file."""
    for name in ("decode-attention", "decode-block", "decode-layer", "gated-decoder-layer"):
        check(name, shapes_of(name, G=groups))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_any_stride_and_dilation(stride: int, dilation: int) -> None:
    check("conv2d", shapes_of("conv2d", STRIDE=stride, DILATION=dilation))


def test_without_a_rotary_part_the_whole_latent_vector_is_the_value() -> None:
    check("latent-decode", shapes_of("latent-decode", F=7))


def test_a_chunk_of_one_token_and_one_chunk_are_the_same_recurrence() -> None:
    check("gated-linear-attention", shapes_of("gated-linear-attention", I=1))
    check("gated-linear-attention", shapes_of("gated-linear-attention", C=1))


@pytest.mark.parametrize(("prompt", "decode"), PAIRS)
def test_the_last_token_of_a_prompt_is_decoded_from_the_cache_of_the_prompt(prompt: str, decode: str) -> None:
    given = inputs_of(prompt, shapes_of(prompt))
    whole = evaluate(shapes_of(prompt), given)
    cache = {name: whole[name].array for name in "KV"}
    found = evaluate(shapes_of(decode), {**given, **cache, "X": given["X"][:, -1]})
    assert np.abs(found["Y"].array - whole["Y"].array[:, -1]).max() < 1e-12 * np.abs(whole["Y"].array).max()
    for made, kept in (("KN", "K"), ("VN", "V")):
        assert np.abs(found[made].array - cache[kept][..., -1]).max() < 1e-12


@pytest.mark.parametrize(
    ("name", "sizes", "macs"),
    [
        ("gpt3-6.7b-decode", {"B": 3, "M": 5}, 3 * (4 * 4096**2 + 2 * 4096 * 16384 + 2 * 5 * 4096)),
        ("llama3-8b-decode", {"B": 3, "M": 5}, 3 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336 + 2 * 5 * 4096)),
        ("gpt3-6.7b-prefill", {"B": 1, "M": 5}, 5 * (4 * 4096**2 + 2 * 4096 * 16384) + 2 * 15 * 4096),
        ("llama3-8b-prefill", {"B": 1, "M": 5}, 5 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336) + 2 * 15 * 4096),
        ("deepseek-v2-decode-attention", {"B": 3, "M": 5}, 3 * 5 * 128 * (576 + 512)),
        ("step3-decode-attention", {"B": 3, "M": 5}, 3 * (7168 * 2048 + 2048 * 64 * 256 + 2 * 5 * 64 * 256)),
        ("llama3-8b-decode-attention", {"B": 3, "M": 5}, 3 * 2 * 5 * 4096),
        ("mixtral-8x7b-experts", {"T": 5}, 5 * 8 * 3 * 4096 * 14336),
        ("llama3-8b-ffn", {"T": 5}, 5 * 3 * 4096 * 14336),
        ("gpt3-175b-step", {"B": 3, "M": 5}, 3 * (12 * 12288**2 + (2 * 5 + 2) * 12288)),
        ("opt-66b-step", {"B": 3, "M": 5}, 3 * (12 * 9216**2 + (2 * 5 + 2) * 9216)),
        ("llama-65b-step", {"B": 3, "M": 5}, 3 * (4 * 8192**2 + 3 * 8192 * 22016 + (2 * 5 + 2) * 8192)),
        ("llama3-70b-step", {"B": 3, "M": 5}, 3 * (2 * 8192 * (8192 + 1024) + 3 * 8192 * 28672 + (2 * 5 + 2) * 8192)),
        (
            "mixtral-8x7b-step",
            {"B": 3, "M": 5, "T": 2},
            3 * (2 * 4096 * (4096 + 1024) + (2 * 5 + 2) * 4096 + 4096 * 8) + 2 * 8 * 3 * 4096 * 14336,
        ),
        (
            "grok-1-step",
            {"B": 3, "M": 5, "T": 2},
            3 * (2 * 6144 * (6144 + 1024) + (2 * 5 + 2) * 6144 + 6144 * 8) + 2 * 8 * 3 * 6144 * 32768,
        ),
        ("glam-dense-step", {"B": 3, "M": 5}, 3 * (12 * 4096**2 + (2 * 5 + 2) * 4096)),
        (
            "glam-moe-step",
            {"B": 3, "M": 5, "T": 2},
            3 * (4 * 4096**2 + (2 * 5 + 2) * 4096 + 4096 * 64) + 2 * 64 * 2 * 4096 * 16384,
        ),
        ("resnet50-conv3", {"B": 3}, 3 * 128 * 128 * 28**2 * 9),
    ],
)
def test_presets_multiply_as_often_as_their_sizes_say(name: str, sizes: dict[str, int], macs: int) -> None:
    """Two norms of a layer square each element."""
    assert analyze(load_workload(name, said(sizes))).macs == macs
