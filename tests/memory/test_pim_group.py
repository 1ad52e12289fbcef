"""Queries that share K and V: a read for all of them, multiplications for each, moves and softmax for each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.memory import pim_channel
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_model import Compute, Stack, with_queries
from accelsim.memory.pim_run import gaps, issue, run_attention
from accelsim.memory.pim_stream import Attention, channel_commands, softmax_cycles

LEVELS = ("bank", "bank-group", "buffer")


def stack_of(level: str, rules: str = "released", *, power_limit: bool = True) -> Stack:
    return load_stack("HBM3-PIM", level, rules, power_limit=power_limit)


@pytest.mark.parametrize("rules", ["released", "corrected"])
@pytest.mark.parametrize("level", LEVELS)
def test_one_query_leaves_the_stack_as_it_is(level: str, rules: str) -> None:
    assert with_queries(stack_of(level, rules), 1) == stack_of(level, rules)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("group", [1, 2, 8])
def test_a_group_reads_once_and_moves_for_each_query(level: str, group: int) -> None:
    one, more = (run_attention(stack_of(level), Attention(20, 500, 128, 2, size)).counts for size in (1, group))
    for name in ("MAC", "softmax", "append"):
        assert more[name] == one[name]
    for name in ("query", "scores", "weights", "outputs"):
        assert more[name] == group * one[name] > 0


@settings(max_examples=15)
@given(st.sampled_from(LEVELS), st.booleans(), st.sampled_from([1, 33]), st.integers(1, 400), st.integers(2, 9))
def test_a_group_takes_more_than_one_query_and_no_more_than_as_many_pairs(
    level: str, limited: bool, pairs: int, length: int, group: int
) -> None:
    """Pairs that share nothing: one after the other, each begun when the last move of the one before is through.

    Refreshes are left out: runs begin just after one, so that short ones have none.
    """
    stack = stack_of(level, power_limit=limited)
    stack = replace(stack, timings={**stack.timings, "nREFI": 1 << 30})
    one, shared = (run_attention(stack, Attention(pairs, length, 128, 2, size)) for size in (1, group))
    assert one.cycles <= shared.cycles <= group * (one.cycles + stack.timings["nCCDL"])
    multiplying = group * stack.level.compute.cycles * (shared.counts["MAC"] - 1)
    assert shared.cycles > multiplying


@pytest.mark.parametrize("group", [2, 16])
def test_long_runs_of_banks_have_the_rate_of_the_closed_form(group: int) -> None:
    """A row: 32 reads 4 x group apart, and between rows whatever takes longer, the last product or close and open.

    The window holds the moves of all queries: 33 commands would stop MACs behind them, for 3% of the time with 16.
    """
    stack = replace(stack_of("bank", power_limit=False), window=200)
    run = run_attention(stack, Attention(192, 2048, 128, 2, group))
    row = 31 * 4 * group + max(8 + 19 + 19, 4 * group)
    assert run.counts["MAC"] / run.cycles == pytest.approx(32 / row * (1 - 456 / 5070), rel=0.015)


def test_enough_multipliers_leave_a_group_as_quick_as_its_reads() -> None:
    stack = stack_of("bank-group", power_limit=False)
    wide = replace(stack, level=replace(stack.level, compute=Compute(8 * 32, 4)), window=200)
    assert [with_queries(wide, group).level.spacing[0] for group in (1, 8, 9, 16, 17)] == [4, 4, 8, 8, 12]
    one, eight = (run_attention(wide, Attention(64, 1024, 128, 2, group)).cycles for group in (1, 8))
    assert one <= eight <= 1.05 * one
    assert run_attention(stack, Attention(64, 1024, 128, 2, 8)).cycles > 7 * one


def test_softmax_passes_over_the_scores_of_all_queries() -> None:
    stack = stack_of("bank", "corrected")
    one, four = (
        channel_commands(stack, Attention(16, 1000, 128, 2, group), (1000,), sharers=16)[:, -1] for group in (1, 4)
    )
    assert (one.max(), four.max()) == (softmax_cycles(stack, 1000, 16), softmax_cycles(stack, 4000, 16))
    assert four.max() == 4 * one.max() == 4 * 3 * 16 * 1000 // 128


@pytest.mark.parametrize("rules", ["released", "corrected"])
@pytest.mark.parametrize("level", LEVELS)
def test_the_kernel_does_what_the_channel_says_of_groups(level: str, rules: str) -> None:
    stack, work = with_queries(stack_of(level, rules), 3), Attention(40, 30, 100, 2, 3)
    commands = channel_commands(stack, work, (30, 30, 20), sharers=16)
    cycles, log = issue(stack, commands)
    assert (cycles, [tuple(line) for line in log.tolist()]) == pim_channel.run(stack, commands, gaps(stack))


def test_no_queries_are_refused() -> None:
    with pytest.raises(AccelsimError, match="group: must be at least 1, got 0"):
        run_attention(stack_of("bank"), Attention(1, 1, 1, 2, 0))
