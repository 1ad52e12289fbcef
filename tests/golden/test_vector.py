"""The vector engine's instructions: attention, one number at a time, what they leave alone, what is refused."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.golden.attention import AttentionUnit, attend
from accelsim.golden.attention_formats import TILED
from accelsim.golden.fixed import Scale, requantise
from accelsim.golden.softmax import causal
from accelsim.golden.vector import STEPS, VectorState, VectorUnit, blank, execute, visible
from accelsim.program.instruction import Instruction
from tests.golden import scalar
from tests.golden.examples import Example, examples
from tests.golden.head import Head, outputs, turns, unit_for

SMALL = VectorUnit(rows=4, lanes=4, slots=3, states=8, accumulators=12, s_words=9, pv_words=16, o_words=20)


@st.composite
def heads(draw: st.DrawFn) -> tuple[VectorUnit, Head]:
    """Queries, keys and columns that do not fill their last tiles, in many formats."""
    example: Example = draw(examples())
    head = Head(example.q, example.k, example.v, example.scale, draw(st.booleans()))
    rows, lanes, slots = draw(st.integers(2, 8)), draw(st.integers(2, 8)), draw(st.integers(1, 3))
    unit = replace(SMALL, rows=rows, lanes=lanes, slots=slots, formats=example.formats)
    return unit_for(head, unit), head


@given(heads())
def test_instructions_over_tiles_are_attention(drawn: tuple[VectorUnit, Head]) -> None:
    unit, head = drawn
    *_, (_, state) = turns(unit, head)
    whole = AttentionUnit(head.q.shape[1], len(head.k), unit.lanes, unit.formats)
    valid = causal(len(head.q), len(head.k)) if head.causal else None
    wanted = attend(whole, head.q, head.k, head.v, head.scale, valid)
    assert (outputs(unit, head, state) == wanted.output).all()
    assert state.empty == wanted.empty.any()


def drawn_state(unit: VectorUnit, rng: np.random.Generator, spread: int = 1 << 12) -> VectorState:
    """Everything at any value, as after other instructions."""
    formats = unit.formats
    found = {each.name: getattr(blank(unit), each.name) for each in fields(VectorState)}
    for name in ("s", "pv", "o", "sums", "maximum"):
        found[name] = rng.integers(-spread, spread, found[name].shape)
    found["p"] = rng.integers(0, formats.largest_p, found["p"].shape)
    for name in ("old", "new"):
        found[name] = rng.choice([0, formats.one // 3, formats.one], found[name].shape)
    found["denominator"] = rng.integers(0, formats.largest_p << formats.guard, found["denominator"].shape)
    found["started"] = rng.random(unit.states) < 0.5
    return VectorState(**{**found, "scale": Scale(int(rng.integers(1, 65536)), 14)})


@st.composite
def softmaxes(draw: st.DrawFn) -> Instruction:
    rows, flags = draw(st.integers(1, SMALL.rows)), draw(st.sets(st.sampled_from(["first", "mask"])))
    args = {"rows": rows, "cols": draw(st.integers(1, SMALL.lanes)), "imm": 2048 + draw(st.integers(-6, 6))}
    args |= {"a": draw(st.integers(0, SMALL.s_words - rows)), "b": draw(st.integers(0, SMALL.states - rows))}
    return Instruction("SOFTMAX", flags=frozenset(flags), args={**args, "dst": draw(st.integers(0, SMALL.slots - 1))})


@given(softmaxes(), st.integers(0, 2**32))
def test_a_tile_is_softmax_of_one_number_at_a_time(one: Instruction, seed: int) -> None:
    before = drawn_state(SMALL, np.random.default_rng(seed))
    after, args = execute(SMALL, before, one), one.args
    assert before.scale is not None
    for row in range(args["rows"]):
        word, slot = args["b"] + row, (args["dst"], row)
        known = bool(before.started[word]) and "first" not in one.flags
        state = scalar.State(int(before.maximum[word]) if known else None, [0])
        state.sums = [0 if "first" in one.flags else int(before.denominator[word])]
        scores = requantise(before.s[args["a"] + row], before.scale, TILED.scores).tolist()
        seen = [key for key in range(args["cols"]) if "mask" not in one.flags or key < args["imm"] + row + 1 - 2**11]
        factors = scalar.add_tile(TILED, state, [(scores[key], (1,)) for key in seen])
        if not seen and not known:
            state.maximum = None
        assert (after.old[slot], after.new[slot]) == factors
        assert after.denominator[word] == state.sums[0]
        assert after.started[word] == (state.maximum is not None)
        assert state.maximum is None or after.maximum[word] == state.maximum
        own = max((scores[key] for key in seen), default=0)
        p = [scalar.p_code(TILED, own - scores[key]) if key in seen else 0 for key in range(SMALL.lanes)]
        assert after.p[slot].tolist() == p


@given(st.integers(1, 4), st.integers(0, 3), st.booleans(), st.integers(0, 2**32))
def test_sums_and_quotients_are_those_of_one_number_at_a_time(rows: int, folds: int, first: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = drawn_state(SMALL, rng, 1 << 24)
    args = {"a": 1, "b": int(rng.integers(0, 12 - 4 * max(folds - 1, 0) - rows + 1)), "dst": 1, "rows": rows}
    flags = frozenset({"first"} if first else ())
    middle = execute(SMALL, before, Instruction("SCALE_ADD", flags=flags, args={**args, "cols": folds}))
    below = {"a": args["b"], "b": 3, "dst": 5, "rows": rows, "cols": folds}
    after = execute(SMALL, middle, Instruction("DIVIDE", args=below))
    for fold in range(max(folds, 1)):
        for row in range(rows):
            place, old, new = fold * 4 + row, int(before.old[1, row]), int(before.new[1, row])
            for lane in range(4):
                was = 0 if first else int(before.sums[args["b"] + place, lane])
                added = int(before.pv[1 + place, lane]) << TILED.guard
                total = scalar.times(TILED, was, old) + scalar.times(TILED, added, new)
                assert middle.sums[args["b"] + place, lane] == total
                under = int(before.denominator[3 + row])
                exact = Fraction(total << TILED.output.fraction, under) if under else Fraction(0)
                assert after.o[5 + place, lane] == scalar.clipped(scalar.rounded(exact), TILED.output)


TILE, ROWS = np.s_[1, :3], np.s_[2:5]
WRITTEN: dict[str, dict[str, Any]] = {
    "SOFTMAX": {
        **dict.fromkeys(("p", "old", "new"), TILE),
        **dict.fromkeys(("maximum", "started", "denominator"), ROWS),
    },
    "SCALE_ADD": {"sums": [2, 3, 4, 6, 7, 8]},
    "DIVIDE": {"o": [1, 2, 3, 5, 6, 7]},
    "SETP": {},
}
"""What an instruction on 3 rows and 2 folds may change, of which memory."""


@pytest.mark.parametrize("op", WRITTEN)
def test_an_instruction_leaves_everything_else_alone(op: str) -> None:
    before = drawn_state(SMALL, np.random.default_rng(7))
    args = {"a": 1, "b": 2, "dst": 1, "rows": 3, "cols": 2}
    after = execute(SMALL, before, Instruction(op, args=args if op != "SETP" else {"a": 5}))
    for name, memory in vars(after).items():
        if isinstance(memory, np.ndarray):
            restored = memory.copy()
            if name in WRITTEN[op]:
                restored[WRITTEN[op][name]] = getattr(before, name)[WRITTEN[op][name]]
            assert (restored == getattr(before, name)).all(), name
    assert (after.scale == before.scale) == (op != "SETP")


def test_the_mask_is_a_diagonal() -> None:
    """Row r sees key c only if c < imm + r + 1 - 2^11."""
    for imm in (2048 - 5, 2048 - 1, 2048, 2048 + 2, 4095, 0):
        one = Instruction("SOFTMAX", flags=frozenset({"mask"}), args={"rows": 4, "cols": 3, "imm": imm})
        wanted = [[key < 3 and key < imm + row + 1 - 2**11 for key in range(4)] for row in range(4)]
        assert visible(SMALL, one).tolist() == wanted


def test_a_row_without_a_key_gives_0_and_raises_empty() -> None:
    none = Instruction("SOFTMAX", flags=frozenset({"first", "mask"}), args={"rows": 2, "cols": 4, "imm": 2047})
    state = execute(SMALL, drawn_state(SMALL, np.random.default_rng(1)), none)
    assert state.p[0, 0].tolist() == [0] * 4
    assert (state.denominator[0] == 0, state.started[:2].tolist()) == (True, [False, True])
    after = execute(SMALL, state, Instruction("DIVIDE", args={"rows": 2}))
    assert after.o[0].tolist() == [0] * 4
    assert after.empty
    assert not execute(SMALL, state, Instruction("DIVIDE", args={"rows": 1, "b": 1, "a": 1})).empty


BAD: list[tuple[str, dict[str, int], str]] = [
    ("MATMUL", {}, "MATMUL: is no operation of the vector engine: SOFTMAX, SCALE_ADD, DIVIDE, SETP"),
    ("SOFTMAX", {"rows": 5, "cols": 1}, "SOFTMAX: rows must be from 1 to 4, not 5"),
    ("SOFTMAX", {"rows": 4}, "SOFTMAX: cols must be from 1 to 4, not 0"),
    ("SOFTMAX", {"rows": 2, "cols": 1, "a": 8}, "SOFTMAX: a must be at most 7, so that 2 fit, not 8"),
    ("SOFTMAX", {"rows": 2, "cols": 1, "dst": 3}, "SOFTMAX: dst must be at most 2, so that 1 fit, not 3"),
    ("SCALE_ADD", {"rows": 3, "cols": 3, "b": 2}, "SCALE_ADD: b must be at most 1, so that 11 fit, not 2"),
    ("DIVIDE", {}, "DIVIDE: rows must be from 1 to 4, not 0"),
    ("SETP", {"b": 3}, "the multiplier of a scale must be from 1 to 65535, not 0"),
    ("SETP", {"a": 3, "b": 48}, "the shift of a scale must be from 0 to 47, not 48"),
]


@pytest.mark.parametrize(("op", "args", "text"), BAD)
def test_instructions_that_cannot_be_are_refused(op: str, args: dict[str, int], text: str) -> None:
    with pytest.raises(AccelsimError, match=f"^{re.escape(text)}$"):
        execute(SMALL, drawn_state(SMALL, np.random.default_rng(0)), Instruction(op, args=args))


def test_scores_need_a_scale() -> None:
    with pytest.raises(AccelsimError, match=r"^SOFTMAX: must come after a SETP, which gives the scale of scores$"):
        execute(SMALL, blank(SMALL), Instruction("SOFTMAX", args={"rows": 1, "cols": 1}))
    assert set(STEPS) == set(WRITTEN)
