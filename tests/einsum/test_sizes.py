"""Sizes: numbers against their definition, and bounds of indices against enumeration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import product
from operator import add, eq, floordiv, ge, gt, le, lt, mod, mul, ne, sub

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.ast import And, Coordinate, IndexExpr, IndexOp, Int, Predicate, Size, Test
from accelsim.einsum.bounds import Bounds, Space
from accelsim.einsum.cascade import Shapes, Split
from accelsim.einsum.linear import guards, linear
from accelsim.einsum.sizes import bind, integer_value, size_values
from accelsim.errors import AccelsimError
from tests.einsum.language import NOWHERE, ONE_PASS, PARAMS, THREE_PASS, TWO_PASS, attention, declared, resolved
from tests.tries import tries

PARAMETERS = dict.fromkeys(PARAMS, 3) | {"B": 1, "H": 4, "R": 2, "E": 5, "F": 2, "M": 10, "P": 7, "M0": 4, "N": 6}
INPUTS = {"A": ("i",), "W": ("i", "j"), "K": ("b", "k", "e"), "T": ("i",)}
OPERATORS: dict[str, Callable[[int, int], int]] = {"+": add, "-": sub, "*": mul, "//": floordiv, "%": mod}
COMPARISONS: dict[str, Callable[[int, int], bool]] = {"<": lt, "<=": le, "==": eq, "!=": ne, ">=": ge, ">": gt}


def bound(text: str, ranks: Mapping[str, str] | None = None, **params: int) -> Shapes:
    declarations = declared(INPUTS, ranks={"k": "H//R", **(ranks or {})}, maps={"gk": (0, 0, 1, 1), "none": ()})
    return bind(resolved(text, declarations), PARAMETERS | params)


def refused(text: str, ranks: Mapping[str, str] | None = None, **params: int) -> str:
    with pytest.raises(AccelsimError) as caught:
        bound(text, ranks, **params)
    return str(caught.value)


def value(expr: IndexExpr, names: Mapping[str, int]) -> int:
    """The definition: what the operators of Python give."""
    if isinstance(expr, Int):
        return expr.value
    if isinstance(expr, IndexOp):
        return OPERATORS[expr.op](value(expr.left, names), value(expr.right, names))
    assert isinstance(expr, Coordinate | Size)
    return names[expr.name]


def holds(predicate: Predicate, names: Mapping[str, int]) -> bool:
    if isinstance(predicate, And):
        return all(holds(part, names) for part in predicate.parts)
    assert isinstance(predicate, Test)
    return COMPARISONS[predicate.op](value(predicate.left, names), value(predicate.right, names))


def grown(inner: st.SearchStrategy[IndexExpr]) -> st.SearchStrategy[IndexExpr]:
    positive = st.one_of(st.integers(1, 5).map(Int), st.just(Size("M0")))
    return st.one_of(
        st.builds(IndexOp, st.sampled_from(("+", "-", "*")), inner, inner),
        st.builds(IndexOp, st.sampled_from(("//", "%")), inner, positive),
    )


SIZES = {"i": 3, "j": 4, "m": 10, "m1": 3, "m0": 4}
VALUES = {"M0": 4, "M1": 3, "N": 3}
SPACE = Space(SIZES, VALUES, dict.fromkeys(("m1", "m0"), Split("m", ("m1", "m0"), Size("M0"))), {})
JOINED = IndexOp("+", IndexOp("*", Coordinate("m1"), Size("M0")), Coordinate("m0"))
LEAVES = st.one_of(
    st.integers(0, 4).map(Int),
    st.sampled_from((Coordinate("i"), Coordinate("j"), JOINED)),
    st.sampled_from((Size("M0"), Size("N"))),
)
INDICES = st.recursive(LEAVES, grown, max_leaves=6)
TESTS = st.builds(Test, st.sampled_from(tuple(COMPARISONS)), INDICES, INDICES)
GUARDS = st.one_of(st.none(), TESTS, st.lists(TESTS, min_size=2, max_size=3).map(tuple).map(And))


def points() -> list[dict[str, int]]:
    """Every present point: those past the end of m are absent."""
    found = [
        dict(zip(("i", "j", "m1", "m0"), at, strict=True)) for at in product(range(3), range(4), range(3), range(4))
    ]
    return [at | VALUES for at in found if at["m1"] * 4 + at["m0"] < SIZES["m"]]


POINTS = points()


@settings(max_examples=tries(150), deadline=None)
@given(INDICES, GUARDS)
def test_an_index_stays_within_its_bounds_at_every_present_point(expr: IndexExpr, where: Predicate | None) -> None:
    low, high = Bounds(SPACE, where, NOWHERE).of(expr)
    for point in POINTS:
        if where is None or holds(where, point):
            assert low <= value(expr, point) <= high


@settings(max_examples=tries(80), deadline=None)
@given(st.tuples(*[st.integers(-3, 3)] * 4))
def test_bounds_of_an_affine_index_are_reached(factors: tuple[int, int, int, int]) -> None:
    atoms: tuple[IndexExpr, ...] = (Coordinate("i"), Coordinate("j"), JOINED)
    terms = [IndexOp("*", Int(factor), atom) for factor, atom in zip(factors, atoms, strict=False)]
    expr = IndexOp("-", IndexOp("+", IndexOp("+", terms[0], terms[1]), terms[2]), Int(factors[3]))
    found = [value(expr, point) for point in POINTS]
    assert Bounds(SPACE, None, NOWHERE).of(expr) == (min(found), max(found))


@settings(max_examples=tries(80), deadline=None)
@given(INDICES)
def test_a_linear_form_has_the_value_of_its_index(expr: IndexExpr) -> None:
    for values in ({}, VALUES):
        form = linear(expr, values)
        for point in POINTS[::17]:
            assert form.constant + sum(c * value(atom, point) for atom, c in form.terms) == value(expr, point)


@settings(max_examples=tries(80), deadline=None)
@given(GUARDS)
def test_a_guard_is_not_negative_where_the_condition_holds(where: Predicate | None) -> None:
    for form in guards(where, VALUES):
        for point in POINTS[::7]:
            if where is not None and holds(where, point):
                assert form.constant + sum(c * value(atom, point) for atom, c in form.terms) >= 0


@settings(max_examples=tries(80), deadline=None)
@given(
    st.recursive(st.one_of(st.integers(0, 9).map(Int), st.sampled_from((Size("M0"), Size("N")))), grown, max_leaves=6)
)
def test_a_size_has_the_value_of_its_expression(expr: IndexExpr) -> None:
    assert integer_value(expr, VALUES) == value(expr, VALUES)


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (IndexOp("//", Int(1), IndexOp("-", Size("N"), Int(3))), 'division by zero in "1//(N-3)"'),
        (IndexOp("%", Int(1), Int(0)), 'division by zero in "1%0"'),
        (Size("NN"), 'parameter "NN" has no value; did you mean "N"?'),
        (Coordinate("i"), 'a size is made of numbers and parameters only, got "i"'),
        (IndexOp("*", Int(1 << 31), Int(1 << 31)), '"2147483648*2147483648" is 2**62 or more'),
    ],
)
def test_what_is_no_number_is_refused(expr: IndexExpr, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        integer_value(expr, VALUES)
    assert str(caught.value) == message


# Whole cascades.


@settings(max_examples=tries(40), deadline=None)
@given(st.integers(1, 40), st.integers(1, 12))
def test_a_split_covers_its_rank_once(size: int, step: int) -> None:
    shapes = bind(attention(TWO_PASS), PARAMETERS | {"M": size, "M0": step})
    outer, inner = shapes.sizes["m1"], shapes.sizes["m0"]
    joined = [m1 * step + m0 for m1 in range(outer) for m0 in range(inner)]
    assert [m for m in joined if m < size] == list(range(size))
    assert len(joined) - size < step
    assert shapes.shapes["QK"] == (1, 4, outer, inner, 7)


def test_shapes_of_the_forms_of_attention() -> None:
    one, three = (bind(attention(text), PARAMETERS).shapes for text in (ONE_PASS, THREE_PASS))
    assert one["RNV"] == (1, 4, 2, 4, 7)
    assert one["AV"] == three["AV"] == (1, 4, 2, 7)
    assert three["SN"] == (1, 4, 10, 7)


def test_upper_case_names_are_parameters_before_sizes() -> None:
    values = size_values(bound("Z[i] = A[i]", {"m1,m0": "m by M0"}))
    assert (values["M1"], values["M0"], values["K"], values["SINK"]) == (3, 4, 2, 3)
    assert "Z" not in values


@pytest.mark.parametrize(
    "text",
    [
        "Z[i] = A[i]*A[N-1-i]",
        "Z[i] = A[i-1 zero] + A[i+1 clamp] + A[2*i wrap]",
        "Z[i] = A[i-1] where i > 0",
        "Z[i] = A[i-1] where i-1 >= 0 and i < N",
        "Z[i] = A[i-1] where not i < 1 and 0 < i else A[i]",
        "Z[i,j] = A[i-j] where j <= i",
        "Z[i,j] = A[i+j] where i+j < N",
        "Z[i,j] = A[(i+j)//2]*A[i*j%N]",
        "Z[i] = A[(i-1)//2] where i >= 1",
        "Z[b,h,e] = K[b,h//R,e]*K[b,gk(h),e]",
        "Z[h] = K[0,gk(h-1),0] where h >= 1",
        "Z[i,p] = A[T[i]*99]*A[T[i]//7-5]",
        "Z[i] = A[i] where T[i] >= i",
        "Z[i+1] = Z[i]+A[i]\nZ[0] = 0\nY = Z[N]\nX[i] = Z[i]*Z[i+1]",
        "Z[i,c] = A[i]",
        "Z[one] = A[one-1]*A[(one-2)//2]*A[9//one] where one > 0",
        "Z[m1,m0] = X[m1*M0+m0]*X[(m1*M0+m0)//2]\nX[m] = m0[m]".replace("m0[m]", "T[0]"),
    ],
)
def test_indices_that_stay_inside_are_accepted(text: str) -> None:
    bound(text, {"m1,m0": "m by M0", "c": "2", "one": "1"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Z[i] = A[i+1]", '2:12: index "i+1" of A runs from 1 to 6, but i from 0 to 5'),
        ("Z[i] = A[i-1]", '2:12: index "i-1" of A runs from -1 to 4, but i from 0 to 5'),
        ("Z[i] = A[N]", '2:12: index "N" of A runs from 6 to 6, but i from 0 to 5'),
        ("Z[i] = A[i-1] where i > 0 or i == 0", '2:12: index "i-1" of A runs from -1 to 4, but i from 0 to 5'),
        ("Z[i] = A[i] where i > 0 else A[i-1]", '2:34: index "i-1" of A runs from -1 to 4, but i from 0 to 5'),
        ("Z[i] = A[i] where T[i-1] > 0", '2:23: index "i-1" of T runs from -1 to 4, but i from 0 to 5'),
        ("Z[i] = A[T[i-1]]", '2:14: index "i-1" of T runs from -1 to 4, but i from 0 to 5'),
        ("Z[i] = A[T[i-1] zero]", '2:14: index "i-1" of T runs from -1 to 4, but i from 0 to 5'),
        ("Z[b,h,e] = K[b,h,e]", '2:18: index "h" of K runs from 0 to 3, but k from 0 to 1'),
        ("Z[m1,m0] = A[m0]", '2:16: index "m0" of A runs from 0 to 7, but i from 0 to 5'),
    ],
)
def test_an_index_that_can_leave_its_tensor_is_refused(text: str, message: str) -> None:
    advice = ": say clamp, zero or wrap, or guard it with where"
    assert refused(text, {"m1,m0": "m by 8"}) == f"f.yaml:{message}{advice}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Z[h] = K[0,gk(h+1),0]", "f.yaml:2:14: map gk has entries 0 to 3, but h+1 runs from 1 to 4"),
        ("Z[h] = K[0,none(h),0]", "f.yaml:2:14: map none has entries 0 to -1, but h runs from 0 to 3"),
        ("Z[e] = A[e]", 'f.yaml:2:12: rank i of A has size 6, but "e" has size 5'),
        ("Z[i] = A[i//(2-R)]", 'f.yaml:2:3: the divisor in "i//(2-R)" must be positive, but may be 0'),
        ("Z[i] = A[i%i zero]", 'f.yaml:2:3: the divisor in "i%i" must be positive, but may be 0'),
        ("Z[i] = A[i] where 7//(i-1) > 0", 'f.yaml:2:3: the divisor in "7//(i-1)" must be positive, but may be -1'),
    ],
)
def test_other_indices_that_mean_nothing_are_refused(text: str, message: str) -> None:
    assert refused(text) == message


def test_sizes_must_be_positive_numbers() -> None:
    assert refused("Z = 1", {"i": "N-10"}) == "rank i: size must be positive, got -4"
    assert refused("Z = 1", {"m1,m0": "m by N-6"}) == "rank m1: size must be positive, got 0"
    cascade = resolved("Z = A[W clamp]", declared(INPUTS, ranks={"k": "1"}))
    without = {name: size for name, size in PARAMETERS.items() if name != "W"}
    with pytest.raises(AccelsimError) as caught:
        bind(cascade, without)
    assert str(caught.value).startswith('f.yaml:2:3: parameter "W" has no value; known: B, BS, E')
    with pytest.raises(AccelsimError) as caught:
        bind(cascade, {})
    assert str(caught.value) == 'parameter "B" has no value'


def test_splits_of_splits_are_joined() -> None:
    text = "Z[n2,n1,m0] = T[(n2*2+n1)*M0+m0 clamp]*X[(n2*2+n1)*M0+m0]*X[m0+M0*n1+n2*8]\nX[m] = 1"
    assert bound(text, {"n2,n1": "m1 by 2", "m1,m0": "m by M0"}, M=9).sizes["n2"] == 2


def test_long_chains_of_ranks_are_sized() -> None:
    chain = {f"k{i}": f"like k{i + 1}" for i in range(2000)} | {"k2000": "like i"}
    assert bound("Z[k0] = A[k0]", chain).sizes["k0"] == 6


@pytest.mark.parametrize(
    "expr", ["i" + "//1" * 60, "i" + "*1" * 60, "0+" * 60 + "i", "(" * 60 + "i" + "%9)" * 60, "i" + "*(i//9)" * 29]
)
def test_deep_indices_are_bounded_quickly(expr: str) -> None:
    where = " and ".join(f"{expr} < {limit}" for limit in range(7, 11))
    assert bound(f"Z[i] = A[{expr}] where {where}").shapes["Z"] == (6,)


WORDS = (
    "m1",
    "M1",
    "p",
    "-",
    "+",
    "[",
    "]",
    ",",
    "RM",
    "sum",
    "0",
    "*",
    "/",
    "//",
    " over m0",
    " where m0 < p",
    "(",
    ")",
    "=",
    "N",
)


@settings(max_examples=tries(150), deadline=None)
@given(st.data())
def test_a_cascade_with_slips_is_bound_or_refused_in_one_line(data: st.DataObject) -> None:
    words = re.findall(r"\w+|\n|\s+|.", ONE_PASS.strip())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place : place + data.draw(st.integers(0, 2))] = data.draw(st.lists(st.sampled_from(WORDS), max_size=2))
    message = ""
    try:
        bind(attention("".join(words)), PARAMETERS)
    except AccelsimError as error:
        message = str(error)
    assert "\n" not in message


def test_sizes_are_never_enumerated() -> None:
    shapes = bind(attention(ONE_PASS), PARAMETERS | {"M": 1 << 40, "P": 1 << 40})
    assert shapes.shapes["AV"] == (1, 4, 2, 1 << 40)
