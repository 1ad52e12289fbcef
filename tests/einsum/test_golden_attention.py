"""Every form of attention against softmax attention written down twice: the cascades, and numpy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.types import TYPES
from accelsim.errors import AccelsimError
from accelsim.workload import load_workload, steps
from tests.einsum.build import random_inputs
from tests.tries import tries

pytestmark = pytest.mark.golden
FORMS = ("3pass", "3pass-deferred", "2pass", "2pass-deferred", "1pass")
SIZES = {"B": 2, "H": 3, "E": 4, "F": 5, "M": 11, "P": 7}
SMALL: dict[str, dict[str, int]] = {
    "attention": SIZES,
    "causal-attention": SIZES,
    "window-attention": {**SIZES, "W": 3, "SINK": 1},
    "grouped-attention": {**SIZES, "H": 6, "G": 2},
    "paged-attention": {**SIZES, "PG": 4},
    "block-topk-attention": {"B": 2, "H": 3, "E": 4, "F": 5, "P": 7, "NB": 5, "BS": 3, "TOP": 2},
    "projection": {"B": 2, "H": 3, "D": 5, "E": 4, "P": 6},
    "output-projection": {"B": 2, "H": 3, "D": 5, "F": 4, "P": 6},
    "linear": {"B": 2, "P": 3, "D": 4, "S": 5},
    "gemm": {"M": 3, "N": 4, "K": 5},
    "head": SIZES,
    "causal-head": SIZES,
    "tiled-head": SIZES,
}
Arrays = Mapping[str, NDArray[Any]]


def softmax_attention(q: Any, k: Any, v: Any, mask: Any = True) -> Any:
    scores = np.where(mask, np.einsum("bhep,bhem->bhmp", q, k), -np.inf)
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    return np.einsum("bhmp,bhfm->bhfp", weights / weights.sum(axis=2, keepdims=True), v)


def shapes_of(name: str, form: str, sizes: Mapping[str, int]) -> Shapes:
    own = {key: value for key, value in sizes.items() if key != "M0" or "1pass" in form or "2pass" in form}
    overrides = [f"{key}={value}" for key, value in own.items()]
    (step,) = steps(load_workload(name, [*overrides, f"cascade={form}"]))
    return step.shapes


def inputs_of(name: str, shapes: Shapes, scale: float = 1.0) -> dict[str, NDArray[Any]]:
    inputs = random_inputs(shapes, scale=scale)
    if name == "paged-attention":
        pages = np.random.default_rng(1).permutation(shapes.params["POOL"])
        inputs["PT"] = pages[: inputs["PT"].size].reshape(inputs["PT"].shape)
    return inputs


def reference(name: str, shapes: Shapes, inputs: Arrays) -> Any:
    """What a file's attention is by its definition, without any cascade."""
    q, k, v = (inputs[tensor] for tensor in "QKV")
    m, p = np.ogrid[: shapes.sizes["m"], : shapes.sizes["p"]]
    if name in ("causal-attention", "causal-head"):
        return softmax_attention(q, k, v, m <= p)
    if name == "window-attention":
        window, sink = shapes.params["W"], shapes.params["SINK"]
        return softmax_attention(q, k, v, (m <= p) & ((m > p - window) | (m < sink)))
    if name == "grouped-attention":
        repeat = shapes.params["R"]
        return softmax_attention(q, np.repeat(k, repeat, axis=1), np.repeat(v, repeat, axis=1))
    if name == "paged-attention":
        page = shapes.params["PG"]
        slots = (inputs["PT"][:, :, None] * page + np.arange(page)).reshape(q.shape[0], -1)[:, : shapes.sizes["m"]]
        return softmax_attention(q, k[slots].transpose(0, 2, 3, 1), v[slots].transpose(0, 2, 3, 1))
    if name == "block-topk-attention":
        return softmax_attention(q, k, v, chosen_blocks(shapes, q, k))
    return softmax_attention(q, k, v)


def chosen_blocks(shapes: Shapes, q: Any, k: Any) -> Any:
    blocks, size, top = (shapes.params[name] for name in ("NB", "BS", "TOP"))
    sums = k.reshape(*k.shape[:3], blocks, size).sum(axis=4)
    scores = np.einsum("bhep,bhes->bhsp", q, sums)
    rank = np.argsort(np.argsort(-scores, axis=2), axis=2)
    return np.repeat(rank < top, size, axis=2)


def forms_of(name: str) -> tuple[str, ...]:
    return load_workload(name, [f"{key}={value}" for key, value in SMALL[name].items()]).cascades


ATTENTIONS = [name for name in SMALL if "attention" in name or "head" in name]


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("part", [1, 2, 4, 11, 16])
def test_every_form_of_every_file_is_softmax_attention(name: str, part: int) -> None:
    """Parts of one key, parts that do not divide M, one part, and a part larger than M; M != P and E != F."""
    for form in forms_of(name):
        shapes = shapes_of(name, form, {**SMALL[name], "M0": part})
        inputs = inputs_of(name, shapes, scale=2)
        found = evaluate(shapes, inputs)["AV"]
        assert found.present is None
        assert np.abs(found.array - reference(name, shapes, inputs)).max() < 1e-12, form


@pytest.mark.parametrize("name", sorted(SMALL))
def test_all_cascades_of_a_file_agree(name: str) -> None:
    results = []
    for form in forms_of(name):
        shapes = shapes_of(name, form, SMALL[name])
        found = evaluate(shapes, inputs_of(name, shapes))
        results.append([found[output].array for output in shapes.cascade.outputs])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert np.abs(one - two).max() < 1e-12


@settings(max_examples=tries(40))
@given(st.sampled_from(FORMS), st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(1, 10))
def test_any_sizes(form: str, m: int, p: int, f: int, part: int) -> None:
    sizes = {"B": 1, "H": 2, "E": 3, "F": f, "M": m, "P": p, "M0": part}
    shapes = shapes_of("attention", form, sizes)
    inputs = inputs_of("attention", shapes)
    assert np.abs(evaluate(shapes, inputs)["AV"].array - reference("attention", shapes, inputs)).max() < 1e-12


@settings(max_examples=tries(40))
@given(st.integers(1, 9), st.integers(1, 5), st.integers(0, 3), st.integers(1, 6))
def test_any_window(p: int, window: int, sink: int, part: int) -> None:
    """Parts whose keys are all masked are where a running maximum of minus infinity would give NaN."""
    sizes = {"B": 1, "H": 1, "E": 2, "M": p, "W": window, "SINK": sink, "M0": part}
    shapes = shapes_of("window-attention", "1pass", sizes)
    inputs = inputs_of("window-attention", shapes)
    found = evaluate(shapes, inputs)["AV"].array
    assert np.abs(found - reference("window-attention", shapes, inputs)).max() < 1e-12


def test_a_running_maximum_of_minus_infinity_gives_nan_where_lowest_does_not() -> None:
    sizes = {"B": 1, "H": 1, "E": 2, "M": 8, "W": 2, "SINK": 0, "M0": 2}
    shapes = shapes_of("window-attention", "1pass", sizes)
    inputs = inputs_of("window-attention", shapes)
    found = evaluate(shapes, inputs)
    present = found["QK"].present
    assert present is not None
    scores = np.where(present, found["QK"].array, -np.inf)
    with np.errstate(invalid="ignore"):
        naive = np.exp(scores - np.maximum.accumulate(scores.max(axis=3), axis=2)[:, :, :, None])
    assert np.isnan(naive).any()
    assert all(np.isfinite(values.array).all() for values in found.values())


def test_scores_that_are_masked_are_absent() -> None:
    shapes = shapes_of("causal-attention", "3pass", SIZES)
    found = evaluate(shapes, inputs_of("causal-attention", shapes))
    m, p = np.ogrid[: SIZES["M"], : SIZES["P"]]
    for name in ("QK", "SN", "A"):
        present = found[name].present
        assert present is not None
        assert (present == (m <= p)).all()
    assert found["GM"].present is None


def test_a_query_that_sees_no_key_is_an_error_that_names_it() -> None:
    """With a window of 1 and more queries than keys the last query sees nothing: 0/0."""
    sizes = {"B": 1, "H": 1, "E": 1, "M": 2, "P": 3, "W": 1, "M0": 2}
    shapes = shapes_of("window-attention", "1pass", sizes)
    with pytest.raises(AccelsimError, match="AV: NaN at b=0, h=0, f=0, p=2"):
        evaluate(shapes, inputs_of("window-attention", shapes))


@pytest.mark.parametrize(("name", "bits"), [("fp16", 11), ("bf16", 8), ("tf32", 11), ("fp32", 24)])
@pytest.mark.parametrize("form", FORMS)
def test_rounded_evaluation_is_close_to_exact(form: str, name: str, bits: int) -> None:
    """Within u (4 S + 4 N + 8) max|V|, where u is half a unit in the last place.

    A score of at most S carries an error of 2 u S through its operands and itself, its maximum likewise; the
    exponential makes both relative; each of N steps of a running sum, and each of a few further lines, adds u.
    """
    shapes = shapes_of("attention", form, {**SIZES, "M0": 3})
    inputs = inputs_of("attention", shapes)
    exact = evaluate(shapes, inputs)
    rounded = evaluate(shapes, inputs, dict.fromkeys(shapes.cascade.tensors, TYPES[name]))
    error = np.abs(rounded["AV"].array - exact["AV"].array).max()
    scores, steps_done = np.abs(exact["QK"].array).max(), shapes.sizes.get("m1", 1)
    assert 0 < error < 2.0**-bits * (4 * scores + 4 * steps_done + 8) * np.abs(inputs["V"]).max()


def test_large_scores_do_not_overflow() -> None:
    """exp(1000) is no double; every form subtracts a maximum first."""
    for form in FORMS:
        shapes = shapes_of("attention", form, {**SIZES, "M0": 4})
        inputs = inputs_of("attention", shapes, scale=30)
        found = evaluate(shapes, inputs)["AV"].array
        assert np.abs(found - reference("attention", shapes, inputs)).max() < 1e-12 * 100
