"""The GEMV unit: bit for bit against fractions in the stated order, exact where nothing rounds, near the cascade."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.einsum.evaluate import evaluate
from accelsim.errors import AccelsimError
from accelsim.formats import BF16, FP32
from accelsim.golden.fixed import Codes
from accelsim.golden.floating import codes_to_singles, from_bf16, to_bf16
from accelsim.golden.gemv import gemv
from accelsim.workload import load_workload, steps
from tests.golden import floats

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 20), st.integers(1, 3), st.integers(0, 2**32))


def node(codes: list[int], level: int, place: int) -> int:
    """The sum of 2^level lanes from place * 2^level on, those that do not exist left out."""
    if level == 0:
        return codes[place]
    left, right = (2 * place + side for side in (0, 1))
    here = node(codes, level - 1, left)
    if right << (level - 1) >= len(codes):
        return here
    return floats.sum_code(FP32, here, node(codes, level - 1, right))


def one_output(lanes: int, weights: list[int], vector: list[int]) -> int:
    total = 1 << (FP32.width - 1)
    for at in range(0, len(weights), lanes):
        pairs = [*zip(weights[at : at + lanes], vector[at : at + lanes], strict=True)]
        products = [floats.product_code(BF16, FP32, w, x) for w, x in pairs]
        products += [0] * (lanes - len(products))
        total = floats.sum_code(FP32, total, node(products, (lanes - 1).bit_length(), 0))
    return total


@given(SIZES, st.sampled_from([1.0, 2.0**63, 2.0**-63]), st.booleans())
def test_bits_are_those_of_one_number_at_a_time(sizes: tuple[int, ...], scale: float, wild: bool) -> None:
    lanes, rows, elements, vectors, seed = sizes
    rng = np.random.default_rng(seed)
    w, x = (to_bf16(scale * rng.standard_normal((count, elements))) for count in (rows, vectors))
    if wild:
        w[0] = rng.integers(0, 1 << 16, elements)
    found = gemv(lanes, w, x)
    assert found.tolist() == [[one_output(lanes, row, vector) for row in w.tolist()] for vector in x.tolist()]


@given(SIZES)
def test_small_integers_are_exact_in_any_order(sizes: tuple[int, ...]) -> None:
    lanes, rows, elements, vectors, seed = sizes
    rng = np.random.default_rng(seed)
    w, x = (rng.integers(-255, 256, (count, elements)) for count in (rows, vectors))
    assert (codes_to_singles(gemv(lanes, to_bf16(w), to_bf16(x))) == x @ w.T).all()


@pytest.mark.parametrize(
    ("lanes", "total"),
    [(1, 2**24), (2, 2**24 + 2), (3, 2**24), (4, 2**24 + 2), (5, 2**24 + 2)],
)
def test_the_order_is_what_is_stated(lanes: int, total: int) -> None:
    """2^24 + 1 + 1 + 1, of which every single 1 is lost in a tie, and two of them together are not.

    Three lanes: (2^24 + 1) + 1, and 1 in the next beat; four: (2^24 + 1) + (1 + 1); five have nothing to add.
    """
    w = to_bf16([[2.0**24, 1, 1, 1]])
    assert codes_to_singles(gemv(lanes, w, to_bf16(np.ones((1, 4))))) == [[total]]


@given(SIZES)
def test_near_the_cascade_in_double_precision(sizes: tuple[int, ...]) -> None:
    """Higham (2002), section 4.2: n roundings on the way of a term cost at most n u / (1 - n u) of the magnitudes."""
    lanes, rows, elements, vectors, seed = sizes
    rng = np.random.default_rng(seed)
    w, x = (to_bf16(rng.standard_normal((count, elements))) for count in (rows, vectors))
    (step,) = steps(load_workload("gemm", [f"M={vectors}", f"N={rows}", f"K={elements}"]))
    operands = {"A": doubles(x), "B": doubles(w).T}
    exact = evaluate(step.shapes, operands)["C"].array
    roundings = (lanes - 1).bit_length() + -(-elements // lanes) - 1
    bound = roundings * 2.0**-24 / (1 - roundings * 2.0**-24) * (abs(operands["A"]) @ abs(operands["B"]))
    assert (abs(codes_to_singles(gemv(lanes, w, x)) - exact) <= bound + 2.0**-52 * elements).all()


def doubles(codes: Codes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return from_bf16(codes).astype(np.float64)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        AccelsimError, match=r"^weights \[1, 2\] and vectors \[1, 3\] must share a depth of at least 1$"
    ):
        gemv(2, [[0, 0]], [[0, 0, 0]])
    with pytest.raises(AccelsimError, match=r"^lanes must be at least 1, not 0$"):
        gemv(0, [[0]], [[0]])
