"""Results as text: the headline says what binds, tables add up, numbers are readable."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.explore import Comparison
from accelsim.report.text import (
    aligned,
    binary,
    changes_text,
    comparison_text,
    energy,
    percent,
    result_text,
    scaled,
    slope_text,
)
from accelsim.result import EinsumUse, Part, Result, Transfer, UnitUse
from accelsim.whatif import Change, SkiSlope

RESULT = Result(
    workload="bert",
    arch="array",
    mapping="fused",
    depth="analytic",
    engine="accelsim",
    seconds=Fraction(1, 400),
    cycles_exact=Fraction(2_500_000),
    clock_hz=Fraction(10**9),
    energy_by={"pe2d.mac": Fraction(3 * 10**9), "dram": Fraction(10**9)},
    actions={},
    units={"pe2d": UnitUse(Fraction(2_000_000), Fraction(1, 2)), "pe1d": UnitUse(Fraction(2_500_000), Fraction(1))},
    traffic={"dram": {"K": Transfer(Fraction(2**20), Fraction(0)), "AV": Transfer(Fraction(0), Fraction(2**19))}},
    einsums={"QK": EinsumUse("pe2d", Fraction(1), Fraction(1))},
    macs=10**9,
    bound_by="pe1d",
    params={"L": 1024},
    version="0.1.0",
    parts=(Part("attention", Fraction(1, 400), {"dram": Fraction(1, 1600)}, "pe1d"),),
    notes=("idle rows are counted",),
)

EXPECTED = """\
bert (L=1024) on array
mapping  fused, depth analytic
time     2.5 ms, 2,500,000 cycles at 1 GHz
energy   4 mJ
work     1 GMAC, 800 Gflop/s
bound    pe1d bound: busy 100% of the time

unit  busy cycles  of the time  PEs used
pe2d    2,000,000          80%       50%
pe1d    2,500,000         100%      100%

dram   read  written
K     1 MiB      0 B
AV      0 B  512 KiB
all   1 MiB  512 KiB

energy          share
pe2d.mac  3 mJ    75%
dram      1 mJ    25%

note: idle rows are counted"""


def test_a_result_in_full() -> None:
    assert result_text(RESULT) == EXPECTED


def test_a_level_that_binds_is_said_to_move_data() -> None:
    assert "dram bound: moving data 25% of the time" in result_text(replace(RESULT, bound_by="dram"))


def test_what_is_not_known_is_said_or_left_out() -> None:
    bare = replace(RESULT, energy_by=None, cycles_exact=None, clock_hz=None, units={}, bound_by="compute", notes=())
    text = result_text(bare)
    assert "energy   not known at this depth" in text
    assert "cycles" not in text
    assert "bound    compute bound" in text


def test_several_parts_are_listed_with_their_shares() -> None:
    parts = tuple(Part(name, Fraction(n, 1600), {}, "pe2d") for name, n in (("up", 1), ("down", 3)))
    assert (result_text(replace(RESULT, parts=parts)).split("bound by\n")[1].split("\n\n")[0].split()) == [
        "up",
        "625",
        "us",
        "25%",
        "pe2d",
        "down",
        "1.875",
        "ms",
        "75%",
        "pe2d",
    ]


def test_many_tensors_are_summed_up() -> None:
    tensors = {f"T{i}": Transfer(Fraction(1024), Fraction(0)) for i in range(20)}
    text = result_text(replace(RESULT, traffic={"dram": tensors}))
    lines = [line.split() for line in text.splitlines()]
    assert ["8", "others", "8", "KiB", "0", "B"] in lines
    assert ["all", "20", "KiB", "0", "B"] in lines


def test_nothing_happens() -> None:
    nothing = replace(RESULT, seconds=Fraction(0), cycles_exact=Fraction(0), energy_by={}, macs=0)
    assert "time     0 s, 0 cycles" in result_text(nothing)


def test_a_comparison_has_a_line_for_each_architecture() -> None:
    faster = replace(RESULT, arch="wide", seconds=RESULT.seconds / 4, energy_by=None)
    lines = comparison_text(Comparison("bert", (RESULT, faster))).splitlines()
    assert lines[0] == "bert (L=1024); baseline array"
    assert lines[3].split() == ["array", "2.5", "ms", "1x", "4", "mJ", "1x", "pe1d", "50%", "100%", "1.5", "MiB"]
    assert lines[4].split() == ["wide", "625", "us", "4x", "-", "-", "pe1d", "50%", "100%", "1.5", "MiB"]


def test_why_an_energy_is_unknown() -> None:
    """At depth bound nothing is counted; elsewhere what was counted has no entry in a table."""
    shallow = replace(RESULT, depth="bound", energy_by=None)
    counted = replace(RESULT, energy_by=None, actions={"pe2d.mac": {"use": Fraction(1)}})
    assert "energy   not known at this depth\n" in result_text(shallow)
    assert "energy   not known: a component has no energy for an action\n" in result_text(counted)


def test_changes_are_a_table() -> None:
    changes = [
        Change("clock", Fraction(2), Fraction(2), Fraction(1), Fraction(1), ""),
        Change("buffer capacity", Fraction(1, 2), None, None, None, "does not fit"),
    ]
    lines = changes_text(changes).splitlines()
    assert lines[1].split() == ["clock", "x2", "2x", "1x", "1x"]
    assert lines[2].split() == ["buffer", "capacity", "x0.5", "-", "-", "-", "does", "not", "fit"]


def test_a_slope_shows_where_it_falls() -> None:
    points = tuple((size << 10, Fraction(moved << 10), "m") for size, moved in ((1, 9), (2, 9), (4, 3)))
    text = slope_text(SkiSlope("buffer", None, points, Fraction(2048), ()))
    assert [line.split() for line in text.splitlines()[1:]] == [
        ["1", "KiB", "9", "KiB", "m"],
        ["4", "KiB", "3", "KiB", "m"],
        ["compulsory:", "2", "KiB"],
    ]


@given(st.fractions(min_value=Fraction(1, 10**12), max_value=10**15))
def test_scaled_numbers_are_within_a_thousandth(value: Fraction) -> None:
    digits, unit = scaled(value, "s").split()
    powers = {"p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
    assert float(digits) * 10 ** powers[unit.removesuffix("s")] == pytest.approx(float(value), rel=1e-3)


@given(st.integers(0, 2**50))
def test_binary_numbers_are_within_a_thousandth(value: int) -> None:
    digits, unit = binary(value).split()
    powers = {"B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
    assert float(digits.replace(",", "")) * 2 ** powers[unit] == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0%"), (Fraction(1, 10**6), "<0.1%"), (Fraction(1, 8), "12.5%"), (1, "100%")]
)
def test_shares(value: Fraction | int, text: str) -> None:
    assert percent(value) == text


def test_zero_has_no_prefix() -> None:
    assert (scaled(0, "s"), binary(0), energy(None)) == ("0 s", "0 B", "-")


@given(st.lists(st.tuples(st.text("ab", min_size=1), st.integers(0, 10**6).map(str)), min_size=1))
def test_columns_are_aligned(lines: list[tuple[str, str]]) -> None:
    rows = aligned(("name", "number"), lines).splitlines()
    assert len({len(row) for row in rows}) == 1
