"""Numpy evaluation against loops over points, and each construct against what it must give."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from accelsim.einsum import evaluate as module
from accelsim.einsum.cascade import Shapes
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.grid import Values
from accelsim.einsum.rounding import round_to
from accelsim.einsum.types import TYPES, DataType
from accelsim.errors import AccelsimError
from tests.einsum.brute import interpret
from tests.einsum.build import random_inputs, shapes_of
from tests.tries import tries

IJK: dict[str, str | int] = {"i": 3, "j": 4, "k": 2}
FP64 = TYPES["fp64"]
SHALLOW = replace(FP64, lowest=-4.0, highest=4.0)  # an empty maximum with which one may calculate
RANKS = {"A": "ij", "B": "jk", "C": "k", "D": ""}


def assert_same(shapes: Shapes, inputs: Mapping[str, NDArray[Any]], kind: DataType = FP64) -> dict[str, Values]:
    """Evaluation agrees with the loops, in values and in what exists."""
    found = evaluate(shapes, inputs, dict.fromkeys(shapes.cascade.tensors, kind))
    expected = interpret(shapes, inputs, kind.lowest)
    for name, values in found.items():
        assert values.array.shape == shapes.shapes[name]
        present = np.ones(values.array.shape, bool) if values.present is None else values.present
        assert {tuple(map(int, at)) for at in np.argwhere(present)} == set(expected[name]), name
        for at, value in expected[name].items():
            assert math.isclose(values.array[at], value, rel_tol=1e-9, abs_tol=1e-12), (name, at)
        assert not values.array[~present].any(), "absent elements are stored as 0"
    return found


def values_of(lines: str, inputs: str, ranks: Mapping[str, str | int], given: Mapping[str, Any], **more: Any) -> Any:
    """The array of the last line."""
    shapes = shapes_of(lines, inputs, ranks, **more)
    return evaluate(shapes, {name: np.array(value) for name, value in given.items()})[shapes.cascade.einsums[-1].tensor]


# Random lines.


@st.composite
def accesses(draw: st.DrawFn) -> str:
    tensor = draw(st.sampled_from(sorted(RANKS)))
    indices = [draw(st.sampled_from(_indices(rank))) for rank in RANKS[tensor]]
    return f"{tensor}[{','.join(indices)}]" if indices else tensor


def _indices(rank: str) -> list[str]:
    """A plain coordinate most often, and what leaves the tensor with each edge."""
    other = {"i": "j", "j": "k", "k": "i"}[rank]
    looked_up = ["T[i]", "T[i]+k clamp"] if rank == "j" else []
    edges = [f"{rank}+1 clamp", f"{rank}-1 zero", f"{rank}+{other} wrap", f"2*{rank} zero", f"{other} clamp", "0"]
    return [rank] * len(edges) + edges + looked_up


def expressions() -> st.SearchStrategy[str]:
    leaves = st.one_of(accesses(), accesses(), st.sampled_from(["0.5", "2", "-1"]))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(inner, accesses()).map(lambda t: f"{t[0]} / (2 + {t[1]})"),
            st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
            st.tuples(inner, inner).map(lambda t: f"({t[0]} >= {t[1]})"),
            accesses().map(lambda a: f"exp({a})"),
            accesses().map(lambda a: f"log(2 + {a})"),
            inner.map(lambda a: f"tanh({a})"),
            inner.map(lambda a: f"sigmoid(-({a}))"),
        ),
        max_leaves=4,
    )


def predicates() -> st.SearchStrategy[str]:
    tests = st.sampled_from(["i <= j", "j != k", "k == 0", "i + k < 2", "(i*2) % 3 > j", "not i == 1", "j // 2 == k"])
    either = st.tuples(tests, tests).map(lambda t: f"({t[0]} or {t[1]})")
    return st.one_of(tests, either, st.tuples(tests, either).map(lambda t: f"{t[0]} and {t[1]}"))


@st.composite
def lines(draw: st.DrawFn, tensor: str, expr: str) -> str:
    where = draw(st.one_of(st.just(""), predicates()))
    left = draw(st.permutations("ijk"))[: draw(st.integers(0, 3))]
    reduced = [name for name in "ijk" if name not in left and re.search(rf"\b{name}\b", f"{expr} {where}")]
    target = f"{tensor}[{','.join(left)}]" if left else tensor
    guard = f" where {where}" if where else ""
    if reduced:
        operator = draw(st.sampled_from(["sum", "sum", "max", "min", "prod"]))
        return f"{target} = {operator}({expr}) over {','.join(reduced)}{guard}"
    otherwise = " else 7" if where and draw(st.booleans()) else ""
    return f"{target} = {expr}{guard}{otherwise}"


@st.composite
def cascades(draw: st.DrawFn) -> str:
    """A line, and one that reads it beside an input, so that what is absent is passed on."""
    first = draw(lines("X", draw(expressions())))
    read = first.split(" = ")[0]
    form = draw(st.sampled_from(["{0} * {1}", "{1} * {0} * {0}", "exp({0} - {1})", "{0} / (2 + {1})", "{0}"]))
    return f"{first}\n{draw(lines('Y', form.format(read, draw(accesses()))))}"


@settings(max_examples=tries(300))
@given(cascades(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 9))
def test_random_cascades_agree_with_loops_over_points(text: str, i: int, j: int, k: int, seed: int) -> None:
    shapes = shapes_of(text, "A[i,j] B[j,k] C[k] D T[i]", {"i": i, "j": j, "k": k})
    rng = np.random.default_rng(seed)
    inputs: dict[str, NDArray[Any]] = {name: rng.uniform(-1, 1, shapes.shapes[name]) for name in shapes.cascade.inputs}
    inputs["T"] = rng.integers(0, j, i)
    assert_same(shapes, inputs, SHALLOW)


# Constructs, one by one; each also against the loops.


@pytest.mark.parametrize("m", [1, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("reduction", ["sum", "max", "prod"])
def test_ends_of_split_ranks_are_absent(m: int, reduction: str) -> None:
    text = f"X[m1,m0] = A[m1*M0+m0]\nY[m1] = {reduction}(X[m1,m0]) over m0\nZ = {reduction}(Y[m1]) over m1"
    shapes = shapes_of(text, "A[m]", {"m": m, "m1,m0": "m by M0"}, {"M0": 4})
    inputs = random_inputs(shapes)
    found = assert_same(shapes, inputs)
    expected = getattr(np, reduction)(inputs["A"])
    assert np.isclose(found["Z"].array, expected)
    assert (found["X"].present is None) == (m % 4 == 0)


def test_a_rank_split_twice() -> None:
    text = "Y[m2] = sum(A[(m2*M1+m1)*M0+m0]) over m1,m0"
    ranks: dict[str, str | int] = {"m": 23, "n,m0": "m by M0", "m2,m1": "n by M1"}
    shapes = shapes_of(text, "A[m]", ranks, {"M0": 3, "M1": 4})
    inputs = random_inputs(shapes)
    found = assert_same(shapes, inputs)
    assert np.isclose(found["Y"].array.sum(), inputs["A"].sum())


def test_recurrence_reads_its_start_and_its_final_coordinate() -> None:
    text = "X[0,j] = 1\nX[i+1,j] = 2*X[i,j] + A[i,j]\nY[j] = X[I,j]"
    shapes = shapes_of(text, "A[i,j]", IJK)
    found = assert_same(shapes, {"A": np.ones((3, 4))})
    assert found["X"].array[:, 0].tolist() == [1, 3, 7, 15]
    assert found["Y"].array.tolist() == [15] * 4
    assert found["X"].present is None


def test_recurrence_of_two_lines() -> None:
    text = "X[0] = 1\nY[0] = 1\nU[i] = X[i] * A[i]\nX[i+1] = X[i] + Y[i]\nY[i+1] = U[i] - Y[i]"
    assert_same(shapes_of(text, "A[i]", {"i": 5}), {"A": np.arange(5.0)})


def test_recurrence_over_everything_earlier() -> None:
    """Forward substitution: X = B - L X with L strictly lower."""
    text = "X[i] = B[i] - S[i]\nS[i] = sum(L[i,j] * X[j]) over j where j < i"
    shapes = shapes_of(text, "B[i] L[i,j]", {"i": 4, "j": "like i"})
    rng = np.random.default_rng(1)
    lower, right = np.tril(rng.standard_normal((4, 4)), -1), rng.standard_normal(4)
    found = assert_same(shapes, {"B": right, "L": lower})
    assert np.allclose(found["X"].array, np.linalg.solve(np.eye(4) + lower, right))


def test_masked_points_are_absent_and_empty_reductions_have_a_value() -> None:
    text = (
        "X[i,j] = A[i,j] where j < i\nS[i] = sum(X[i,j]) over j\nG[i] = max(X[i,j]) over j\nL[i] = min(X[i,j]) over j"
    )
    shapes = shapes_of(text, "A[i,j]", IJK)
    found = assert_same(shapes, {"A": np.arange(12.0).reshape(3, 4)})
    assert found["S"].array.tolist() == [0, 4, 17]
    assert found["G"].array.tolist() == [TYPES["fp64"].lowest, 4, 9]
    assert found["L"].array.tolist() == [TYPES["fp64"].highest, 4, 8]
    assert found["X"].present is not None
    assert found["S"].present is None


def test_a_mask_of_what_stays_makes_a_sum_absent_and_a_mask_of_what_goes_does_not() -> None:
    shapes = shapes_of("X[i] = A[i,j] * B[j] where i > 0\nY[i] = A[i,j] * B[j] where j > 9", "A[i,j] B[j]", IJK)
    found = assert_same(shapes, random_inputs(shapes))
    assert found["X"].present is not None
    assert found["X"].present.tolist() == [False, True, True]
    assert found["Y"].present is None
    assert found["Y"].array.tolist() == [0, 0, 0]


def test_an_empty_maximum_is_the_lowest_value_of_the_type() -> None:
    shapes = shapes_of("X[i] = max(A[i,j]) over j where j > 9", "A[i,j]", IJK)
    found = evaluate(shapes, random_inputs(shapes), {"X": TYPES["fp16"]})
    assert found["X"].array.tolist() == [-65504] * 3


def test_a_single_reduced_coordinate_is_reduced_like_many() -> None:
    text = "X[i,j] = A[i,j] where j > 0\nY[i] = max(X[i,j]) over j"
    assert_same(shapes_of(text, "A[i,j]", {"i": 2, "j": 1}), {"A": np.ones((2, 1))})


def test_edges() -> None:
    given = {"A": [1, 2, 3]}
    ranks = {"i": 3}
    assert values_of("X[i] = A[i+1 clamp]", "A[i]", ranks, given).array.tolist() == [2, 3, 3]
    assert values_of("X[i] = A[i-1 zero]", "A[i]", ranks, given).array.tolist() == [0, 1, 2]
    assert values_of("X[i] = A[i-1 wrap]", "A[i]", ranks, given).array.tolist() == [3, 1, 2]


def test_maps_and_shared_heads() -> None:
    given = {"K": [10, 20]}
    ranks = {"g": 2, "h": 4}
    assert values_of("X[h] = K[h//2]", "K[g]", ranks, given).array.tolist() == [10, 10, 20, 20]
    maps = {"gk": (1, 0, 0, 1)}
    assert values_of("X[h] = K[gk(h)]", "K[g]", ranks, given, maps=maps).array.tolist() == [20, 10, 10, 20]


def test_gather() -> None:
    given = {"K": [[1, 2], [3, 4], [5, 6]], "T": [2, 0]}
    found = values_of("X[i,e] = K[T[i],e]", "K[m,e] T[i]", {"m": 3, "e": 2, "i": 2}, given)
    assert found.array.tolist() == [[5, 6], [1, 2]]


def test_gather_outside_the_tensor_is_an_error_that_names_the_point() -> None:
    with pytest.raises(AccelsimError, match=r"^test.yaml:1:8: X: an index leaves K at i=1; say clamp, zero or wrap"):
        values_of("X[i] = K[T[i]]", "K[m] T[i]", {"m": 3, "i": 2}, {"K": [1, 2, 3], "T": [2, 3]})
    shapes = shapes_of("X[i] = K[T[i]] where i == 0", "K[m] T[i]", {"m": 3, "i": 2})
    found = evaluate(shapes, {"K": np.array([1, 2, 3]), "T": np.array([2, 3])})["X"]
    assert found.array.tolist() == [3, 0]


def test_an_index_tensor_holds_integers() -> None:
    with pytest.raises(AccelsimError, match="X: index tensor T holds a fraction"):
        values_of("X[i] = K[T[i]]", "K[m] T[i]", {"m": 3, "i": 2}, {"K": [1, 2, 3], "T": [2, 0.5]})


def test_scatter_accumulates_with_the_operator_of_the_line() -> None:
    given = {"X": [1, 2, 4, 8], "T": [2, 0, 2, 2]}
    ranks = {"s": 4, "n": 3}
    found = values_of("Y[T[s]] = X[s]", "X[s] T[s]", ranks, given, outputs="Y[n]")
    assert found.array.tolist() == [2, 0, 13]
    found = values_of("Y[T[s]] = X[s] where s < 3", "X[s] T[s]", ranks, given, outputs="Y[n]")
    assert found.array.tolist() == [2, 0, 5]


def test_scatter_after_a_reduction() -> None:
    given = {"X": [[1, 2], [3, 9], [5, 6]], "T": [1, 0, 1]}
    ranks = {"s": 3, "n": 3, "k": 2}
    text = "Y[T[s]] = max(X[s,k]) over k"
    found = values_of(text, "X[s,k] T[s]", ranks, given, outputs="Y[n]")
    assert found.array.tolist() == [9, 6, TYPES["fp64"].lowest]


def test_scatter_rounds_the_sum_once_and_tells_what_overflows() -> None:
    shapes = shapes_of("Y[T[s]] = X[s]", "X[s] T[s]", {"s": 3, "n": 1}, outputs="Y[n]")
    given = {"X": np.array([2048.0, 1.0, 1.0]), "T": np.zeros(3)}
    assert evaluate(shapes, given, {"Y": TYPES["fp16"]})["Y"].array.tolist() == [2050]
    with pytest.raises(AccelsimError, match=r"Y: 150000.0 does not fit fp16 at \[0\]"):
        evaluate(shapes, {**given, "X": np.full(3, 50000.0)}, {"Y": TYPES["fp16"]})


def test_scatter_outside_the_tensor_is_an_error() -> None:
    with pytest.raises(AccelsimError, match="Y: an index leaves Y at s=1"):
        values_of("Y[T[s]] = X[s]", "X[s] T[s]", {"s": 2, "n": 1}, {"X": [1, 2], "T": [0, 1]}, outputs="Y[n]")


@given(st.lists(st.integers(0, 3), min_size=2, max_size=6), st.data())
def test_selections_take_the_lowest_index_of_ties(row: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(row)))
    text = "M = argmax(A[s]) over s\nT[k] = argtopk(A[s]) over s\nO[n] = argsort(A[s]) over s"
    shapes = shapes_of(text, "A[s]", {"s": len(row), "k": count, "n": len(row)})
    found = assert_same(shapes, {"A": np.array(row)})
    assert found["T"].array.tolist() == sorted(range(len(row)), key=lambda at: (-row[at], at))[:count]
    assert found["O"].array.tolist() == sorted(range(len(row)), key=lambda at: (row[at], at))
    assert found["M"].array == row.index(max(row))


def test_selections_leave_out_what_is_absent() -> None:
    text = "X[p,s] = A[p,s] where s < p\nT[k,p] = argtopk(X[p,s]) over s\nM[p] = argmax(X[p,s]) over s"
    shapes = shapes_of(text, "A[p,s]", {"p": 4, "s": 3, "k": 2})
    found = assert_same(shapes, random_inputs(shapes))
    assert found["T"].present is not None
    assert found["T"].present.sum(axis=0).tolist() == [0, 1, 2, 2]
    assert found["M"].present is not None


def test_a_selection_takes_no_more_than_there_is() -> None:
    with pytest.raises(AccelsimError, match="T: argtopk takes 4 of the 3 points of s"):
        values_of("T[k] = argtopk(A[s]) over s", "A[s]", {"s": 3, "k": 4}, {"A": [1, 2, 3]})
    with pytest.raises(
        AccelsimError, match="argtopk needs one coordinate on the left that is not on the right, got none"
    ):
        values_of("T = argtopk(A[s]) over s", "A[s]", {"s": 3}, {"A": [1, 2, 3]})


def test_comparisons_are_one_or_zero() -> None:
    assert values_of("X[i] = (A[i] >= 2)", "A[i]", {"i": 3}, {"A": [1, 2, 3]}).array.tolist() == [0, 1, 1]


def test_else_gives_absent_points_a_value() -> None:
    text = "X[i,j] = A[i,j] where j <= i else 5\nY[i] = X[i,j] * B[j] where i > 0 else C[i]"
    shapes = shapes_of(text, "A[i,j] B[j] C[i]", {"i": 2, "j": 2})
    found = assert_same(shapes, {"A": np.ones((2, 2)), "B": np.ones(2), "C": np.full(2, 3.0)})
    assert found["X"].array.tolist() == [[1, 5], [1, 1]]
    assert found["Y"].array.tolist() == [3, 2]
    assert found["Y"].present is None


def test_else_under_a_reduction_is_not_supported_yet() -> None:
    with pytest.raises(AccelsimError, match="not supported yet: else where a reduction skips points"):
        values_of("X[i] = sum(A[i,j]) over j where j < i else 0", "A[i,j]", {"i": 2, "j": 2}, {"A": np.ones((2, 2))})


# Numbers.


@pytest.mark.parametrize(
    ("expr", "what"),
    [("A[i] / (A[i] - 1)", "infinity at i=1"), ("log(A[i])", "infinity at i=0"), ("sqrt(A[i] - 1)", "NaN at i=0")],
)
def test_what_is_not_finite_is_an_error_that_names_line_and_coordinate(expr: str, what: str) -> None:
    with pytest.raises(AccelsimError, match=f"^test.yaml:1:1: X: {what}$"):
        values_of(f"X[i] = {expr}", "A[i]", {"i": 2}, {"A": [0, 1]})


def test_infinity_may_be_written_but_no_nan_may_come_of_it() -> None:
    assert values_of("X[i] = max(-inf, A[i])", "A[i]", {"i": 2}, {"A": [0, 1]}).array.tolist() == [0, 1]
    assert values_of("X = -inf\nY[i] = exp(X - A[i])", "A[i]", {"i": 1}, {"A": [0]}).array.tolist() == [0]
    with pytest.raises(AccelsimError, match="Y: NaN at i=0"):
        values_of("X = -inf\nY[i] = X - X + A[i]", "A[i]", {"i": 1}, {"A": [0]})


def test_absent_points_are_not_computed() -> None:
    found = values_of("X[i] = 1 / A[i] where i > 0", "A[i]", {"i": 3}, {"A": [0, 1, 2]})
    assert found.array.tolist() == [0, 1, 0.5]
    text, given = "X[p] = sum(A[m] / B[m]) over m where m > p", {"A": [1, 1, 1], "B": [0, 1, 2]}
    assert values_of(text, "A[m] B[m]", {"p": 2, "m": 3}, given).array.tolist() == [1.5, 0.5]


def test_inputs_must_fit() -> None:
    shapes = shapes_of("X[i] = A[i]", "A[i]", {"i": 2})
    with pytest.raises(AccelsimError, match=r"input A must have shape \[2\], got \[3\]"):
        evaluate(shapes, {"A": np.ones(3)})
    with pytest.raises(AccelsimError, match='input "A" must be given'):
        evaluate(shapes, {})
    with pytest.raises(AccelsimError, match=r'no input "AA"; did you mean "A"\?'):
        evaluate(shapes, {"AA": np.ones(2)})
    with pytest.raises(AccelsimError, match=r"input A holds 300.0 at \[1\], which is no int8"):
        evaluate(shapes, {"A": np.array([1, 300])}, {"A": TYPES["int8"]})
    with pytest.raises(AccelsimError, match=r"input A holds nan at \[0\]"):
        evaluate(shapes, {"A": np.array([np.nan, 1])})


def test_evaluation_beyond_two_gibibytes_is_refused_before_it_begins() -> None:
    shapes = shapes_of("X[i] = max(A[i] - B[j]) over j", "A[i] B[j]", {"i": 1 << 15, "j": 1 << 15})
    with pytest.raises(AccelsimError, match=r"X: evaluation would need 8589934592 bytes at once for i \(32768\) x j"):
        evaluate(shapes, {})


def test_a_product_under_a_sum_is_never_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same extent as above, as a matrix product: its operands and its result are all that is made."""
    monkeypatch.setattr(module, "LIMIT_BYTES", 8 * 64 * 64)
    shapes = shapes_of("X[i,j] = A[i,k] * B[k,j]", "A[i,k] B[k,j]", {"i": 64, "j": 64, "k": 64})
    inputs = random_inputs(shapes)
    assert np.allclose(evaluate(shapes, inputs)["X"].array, inputs["A"] @ inputs["B"])


# Rounding.


def exact_nearest(value: float, precision: int, step: float) -> Fraction:
    """Rounding in rational arithmetic: to a multiple of the unit in the last place, half to even."""
    exact = Fraction(value)
    if not exact:
        return exact
    exponent = math.floor(math.log2(abs(value)))
    exponent += (abs(exact) >= Fraction(2) ** (exponent + 1)) - (abs(exact) < Fraction(2) ** exponent)
    unit = max(Fraction(2) ** (exponent - precision + 1), Fraction(step))
    return round(exact / unit) * unit


@settings(max_examples=tries(300))
@given(
    st.floats(-1e6, 1e6), st.sampled_from(["fp32", "tf32", "bf16", "fp16", "fp8_e4m3", "fp8_e5m2"]), st.integers(0, 30)
)
def test_rounding_is_exact(value: float, name: str, down: int) -> None:
    value, kind = math.ldexp(value, -down), TYPES[name]
    expected = exact_nearest(value, kind.precision, kind.step)
    found = float(round_to(np.array([value]), kind)[0])
    assert found == (expected if abs(expected) <= kind.highest else math.copysign(math.inf, value))


@given(st.floats(-70000, 70000))
def test_rounding_is_that_of_numpy_where_numpy_has_the_type(value: float) -> None:
    with np.errstate(over="ignore"):
        for name, kind in (("fp16", np.float16), ("fp32", np.float32)):
            assert round_to(np.array([value]), TYPES[name])[0] == float(np.float64(value).astype(kind))


@pytest.mark.parametrize("name", [name for name, kind in TYPES.items() if kind.kind == "float"])
def test_ends_of_a_type_are_values_of_it(name: str) -> None:
    kind = TYPES[name]
    ends = np.array([kind.lowest, kind.highest, kind.step, 0.0])
    assert round_to(ends, kind).tolist() == ends.tolist()


def test_a_line_is_rounded_once() -> None:
    """2048 + 1 + 1 in fp16: summing in fp16 would stay at 2048."""
    shapes = shapes_of("X = sum(A[i]) over i", "A[i]", {"i": 3})
    found = evaluate(shapes, {"A": np.array([2048, 1, 1])}, dict.fromkeys("AX", TYPES["fp16"]))
    assert found["X"].array == 2050


@pytest.mark.parametrize(("name", "value"), [("int8", 128), ("int4", -9), ("uint8", -1), ("bool", 2), ("int32", 2**31)])
def test_integer_overflow_is_an_error(name: str, value: int) -> None:
    shapes = shapes_of("X[i] = A[i]", "A[i]", {"i": 1})
    with pytest.raises(AccelsimError, match=rf"X: {value}.0 does not fit {name} at i=0"):
        evaluate(shapes, {"A": np.array([value])}, {"X": TYPES[name]})


def test_integers_round_half_to_even() -> None:
    shapes = shapes_of("X[i] = A[i] / 2", "A[i]", {"i": 4})
    found = evaluate(shapes, {"A": np.array([1, 3, 5, -1])}, {"X": TYPES["int8"]})
    assert found["X"].array.tolist() == [0, 2, 2, 0]


def test_overflow_of_a_floating_type_is_an_error() -> None:
    shapes = shapes_of("X[i] = A[i] * A[i]", "A[i]", {"i": 2})
    with pytest.raises(AccelsimError, match=r"X: 90000.0 does not fit fp16 at i=1"):
        evaluate(shapes, {"A": np.array([1, 300])}, {"X": TYPES["fp16"]})
