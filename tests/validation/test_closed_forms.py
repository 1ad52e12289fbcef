"""Our rule on the shipped files against the study's own formulas, at sizes that no table holds."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accelsim.arch import Arch, load_arch
from accelsim.result import Result
from accelsim.simulate import simulate
from accelsim.workload import load_workload
from tests.validation import closed_forms as closed

pytestmark = pytest.mark.validation

BATCHES = st.integers(1, 8)
HEADS = st.integers(1, 16)
BLOCKS = st.integers(1, 4096)
WIDTHS = st.sampled_from((32, 64, 96, 128, 192))


@cache
def arch(name: str) -> Arch:
    return load_arch(name)


def run(design: str, batch: int, heads: int, blocks: int, e: int, f: int) -> Result:
    length = blocks * closed.N
    overrides = [f"B={batch}", f"H={heads}", f"E={e}", f"F={f}", f"M={length}"]
    return simulate(arch(design), load_workload("attention", overrides))


@pytest.mark.parametrize("design", list(closed.CYCLES))
@given(BATCHES, HEADS, BLOCKS, WIDTHS, WIDTHS)
@hypothesis_settings(max_examples=25)
def test_one_pass_designs(design: str, batch: int, heads: int, blocks: int, e: int, f: int) -> None:
    result = run(design, batch, heads, blocks, e, f)
    form = closed.one_pass(design, batch * heads, blocks * closed.N, e, f)
    assert result.seconds == form.seconds
    assert result.level_bytes("dram") == form.bytes
    assert result.actions["buffer"] == {"read": form.read_rows, "write": form.written_rows}


@given(BATCHES, HEADS, BLOCKS, WIDTHS, WIDTHS)
@hypothesis_settings(max_examples=25)
def test_unfused_computes_one_thing_after_the_other(batch: int, heads: int, blocks: int, e: int, f: int) -> None:
    result = run("unfused", batch, heads, blocks, e, f)
    forms = closed.unfused_cycles(batch * heads, blocks * closed.N, e, f)
    for part, cycles in zip(result.parts, forms, strict=True):
        compute = max(time for limit, time in part.limits.items() if limit != "dram")
        assert compute == Fraction(cycles, closed.HZ)
    assert result.seconds == sum(part.seconds for part in result.parts)


@given(BATCHES, HEADS, st.integers(1, 256))
@hypothesis_settings(max_examples=20)
def test_flat_computes_four_operations_of_a_score(batch: int, heads: int, blocks: int) -> None:
    result = run("flat", batch, heads, blocks, 64, 64)
    compute = max(time for limit, time in result.parts[0].limits.items() if limit != "dram")
    assert compute == Fraction(closed.flat_cycles(batch * heads, blocks * closed.N, 64), closed.HZ)
