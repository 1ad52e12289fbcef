"""The requests of a processor beside the multipliers: when each comes, and what it reads or writes."""

from __future__ import annotations

from accelsim.memory.pim_kernel import (
    ARRIVAL,
    FETCH,
    FIELDS,
    GROUP,
    KIND,
    NUMBER,
    RANK,
    ROW,
    SET,
    STORE,
)
from accelsim.memory.pim_model import Stack


def arrival(stack: Stack, number: int) -> int:
    """The cycle in which the processor asks for the burst of that number: its share of the bursts, evenly spread."""
    share = stack.processor_share or 0
    each = 100 * max(stack.timings["nBL"], stack.timings["nCCDS"])
    return number * each // (share * stack.sizes["pseudo_channel"])


def reads_of_a_run(stack: Stack) -> int:
    """Of as many requests as a processor's queue has places, the reads that come before the writes."""
    return (stack.level.queue or 0) * (100 - stack.processor_writes) // 100


def request(stack: Stack, number: int) -> list[int]:
    """A read or a write of the processor, in runs: pseudo-channels by turns, then bank groups, columns, banks, rows."""
    rest, part = divmod(number, stack.sizes["pseudo_channel"])
    rest, group = divmod(rest, stack.sizes["bank_group"])
    row, bank = divmod(rest // stack.sizes["column"], stack.sizes["bank"])
    group += part * stack.sizes["bank_group"]
    line = dict.fromkeys(range(FIELDS), 0)
    line |= {KIND: FETCH if number % (stack.level.queue or 1) < reads_of_a_run(stack) else STORE}
    line |= {RANK: part, GROUP: group, SET: stack.sets + group * stack.sizes["bank"] + bank, ROW: row}
    line |= {ARRIVAL: arrival(stack, number), NUMBER: number}
    return list(line.values())
