"""`Result`: sums, rounding, and the JSON document."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.result import EinsumUse, Part, Result, Transfer, UnitUse

RESULT = Result(
    workload="attention",
    arch="array",
    mapping="fused",
    depth="analytic",
    engine="analytic",
    seconds=Fraction(7, 2_000_000_000),
    cycles_exact=Fraction(7, 2),
    clock_hz=Fraction(10**9),
    energy_by={"pe2d": Fraction(3), "dram": Fraction(1, 2)},
    actions={"pe2d": {"mac": Fraction(6)}},
    units={"pe2d": UnitUse(Fraction(3), Fraction(1, 2))},
    traffic={"dram": {"K": Transfer(Fraction(16), Fraction(0)), "AV": Transfer(Fraction(1), Fraction(8))}},
    einsums={"QK": EinsumUse("pe2d", Fraction(3), Fraction(1, 2))},
    macs=6,
    bound_by="pe2d",
    params={"L": 1024},
    version="0.1.0",
    parts=(Part("attention", Fraction(7, 2_000_000_000), {"pe2d": Fraction(3, 10**9)}, "pe2d"),),
)
BYTES = st.fractions(min_value=0, max_value=10**12)
PROMISED = {
    *("schema", "kind", "workload", "arch", "mapping", "depth", "engine", "version", "params", "error"),
    *("seconds", "cycles", "clock_hz", "energy_pj", "energy_by", "actions", "units", "traffic_bytes"),
    *("einsums", "macs", "bound_by", "waits"),
}


def test_cycles_are_rounded_up_and_seconds_are_not() -> None:
    assert RESULT.cycles == 4
    assert RESULT.to_json()["seconds"] == 3.5e-9


@given(st.fractions(min_value=0, max_value=10**30))
def test_cycles_are_the_ceiling(cycles: Fraction) -> None:
    assert replace(RESULT, cycles_exact=cycles).cycles == ceil(cycles)


@given(st.dictionaries(st.text(), BYTES))
def test_energy_is_the_sum_of_its_components(energy: dict[str, Fraction]) -> None:
    assert replace(RESULT, energy_by=energy).energy_pj == sum(energy.values())


@given(st.dictionaries(st.text(), st.builds(Transfer, BYTES, BYTES)))
def test_bytes_of_a_level_are_reads_and_writes(table: dict[str, Transfer]) -> None:
    result = replace(RESULT, traffic={"dram": table})
    reads, writes = sum(x.read for x in table.values()), sum(x.write for x in table.values())
    assert result.level_bytes("dram") == reads + writes
    assert result.level_bytes("buffer") == 0


@given(st.builds(Transfer, BYTES, BYTES), st.builds(Transfer, BYTES, BYTES))
def test_transfers_add(one: Transfer, other: Transfer) -> None:
    assert (one + other).total == one.total + other.total
    assert one + other == other + one


def test_unknown_is_null_and_never_zero() -> None:
    result = replace(RESULT, cycles_exact=None, clock_hz=None, energy_by=None)
    document = result.to_json()
    assert result.cycles is None
    assert result.energy_pj is None
    assert document["cycles"] is document["clock_hz"] is document["energy_pj"] is document["area_um2"] is None


def test_document_has_the_promised_keys() -> None:
    document = RESULT.to_json()
    assert set(document) >= PROMISED
    assert (document["schema"], document["kind"]) == (1, "result")


def test_document_is_json_without_nan() -> None:
    text = json.dumps(RESULT.to_json(), allow_nan=False)
    assert json.loads(text) == RESULT.to_json()


def test_integers_stay_integers() -> None:
    document = RESULT.to_json()
    assert document["traffic_bytes"] == {"dram": {"K": {"read": 16, "write": 0}, "AV": {"read": 1, "write": 8}}}
    assert document["energy_by"] == {"pe2d": 3, "dram": 0.5}
    assert '"cycles": 4,' in json.dumps(document)


def test_result_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        RESULT.macs = 7  # type: ignore[misc]
