"""Counting points under masks and folds: against enumeration by hand, and against closed forms where it is large."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise, product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.affine import Scope, interval, normal
from accelsim.einsum.ast import (
    And,
    Coordinate,
    Index,
    IndexExpr,
    IndexOp,
    Int,
    Lookup,
    MapCall,
    Not,
    Or,
    Predicate,
    Size,
)
from accelsim.einsum.ast import Test as Comparison
from accelsim.einsum.fold import DROP, KEEP, Fold
from accelsim.einsum.points import count_points
from accelsim.errors import AccelsimError, Mark
from tests.tries import tries

HERE = Mark("mask", 1, 1)
NAMES = ("i", "j", "k")
VALUES = {"W": 3, "N": 7}
MAPS = {"g": (4, 0, 2, 2, 1, 0, 3)}
CAUSAL = Comparison("<=", Coordinate("m"), Coordinate("p"))


def evaluate(expr: IndexExpr, point: Mapping[str, int]) -> int:
    match expr:
        case Int(value):
            return value
        case Coordinate(name):
            return point[name]
        case Size(name):
            return VALUES[name]
        case MapCall(name, argument, _):
            return MAPS[name][evaluate(argument, point)]
        case IndexOp(op, left, right):
            a, b = evaluate(left, point), evaluate(right, point)
            return {"+": a + b, "-": a - b, "*": a * b}[op] if op in "+-*" else a // b if op == "//" else a % b
    raise TypeError(str(expr))


def holds(predicate: Predicate, point: Mapping[str, int]) -> bool:
    match predicate:
        case Not(inner):
            return not holds(inner, point)
        case And(parts):
            return all(holds(part, point) for part in parts)
        case Or(parts):
            return any(holds(part, point) for part in parts)
        case Comparison(op, left, right):
            a, b = evaluate(left, point), evaluate(right, point)
            return {"<": a < b, "<=": a <= b, "==": a == b, "!=": a != b, ">=": a >= b, ">": a > b}[op]


def image(fold: Fold, value: int) -> tuple[int, ...]:
    digits = []
    for tile, width in fold.digits:
        digits.append(0 if width is None else value // tile // width)
        value %= tile
    return tuple(digits)


def brute(
    sizes: Mapping[str, int], coordinates: tuple[str, ...], predicate: Predicate, folds: Mapping[str, Fold]
) -> int:
    points = (dict(zip(sizes, values, strict=True)) for values in product(*(range(n) for n in sizes.values())))
    present = (point for point in points if holds(predicate, point))
    return len({tuple(image(folds.get(c, KEEP), point[c]) for c in coordinates) for point in present})


def combined(inner: st.SearchStrategy[IndexExpr]) -> st.SearchStrategy[IndexExpr]:
    affine = st.builds(IndexOp, st.sampled_from("+-"), inner, inner)
    scaled = st.builds(IndexOp, st.just("*"), st.integers(-3, 3).map(Int), inner)
    divided = st.builds(IndexOp, st.sampled_from(("//", "%")), inner, st.integers(1, 4).map(Int))
    times = st.builds(IndexOp, st.just("*"), inner, inner)
    return st.one_of(affine, affine, scaled, divided, times)


LEAVES = st.one_of(
    st.sampled_from(NAMES).map(Coordinate), st.integers(-6, 6).map(Int), st.sampled_from(sorted(VALUES)).map(Size)
)
CALLS = st.sampled_from(NAMES).map(lambda name: MapCall("g", Coordinate(name), HERE))
EXPRESSIONS = st.recursive(st.one_of(LEAVES, LEAVES, LEAVES, CALLS), combined, max_leaves=5)
OPERATORS = st.sampled_from(("<", "<=", "==", "!=", ">=", ">"))
TESTS = st.builds(Comparison, OPERATORS, EXPRESSIONS, EXPRESSIONS)


def joined(inner: st.SearchStrategy[Predicate]) -> st.SearchStrategy[Predicate]:
    parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(And, parts), st.builds(Or, parts))


PREDICATES: st.SearchStrategy[Predicate] = st.recursive(TESTS, joined, max_leaves=4)
SIZES = st.fixed_dictionaries({name: st.integers(1, 7) for name in NAMES})


@st.composite
def some_folds(draw: st.DrawFn) -> Fold:
    tiles = [1]
    for factor in draw(st.lists(st.integers(1, 3), max_size=2)):
        tiles.insert(0, tiles[0] * factor)
    widths = st.one_of(st.just(1), st.integers(1, 4), st.none())
    digits = tuple((tile, draw(widths)) for tile in tiles)
    return Fold(digits[: draw(st.integers(0, len(digits)))])


FOLDS = st.dictionaries(st.sampled_from(NAMES), some_folds())


@given(SIZES, PREDICATES, FOLDS, st.permutations(NAMES), st.integers(0, 3))
@settings(max_examples=tries(400), deadline=None)
def test_counts_equal_enumeration(
    sizes: dict[str, int], predicate: Predicate, folds: dict[str, Fold], order: list[str], kept: int
) -> None:
    coordinates = tuple(order[:kept])
    assert count_points(sizes, coordinates, predicate, VALUES, MAPS, folds) == brute(
        sizes, coordinates, predicate, folds
    )


@given(SIZES, EXPRESSIONS)
@settings(max_examples=tries(200), deadline=None)
def test_the_normal_form_keeps_every_value_and_its_interval_holds_them(sizes: dict[str, int], expr: IndexExpr) -> None:
    scope = Scope(VALUES, sizes, MAPS)
    form = normal(expr, scope)
    low, high = interval(form, scope)
    for values in product(*(range(n) for n in sizes.values())):
        point = dict(zip(sizes, values, strict=True))
        value = form.constant + sum(c * evaluate(atom, point) for atom, c in form.terms)
        assert value == evaluate(expr, point)
        assert low <= value <= high


@given(st.integers(0, 60), some_folds())
@settings(max_examples=tries(200), deadline=None)
def test_a_fold_counts_its_images(size: int, fold: Fold) -> None:
    import numpy as np

    images = [image(fold, c) for c in range(size)]
    codes = fold.apply(np.arange(size)).tolist()
    assert fold.count(size) == len(set(images))
    assert len(set(zip(images, codes, strict=True))) == len(set(images)) == len(set(codes))
    assert all(0 <= code < fold.places(size) for code in codes)
    if fold.keeps_order(size):
        assert all(0 <= b - a <= 1 for a, b in pairwise(codes))


@given(SIZES, FOLDS)
@settings(deadline=None)
def test_without_a_mask_counts_multiply(sizes: dict[str, int], folds: dict[str, Fold]) -> None:
    expected = prod(folds.get(name, KEEP).count(size) for name, size in sizes.items())
    assert count_points(sizes, NAMES, None, {}, {}, folds) == expected


@pytest.mark.parametrize("length", [1, 1000, 1 << 16, 1 << 20])
def test_a_causal_mask_has_half_the_square_and_the_diagonal(length: int) -> None:
    assert (
        count_points({"m": length, "p": length, "h": 3}, ("h", "p", "m"), CAUSAL, {}, {})
        == 3 * length * (length + 1) // 2
    )


def test_a_causal_mask_by_tiles_has_half_the_square_of_tiles_and_the_diagonal() -> None:
    tiles = (1 << 18) // 256
    folds = {"m": Fold(((256, 1),)), "p": Fold(((4096, 1), (256, 1), (1, 256)))}
    sizes = {"m": 1 << 18, "p": 1 << 18}
    assert count_points(sizes, ("m", "p"), CAUSAL, {}, {}, folds) == tiles * (tiles + 1) // 2


def test_a_mask_by_blocks_is_solved_without_enumerating_both_sides() -> None:
    blocks = Comparison("==", *(IndexOp("//", Coordinate(name), Int(64)) for name in ("m", "p")))
    assert count_points({"m": 1 << 18, "p": 1 << 18}, ("m", "p"), blocks, {}, {}) == (1 << 18) * 64


def test_parts_that_share_no_coordinate_are_counted_apart() -> None:
    apart = And((CAUSAL, Comparison("<", Coordinate("x"), Coordinate("y"))))
    sizes = {"m": 1 << 14, "p": 1 << 14, "x": 1 << 14, "y": 1 << 14}
    causal, strict = (1 << 13) * ((1 << 14) + 1), (1 << 13) * ((1 << 14) - 1)
    assert count_points(sizes, ("m", "p", "x", "y"), apart, {}, {}) == causal * strict


def test_many_chunks_of_a_folded_mask_give_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from accelsim.einsum import enumeration, points

    folds = {"i": Fold(((4, 2), (1, 1))), "j": Fold(((3, 1),)), "k": Fold(((1, 5),))}
    below = Comparison("<=", IndexOp("+", Coordinate("i"), Coordinate("j")), Coordinate("k"))
    sizes = {"i": 13, "j": 11, "k": 17}
    monkeypatch.setattr(enumeration, "CELLS", 20)
    points._masked.cache_clear()
    points._joint.cache_clear()
    assert count_points(sizes, NAMES, below, {}, {}, folds) == brute(sizes, NAMES, below, folds)


def test_too_many_combinations_are_refused_plainly() -> None:
    odd = Comparison("==", IndexOp("%", IndexOp("*", Coordinate("m"), Coordinate("p")), Int(3)), Int(0))
    with pytest.raises(AccelsimError) as error:
        count_points({"m": 1 << 13, "p": 1 << 13}, ("m", "p"), odd, {}, {})
    assert str(error.value) == (
        "a mask over m (8192), p (8192) is counted by enumerating m (8192), p (8192): "
        "67108864 combinations for 2 comparisons are too many"
    )


def test_numbers_beyond_64_bits_are_refused() -> None:
    huge = Comparison("<", IndexOp("*", Int(1 << 60), Coordinate("m")), IndexOp("*", Int(1 << 60), Coordinate("p")))
    with pytest.raises(AccelsimError, match=r"^a mask over m \(9\), p \(9\) needs numbers beyond 4611686018427387904$"):
        count_points({"m": 9, "p": 9}, ("m", "p"), huge, {}, {})


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (IndexOp("//", Coordinate("m"), Int(0)), "the right side of // must be positive, got 0 which may be 0"),
        (IndexOp("%", Int(4), Coordinate("p")), "the right side of % must be positive, got 1*p + 0 which may be 0"),
        (Size("V"), 'unknown size "V"'),
        (MapCall("g", IndexOp("+", Coordinate("p"), Int(4)), HERE), "mask:1:1: map g has 7 entries; "),
        (Lookup("TI", (Index(Coordinate("p"), None, HERE),), HERE), "mask:1:1: not supported yet: a mask that depends"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error(expr: IndexExpr, message: str) -> None:
    with pytest.raises(AccelsimError) as error:
        count_points({"m": 9, "p": 9}, ("m", "p"), Comparison("<", expr, Coordinate("m")), VALUES, MAPS)
    assert str(error.value).startswith(message)


def test_tiles_must_nest() -> None:
    with pytest.raises(AccelsimError) as error:
        Fold(((6, 1), (4, 1)))
    assert str(error.value) == "a fold needs positive tiles that divide each other, and widths, got ((6, 1), (4, 1))"


def test_dropped_coordinates_leave_one_image() -> None:
    assert count_points({"m": 5, "p": 5}, ("m", "p"), CAUSAL, {}, {}, {"m": DROP}) == 5
    assert count_points({"m": 5, "p": 5}, (), CAUSAL, {}, {}) == 1


def test_counting_without_a_mask_needs_no_numpy() -> None:
    code = "import sys; from accelsim.einsum.points import count_points as c; c({'m': 4}, ('m',), None, {}, {})"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit('numpy' in sys.modules)"], check=True)
