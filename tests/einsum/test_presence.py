"""Which points exist: as the evaluation finds them, and as predicates that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import Predicate
from accelsim.einsum.cascade import Shapes
from accelsim.einsum.evaluate import evaluate
from accelsim.einsum.points import count_points
from accelsim.einsum.presence import presence, presences, scope_of
from accelsim.einsum.text import render_predicate
from accelsim.errors import AccelsimError
from tests.einsum.build import random_inputs, shapes_of
from tests.einsum.test_points import holds
from tests.tries import tries

RANKS: dict[str, str | int] = {"i": "I", "j": "J", "j1,j0": "j by 3", "k": "like j"}


def shown(shapes: Shapes) -> dict[str, str | None]:
    return {name: render_predicate(part) if part else None for name, part in presences(shapes).items()}


def points_of(shapes: Shapes, name: str) -> int:
    scope = scope_of(shapes)
    line = next(line for line in shapes.cascade.einsums if line.name == name)
    return count_points(scope.sizes, line.coordinates, presence(shapes, line), scope.values, scope.maps)


def wheres(names: Sequence[str]) -> st.SearchStrategy[str]:
    """A random condition over some coordinates, or none."""
    name, number = st.sampled_from(names), st.integers(0, 6)
    tests = st.one_of(
        st.builds("{} {} {}".format, name, st.sampled_from(("<", "<=", ">", ">=", "==", "!=")), number),
        st.builds("{} {} {} + {} - 3".format, name, st.sampled_from(("<", ">=")), name, number),
        st.builds("{} % 2 == {} // 3".format, name, name),
    )
    joined = st.builds("({} {} {})".format, tests, st.sampled_from(("and", "or")), tests)
    whole = st.one_of(tests, joined, st.builds("not {}".format, joined))
    return st.one_of(st.just(""), whole.map(" where {}".format))


@st.composite
def cascades(draw: st.DrawFn) -> Shapes:
    both, one, edge = wheres("ij"), wheres("i"), st.sampled_from(("clamp", "zero", "wrap"))
    other = st.sampled_from(("", " else 0", " else A[i,j]"))
    choice = draw(both)
    lines = f"""
        X[i,j] = A[i,j] + B[j]{draw(both)}
        Y[i] = sum(X[i,j]) over j{draw(both)}
        Z[i,j] = X[i,j] * Y[i]{choice}{draw(other) if choice else ""}
        S[i,j1,j0] = Z[i,j1*3+j0]
        T[i,j] = Z[i-1 {draw(edge)},j+2 {draw(edge)}] * A[i,j]{draw(one)}
        U[i,j] = T[i,j] + S[i,j//3,j%3]
        R[0,i] = A[i,0]
        R[j+1,i] = R[j,i] + A[i,j]{draw(one)}
        P[i,j] = R[j,i]
        N[j1] = sum(S[i,j1,j0]*0 + P[i,j1*3+j0]*0 + 1) over i,j0{draw(wheres(("i", "j0")))}
        M[i] = sum(U[i,j]*0 + Y[i]*0 + P[i,k]*0 + 1) over j,k{draw(both)}
    """
    note(lines)
    sizes = {"I": draw(st.integers(1, 5)), "J": draw(st.integers(3, 8))}
    return shapes_of(lines, "A[i,j] B[j]", RANKS, sizes)


@given(cascades())
@settings(max_examples=tries(60), deadline=None)
def test_points_are_those_of_the_evaluation(shapes: Shapes) -> None:
    found = evaluate(shapes, random_inputs(shapes))
    for name in ("X", "Z", "S", "T", "U", "P"):
        line = next(line for line in shapes.cascade.einsums if line.name == name)
        if line.otherwise is None:
            exists = found[name].present
            expected = np.ones(shapes.shapes[name]) > 0 if exists is None else exists
            assert np.array_equal(table(shapes, presence(shapes, line), line.coordinates), expected), name


@given(cascades())
@settings(max_examples=tries(40), deadline=None)
def test_a_reduction_has_as_many_points_as_ones_that_it_adds(shapes: Shapes) -> None:
    found = evaluate(shapes, random_inputs(shapes))
    for name in ("N", "M"):
        ones = np.where(True if (p := found[name].present) is None else p, found[name].array, 0.0)
        assert round(ones.sum()) == points_of(shapes, name)


def table(
    shapes: Shapes, part: Predicate | None, names: tuple[str, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    sizes = [shapes.sizes[name] for name in names]
    points = (dict(zip(names, point, strict=True)) for point in product(*map(range, sizes)))
    return np.array([part is None or holds(part, point) for point in points]).reshape(sizes)


def test_a_masked_score_is_absent_and_its_maximum_is_not() -> None:
    shapes = shapes_of(
        """
        QK[m,p] = Q[e,p] * K[e,m] where m <= p
        GM[p] = max(QK[m,p]) over m
        SN[m,p] = exp(QK[m,p] - GM[p])
        D[p] = GM[p] + 1
        """,
        "Q[e,p] K[e,m]",
        {"e": 2, "m": 4, "p": 4},
    )
    assert shown(shapes) == {"QK": "m <= p", "GM": "m <= p", "SN": "m <= p", "D": None}


def test_a_split_ends_with_its_rank_and_not_before() -> None:
    lines = "B[m1,m0] = A[m1*M0+m0] where m1*M0+m0 <= 2*M0 + 1"
    ragged = shapes_of(lines, "A[m]", {"m": 10, "m1,m0": "m by M0"}, {"M0": 4})
    even = shapes_of("B[m1,m0] = A[m1*M0+m0]", "A[m]", {"m": 12, "m1,m0": "m by M0"}, {"M0": 4})
    assert shown(ragged) == {"B": "m0+4*m1 <= 9 and m0+4*m1 < 10"}
    assert shown(even) == {"B": None}


def test_a_split_of_a_split_ends_where_each_does() -> None:
    shapes = shapes_of("B[a,b,m0] = A[(a*2+b)*4+m0]", "A[m]", {"m": 20, "m1,m0": "m by 4", "a,b": "m1 by 2"})
    assert points_of(shapes, "B") == 20


def test_absence_moves_with_the_index_that_is_read() -> None:
    shapes = shapes_of(
        "B[i] = A[i] where i > 2\nC[i] = B[i+1 clamp]\nD[i] = B[i+1 zero]\nE[i] = B[i+1 wrap]", "A[i]", {"i": 6}
    )
    assert shown(shapes)["B"] == "i > 2"
    assert [points_of(shapes, name) for name in "BCDE"] == [3, 4, 4, 3]


def test_duplicates_and_foregone_tests_are_dropped() -> None:
    lines = "B[i,j] = A[i]*A[j] where i < 9 and j <= i\nC[i,j] = B[i,j]*B[i,j] where not i < j and i >= 0"
    shapes = shapes_of(lines, "A[i]", {"i": 6, "j": "like i"})
    assert shown(shapes) == {"B": "j <= i", "C": "j <= i"}


def test_a_mask_that_nothing_passes_counts_no_point() -> None:
    shapes = shapes_of("B[i] = A[i] where i > 9\nC[i] = B[i]", "A[i]", {"i": 6})
    assert shown(shapes) == {"B": "0 < 0", "C": "0 < 0"}
    assert points_of(shapes, "C") == 0


def test_the_end_of_a_recurrence_exists() -> None:
    lines = "R[0,p] = lowest\nR[m+1,p] = max(R[m,p], A[m,p]) where p > 0\nE[p] = R[M,p]"
    shapes = shapes_of(lines, "A[m,p]", {"m": 4, "p": 3})
    assert shown(shapes) == {"R@start": None, "R": "p > 0", "E": "p > 0"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "B[i] = A[i] where i > 2\nC[j] = B[T[j]]",
            "test.yaml:2:8: not supported yet: the mask of B is read through the index tensor T",
        ),
        (
            "B[i] = A[i] where T[i] > 2\nC[i] = B[i+1 wrap]",
            "test.yaml:1:19: not supported yet: a mask that depends on the data of T; statistics may say what it holds",
        ),
        (
            "B[i] = A[i] where i > 2\nC[k] = argtopk(B[i]) over i\nD[k] = C[k]",
            "test.yaml:3:8: not supported yet: C selects among masked points, and nothing says how many there are "
            "(declare its rank upto(..) and give statistics)",
        ),
    ],
)
def test_what_cannot_be_known_is_refused(lines: str, message: str) -> None:
    shapes = shapes_of(lines, "A[i] T[i]", {"i": 6, "j": "like i", "k": 2})
    with pytest.raises(AccelsimError) as error:
        presences(shapes)
    assert str(error.value) == message


def test_a_mask_that_doubles_again_and_again_is_refused() -> None:
    lines = "X0[i,j] = A[i] where i*j > 3\n" + "\n".join(
        f"X{n}[i,j] = X{n - 1}[i,j] * X{n - 1}[{n + 1}*i clamp,j] * X{n - 1}[i,{n + 2}*j clamp]" for n in range(1, 8)
    )
    shapes = shapes_of(lines, "A[i]", {"i": 1000, "j": 1000})
    with pytest.raises(AccelsimError, match=r"^test.yaml:\d+:1: X\d: its mask has more than 10000 parts$"):
        presences(shapes)
