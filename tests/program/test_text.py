"""The text of a program comes back as the program; what is not a program is refused at its line."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.program.check import check_program
from accelsim.program.model import Program
from accelsim.program.read import read_program
from accelsim.program.text import render_program
from tests.einsum.language import unmarked
from tests.program.examples import attention
from tests.program.random_programs import marked_graphs, programs
from tests.tries import tries

ALL = """\
program all-of-it at 2500000000/3 per s
resource pe2d 1 static QK LM+1
resource dram 2 oldest rate 512/3
resource power 5 fifo
buffer gb 4096 pool
table LEN [2,2] 5 6 7 8
draw REFETCH 7 1 1 2
seq
  loop b < 2
    loop m1 < LEN[b,1]-1
      body 4
        load LK on dram moves 4096 by 256 latency 100 holds gb 2048 of m1 for QK when b == 0
        task QK on pe2d, power:3 busy 64 after LK, LM m1:1
        task LM on pe2d busy REFETCH[b,m1] latency 2*m1+1 after QK when not (m1 > 0 or b == 1)
  par
    body 1
      store S on power busy 1
    seq
"""


def test_all_of_the_text_comes_back() -> None:
    assert render_program(read_program(ALL)) == ALL


def test_a_golden_text() -> None:
    assert render_program(attention(3, 2, in_flight=4, order="static")) == GOLDEN


@settings(max_examples=tries(60), suppress_health_check=list(HealthCheck))
@given(st.one_of(programs(), marked_graphs()))
def test_a_program_comes_back(program: Program) -> None:
    assert unmarked(read_program(render_program(program))) == unmarked(program)
    check_program(program)


HEAD = "program p at 1000 per s\nresource u 1 oldest\n"
BODY = HEAD + "buffer gb 8\nloop i < 3\n  body 1\n    "
BAD = {
    BODY + "task busy on u busy 1": 'p:6:5: "busy" is a word of the text and cannot be a name',
    HEAD + "loop M < 3\n  body 1\n    task A on u busy 1": 'loop "M" must be named in lower case, such as m1',
    HEAD + "table lowest [1] 1\nseq": 'table "lowest" must have a name such as LEN, and no reserved word',
    "x": 'a program begins with a line such as "program tiny at 1000000000 per s"',
    "program p 3": 'p:1:1: expected "program NAME at TICKS per s"',
    "program p at 0 per s\nbody 1\n  task A on u busy 1": "program p: ticks per second must be positive, not 0",
    "program p at 1 per s\nresource u 1 newest": (
        'p:2:1: expected "resource NAME COUNT ORDER", ORDER one of oldest, static, fifo'
    ),
    HEAD + "loop i 3\n  body 1": (
        'p:3:1: expected "loop RANK < BOUND", "seq", "par" or "body IN_FLIGHT", got "loop i 3"'
    ),
    HEAD + "loop i < 3\n": "p:3:1: expected loop, seq, par or body at 2 blanks of indent",
    HEAD + " seq": "p:3:2: a level is two blanks and there are at most 64; found 1 blanks",
    HEAD + "seq\nseq": "p:4:1: a program has one tree; put several under seq or par",
    HEAD + "loop i < 3*\n  body 1\n    task A on u busy 1": "p:3:12: found the end of the text, expected an index",
    BODY + "tusk A on u busy 1": (
        'p:6:5: expected "task NAME on RESOURCE ...", got "tusk A on u busy 1"; did you mean "task"?'
    ),
    BODY + "task A on u": 'p:6:5: a task needs "on" with its resources and either "busy" or "moves"',
    BODY + "task A on u busy 1 busy 2": 'p:6:5: "busy" stands twice in one task',
    BODY + "task A on u:x busy 1": 'p:6:5: expected an integer, got "x"',
    BODY + "task A on v busy 1": 'task A: unknown resource "v"; known: u',
    BODY + "task A on u:2 busy 1": "task A claims 2 of u, which has 1",
    BODY + "task A on u busy 0": "task A: busy must be at least 1, not 0",
    BODY + "task A on u busy j": 'task A: unknown loop "j"; known: i',
    BODY + "task A on u busy N": 'task A: "N" must be a number in a program',
    BODY + "task A on u busy T[i]": 'task A: unknown table "T"',
    BODY + "task A on u moves 3": "task A moves bytes, so one of its resources must have a rate",
    BODY + "task A on u busy 1 after B": 'task A: after: unknown task "B"; known: A',
    BODY + "task A on u busy 1 after A i:-1": "task A waits for A of a later iteration: distance [-1] by ['i']",
    BODY + "task A on u busy 1 after C\n    task B on u busy 1 after A\n    task C on u busy 1 after B": (
        "tasks of one iteration wait for each other in a circle: A -> B -> C -> A"
    ),
    BODY
    + "task A on u busy 1 after B\n    task B on u busy 1": "task A must stand behind B, whose result it waits for",
    BODY + "task A on u busy 1\n    task A on u busy 1": 'there are two tasks named "A"',
    BODY + "task A on u busy 1 holds gb 9 of i": "task A: holds gb: a tile has 9 B, the buffer 8 B",
    BODY + "task A on u busy 1 holds gc 9 of i": 'task A: unknown buffer "gc"; known: gb',
    BODY + "task A on u busy 1 holds gb 1 of i\n    task B on u busy 1 holds gb 1 of i": (
        "buffer gb has 2 writers; say pool if they share it"
    ),
    "program p at 1 per s\nresource u 1 static A\nbody 1\n  task A on u busy 1\n  task B on u busy 1": (
        "resource u: its static order misses task B"
    ),
    "program p at 1 per s\nresource u 1 static A\npar\n  body 1\n    task A on u busy 1\n  seq\n    loop i < 2\n"
    "      body 1\n        task B on u busy 1": "resource u: its static order misses task B",
    "program p at 1 per s\nresource u 1 static A B\npar\n  body 1\n    task A on u busy 1\n  body 1\n"
    "    task B on u busy 1": ("resource u has a static order, so only one child of a par may claim it"),
    "program p at 1 per s\ntable T [2,2] 1 2 3\nseq": "table T: shape [2, 2] needs 4 values, got 3",
    "program p at 1 per s\nloop i < 2\n  seq\n    loop i < 2\n      body 1\n        task A on u busy 1": (
        'there are two loops named "i"'
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_not_a_program_is_refused(text: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        read_program(text, "p")
    assert str(caught.value) == BAD[text]


def test_comments_and_empty_lines_mean_nothing() -> None:
    text = ALL.replace("\n", "   # words\n\n")
    assert unmarked(read_program(text)) == unmarked(read_program(ALL))


def test_ticks_are_exact() -> None:
    assert read_program(ALL).ticks_per_s == Fraction(2_500_000_000, 3)


GOLDEN = """\
program attention at 940000000 per s
resource pe2d 1 static QK LM SLN+2 SLD+2 SLNV+2
resource pe1d 1 static RM PRM SPD SPNV RD RNV
loop m1 < 3
  loop p1 < 2
    body 4
      task QK on pe2d busy 64
      task LM on pe2d busy 1 latency 256 after QK
      task RM on pe1d busy 1 after LM, RM m1:1
      task SLN on pe2d busy 7 after QK, RM
      task SLD on pe2d busy 1 after SLN
      task SLNV on pe2d busy 64 after SLN
      task PRM on pe1d busy 7 after RM, RM m1:1
      task SPD on pe1d busy 1 after PRM, RD m1:1
      task RD on pe1d busy 1 after SLD, SPD
      task SPNV on pe1d busy 64 after PRM, RNV m1:1
      task RNV on pe1d busy 64 after SLNV, SPNV
"""
