"""The merge engine's instructions: attention of an array's tiles, number by number, what is left alone, refusals."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from accelsim.golden.accuracy import exact, relative_error
from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.fuse_array import FuseUnit, Operands, folded, key_tile
from accelsim.golden.inputs import FAMILIES, Floats, Sample, Sizes, sample
from accelsim.golden.merge import MERGED, STEPS, MergeState, MergeUnit, blank, distance, execute
from accelsim.program.instruction import Instruction
from tests.golden import scalar

SMALL = MergeUnit(lanes=3, slots=3, states=2, accumulators=12, pv_words=9, o_words=10)
FIRST = frozenset({"first"})
LIMIT = 1e-3
COARSE = replace(MERGED, scores=FixedFormat(16, 11))  # the bits that the array's own exp has behind the point


def merged_attention(inputs: Sample, keys: int, formats: AttentionFormats = MERGED) -> Floats:
    """Tiles of so many keys by the array, one instruction for each, and the division, as values [queries, columns]."""
    length, depth = inputs.k.shape
    columns = inputs.v.shape[1]
    array = FuseUnit(keys, length=depth)
    q, shift = folded(array, inputs.q, inputs.score_step)
    unit = MergeUnit(len(q), 1, 1, columns, columns, columns, formats)
    state = replace(blank(unit), shift=shift)
    for at in range(0, length, keys):
        tile = key_tile(array, Operands(q, inputs.k[at : at + keys], inputs.v[at : at + keys], shift))
        state = replace(state, m=tile.maximum[None], d=tile.total[None], pv=tile.pv.T)
        flags = FIRST if at == 0 else frozenset()
        state = execute(unit, state, Instruction("SCALE_ADD", flags=flags, args={"rows": columns}))
    state = execute(unit, state, Instruction("DIVIDE", args={"rows": columns}))
    values: Floats = state.o.T.astype(np.float64) * (2.0**-formats.output.fraction * inputs.value_step)
    return values


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("keys", "length"), [(8, 64), (2, 300), (8, 1024), (4, 1021)])
def test_tiles_of_the_array_become_attention(family: str, keys: int, length: int) -> None:
    inputs = sample(family, Sizes(8, length, 64), 0)
    assert relative_error(merged_attention(inputs, keys), exact(inputs)) < LIMIT


@pytest.mark.parametrize("slope", [1 / 1500, 1 / 5000])
def test_maxima_that_grow_slowly_need_a_source_of_their_own(slope: float) -> None:
    """A growth below half a step of P's source is lost in every tile, and all that is lost adds up."""
    inputs = replace(sample("ramp-256-up", Sizes(2, 8192, 16), 1), score_step=slope)
    fine, coarse = (relative_error(merged_attention(inputs, 8, each), exact(inputs)) for each in (MERGED, COARSE))
    assert 4 * fine < 4 * LIMIT < coarse


def drawn(unit: MergeUnit, rng: np.random.Generator, shift: int) -> MergeState:
    """Everything at any value, as after other instructions."""
    found = {each.name: getattr(blank(unit), each.name) for each in fields(MergeState)}
    spread = min(1 << 31, 20 << (unit.shifted + shift))
    for name, most in (("m", spread), ("maximum", spread), ("pv", 1 << 25), ("sums", 1 << 36), ("o", 9)):
        found[name] = rng.integers(-most, most, found[name].shape)
    for name, most in (("d", 1 << 18), ("denominator", 1 << 30)):
        found[name] = rng.integers(0, most, found[name].shape)
    return MergeState(**{**found, "shift": shift})


@given(st.integers(1, 9), st.integers(0, 31), st.booleans(), st.integers(0, 2**32))
def test_sums_and_quotients_are_those_of_one_number_at_a_time(words: int, shift: int, first: bool, seed: int) -> None:
    before = drawn(SMALL, np.random.default_rng(seed), shift)
    args = {"a": 9 - words, "imm": 12 - words, "b": 1, "dst": 2, "rows": words}
    middle = execute(SMALL, before, Instruction("SCALE_ADD", flags=FIRST if first else frozenset(), args=args))
    after = execute(SMALL, middle, Instruction("DIVIDE", args={"a": 12 - words, "b": 1, "dst": 1, "rows": words}))
    times = partial(scalar.times, MERGED)
    for lane in range(SMALL.lanes):
        own, kept = int(before.m[2, lane]), int(before.maximum[1, lane])
        most = own if first else max(own, kept)
        apart = [scalar.rounded(Fraction(each << 9, 1 << shift)) for each in (0 if first else most - kept, most - own)]
        old, new = (scalar.factor_code(MERGED, min(each, 2**25 - 1)) for each in apart)
        assert middle.maximum[1, lane] == most
        was = [0 if first else int(each) for each in (before.denominator[1, lane], *before.sums[12 - words :, lane])]
        more = [int(before.d[2, lane]), *before.pv[9 - words :, lane].tolist()]
        under, *sums = (times(a, old) + times(b << MERGED.guard, new) for a, b in zip(was, more, strict=True))
        assert middle.denominator[1, lane] == under
        assert middle.sums[12 - words :, lane].tolist() == sums
        exact_quotients = [Fraction(each << TILED.output.fraction, under) if under else Fraction(0) for each in sums]
        codes = [scalar.clipped(scalar.rounded(each), TILED.output) for each in exact_quotients]
        assert after.o[1 : 1 + words, lane].tolist() == codes
        assert after.empty or under


@given(st.integers(0, 31), st.integers(0, 2**32))
def test_what_all_scores_have_in_common_only_moves_the_maximum(shift: int, seed: int) -> None:
    before = drawn(SMALL, np.random.default_rng(seed), shift)
    moved = replace(before, m=before.m + 12345, maximum=before.maximum + 12345)
    one = Instruction("SCALE_ADD", args={"rows": 9})
    found, other = (execute(SMALL, each, one) for each in (before, moved))
    assert (other.maximum[0] - found.maximum[0] == 12345).all()
    assert (found.denominator == other.denominator).all()
    assert (found.sums == other.sums).all()


def test_where_a_distance_saturates_its_factor_is_0_and_before_that_it_is_fine() -> None:
    """Up to a shift of 9 a distance is exact."""
    for shift in range(10):
        apart = np.array([0, 1, 2, 777, 1 << (16 + shift), (1 << (16 + shift)) - 1, 2**32 - 1])
        found = distance(SMALL, apart - 2**31, np.full(7, -(2**31)), shift)
        assert found.tolist() == [min(each << (9 - shift), 2**25 - 1) for each in apart.tolist()]
    edge = np.array([SMALL.source.highest])
    assert scalar.factor_code(MERGED, int(edge[0])) == 0
    assert np.exp(-edge[0] * 2.0**-20) < 2.0**-46


def test_the_order_of_two_tiles_is_of_no_account_to_a_quotient() -> None:
    """Each tile is rounded once, so that quotients differ by what two roundings of factors and sums are."""
    rng = np.random.default_rng(5)
    state = replace(
        drawn(SMALL, rng, 6), d=rng.integers(1 << 15, 1 << 18, (3, 3)), pv=rng.integers(-99, 99, (9, 3)) << 12
    )
    found = []
    for order in ((0, 1), (1, 0)):
        after = state
        for turn, slot in enumerate(order):
            args = {"dst": slot, "a": 4 * slot, "rows": 4}
            after = execute(
                SMALL, after, Instruction("SCALE_ADD", flags=FIRST if turn == 0 else frozenset(), args=args)
            )
        found.append(execute(SMALL, after, Instruction("DIVIDE", args={"rows": 4})).o[:4])
    assert np.abs(found[0] - found[1]).max() <= 1


WRITTEN: dict[str, dict[str, Any]] = {
    "SCALE_ADD": {"maximum": 1, "denominator": 1, "sums": np.s_[4:7]},
    "DIVIDE": {"o": np.s_[2:5]},
}
"""What an instruction on 3 words may change, of which memory."""


@pytest.mark.parametrize("op", WRITTEN)
def test_an_instruction_leaves_everything_else_alone(op: str) -> None:
    before = drawn(SMALL, np.random.default_rng(7), 5)
    args = {"a": 1, "b": 1, "dst": 2, "rows": 3, "imm": 4}
    after = execute(SMALL, before, Instruction(op, args=args))
    for name, memory in vars(after).items():
        if isinstance(memory, np.ndarray):
            restored = memory.copy()
            if name in WRITTEN[op]:
                restored[WRITTEN[op][name]] = getattr(before, name)[WRITTEN[op][name]]
            assert (restored == getattr(before, name)).all(), name


def test_a_query_without_a_key_gives_0_and_raises_empty() -> None:
    state = replace(blank(SMALL), shift=3, d=np.array([[5, 0, 7]] * 3), pv=np.full((9, 3), 4))
    state = execute(SMALL, state, Instruction("SCALE_ADD", flags=FIRST, args={"rows": 1}))
    after = execute(SMALL, state, Instruction("DIVIDE", args={"rows": 1}))
    assert after.o[0].tolist() == [scalar.rounded(Fraction(4 << 15, 5)), 0, scalar.rounded(Fraction(4 << 15, 7))]
    assert after.empty


BAD: list[tuple[str, dict[str, int], str]] = [
    ("SOFTMAX", {}, "SOFTMAX: is no operation of the merge engine: SCALE_ADD, DIVIDE"),
    ("SCALE_ADD", {}, "SCALE_ADD: rows must be 1 at least, not 0"),
    ("SCALE_ADD", {"rows": 9, "imm": 4}, "SCALE_ADD: imm must be at most 3, so that 9 fit, not 4"),
    ("SCALE_ADD", {"rows": 1, "dst": 3}, "SCALE_ADD: dst must be at most 2, so that 1 fit, not 3"),
    ("DIVIDE", {"rows": 1, "b": 2}, "DIVIDE: b must be at most 1, so that 1 fit, not 2"),
]


@pytest.mark.parametrize(("op", "args", "text"), BAD)
def test_instructions_that_cannot_be_are_refused(op: str, args: dict[str, int], text: str) -> None:
    with pytest.raises(AccelsimError, match=f"^{re.escape(text)}$"):
        execute(SMALL, drawn(SMALL, np.random.default_rng(0), 3), Instruction(op, args=args))
    assert set(STEPS) == set(WRITTEN)


@pytest.mark.parametrize("shift", [None, -1, 32])
def test_a_shift_must_be_there(shift: int | None) -> None:
    with pytest.raises(AccelsimError, match=f"^SCALE_ADD: needs the shift of scores, from 0 to 31, not {shift}$"):
        execute(SMALL, replace(blank(SMALL), shift=shift), Instruction("SCALE_ADD", args={"rows": 1}))


UNITS: list[tuple[FixedFormat, str]] = [
    (FixedFormat(16, 10), "scores must have 11 to 41 bits behind the point, as maxima have 11, not s16.10"),
    (FixedFormat(24, 20), "scores must reach to where a factor is 0, as s25.20 does, not s24.20"),
]


@pytest.mark.parametrize(("scores", "text"), UNITS)
def test_units_that_cannot_be_are_refused(scores: FixedFormat, text: str) -> None:
    with pytest.raises(AccelsimError, match=f"^{re.escape(text)}$"):
        replace(SMALL, formats=replace(MERGED, scores=scores))
