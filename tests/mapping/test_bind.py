"""A mapping with sizes and hardware: names checked, splits turned into spans, ranks spread over arrays."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cost.machines import tiny
from tests.mapping.small import changed, refusal
from tests.tries import tries

REFUSED = [
    ("m0: 2", "m0: 0", "4:27: split.m.m0: must be positive, got 0"),
    ("m0: 2", "m0: rows(grib)", '4:27: split.m.m0: unknown unit "grib"; did you mean "grid"?'),
    ("m0: 2", "m0: lanes(grid)", "4:27: split.m.m0: unit grid has rows and cols, not lanes"),
    (
        "m0: 2",
        "m0: cows(grid)",
        '4:27: split.m.m0: must be a size, rest, fit(LEVEL), rows(UNIT), cols(UNIT) or lanes(UNIT), got "cows(grid)"',
    ),
    ("m0: 2", "m0: rows(grid) // Q", '4:27: split.m.m0: parameter "Q" has no value; known: J, K, M, N'),
    ("m0: 2", "m0: x*2", '4:27: split.m.m0: a size is made of numbers and parameters only, got "x"'),
    (
        "m0: 2",
        "m0: 9999999999999999999",
        "4:27: split.m.m0: a tile of m has 9999999999999999999 coordinates; at most 4611686018427387904 are supported",
    ),
    ("m: {m1", "x: {m1", '1:1: split.x: unknown rank "x"; known: j, k, m, n'),
    ("m0: 2", "n: 2", "1:1: split: n is a part of m and of n"),
    ("einsums: [Z]", "einsums: [Z, Y]", "7:5: groups[1]: Einsum Y is in two groups"),
    ("einsums: [Z]", "einsums: [X]", '7:5: groups[1]: einsums: unknown Einsum "X"; known: Y, Z'),
    ("  - {name: two, loops: [m1], einsums: [Z]}\n", "", "1:1: groups: Einsum Z is in no group"),
    ("line: [Z]", "line: []", "7:5: groups[1]: Einsum Z is bound to no unit"),
    ("line: [Z]", "lime: [Z]", '1:1: bind: unknown unit "lime"; did you mean "line"?'),
    ("line: [Z]", "line: [Z, Q]", '1:1: bind.line: unknown Einsum "Q"; known: Y, Z'),
    ("loops: [m1]", "loops: [m2]", '7:5: groups[1]: loops: unknown loop "m2"; known: j, k, m0, m1, n'),
    ("loops: [m1]", "loops: [m1], at: {Y: [m1]}", '7:5: groups[1]: at, exposed, latency: unknown Einsum "Y"; known: Z'),
    ("loops: [m1]", "loops: [m1], at: {Z: [k]}", "7:5: groups[1]: at.Z: Z has no rank k"),
    (
        "loops: [m1, n]",
        "loops: [m1, n], exposed: {Y: drains}",
        '6:5: groups[0]: exposed.Y: unknown latency "drains"; did you mean "drain"?',
    ),
    (
        "loops: [m1], einsums: [Z]",
        "loops: [m1], einsums: [Z], order: {line: [Y+2]}",
        '7:5: groups[1]: order.line: unknown Einsum of that unit "Y+2"; known: Z',
    ),
    ("rows: m0", "rows: mO", '1:1: spatial.grid.rows: unknown rank "mO"; known: j, k, m0, m1, n'),
    ("rows: m0", "lanes: m0", "1:1: spatial.grid: unit grid has no lanes"),
    ("line: {lanes", "lin: {lanes", '1:1: spatial.lin: unknown unit or Einsum "lin"; did you mean "line"?'),
    ("l1: {limit", "l3: {limit", '1:1: keep.l3: unknown level "l3"; known: l1, l2'),
    ("l1: {limit", "dram: {limit", '1:1: keep.dram: unknown level "dram"; known: l1, l2'),
    (
        "A: {at: m1}",
        "A: {at: m2}",
        '10:40: keep.l1.tensors.A: at: unknown loop "m2"; known: j, k, m0, m1, n, outside',
    ),
    ("A: {at: m1}", "X: {at: m1}", '10:40: keep.l1.tensors.X: unknown tensor "X"; known: A, B, D, Y, Z'),
    ("keep:", "forward: [Y -> X]\nkeep:", '1:1: forward: unknown Einsum "X"; known: Y, Z'),
    ("keep:", "forward: [W -> Z]\nkeep:", '1:1: forward: unknown tensor "W"; known: A, B, D, Y, Z'),
    ("keep:", "home: {Y: l1}\nkeep:", "1:1: home.Y: must be dram, the outermost level, got l1"),
    ("keep:", "home: {W: dram}\nkeep:", '1:1: home: unknown tensor "W"; known: A, B, D, Y, Z'),
    ("keep:", "cases: [{when: {M: 7}, set: {}}]\nkeep:", "1:1: mapping drawn has no case for M=6"),
    ("keep:", "cases: [{when: {MM: 7}, set: {}}]\nkeep:", '1:1: cases: unknown size "MM"; did you mean "M"?'),
    (
        "keep:",
        "counts: {grid.mac: {use: M*K}}\nkeep:",
        '1:1: counts: unknown component "grid.mac"; did you mean "grid.table"?',
    ),
    (
        "keep:",
        "counts: {grid.logic: {used: M*K}}\nkeep:",
        '10:29: counts.grid.logic.used: unknown action "used"; did you mean "use"?',
    ),
    (
        "keep:",
        "counts: {grid.logic: {use: M*R}}\nkeep:",
        '10:28: counts.grid.logic.use: parameter "R" has no value; known: J, K, M, N',
    ),
    (
        "keep:",
        "counts: {grid.logic: {use: M - 7}}\nkeep:",
        "10:28: counts.grid.logic.use: gives -1 at these sizes; a count is never negative",
    ),
]


@pytest.mark.parametrize(("old", "new", "text"), REFUSED, ids=[text[:60] for _, _, text in REFUSED])
def test_what_does_not_fit_together_is_refused(old: str, new: str, text: str) -> None:
    assert refusal(old, new) == text


@settings(max_examples=tries(30))
@given(tiles=st.lists(st.integers(1, 5), max_size=3))
def test_a_part_spans_all_that_is_inside_it(tiles: list[int]) -> None:
    inner = "".join(f", x{at}: {tile}" for at, tile in enumerate(tiles))
    split = f"m1: rest{inner}, m0: 2"
    parts = changed("m1: rest, m0: 2", split).placement.digits["m"]
    spans = [prod(tiles[at:]) * 2 for at in range(len(tiles) + 1)]
    assert [span for _, span in parts] == [*spans, 1]


def test_tiles_may_name_parameters_and_extents_of_units() -> None:
    one = changed("m1: rest, m0: 2", "m1: rest, mm: (N + 1) // 2, m0: rows(grid) // 2")
    assert one.placement.digits["m"] == (("m1", 6), ("mm", 2), ("m0", 1))


def test_the_first_case_that_holds_is_taken() -> None:
    cases = 'cases: [{when: {M: "< 6"}, set: {split.m.m0: 5}}, {when: {M: 6, N: "> 4"}, set: {split.m.m0: 3}}]'
    assert changed("keep:", f"{cases}\nkeep:").placement.digits["m"] == (("m1", 3), ("m0", 1))


def test_of_ranks_on_one_dimension_the_inner_ones_take_all_they_need() -> None:
    placement = changed("lanes: [j, m0]", "lanes: [n, j]").placement
    assert tiny().units["line"].pes == 5
    assert placement.spread(placement.einsum("Z")) == {"j": ("lanes", 5), "n": ("lanes", 1)}


def test_ranks_that_an_einsum_lacks_do_not_occupy_the_array() -> None:
    placement = changed("lanes: [j, m0]", "lanes: [m0, k, j]").placement
    assert placement.spread(placement.einsum("Z")) == {"j": ("lanes", 5), "m0": ("lanes", 1)}


def test_an_einsum_may_have_its_own_place_on_the_array() -> None:
    placement = changed("line: {lanes: [j, m0]}", "Z: {lanes: n}").placement
    assert placement.spread(placement.einsum("Z")) == {"n": ("lanes", 5)}
