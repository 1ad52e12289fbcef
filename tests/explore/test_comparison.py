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
