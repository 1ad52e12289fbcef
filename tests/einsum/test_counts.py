"""Operators, costs and counts: by the rules for a line, by closed forms, and by enumeration of what exists."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.cascade import Einsum
from accelsim.einsum.counts import add_up, count, match_cost, operators
from accelsim.einsum.operators import parse_pattern
from accelsim.einsum.types import TYPES
from accelsim.errors import AccelsimError
from tests.einsum.build import shapes_of
from tests.einsum.language import ONE_PASS, THREE_PASS
from tests.tries import tries

FP16 = TYPES["fp16"]
SIZES: dict[str, str | int] = {"b": 2, "h": 3, "e": 8, "f": 4, "m": "M", "p": "P"}
QKV = "Q[b,h,e,p] K[b,h,e,m] V[b,h,f,m]"


def line(text: str) -> Einsum:
    """The last of some lines over vectors and matrices of size 4."""
    ranks: dict[str, str | int] = {"i": 4, "j": 4, "k": 4}
    return shapes_of(text, "A[i,j] B[i,j] C[i,j] v[i] s", ranks).cascade.einsums[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X[i,j] = A[i,j]", ""),
        ("X[i,j] = lowest", ""),
        ("X[i,j] = -1", ""),
        ("X[i,j] = -A[i,j]", "neg"),
        ("X[i,j] = A[i,j]*B[i,j]", "mul"),
        ("X[i,j] = A[i,j]*B[i,j] + C[i,j]", "add mul"),
        ("X[i,j] = (A[i,j] - B[i,j]) / v[i]", "div sub"),
        ("X[i,j] = exp(A[i,j] - v[i])", "exp sub"),
        ("X[i,j] = max(A[i,j], B[i,j])", "max"),
        ("X[i,j] = (A[i,j] < B[i,j]) * C[i,j]", "mul cmp"),
        ("X[i,j] = sigmoid(relu(tanh(abs(sqrt(log(A[i,j]))))))", "sigmoid relu tanh abs sqrt log"),
        ("X[i] = sum(A[i,j]) over j", "add"),
        ("X[i] = A[i,j]*B[i,j]", "mac"),
        ("X[i] = sum(A[i,j]*B[i,j]*C[i,j]) over j", "mac mul"),
        ("X[i] = sum(A[i,j]*B[i,j] + C[i,j]) over j", "mac add"),
        ("X[i] = sum(A[i,j]*B[i,j] - C[i,j]) over j", "mac sub"),
        ("X[i] = sum(A[i,j] - (B[i,j] - C[i,j])) over j", "add sub add"),
        ("X[i] = sum(A[i,j]*B[i,j] + C[i,j]*B[i,j]*v[i]) over j", "mac mac mul"),
        ("X[i] = sum(exp(A[i,j] - v[i])*B[i,j]) over j", "mac exp sub"),
        ("X[i] = sum(A[i,j]*B[i,j]/v[i]) over j", "add div mul"),
        ("X[i] = max(A[i,j]*B[i,j]) over j", "max mul"),
        ("X[i] = min(A[i,j]) over j", "min"),
        ("X[i] = prod(A[i,j]) over j", "mul"),
        ("X[i] = argmax(A[i,j]) over j", "argmax"),
        ("X[i,k] = argtopk(A[i,j]+B[i,j]) over j", "argtopk add"),
    ],
)
def test_operators_of_a_line(text: str, expected: str) -> None:
    assert " ".join(operator.name for operator in operators(line(text))) == expected


TABLES = {"mac": 1, "add": 1, "sub": 1, "mul": 1, "div": 1, "max": 1, "exp": 6}


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        ("X[i,j] = exp(A[i,j] - v[i])", {"exp": 6, "sub": 1}, [(6, 1), (1, 1)]),
        ("X[i,j] = exp(A[i,j] - v[i])", {"exp": 6, "sub": 1, "exp(a-b)": 2}, [(2, 1)]),
        ("X[i,j] = exp(A[i,j]) - v[i]", {"exp": 6, "sub": 1, "exp(a-b)": 2}, [(6, 1), (1, 1)]),
        ("X[i,j] = exp(A[i,j]-v[i]) * exp(B[i,j]-v[i])", {"mul": 1, "exp(a-b)": 2}, [(1, 1), (2, 2)]),
        ("X[i,j] = A[i,j]*B[i,j] + C[i,j]", {"a*b+c": 3}, [(3, 1)]),
        ("X[i,j] = C[i,j] + A[i,j]*B[i,j]", {"a*b+c": 3}, [(3, 1)]),
        ("X[i,j] = C[i,j] - A[i,j]*B[i,j]", {"a*b-c": 3, "sub": 1, "mul": 2}, [(1, 1), (2, 1)]),
        ("X[i] = sum(A[i,j]*B[i,j] + C[i,j]) over j", {"a*b+c": 9, "mac": 1, "add": 2}, [(1, 1), (2, 1)]),
        ("X[i] = sum(exp(A[i,j]-v[i])*B[i,j]) over j", {"exp(a-b)": 2, "mac": 1}, [(2, 1), (1, 1)]),
        ("X[i,j] = A[i,j]*A[i,j] + A[i,j]*B[i,j]", {"a*a": 1, "mul": 2, "add": 3}, [(1, 1), (2, 1), (3, 1)]),
        ("X[i,j] = 1/(1+exp(-A[i,j]))", {"1/(1+exp(-a))": 4}, [(4, 1)]),
        ("X[i,j] = 2/(1+exp(-A[i,j]))", {"1/(1+exp(-a))": 4, "div": 1, "1+exp(-a)": 2}, [(1, 1), (2, 1)]),
        ("X[i,j] = exp(exp(A[i,j]-v[i])-v[i])", {"exp(a-b)": 2, "exp(exp(a-b)-b)": 3}, [(3, 1)]),
        ("X[i,j] = max(max(A[i,j],B[i,j]),C[i,j])", {"max(a,max(b,c))": 1}, [(1, 1)]),
        ("X[i,j] = (A[i,j] < B[i,j]) + (A[i,j] == B[i,j])", {"(a<b)": 1, "cmp": 2, "add": 3}, [(1, 1), (2, 1), (3, 1)]),
        ("X[i,j] = lowest", {}, []),
    ],
)
def test_the_longest_pattern_wins_and_nothing_is_covered_twice(
    text: str, table: dict[str, int], expected: list[tuple[int, int]]
) -> None:
    assert match_cost(line(text), table) == expected


def test_an_operator_without_an_entry_is_an_error() -> None:
    with pytest.raises(AccelsimError) as error:
        match_cost(line("X[i,j] = exp(A[i,j] - v[i])"), {"mac": 1, "exp": 2})
    assert str(error.value) == ('test.yaml:1:1: X: no entry for operator sub ("A[i,j]-v[i]"); the table has mac, exp')


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("exq", 'no operator "exq"; did you mean "exp"?'),
        ("exp(", 'not an operator or a pattern such as "exp(a-b)": "exp(": '),
        ("sum(a) over b", 'a pattern is one expression such as "exp(a-b)", got "sum(a) over b"'),
        ("a + b where c < d", 'a pattern is one expression such as "exp(a-b)", got "a + b where c < d"'),
        ("a+b\nY = a", 'a pattern is one expression such as "exp(a-b)", got "a+b Y = a"'),
        ("exp(A)", 'operands of a pattern are single lower-case letters, got "A" in "exp(A)"'),
        ("exp(a[i])", 'operands of a pattern are single lower-case letters, got "a[i]" in "exp(a[i])"'),
        ("+".join("abcdefghij"), 'a pattern has 1 to 8 operators, got 9 in "a+b+c+d+e+f+g+h+i+j"'),
    ],
)
def test_what_is_no_pattern_is_an_error(key: str, message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        parse_pattern(key)
    assert str(error.value).startswith(message)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
@settings(deadline=None)
def test_forms_of_attention_do_the_same_multiplications(m: int, p: int, step: int) -> None:
    """Exact under ragged tails: no form computes keys that do not exist."""
    params = {"M": m, "P": p}
    three = shapes_of(THREE_PASS, QKV, SIZES, params, "AV[b,h,f,p]")
    one = shapes_of(ONE_PASS, QKV, {**SIZES, "m1,m0": "m by M0"}, {**params, "M0": step}, "AV[b,h,f,p]")
    types = dict.fromkeys(("Q", "K", "V", "AV"), FP16)
    first, second = count(three, types), count(one, types)
    assert first.macs == second.macs == 6 * m * p * (8 + 4)
    assert first.flops == 2 * first.macs
    assert first.operations == dict.fromkeys(("max", "exp", "sub", "add", "div"), 6 * m * p)
    tiles = -(-m // step)
    assert second.operations["exp"] == 6 * p * (m + tiles)
    assert second.operations["div"] == 6 * p * 4
    assert first.bytes_by_tensor == second.bytes_by_tensor == {
        "Q": 96 * p, "K": 96 * m, "V": 48 * m, "AV": 48 * p
    }  # fmt: skip


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 7))
@settings(max_examples=tries(30), deadline=None)
def test_masks_are_respected_by_every_line_that_reads_through_them(m: int, p: int, step: int) -> None:
    visible = sum(min(m, q + 1) for q in range(p))
    causal = ONE_PASS.replace("m1*M0+m0]\nLM", "m1*M0+m0] where m1*M0+m0 <= p\nLM")
    ranks: dict[str, str | int] = {**SIZES, "m1,m0": "m by M0"}
    shapes = shapes_of(causal, QKV, ranks, {"M": m, "P": p, "M0": step}, "AV[b,h,f,p]")
    found = count(shapes, dict.fromkeys(("Q", "K", "V", "AV"), FP16)).per_einsum
    assert [found[name].points for name in ("QK", "LM", "SLN", "SLD", "SLNV")] == [
        6 * visible * inner for inner in (8, 1, 1, 1, 4)
    ]
    assert found["RM"].points == 6 * p * -(-m // step)


def test_a_million_tokens_are_counted_exactly_and_at_once() -> None:
    length = 1 << 20
    causal = THREE_PASS.replace("m]\nGM", "m] where m <= p\nGM")
    shapes = shapes_of(causal, QKV, SIZES, {"M": length, "P": length}, "AV[b,h,f,p]")
    found = count(shapes, dict.fromkeys(("Q", "K", "V", "AV"), FP16))
    assert found.macs == 6 * 12 * length * (length + 1) // 2
    assert found.operations["exp"] == 6 * length * (length + 1) // 2


def test_only_what_is_read_or_asked_for_moves() -> None:
    shapes = shapes_of("X[i] = A[i]*A[i]\nY[i] = X[i] + 1", "A[i] B[i]", {"i": 3}, outputs="Y[i]")
    found = count(shapes, {"A": TYPES["int4"], "Y": TYPES["fp32"]})
    assert found.bytes_by_tensor == {"A": 2, "Y": 12}
    assert (found.bytes, found.macs, found.intensity) == (14, 0, Fraction(0))
    assert found.operations == {"mul": 3, "add": 3}


def test_nothing_moved_has_no_intensity() -> None:
    assert count(shapes_of("X[i] = 1", "A[i]", {"i": 3}), {}).intensity is None


def test_sums_keep_the_order_of_first_appearance() -> None:
    assert list(add_up([{"b": 1}, {"a": 2, "b": 3}]).items()) == [("b", 4), ("a", 2)]
