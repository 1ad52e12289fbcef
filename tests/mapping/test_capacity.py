"""What kept tensors occupy: the sum of tiles within the limit, and the largest tile that `fit` finds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.einsum.cascade import Einsum
from accelsim.errors import AccelsimError
from accelsim.mapping import Placement
from accelsim.mapping.capacity import MOST_TILES, kept_bytes, occupied
from accelsim.mapping.extent import Extent, tile_elements
from tests.cost.machines import case, sample, tiny
from tests.mapping.small import changed, refusal
from tests.tries import tries

FITS = "m2: rest, m1: fit(l1), m0: 1"
OUTER = ("loops: [m1, n]", "loops: [m2, n]", "A: {at: m1}", "A: {at: m2}")


def tile(placement: Placement, tensor: str, loops: tuple[str, ...], einsum: str = "Y") -> int:
    found: Einsum = placement.einsum(einsum)
    access = next(a for a in (found.target, *found.reads) if a.tensor == tensor)
    return tile_elements(placement, found, access, loops)


def test_too_much_is_refused_with_the_bytes_listed() -> None:
    text = "1:1: keep.l1: tensors of group one need 44 bytes, the limit is 43: A 4, B 40"
    assert refusal("100 B", "43 B") == text
    assert changed("100 B", "44 B").result.cycles


def test_the_capacity_of_the_level_is_a_limit_too() -> None:
    mapping = "groups: [{loops: [m], einsums: [C]}]\nbind: {grid: [C]}\nkeep: {l1: {tensors: {B: {at: outside}}}}\n"
    small = tiny("levels.l1.capacity=23 B")
    with pytest.raises(AccelsimError, match="tensors of group group1 need 24 bytes, the limit is 23: B 24"):
        case(sample("matmul"), {"M": 2, "K": 3, "N": 4}, mapping, small).result  # noqa: B018


def test_copies_and_fractions_scale_what_is_occupied() -> None:
    placement = changed("B: {at: outside, copies: 1}", "B: {at: outside, copies: 2, fraction: 1/4}").placement
    found = occupied(placement, "l1", placement.plan.groups[0])
    assert found == {"A": Fraction(4), "B": Fraction(20)}
    assert occupied(placement, "l1", placement.plan.groups[1]) == {}, "the second group touches neither"


def test_what_overwrites_another_needs_only_what_that_leaves() -> None:
    placement = changed("B: {at: outside, copies: 1}", "B: {at: outside}, Y: {at: m1, overwrites: A}").placement
    group = placement.plan.groups[0]
    kept = placement.plan.keep["l1"].tensors
    assert [kept_bytes(placement, group, t, kept[t]) for t in "AY"] == [4, 20]
    assert occupied(placement, "l1", group) == {"A": 4, "B": 40, "Y": 16}


def test_only_a_kept_tensor_can_be_overwritten() -> None:
    text = '10:53: keep.l1.tensors.B: overwrites: nothing is kept as "C"; known: A, B'
    assert refusal("copies: 1", "overwrites: C") == text


@pytest.mark.parametrize("limit", [42, 43, 44, 45, 46, 47, 51, 52, 64])
def test_fit_takes_the_largest_divisor_within_the_limit(limit: int) -> None:
    """B occupies 40 bytes and a row of A, four numbers of 4 bit, two: of 1, 2, 3 and 6 rows the most that fit."""
    found = changed("m1: rest, m0: 2", FITS, "100 B", f"{limit} B", *OUTER).placement
    assert found.digits["m"][0][1] == max(rows for rows in (1, 2, 3, 6) if 40 + 2 * rows <= limit)


def test_where_not_even_one_fits_its_bytes_are_listed() -> None:
    text = "4:27: split.m.m1: no tile fits: keep.l1: tensors of group one need 42 bytes, the limit is 41: A 2, B 40"
    assert refusal("m1: rest, m0: 2", FITS, "100 B", "41 B", *OUTER) == text


def test_fit_needs_a_level_that_keeps_something() -> None:
    assert refusal("m0: 2", "m0: fit(l2)") == "4:27: split.m.m0: fit(l2): nothing is kept at l2"


def test_a_tensor_is_kept_at_a_loop_of_an_einsum_that_touches_it() -> None:
    text = "10:40: keep.l1.tensors.A: at: no Einsum that touches A runs in a loop m0"
    assert refusal("A: {at: m1}", "A: {at: m0}") == text


def test_numbers_of_tiles_that_cannot_be_tried_are_refused() -> None:
    """Divisors are looked for one by one, up to the square root."""
    mapping = (
        "split: {m: {m2: rest, m1: fit(l1)}}\ngroups: [{loops: [m2], einsums: [C]}]\nbind: {grid: [C]}\n"
        "keep: {l1: {tensors: {A: {at: m2}}}}\n"
    )
    with pytest.raises(AccelsimError, match=f"m has {MOST_TILES + 1} tiles of 1; {MOST_TILES} are the most that can"):
        case(sample("matmul"), {"M": MOST_TILES + 1, "K": 1, "N": 1}, mapping).result  # noqa: B018


@settings(max_examples=tries(100))
@given(
    hull=st.integers(1, 12), align=st.integers(0, 12), step=st.integers(1, 12), op=st.sampled_from(["over", "modulo"])
)
def test_the_extent_of_a_quotient_and_of_a_remainder(hull: int, align: int, step: int, op: str) -> None:
    """A tile of `hull` neighbours, wherever it may begin: the most values of `x // step` and `x % step`."""
    extent = Extent(hull, hull, align)
    found = extent.over(step) if op == "over" else extent.modulo(step)
    for start in range(0, align * step + 1, align or 1):
        values = {x // step if op == "over" else x % step for x in range(start, start + hull)}
        assert len(values) <= found.count
        assert max(values) - min(values) < found.hull
        assert found.align == 0 or min(values) % found.align == 0
    if op == "over":
        starts = range(0, align * step + 1, align or 1)
        assert found.count == max((start + hull - 1) // step - start // step + 1 for start in starts)


@settings(max_examples=tries(60))
@given(hulls=st.tuples(st.integers(1, 6), st.integers(1, 6)), aligns=st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_the_extent_of_a_sum_and_of_a_difference(hulls: tuple[int, int], aligns: tuple[int, int]) -> None:
    left, right = (Extent(hull, hull, align) for hull, align in zip(hulls, aligns, strict=True))
    for begin, other in [(0, 0), (aligns[0], 2 * aligns[1]), (3 * aligns[0], aligns[1])]:
        for minus in (False, True):
            found, sign = left.plus(right, minus), -1 if minus else 1
            values = {begin + i + sign * (other + j) for i in range(hulls[0]) for j in range(hulls[1])}
            assert len(values) == found.count == found.hull
            assert min(values) % (found.align or 1) == 0


def test_a_tile_is_what_one_iteration_touches() -> None:
    placement = changed("m1: rest, m0: 2", "m1: rest, m0: 4").placement
    assert tile(placement, "A", ()) == 6 * 4
    assert tile(placement, "A", ("m1",)) == 4 * 4, "the last of two tiles is half empty; the largest counts"
    assert tile(placement, "A", ("m0",)) == 2 * 4, "with the inner part fixed, what is left of the outer one"
    assert tile(placement, "A", ("m1", "m0")) == 4
    assert tile(placement, "A", ("n",)) == 6 * 4


def test_heads_that_share_keys_may_straddle_two_of_them() -> None:
    """Tiles of three heads over keys shared by two: head 3 to 5 touch the keys of 1 and 2."""
    mapping = (
        "split: {h: {h1: rest, h0: 3}}\ngroups: [{loops: [h1], einsums: [QK, GM, Y]}]\nbind: {line: [QK, GM, Y]}\n"
    )
    placement = case(sample("grouped"), {"G": 3, "E": 1, "M": 1}, mapping).placement
    assert tile(placement, "B", ("h1",), "QK") == 2
    assert tile(placement, "B", (), "QK") == 3
