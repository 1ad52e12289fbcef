"""Rounds of chunks are leapt over: the same integers as chunk by chunk, and tiles of any number of chunks."""

from __future__ import annotations

import pytest

from accelsim.program.execute import execute
from accelsim.program.read import read_program
from tests.program.test_skip import same

SHARED = """
program shared at 1 per s
resource u 1 oldest
resource bus {count} {order} rate {rate}
body 1
  load A on bus moves {a} by {chunk}
  load B on bus moves {b} by 8
  load C on bus moves {c}
  task T on u busy 37 after C
  task V on u busy 5 latency 200 after B
  store D on bus moves {a} by 3 after T
"""


@pytest.mark.parametrize("order", ["oldest", "fifo"])
@pytest.mark.parametrize("rate", ["4", "7/3", "1/5", "1000/3"])
@pytest.mark.parametrize("count", [1, 2])
def test_transfers_that_take_turns(order: str, rate: str, count: int) -> None:
    for a, b, c, chunk in ((300, 500, 20, 8), (999, 100, 7, 5), (64, 64, 64, 8), (1000, 17, 900, 16)):
        same(read_program(SHARED.format(order=order, rate=rate, count=count, a=a, b=b, c=c, chunk=chunk)))


def test_what_ends_beside_them_is_not_passed() -> None:
    text = """
program beside at 1 per s
resource u 1 oldest
resource bus 1 oldest rate 2
buffer gb 700
loop i < 40
  body 2
    load A on bus moves 640 by 8 holds gb 640 of i for T
    load B on bus moves 90 by 4
    task T on u busy i+7 after A, B
    store C on bus moves 160 by 4 after T
"""
    same(read_program(text))


def test_chunks_shorter_than_a_tick() -> None:
    text = """
program short at 1 per s
resource w 2 oldest
resource bus 1 fifo rate 4
par
  loop a < 3
    loop c < 5
      body 4
        task A on w busy a+1 after B a:1 c=0
        store B on bus moves 80 by 3 after A c=0, B c:1
  loop b < 10
    body 3
      task C on w busy b+1 after D b:1
      store D on bus moves 80 by 3 after D b:1
"""
    same(read_program(text))


def test_a_chunk_on_another_channel_belongs_to_no_round() -> None:
    text = """
program other at 1 per s
resource u 1 oldest
resource near 1 oldest rate 1/6
resource far 1 oldest rate 2/15
body 1
  load A on near moves 32 by 4
  load B on far moves 320 by 8
  task T on u busy 100 after A, B
"""
    same(read_program(text))


def test_a_million_million_chunks() -> None:
    text = """
program endless at 1 per s
resource u 1 oldest
resource bus 1 oldest rate 3
body 1
  load A on bus moves 3000000000000 by 1
  load B on bus moves 1500000000000 by 1
  task T on u busy 10 after B
"""
    run = execute(read_program(text))
    assert run.ticks == 1_500_000_000_000
    assert run.busy == {"u": 10, "bus": 1_500_000_000_000}
    assert sum(run.path.values()) == run.ticks
