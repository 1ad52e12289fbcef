"""Run decode attention on a stack: the commands of its busiest channel, issued, and what that took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from accelsim.memory import pim_kernel as kernel
from accelsim.memory.model import Integers
from accelsim.memory.pim import Stack
from accelsim.memory.pim_channel import write_to_close, write_to_read
from accelsim.memory.pim_stream import PURPOSES, Attention, channel_commands

ROW_COMMANDS = {kernel.ACT: "ACT", kernel.PRE: "PRE", kernel.PREA: "PREA", kernel.REF: "REF"}


@dataclass(frozen=True)
class Run:
    """What a channel issued: the cycles to its last command, the log, and how often each command."""

    cycles: int
    log: Integers
    counts: Mapping[str, int]


def run_attention(stack: Stack, work: Attention) -> Run:
    """Cycles of a stack, which are those of its channel with the most pairs.

    Raises:
        AccelsimError: elements that do not fit a burst, or more than 2**25 MACs.
    """
    commands = channel_commands(stack, work)
    cycles, log = issue(stack, commands, softmax_cycles(stack, work))
    counts = Counter(PURPOSES[purpose] for purpose in commands[:, kernel.PURPOSE].tolist())
    counts.update(ROW_COMMANDS[what] for what in log[:, 1].tolist() if what in ROW_COMMANDS)
    return Run(cycles, log, counts)


def softmax_cycles(stack: Stack, work: Attention) -> int:
    """Cycles from the command to the first weight: the stack's one unit passes over the scores of all channels."""
    scores = min(work.pairs, stack.channels) * work.length
    return stack.softmax.passes * ceil(scores / stack.softmax.per_cycle) if stack.softmax else 0


def issue(stack: Stack, commands: Integers, softmax: int) -> tuple[int, Integers]:
    """The cycles that a channel takes for its commands, and what it issued when: lines as `pim_kernel.run` has them."""
    cycles, log = kernel.run(commands, _rules(stack, softmax), np.array(gaps(stack), np.int64))
    return int(cycles), log


def gaps(stack: Stack) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Cycles between two MACs and between two moves: of a channel, of a rank, of a bank group."""
    timings = stack.timings
    return stack.level.spacing, (timings["nBL"], timings["nCCDS"], timings["nCCDL"])


def _rules(stack: Stack, softmax: int) -> Integers:
    rules = np.zeros(kernel.RULES, np.int64)
    timings, power = stack.timings, stack.power
    rules[kernel.NRCD], rules[kernel.NRP], rules[kernel.NRAS] = timings["nRCD"], timings["nRP"], timings["nRAS"]
    rules[kernel.NRC], rules[kernel.NRTP] = timings["nRC"], timings["nRTP"]
    rules[kernel.NREFI], rules[kernel.NRFC] = timings["nREFI"], timings["nRFC"]
    rules[kernel.WINDOW], rules[kernel.SETS] = stack.window, stack.sets
    rules[kernel.PARTS] = stack.sizes["pseudo_channel"]
    rules[kernel.REFILL], rules[kernel.MOST] = power.refill, power.most
    rules[kernel.MAC_TOKENS], rules[kernel.ACT_TOKENS] = power.mac, power.activate
    rules[kernel.NSOFTMAX] = softmax
    rules[kernel.NWTM], rules[kernel.NWTP] = write_to_read(stack), write_to_close(stack)
    return rules
