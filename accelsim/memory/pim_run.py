"""Run a stack: the commands of its channels, issued, and what that took; decode attention first of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.errors import AccelsimError, nearest
from accelsim.memory import pim_kernel as kernel
from accelsim.memory.model import Integers
from accelsim.memory.pim_channel import write_to_close, write_to_read
from accelsim.memory.pim_deal import DEALS, Lengths
from accelsim.memory.pim_layout import NONE, PURPOSES
from accelsim.memory.pim_model import Stack, with_queries
from accelsim.memory.pim_stream import Job, channel_commands

NO_LOG: Integers = np.zeros((0, 4), np.int64)
ROW_COMMANDS = {kernel.ACT: "ACT", kernel.PRE: "PRE", kernel.PREA: "PREA", kernel.REF: "REF"}


@dataclass(frozen=True)
class ChannelRun:
    """What a channel did for matrices of those lengths: cycles to its last command, and how often each command."""

    lengths: tuple[int, ...]
    cycles: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Run:
    """What a stack did: its channels, and the log of the slowest, lines as `pim_kernel.run` has them."""

    channels: tuple[ChannelRun, ...]
    log: Integers

    @property
    def slowest(self) -> ChannelRun:
        return max(self.channels, key=lambda channel: channel.cycles)

    @property
    def cycles(self) -> int:
        """Cycles of the stack, which are those of its slowest channel."""
        return self.slowest.cycles

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each command was issued to the slowest channel."""
        return self.slowest.counts


def run_attention(stack: Stack, work: Job, deal: str = "in-turn") -> Run:
    """Issue the commands of all channels; channels whose pairs have the same lengths do the same.

    Args:
        deal: how pairs come to channels, a key of `pim_deal.DEALS`.

    Raises:
        AccelsimError: no such deal or group, elements that do not fit a burst, pairs that do not fit a channel, or more
            than 2**25 MACs of one.
    """
    if deal not in DEALS:
        raise AccelsimError(f'deal: there is no "{deal}"{nearest(deal, DEALS)}')
    stack = with_queries(stack, work.group)
    dealt = DEALS[deal](work.lengths, stack.channels)
    sharers = sum(1 for lengths in dealt if lengths)
    return run_channels(stack, dealt, lambda lengths: channel_commands(stack, work, lengths, sharers))


def run_channels(stack: Stack, dealt: Sequence[Lengths], commands_of: Callable[[Lengths], Integers]) -> Run:
    """Issue the commands of all channels, those that have the same lengths once.

    Args:
        commands_of: the commands of a channel that has some.
    """
    found: dict[Lengths, ChannelRun] = {(): ChannelRun((), 0, count_commands(NONE, NO_LOG))}
    slowest, kept = 0, NO_LOG
    for lengths in dict.fromkeys(each for each in dealt if each):
        commands = commands_of(lengths)
        cycles, log = issue(stack, commands)
        found[lengths] = ChannelRun(lengths, cycles, count_commands(commands, log))
        if cycles > slowest:
            slowest, kept = cycles, log
    return Run(tuple(found[lengths] for lengths in dealt), kept)


def count_commands(commands: Integers, log: Integers) -> Mapping[str, int]:
    """How often each purpose stands in the list of commands, and each row command in the log of what was issued."""
    purposes = np.bincount(commands[:, kernel.PURPOSE], minlength=len(PURPOSES)).tolist()
    issued = np.bincount(log[:, 1], minlength=kernel.REF + 1).tolist()
    return {**dict(zip(PURPOSES, purposes, strict=True)), **{name: issued[at] for at, name in ROW_COMMANDS.items()}}


def issue(stack: Stack, commands: Integers) -> tuple[int, Integers]:
    """The cycles that a channel takes for its commands, and what it issued when: lines as `pim_kernel.run` has them."""
    cycles, log = kernel.run(commands, _rules(stack), np.array(gaps(stack), np.int64))
    return int(cycles), log


def gaps(stack: Stack) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Cycles between two MACs and between two moves: of a channel, of a rank, of a bank group."""
    timings = stack.timings
    return stack.level.spacing, (timings["nBL"], timings["nCCDS"], timings["nCCDL"])


def _rules(stack: Stack) -> Integers:
    rules = np.zeros(kernel.RULES, np.int64)
    timings, power = stack.timings, stack.power
    rules[kernel.NRCD], rules[kernel.NRP], rules[kernel.NRAS] = timings["nRCD"], timings["nRP"], timings["nRAS"]
    rules[kernel.NRC], rules[kernel.NRTP] = timings["nRC"], timings["nRTP"]
    rules[kernel.NREFI], rules[kernel.NRFC] = timings["nREFI"], timings["nRFC"]
    rules[kernel.WINDOW], rules[kernel.SETS] = stack.window, stack.sets
    rules[kernel.PARTS] = stack.sizes["pseudo_channel"]
    rules[kernel.REFILL], rules[kernel.MOST] = power.refill, power.most
    rules[kernel.MAC_TOKENS], rules[kernel.ACT_TOKENS] = power.mac, power.activate
    rules[kernel.NWTM], rules[kernel.NWTP] = write_to_read(stack), write_to_close(stack)
    return rules
