"""A cascade as kernels: against its counts, by hand, and what a library has no kernel for."""

from __future__ import annotations

from functools import cache
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.cluster.kernels import Kernel, fused_plan, kernels_of
from accelsim.einsum.cascade import Shapes
from accelsim.einsum.counts import Counts, count
from accelsim.einsum.types import DataType, data_type
from accelsim.errors import AccelsimError
from accelsim.units.roofline import traffic
from accelsim.workload import Step, load_workload, parameter_names, steps
from tests.einsum.build import shapes_of, text
from tests.workload.shipped import without_value

SPECIAL = {
    "attention-2pass": "attention.yaml:33:7: QK",  # parts of a rank
    "attention-1pass": "attention.yaml:61:7: RM@start",
    "block-topk-attention": "block-topk-attention.yaml:17:7: QK",
    "causal-attention": "causal-attention.yaml:12:7: QK",
    "paged-attention": "paged-attention.yaml:16:7: QK",
}
PLAIN = (
    "attention-3pass",
    "decode-attention-3pass",
    "decode-block",
    "decode-layer",
    "experts",
    "factorised-decode-3pass",
    "ffn-block",
    "gated-decode-layer",
    "gated-ffn-block",
    "gemm",
    "grouped-attention-3pass",
    "plain-experts",
    "projection",
    "router",
)
FP16 = data_type(text("fp16"))


@cache
def step_of(name: str) -> Step:
    """A function with sizes that are all different, as far as heads divide."""
    sizes = {key: at for at, key in enumerate(without_value(name), 3)}
    sizes |= {key: value for key, value in {"H": 12, "G": 4}.items() if key in parameter_names(name)}
    (step,) = steps(load_workload(name, [f"{key}={value}" for key, value in sizes.items()]))
    return step


def kernels(step: Step) -> tuple[Kernel, ...]:
    return kernels_of(step.shapes.cascade, step.types, step.shapes.sizes)


def counts(step: Step) -> Counts:
    return count(step.shapes, step.types)


def by_hand(lines: str, inputs: str, ranks: dict[str, str | int], outputs: str) -> dict[str, Kernel]:
    shapes = shapes_of(lines, inputs, ranks, outputs=outputs)
    return {kernel.name: kernel for kernel in kernels_of(shapes.cascade, fp16(shapes), shapes.sizes)}


def fp16(shapes: Shapes) -> dict[str, DataType]:
    return dict.fromkeys(shapes.cascade.tensors, FP16)


@pytest.mark.parametrize("name", PLAIN)
def test_kernels_compute_what_the_cascade_counts(name: str) -> None:
    step, counted = step_of(name), counts(step_of(name))
    found = kernels(step)
    assert sum(kernel.flops for kernel in found) == 2 * counted.macs + sum(counted.operations.values())
    assert [line for kernel in found for line in kernel.einsums] == [line.name for line in step.shapes.cascade.einsums]


@pytest.mark.parametrize("name", PLAIN)
def test_products_multiply_what_their_lines_do(name: str) -> None:
    counted = counts(step_of(name)).per_einsum
    for kernel in kernels(step_of(name)):
        macs = sum(counted[line].macs for line in kernel.einsums)
        if kernel.product:
            assert kernel.product.flops == kernel.flops == 2 * macs
        else:
            assert kernel.flops == sum(sum(counted[line].operations.values()) for line in kernel.einsums) + 2 * macs


@pytest.mark.parametrize("name", PLAIN)
def test_a_product_that_is_not_cut_moves_the_bytes_of_its_tensors(name: str) -> None:
    """The rows, columns, depths and copies of a product say the same as the shapes of its tensors."""
    products = [kernel for kernel in kernels(step_of(name)) if kernel.product]
    assert products
    for kernel in products:
        assert kernel.product
        assert traffic(kernel.product, kernel.product.rows, kernel.product.cols) == kernel.bytes, kernel.name


@pytest.mark.parametrize("name", PLAIN)
def test_one_kernel_of_all_lines_moves_the_compulsory_bytes(name: str) -> None:
    step, counted = step_of(name), counts(step_of(name))
    plan = fused_plan(step.shapes.cascade, step.types, [line.name for line in step.shapes.cascade.einsums])
    whole, apart = plan.kernel(step.shapes.sizes), kernels(step)
    assert (whole.product, whole.bytes) == (None, counted.bytes)
    assert whole.flops == sum(kernel.flops for kernel in apart)
    assert whole.bytes <= sum(kernel.bytes for kernel in apart)


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_kernel_leaves_to_others_is_written_once(name: str) -> None:
    step = step_of(name)
    cascade, found = step.shapes.cascade, kernels(step)
    written = {kernel.name: 0 for kernel in found}
    for tensor in {line.tensor for line in cascade.einsums}:
        (maker,) = (kernel for kernel in found if tensor in kernel.einsums)
        readers = [line for line in cascade.einsums if any(access.tensor == tensor for access in line.reads)]
        if tensor in cascade.outputs or any(line.name not in maker.einsums for line in readers):
            written[maker.name] += 2 * prod(step.shapes.shapes[tensor])
    assert {kernel.name: kernel.written_bytes for kernel in found} == written


def test_the_kernels_of_a_layer_as_a_library_has_them() -> None:
    attention = ["MS+N", "Q+KN+VN", "QK", "GM+SN+SD+P", "AV", "Z", "Y"]
    assert [kernel.name for kernel in kernels(step_of("decode-block"))] == attention
    gated = ["MS+N", "G+U", "A", "Z", "Y"]
    assert [kernel.name for kernel in kernels(step_of("gated-ffn-block"))] == gated


def test_the_heads_that_share_a_key_are_the_rows_of_one_product() -> None:
    """12 heads over 4 of keys and values; one product of 3 rows for each of those and each sequence."""
    found = {kernel.name: kernel.product for kernel in kernels(step_of("decode-block"))}
    sizes = step_of("decode-block").shapes.sizes
    scores, results, queries = found["QK"], found["AV"], found["Q+KN+VN"]
    assert scores
    assert results
    assert queries
    assert (scores.copies, scores.rows, scores.cols, scores.depth) == (4 * sizes["b"], 3, sizes["m"], sizes["e"])
    assert (results.copies, results.rows, results.cols, results.depth) == (4 * sizes["b"], 3, sizes["f"], sizes["m"])
    assert (queries.copies, queries.rows, queries.depth) == (1, sizes["b"], sizes["d"])
    assert queries.cols == 12 * sizes["e"] + 4 * (sizes["e"] + sizes["f"])
    assert scores.split
    assert queries.split


def test_a_vector_for_each_matrix_is_not_cut() -> None:
    (step,) = steps(load_workload("decode-attention-3pass", ["B=2", "H=4", "E=8", "M=16"]))
    scores = kernels(step)[0].product
    assert scores
    assert (scores.copies, scores.rows, scores.split) == (8, 1, False)


@given(st.integers(1, 40), st.integers(1, 12))
def test_heads_that_do_not_divide_are_rounded_up(heads: int, groups: int) -> None:
    """As where a device gets three of eight keys and 22 of 64 queries."""
    step = step_of("decode-block")
    sizes = {**step.shapes.sizes, "h": heads, "g": groups}
    for kernel in kernels_of(step.shapes.cascade, step.types, sizes):
        if kernel.product:
            assert kernel.flops <= kernel.product.flops < kernel.flops * 2


def test_products_of_one_tensor_stand_side_by_side_where_they_differ_in_columns_only() -> None:
    ranks: dict[str, str | int] = {"b": 5, "h": 2, "e": 3, "f": 7, "k": 4}
    inputs = "A[b,h,e] V[e,f] W[e,k] X[h,e,f]"
    alike = by_hand("P[b,h,f] = A[b,h,e]*V[e,f]\nQ[b,h,k] = A[b,h,e]*W[e,k]\n", inputs, ranks, "P[b,h,f] Q[b,h,k]")
    product = alike["P+Q"].product
    assert product
    assert (product.copies, product.rows, product.cols, product.depth) == (1, 10, 11, 3)
    other = by_hand("P[b,h,f] = A[b,h,e]*V[e,f]\nQ[b,h,f] = A[b,h,e]*X[h,e,f]\n", inputs, ranks, "P[b,h,f] Q[b,h,f]")
    assert list(other) == ["P", "Q"]


def test_a_product_waits_for_its_operand() -> None:
    lines = "P[e,f] = A[b,e]*V[b,f]\nQ[e,f] = A[b,e]*R[b,f]\n"
    ranks: dict[str, str | int] = {"b": 3, "e": 4, "f": 5}
    assert list(by_hand(lines, "A[b,e] V[b,f] R[b,f]", ranks, "P[e,f] Q[e,f]")) == ["P+Q"]
    made = "P[e,f] = A[e,b]*V[b,f]\nQ[e,f] = A[e,b]*P[b,f]\n"
    square: dict[str, str | int] = {"e": 3, "b": "like e", "f": 5}
    assert list(by_hand(made, "A[e,b] V[b,f]", square, "Q[e,f]")) == ["P", "Q"]


def test_element_wise_lines_by_hand() -> None:
    """A square root, a division and a product for each element; a multiplication and an addition of the squares."""
    step = step_of("router")
    norm = kernels(step)[0]
    tokens, width = step.shapes.sizes["b"], step.shapes.sizes["d"]
    assert (norm.name, norm.product, norm.flops) == ("MS+XN", None, tokens * width * 5)
    assert (norm.read_bytes, norm.written_bytes) == (2 * (tokens * width + width), 2 * tokens * width)
    assert (norm.ranks, norm.reduced) == (frozenset("bd"), frozenset("d"))


@pytest.mark.parametrize(("name", "place"), SPECIAL.items())
def test_what_has_no_kernel_is_refused_at_its_line(name: str, place: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        kernels(step_of(name))
    rest = "masks, recurrences, gathers and parts of ranks have no kernels here"
    assert str(caught.value).rpartition("/")[2] == f"{place}: {rest}"


def test_operands_of_different_sizes_are_refused() -> None:
    (step,) = steps(load_workload("gemm", ["M=2", "N=3", "K=4", "workload.types.B=fp8_e4m3"]))
    with pytest.raises(AccelsimError) as caught:
        kernels(step)
    assert caught.value.message == "C: a product of elements of different sizes has no kernel here"
    assert caught.value.mark
