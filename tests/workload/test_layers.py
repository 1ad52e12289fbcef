"""Layers: steps that use functions, share tensors, and may be written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from accelsim.einsum.evaluate import evaluate
from accelsim.errors import AccelsimError
from accelsim.workload import Step, load_workload, steps

HEAD = "schema: accelsim/workload/1\nname: layer\nparams: {N: 4}\nsteps:\n"
USE = "  - {name: one, use: gemm, params: {M: N}}\n"
INLINE = """\
  - name: two
    function: scale
    inputs: {C: [m, n]}
    outputs: {Y: [m, n]}
    ranks: {m: N, n: N}
    types: {default: fp32, C: fp16}
    einsums: |
      Y[m,n] = 2 * C[m,n]
"""


def layer(folder: Path, text: str) -> tuple[Step, ...]:
    path = folder / "layer.yaml"
    path.write_text(HEAD + text)
    return steps(load_workload(str(path)))


def refused(folder: Path, text: str) -> str:
    with pytest.raises(AccelsimError) as caught:
        layer(folder, text)
    return str(caught.value).removeprefix(f"{folder}/")


def test_an_encoder_layer_is_its_projections_its_attention_and_its_feed_forward_network() -> None:
    found = steps(load_workload("bert-layer-1pass", ["L=512", "M0=64"]))
    assert [(step.name, step.function) for step in found] == [
        ("q-projection", "projection"),
        ("k-projection", "projection"),
        ("v-projection", "projection"),
        ("attention", "attention"),
        ("output-projection", "output-projection"),
        ("ffn-up", "linear"),
        ("ffn-down", "linear"),
    ]
    attention = found[3]
    assert (attention.cascade_name, attention.shapes.params["M0"], attention.shapes.sizes["m1"]) == ("1pass", 64, 8)
    assert found[0].shapes.shapes["W"] == (768, 12, 64)
    assert found[-1].shapes.shapes["W"] == (3072, 768)


def test_a_preset_of_a_layer_costs_the_multiplications_that_its_sizes_say() -> None:
    """Q, K, V and output projections and the two halves of the feed-forward network: 4 D^2 + 2 D S per token."""
    work = 0
    for step in steps(load_workload("t5-layer", ["L=16"])):
        sizes = step.shapes.sizes
        if step.function != "attention":
            work += np.prod([sizes[name] for name in step.shapes.cascade.einsums[0].coordinates], dtype=int)
    assert work == 64 * 16 * (4 * 512**2 + 2 * 512 * 2048)


@pytest.mark.golden
def test_the_steps_of_a_layer_together_are_the_layer() -> None:
    sizes = ["B=2", "L=7", "H=3", "E=4", "F=5", "D=6", "S=8", "M0=3"]
    results = [chained(load_steps(sizes, cascade)) for cascade in ("1pass", "3pass")]
    assert np.abs(results[0]["Y2"] - results[1]["Y2"]).max() < 1e-12
    held = results[0]
    q, k, v = (np.einsum("bpd,dhe->bhep", held["X"], held[name]) for name in ("WQ", "WK", "WV"))
    weights = np.exp(np.einsum("bhep,bhem->bhmp", q, k))
    attended = np.einsum("bhmp,bhfm->bhfp", weights / weights.sum(axis=2, keepdims=True), v)
    expected = np.einsum("bhfp,hfd->bpd", attended, held["WO"]) @ held["W1"] @ held["W2"]
    assert np.abs(held["Y2"] - expected).max() < 1e-12 * np.abs(expected).max() * 100


def load_steps(sizes: list[str], cascade: str) -> tuple[Step, ...]:
    return steps(load_workload("encoder-layer", [*sizes, f"cascade={cascade}"]))


def chained(parts: tuple[Step, ...]) -> dict[str, np.ndarray]:
    """Every tensor of a layer by its name there, each step fed by those before it."""
    held: dict[str, np.ndarray] = {}
    rng = np.random.default_rng(0)
    for step in parts:
        for name in step.shapes.cascade.inputs:
            if step.tensors[name] not in held:
                held[step.tensors[name]] = 0.3 * rng.standard_normal(step.shapes.shapes[name])
        found = evaluate(step.shapes, {name: held[step.tensors[name]] for name in step.shapes.cascade.inputs})
        held |= {step.tensors[name]: found[name].array for name in step.shapes.cascade.outputs}
    return held


def test_a_step_may_be_written_out_and_reads_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    one, two = layer(tmp_path, USE + INLINE)
    assert (one.name, one.function, two.function, two.cascade_name) == ("one", "gemm", "scale", "default")
    assert two.shapes.shapes["C"] == one.shapes.shapes["C"] == (4, 4)
    assert (two.types["Y"].name, two.types["C"].name) == ("fp32", "fp16")


def test_types_of_the_layer_hold_under_its_names(tmp_path: Path) -> None:
    text = USE.replace("}}", "}, tensors: {A: X}}")
    (step,) = layer(tmp_path, text + "types: {default: bf16, X: fp8_e4m3}\n")
    assert {name: kind.name for name, kind in step.types.items()} == {"A": "fp8_e4m3", "B": "bf16", "C": "bf16"}
    assert step.tensors == {"A": "X", "B": "B", "C": "C"}


def test_a_parameter_of_a_step_is_its_own_else_the_layers_else_the_functions(tmp_path: Path) -> None:
    (step,) = layer(tmp_path, "  - {name: one, use: gemm, params: {M: 2*N + 1}}\n")
    assert dict(step.shapes.params) == {"M": 9, "N": 4, "K": 9}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (USE + USE, 'layer.yaml:6:5: steps[1]: a step named "one" exists already'),
        (
            "  - {name: one, use: gemm}\n",
            "parameter M must be given: --set workload.steps.one.params.M=VALUE",
        ),
        (USE.replace("M: N", "Q: N"), 'steps[0].params.Q: no parameter "Q" of gemm; known: K, M, N'),
        (USE.replace("M: N", "M: Q"), 'steps[0].params.M: no parameter "Q"; known: N'),
        (USE.replace("}}", "}, tensors: {Q: X}}"), 'steps[0].tensors.Q: no tensor "Q" of gemm; known: A, B, C'),
        (USE.replace("gemm", "gem"), 'no workload named "gem"; did you mean "gemm"?'),
        (USE.replace("gemm", "encoder-layer"), 'not supported yet: "encoder-layer" has steps itself'),
        (USE.replace("}}", "}, cascade: 1pass}"), 'no cascade "1pass" of gemm; known: default'),
        (USE + USE.replace("one", "two"), "steps one and two both write C"),
        (INLINE + USE, "step two reads C, which step one writes later"),
        (USE + INLINE.replace("m: N", "m: 2*N"), "step one has C as fp16 [4, 4], but step two has C as fp16 [8, 4]"),
        (
            USE + INLINE.replace("C: fp16", "C: bf16"),
            "step one has C as fp16 [4, 4], but step two has C as bf16 [4, 4]",
        ),
        (USE + "types: {Q: fp16}\n", 'types.Q: no tensor "Q"; known: A, B, C, default'),
        (USE.replace("name: one", "nam: one"), 'steps[0].nam: unknown key "nam"; did you mean "name"?'),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)
