"""Depth `bound`: below every mapping, and the best division of work that there can be."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim.arch import find_archs, load_arch
from accelsim.cost.bound import split_bound
from accelsim.errors import AccelsimError
from accelsim.mapping import mappings_for
from accelsim.simulate import simulate_named
from tests.cost.test_generality import FORMS
from tests.tries import tries

TIMES = st.integers(0, 9).map(Fraction)
BOTH = st.fixed_dictionaries({"a": TIMES, "b": TIMES})
ROW = st.one_of(BOTH, st.fixed_dictionaries({"a": TIMES}), st.fixed_dictionaries({"b": TIMES}))
THREE = st.dictionaries(st.sampled_from("abc"), TIMES, min_size=1)
# how a study counted (`counts:`) changes no time and no byte, and holds from one whole tile on
ATTENTION = [
    name for name, _ in find_archs() if not name.endswith("-published") and mappings_for(load_arch(name), "attention")
]


def best_of_two(rows: list[dict[str, Fraction]]) -> Fraction:
    """The makespan of the best division over two units.

    Rows go to `a` in the order of what a unit of time there saves at `b`; the optimum is where both are busy as long,
    or where one row more or less makes no difference: the least over all places to stop, inside a row or between two.
    """
    free = sorted((r for r in rows if len(r) == 2), key=lambda r: (r["b"] == 0, r["a"] / r["b"] if r["b"] else 0))
    a = sum((r["a"] for r in rows if "b" not in r), Fraction(0))
    b = sum((r["b"] for r in rows if "a" not in r or len(r) == 2), Fraction(0))
    found = [max(a, b)]
    for row in free:
        if row["a"] + row["b"]:
            share = min(max((b - a) / (row["a"] + row["b"]), Fraction(0)), Fraction(1))
            found.append(max(a + share * row["a"], b - share * row["b"]))
        a, b = a + row["a"], b - row["b"]
        found.append(max(a, b))
    return min(found)


@settings(max_examples=tries(200))
@given(rows=st.lists(ROW, min_size=1, max_size=6))
def test_over_two_units_it_is_the_optimum(rows: list[dict[str, Fraction]]) -> None:
    assert split_bound(rows, ("a", "b")) == best_of_two(rows)


@settings(max_examples=tries(60))
@given(rows=st.lists(THREE, min_size=1, max_size=3), parts=st.just(4))
def test_over_more_units_no_division_is_faster(rows: list[dict[str, Fraction]], parts: int) -> None:
    """Every way to divide each row in quarters over the units that can run it."""
    ways = [[w for w in product(range(parts + 1), repeat=len(row)) if sum(w) == parts] for row in rows]
    bound = split_bound(rows, ("a", "b", "c"))
    for chosen in product(*ways):
        busy = dict.fromkeys("abc", Fraction(0))
        for row, shares in zip(rows, chosen, strict=True):
            for (unit, time), share in zip(row.items(), shares, strict=True):
                busy[unit] += time * share / parts
        assert bound <= max(busy.values())


@settings(max_examples=tries(60))
@given(rows=st.lists(THREE, min_size=1, max_size=6))
def test_over_more_units_it_is_no_less_than_what_any_of_them_must_do(rows: list[dict[str, Fraction]]) -> None:
    bound = split_bound(rows, ("a", "b", "c"))
    for unit in "abc":
        assert bound >= sum((row[unit] for row in rows if set(row) == {unit}), Fraction(0))
    assert bound >= sum((min(row.values()) for row in rows), Fraction(0)) / 3


@pytest.mark.parametrize("arch", ATTENTION)
@settings(max_examples=4)
@given(data=st.data())
def test_no_shipped_design_beats_it(arch: str, data: st.DataObject) -> None:
    """In time and in bytes of the off-chip level, at sizes that fit nothing in particular."""
    sizes = {
        **dict(zip("BH", data.draw(st.tuples(st.integers(1, 3), st.integers(1, 5))), strict=True)),
        **{name: data.draw(st.integers(1, 150)) for name in "EF"},
        **{name: data.draw(st.integers(1, 70_000)) for name in "MP"},
    }
    said = [f"{name}={size}" for name, size in sizes.items()]
    try:
        at_best, found = (simulate_named(arch, "attention", said, depth=depth) for depth in ("bound", "analytic"))
    except AccelsimError as error:
        assume("the limit is" not in error.message)  # a design may have no room for a case
        raise
    assert at_best.seconds <= found.seconds
    assert at_best.level_bytes("dram") <= found.level_bytes("dram")


@pytest.mark.parametrize("workload", FORMS)
def test_masked_keys_that_no_query_sees_are_not_compulsory(workload: str) -> None:
    sizes = ["B=1", "H=4", "E=8", "M=3000", "P=700"]
    more = {"window-attention": ["W=100"], "grouped-attention": ["G=2"]}.get(workload, [])
    at_best, found = (simulate_named("fusemax", workload, [*sizes, *more], depth=d) for d in ("bound", "analytic"))
    seen = {"attention": 3000, "grouped-attention": 3000}.get(workload, 700)
    heads = 2 if workload == "grouped-attention" else 4
    assert at_best.traffic["dram"]["K"].read == 2 * heads * 8 * seen
    assert at_best.seconds <= found.seconds
    assert at_best.level_bytes("dram") <= found.level_bytes("dram")


def test_a_product_runs_on_every_pe_that_multiplies() -> None:
    result = simulate_named("fusemax", "gemm", ["M=4096"], depth="bound")
    assert result.cycles_exact == Fraction(4096**3, 256 * 256 + 256)
    assert result.traffic["dram"]["A"].read == result.traffic["dram"]["C"].write == 2 * 4096**2
    assert result.energy_pj is None, "no mapping, no accesses: the energy is unknown, not zero"
    assert result.bound_by == "compute"


def test_gathered_rows_count_no_more_than_the_whole() -> None:
    result = simulate_named("fusemax", "paged-attention", ["B=2", "H=2", "E=4", "M=100", "PG=16"], depth="bound")
    whole = {"K": 2 * 7 * 16 * 2 * 4, "V": 2 * 7 * 16 * 2 * 4, "PT": 2 * 7}
    for tensor, elements in whole.items():
        word = 4 if tensor == "PT" else 2
        assert 0 < result.traffic["dram"][tensor].read <= elements * word
