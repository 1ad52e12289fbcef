"""The attention tile: first, last and next job by hand, and the laws of its pipeline."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from accelsim.units.attention import AttentionParams, Row, timing

STAGES = [name for name in AttentionParams.__dataclass_fields__ if name.endswith("_stages")]


@st.composite
def units(draw: st.DrawFn) -> AttentionParams:
    stages = {name: draw(st.integers(0, 3)) for name in STAGES}
    bits = draw(st.integers(2, 40))
    return AttentionParams(
        draw(st.integers(1, 100)), **stages, output_bits=bits, division_bits=draw(st.integers(1, bits + 1))
    )


def test_by_hand() -> None:
    """Ten keys behind a query; product, three levels, scale, rounding, difference, exp, P x V, sum; 25 bits by 5."""
    found = timing(AttentionParams(8, division_bits=5), Row(10))
    assert found.last == 10 + (1 + 3 + 1 + 1 + 1 + 4 + 1 + 1) + 5
    assert (found.first, found.busy) == (found.last, 10)


def test_without_registers_but_those_that_keep_something() -> None:
    found = timing(AttentionParams(8, **dict.fromkeys(STAGES, 0), division_bits=25), Row(1))
    assert (found.first, found.last, found.busy) == (3, 3, 1)


@given(units(), st.integers(1, 500))
def test_a_key_per_edge(params: AttentionParams, keys: int) -> None:
    one, row = timing(params, Row(1)), timing(params, Row(keys))
    assert row.busy == keys
    assert row.last - one.last == keys - 1
    assert row.first == row.last


@given(units(), st.integers(1, 50), st.sampled_from(STAGES))
def test_registers_delay_outputs_and_nothing_else(params: AttentionParams, keys: int, name: str) -> None:
    more = timing(replace(params, **{name: getattr(params, name) + 1}), Row(keys))
    found = timing(params, Row(keys))
    times = (params.depth - 1).bit_length() if name == "level_stages" else 1
    assert (more.last, more.busy) == (found.last + times, found.busy)
