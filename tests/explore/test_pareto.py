"""Pareto fronts against brute force."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.explore import design_fronts, pareto_front
from accelsim.explore.pareto import front
from tests.explore.rows import make_row

VECTORS = st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 6)] * n), max_size=40))


def brute_force(values: list[tuple[int, ...]]) -> list[int]:
    """The definition: nobody is at least as good everywhere and different."""
    return [
        i
        for i, v in enumerate(values)
        if not any(all(a <= b for a, b in zip(w, v, strict=True)) and w != v for w in values)
    ]


@given(VECTORS)
def test_front_is_what_the_definition_says(values: list[tuple[int, ...]]) -> None:
    assert front(values) == brute_force(values)


@given(VECTORS, st.randoms())
def test_front_does_not_depend_on_the_order(values: list[tuple[int, ...]], random: Random) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    shuffled = [values[i] for i in order]
    assert sorted(shuffled[i] for i in front(shuffled)) == sorted(values[i] for i in front(values))


def test_ties_stay_together() -> None:
    assert front([(1, 2), (2, 1), (1, 2), (2, 2)]) == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.booleans()), max_size=20))
def test_rows_without_a_value_are_never_on_the_front(values: list[tuple[int, int, bool]]) -> None:
    rows = [make_row({"seconds": s, "energy_pj": e if known else None}) for s, e, known in values]
    known = [i for i, (_, _, k) in enumerate(values) if k]
    expected = [known[i] for i in brute_force([values[i][:2] for i in known])]
    assert pareto_front(rows, ["seconds", "energy_pj"]) == expected


def test_failed_rows_are_not_on_the_front() -> None:
    assert pareto_front([make_row(None), make_row({"seconds": 1})], ["seconds"]) == [1]


def test_area_is_the_sum_of_its_components() -> None:
    rows = [make_row({"area_um2": {"a": 1, "b": 5}}), make_row({"area_um2": {"a": 2, "b": 3}})]
    assert pareto_front(rows, ["area_um2"]) == [1]


def test_energy_delay_is_a_product() -> None:
    rows = [make_row({"seconds": 2, "energy_pj": 3}), make_row({"seconds": 5, "energy_pj": 1})]
    assert pareto_front(rows, ["energy_delay"]) == [1]


def test_unknown_objective() -> None:
    with pytest.raises(AccelsimError, match='no objective "second"; did you mean "seconds"'):
        pareto_front([make_row({})], ["second"])


def test_designs_compete_for_the_same_work_only() -> None:
    rows = [
        make_row({"seconds": 1}, {"L": 1, "arch.units.x.rows": 8}),
        make_row({"seconds": 2}, {"L": 1, "arch.units.x.rows": 4}),
        make_row({"seconds": 9}, {"L": 2, "arch.units.x.rows": 4}),
        make_row({"seconds": 7}, {"L": 1, "arch.units.x.rows": 4}, workload="other"),
    ]
    assert design_fronts(rows, ["seconds"]) == [0, 2, 3]
