"""Instructions as bits and as text: both are read back, and what is wrong is refused where it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.program.assembly import read_assembly, read_words, render_instruction, render_words
from accelsim.program.instruction import (
    BITS,
    DMA_FIELDS,
    FIELDS,
    FLAGS,
    HEAD,
    OPS,
    SEMAPHORES,
    Instruction,
    decode,
    encode,
    form_of,
)


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    op = draw(st.sampled_from(OPS))
    args = {name: draw(st.integers(0, (1 << width) - 1)) for name, width in form_of(op).items()}
    semaphores = st.frozensets(st.integers(0, SEMAPHORES - 1))
    flags = draw(st.frozensets(st.sampled_from(FLAGS)))
    return Instruction(op, draw(semaphores), draw(semaphores), flags, {n: v for n, v in args.items() if v})


@given(instructions())
def test_bits_are_read_back(instruction: Instruction) -> None:
    word = encode(instruction)
    assert 0 <= word < 1 << BITS
    assert decode(word) == instruction


@given(st.lists(instructions(), max_size=5))
def test_text_and_words_are_read_back(found: list[Instruction]) -> None:
    assert read_assembly("\n".join(map(render_instruction, found))) == tuple(found)
    assert read_words(render_words(found)) == tuple(found)


def test_both_forms_fill_the_word() -> None:
    for form in (FIELDS, DMA_FIELDS):
        assert sum(HEAD.values()) + sum(form.values()) == BITS


def test_fields_lie_where_the_contract_has_them() -> None:
    """Operation lowest, then wait, post, flags; `a` from bit 44, the address of a transfer there too."""
    assert encode(Instruction("MATMUL", args={"a": 1})) == 3 | 1 << 44
    assert encode(Instruction("LOAD", args={"address": 1, "stride": 1})) == 1 | 1 << 44 | 1 << 112
    assert (
        encode(Instruction("HALT", frozenset({0}), frozenset({15}), frozenset({"mask"})))
        == 8 | 1 << 4 | 1 << 35 | 1 << 40
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LAOD rows=1", r'p:1:1: no operation is called "LAOD"; did you mean "LOAD"'),
        ("HALT\n\n LOAD row=1", r'p:3:7: LOAD has no field "row"; did you mean "rows"'),
        ("LOAD rows=4096", "p:1:1: LOAD: rows must be from 0 to 4095, not 4096"),
        ("LOAD rows=x", 'p:1:6: expected a number such as 16 or 0x10, got "x"'),
        ("LOAD rows", 'p:1:6: expected FIELD=VALUE, got "rows"'),
        ("LOAD rows=1 rows=2", "p:1:13: rows is there twice"),
        ("NOP wait=s1 wait=s2", "p:1:13: wait is there twice"),
        ("NOP wait=s16", "p:1:1: NOP: semaphores are s0 to s15, not s16"),
        ("NOP wait=3", 'p:1:1: expected a semaphore such as s3, got "3"'),
        ("NOP flags=frist", 'p:1:1: no flag is called "frist"; did you mean "first"'),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        read_assembly(text, "p")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("12", 'p:1:1: expected 32 hexadecimal digits, got "12"'),
        ("0" * 31 + "f", "p:1:1: no operation has the number 15; the last is LOOP, 9"),
        (f"{0x80 << 36:032x}", "p:1:1: NOP: flags must be below 32, not 128"),
    ],
)
def test_words_that_are_no_instructions_are_refused(word: str, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        read_words(word, "p")
    assert message in str(caught.value)


def test_a_nop_is_for_a_queue_that_is_there() -> None:
    assert Instruction("NOP", args={"imm": 2}).queue == "vector"
    with pytest.raises(AccelsimError, match="imm must be a queue, 0 to 3, not 4"):
        _ = Instruction("NOP", args={"imm": 4}).queue
