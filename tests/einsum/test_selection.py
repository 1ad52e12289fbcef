"""Selections over masked points: what they yield, where it exists, what reads through it, and what all that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.counts import count_einsums
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.grid import Values
from accelsim.einsum.indices import flags_of
from accelsim.einsum.measured import measured
from accelsim.einsum.passes import explain_passes
from accelsim.einsum.presence import elements, presences, scope_of
from accelsim.errors import AccelsimError
from tests.einsum.brute import interpret
from tests.einsum.build import random_inputs, shapes_of
from tests.tries import tries

RANKS: dict[str, str | int] = {"p": 5, "m": 7, "k": "upto(7)", "v": "upto(7)", "j": 7, "s": "like m"}
# A nucleus: the fewest of the largest whose sum reaches a share; they are ranked, added up and cut off by their data
TOP_P = """
    R[p,j]   = argtopk(A[p,m]) over m
    C[p,0]   = 0
    C[p,j+1] = C[p,j] + A[p,R[p,j]]
    IN[p,j]  = (C[p,j] < T)
    Y[p]     = sum(A[p,R[p,j]]) over j where IN[p,j] == 1
"""
# Those above a threshold, largest first; how many there are is the data's
THRESHOLD = """
    IN[p,m] = (A[p,m] > T)
    I[p,k]  = argtopk(A[p,m]) over m where IN[p,m] == 1
    X[p,k]  = A[p,I[p,k]] * B[I[p,k]]
    Y[p]    = sum(X[p,k]) over k
"""
# The largest but those of it that are larger than another: selections of what was selected
NESTED = """
    I[p,k]  = argtopk(A[p,m]) over m where k < kept(p)
    X[p,k]  = A[p,I[p,k]] * B[I[p,k]]
    J[p,v]  = argtopk(X[p,k]) over k where v < 2
    Y[p]    = X[p,J[p,v]] * B[I[p,J[p,v]]]
"""
# What is selected at a step is worth more at the next
GROWING = """
    W[0,m]      = 0
    I[p,k]      = argtopk(W[p,m]) over m where k < kept(p)
    X[p,k]      = A[p,I[p,k]] + B[I[p,k]]
    G[p,I[p,k]] = X[p,k] * X[p,k]
    W[p+1,m]    = W[p,m] + G[p,m]
"""
CASES = {"top-p": TOP_P, "threshold": THRESHOLD, "nested": NESTED, "growing": GROWING}


def shapes(lines: str, kept: tuple[int, ...] = (7, 5, 4, 2, 1)) -> Shapes:
    return shapes_of(lines, "A[p,m] B[m] T", RANKS, maps={"kept": kept})


def inputs_of(found: Shapes, seed: int = 0, threshold: float = 0.6) -> dict[str, NDArray[Any]]:
    drawn = {name: np.abs(array) % 1 for name, array in random_inputs(found, seed).items()}
    drawn["A"] = np.round(drawn["A"], 1)  # so that some are equal
    return {**drawn, "T": np.array(threshold)}


def dense(values: Mapping[str, Values], name: str) -> NDArray[np.bool_]:
    array, present = values[name].array, values[name].present
    return np.ones(array.shape, dtype=np.bool_) if present is None else present


# Loops over points leave open what a scatter does not reach
@pytest.mark.parametrize("name", sorted(CASES.keys() - {"growing"}))
def test_values_are_those_of_loops_over_points(name: str) -> None:
    found = shapes(CASES[name])
    inputs = inputs_of(found)
    values, expected = evaluate(found, inputs), interpret(found, inputs)
    for tensor in found.cascade.tensors:
        for at in np.ndindex(found.shapes[tensor]):
            assert bool(dense(values, tensor)[at]) == (at in expected[tensor]), (tensor, at)
            assert values[tensor].array[at] == pytest.approx(expected[tensor].get(at, 0.0))


@pytest.mark.parametrize("name", CASES)
def test_with_measured_statistics_exactly_what_was_evaluated_exists(name: str) -> None:
    found = shapes(CASES[name])
    values = evaluate(found, inputs_of(found))
    described = measured(found, values)
    known = elements(described)
    for tensor in found.cascade.tensors:
        part = known.get(tensor)
        if part is not None:
            names = found.cascade.tensors[tensor]
            grid = dict(zip(names, np.indices(found.shapes[tensor]), strict=True))
            exists = np.broadcast_to(flags_of(part, grid, scope_of(described).maps), found.shapes[tensor])
            np.testing.assert_array_equal(exists, dense(values, tensor), tensor)
        else:
            assert dense(values, tensor).all(), tensor


@given(st.lists(st.integers(0, 7), min_size=5, max_size=5), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=tries(25), deadline=None)
def test_operations_are_those_of_the_lists_that_were_selected(kept: list[int], threshold: float, seed: int) -> None:
    for lines in (THRESHOLD, NESTED):
        found = shapes(lines, tuple(kept))
        inputs = inputs_of(found, seed, threshold)
        costs = count_einsums(measured(found, evaluate(found, inputs)))
        chosen = [int((row > threshold).sum()) for row in inputs["A"]] if lines == THRESHOLD else kept
        looked_at = sum(chosen) if lines == THRESHOLD else 5 * 7 if any(kept) else 0
        assert costs["X"].operations == {"mul": sum(chosen)}
        if lines == NESTED:
            assert costs["Y"].macs == sum(min(n, 2) for n in kept)
            looked_at = sum(7 for n in kept if n)
        assert costs["I"].operations == {"argtopk": looked_at}


def test_a_nucleus_is_the_fewest_that_reach_the_share() -> None:
    found = shapes(TOP_P)
    inputs = inputs_of(found)
    inputs["A"] = inputs["A"] / inputs["A"].sum(axis=1, keepdims=True)
    values = evaluate(found, inputs)
    for p, row in enumerate(inputs["A"]):
        ranked = sorted(row, reverse=True)
        fewest = next(n for n in range(1, 8) if sum(ranked[:n]) >= 0.6 - 1e-12)
        assert values["IN"].array[p].sum() == fewest
        assert values["Y"].array[p] == pytest.approx(sum(ranked[:fewest]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("I[p] = argmax(A[p,m]) over m", [[2], [0]]),
        ("I[p,j] = argtopk(A[p,m]) over m", [[2, 4, 0, 3, 1], [0, 1, 2, 3, 4]]),
        ("I[p,j] = argsort(A[p,m]) over m", [[1, 0, 3, 2, 4], [0, 1, 2, 3, 4]]),
        ("I[p,j] = argtopk(A[p,m]) over m where m > 2 and j < 1", [[4], [3]]),
    ],
)
def test_ties_go_to_the_lowest(line: str, expected: list[list[int]]) -> None:
    given = np.array([[1.0, 0.0, 3.0, 1.0, 3.0], [2.0, 2.0, 2.0, 2.0, 2.0]])
    values = evaluate(shapes_of(line, "A[p,m]", {"p": 2, "m": 5, "j": 5}), {"A": given})["I"]
    rows = values.array.reshape(2, -1)
    assert [row[: len(want)].tolist() for row, want in zip(rows, expected, strict=True)] == expected
    assert dense({"I": values}, "I").sum() == sum(map(len, expected))


def test_what_is_scattered_at_one_step_stays_at_the_next() -> None:
    found = shapes(GROWING)
    inputs = inputs_of(found)
    values = evaluate(found, inputs)
    scattered = values["G"].array
    assert values["G"].present is None
    np.testing.assert_allclose(values["W"].array[1:], np.cumsum(scattered, axis=0))
    for p, n in enumerate((7, 5, 4, 2, 1)):
        assert (scattered[p] != 0).sum() <= n
        chosen = values["I"].array[p, :n].astype(int)
        np.testing.assert_allclose(scattered[p, chosen], (inputs["A"][p] + inputs["B"])[chosen] ** 2)


def test_a_selection_ends_a_pass_over_what_it_selects_from() -> None:
    """Which keys are worth most is known only when all were seen, and what they are is read after that."""
    found = shapes_of("I[k] = argtopk(A[m]) over m\nY[m] = A[m] * Z\nZ = sum(A[I[k]]) over k", "A[m]", {"m": 6, "k": 2})
    assert explain_passes(found.cascade, "m") == ("I", "Y")


# What is refused.


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            THRESHOLD,
            "test.yaml:4:19: not supported yet: I selects among masked points, and nothing says how many there are",
        ),
        (
            "X[p,m] = A[p,m] where m > 2\nI[p,j] = argtopk(X[p,m]) over m\nY[p,j] = A[p,I[p,j]]",
            "test.yaml:3:14: not sup",
        ),
        (
            "X[p,m] = A[p,m] where m < 2\nI[p,j] = argtopk(A[p,m]) over m\nY[p,j] = X[p,I[p,j]]",
            "test.yaml:3:10: not sup",
        ),
    ],
)
def test_what_nothing_tells_is_refused(lines: str, message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        presences(shapes(lines))
    assert str(error.value).startswith(message)


def test_a_statistic_by_a_rank_that_the_line_has_not_is_refused() -> None:
    found = shapes(THRESHOLD)
    cascade = replace(found.cascade, maps={**found.cascade.maps, "k": (1,) * 7})
    with pytest.raises(AccelsimError) as error:
        presences(replace(found, cascade=cascade, statistics={"k": ("s",)}))
    assert str(error.value).endswith("I: statistics.k is by s, which the line has not")


NUMBERS, COMPARED = st.integers(-1, 8), st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
TESTS = st.one_of(
    st.builds("m {} {}".format, COMPARED, NUMBERS),
    st.builds("m + p {} {}".format, COMPARED, NUMBERS),
    st.builds("2*m {} p + {}".format, COMPARED, NUMBERS),
    st.builds("m//2 {} p".format, COMPARED),
    st.builds("p - m {} {}".format, COMPARED, NUMBERS),
    st.builds("m {} kept(p)".format, COMPARED),
    st.builds("m % 3 {} 1".format, COMPARED),
    st.builds("p {} {}".format, COMPARED, NUMBERS),
)
JOINED = st.builds("({} {} {})".format, TESTS, st.sampled_from(("and", "or")), TESTS)
CONDITIONS = st.one_of(TESTS, JOINED, st.builds("not {}".format, JOINED))


@given(CONDITIONS, CONDITIONS, st.integers(1, 7))
@settings(max_examples=tries(80), deadline=None)
def test_what_is_told_without_statistics_is_what_an_evaluation_finds(first: str, second: str, most: int) -> None:
    """A selection among masked points, one among those, and what reads through both; refusing is always right."""
    found = shapes(f"""
        X[p,m] = A[p,m] where {first}
        I[p,j] = argtopk(X[p,m]) over m where {second} and j < {most}
        Y[p,j] = X[p,I[p,j]] * B[I[p,j]]
        J[p,s] = argtopk(Y[p,j]) over j where s < 3
        Z[p,s] = Y[p,J[p,s]] + A[p,I[p,J[p,s]]] * 0
    """)
    try:
        known = elements(found)
    except AccelsimError:
        return
    values = evaluate(found, inputs_of(found))
    for tensor in ("X", "I", "Y", "J", "Z"):
        names, shape, part = found.cascade.tensors[tensor], found.shapes[tensor], known.get(tensor)
        exists = np.ones(shape, dtype=np.bool_)
        if part is not None:
            exists = flags_of(part, dict(zip(names, np.indices(shape), strict=True)), found.cascade.maps)
        elif tensor in known:
            continue  # it is not told, and nothing reads it
        np.testing.assert_array_equal(np.broadcast_to(exists, shape), dense(values, tensor), tensor)


def test_what_is_read_through_a_selection_of_nothing_does_not_exist() -> None:
    found = shapes(NESTED.replace("v < 2", "v < 0"))
    assert {line: costs.points for line, costs in count_einsums(found).items()} == {"I": 35, "X": 19, "J": 0, "Y": 0}
