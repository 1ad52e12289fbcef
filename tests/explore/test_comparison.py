"""Side by side: ratios are those of the results."""

from __future__ import annotations

import pytest

from accelsim.errors import AccelsimError
from accelsim.explore import compare


def test_the_first_is_the_baseline() -> None:
    found = compare("bert", ["unfused", "fusemax", "unfused"], ["L=1024"])
    first, second, third = found.results
    assert list(found.speedups) == [1, first.seconds / second.seconds, 1]
    assert first.energy_pj
    assert second.energy_pj
    assert list(found.energy_ratios) == [1, second.energy_pj / first.energy_pj, 1]
    assert third.arch == "unfused"


def test_energy_ratios_are_null_where_energy_is() -> None:
    document = compare("bert", ["unfused", "fusemax"], ["L=1024"], "bound").to_json()
    assert document["energy_ratios"] == [None, None]
    assert (document["schema"], document["kind"], document["baseline"]) == (1, "comparison", "unfused")


def test_nothing_to_compare() -> None:
    with pytest.raises(AccelsimError, match="at least one architecture"):
        compare("bert", [])


def test_an_architecture_takes_the_mapping_that_is_for_it() -> None:
    """FLAT's own mapping is given for it; what is not for an architecture leaves it with its own."""
    plain = compare("bert", ["flat", "fusemax"], ["L=1024"])
    given = compare("bert", ["flat", "fusemax"], ["L=1024"], mappings=["flat"])
    assert [result.mapping for result in given.results] == ["flat", "fusemax"]
    assert [result.cycles for result in given.results] == [result.cycles for result in plain.results]


def test_a_mapping_for_none_of_them() -> None:
    with pytest.raises(AccelsimError, match="unfused: is for unfused, and so taken for none of fusemax"):
        compare("bert", ["fusemax"], ["L=1024"], mappings=["unfused"])
