"""Run a stack: the commands of its channels, issued, and what that took; decode attention first of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from accelsim.errors import AccelsimError, nearest
from accelsim.memory import pim_kernel as kernel
from accelsim.memory.model import Integers
from accelsim.memory.pim_channel import Spacing, write_to_close, write_to_other_read, write_to_read
from accelsim.memory.pim_deal import DEALS, Lengths
from accelsim.memory.pim_layout import NONE, PURPOSES
from accelsim.memory.pim_model import Stack, with_queries
from accelsim.memory.pim_requests import reads_of_a_run
from accelsim.memory.pim_stream import Job, channel_commands

NO_LOG: Integers = np.zeros((0, 4), np.int64)
OF_A_SET = {kernel.ACT: "ACT", kernel.PRE: "PRE"}
OF_ALL = {kernel.PREA: "PREA", kernel.REF: "REF"}


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
    found: dict[Lengths, ChannelRun] = {(): ChannelRun((), 0, count_commands(stack, NONE, NO_LOG))}
    slowest, kept = 0, NO_LOG
    for lengths in dict.fromkeys(each for each in dealt if each):
        commands = commands_of(lengths)
        cycles, log = issue(stack, commands)
        found[lengths] = ChannelRun(lengths, cycles, count_commands(stack, commands, log))
        if cycles > slowest:
            slowest, kept = cycles, log
    return Run(tuple(found[lengths] for lengths in dealt), kept)


def count_commands(stack: Stack, commands: Integers, log: Integers) -> Mapping[str, int]:
    """How often each purpose stands in the list of commands, and each row command in the log of what was issued.

    With a processor also what it read and opened.
    """
    purposes = np.bincount(commands[:, kernel.PURPOSE], minlength=len(PURPOSES)).tolist()
    issued = np.bincount(log[:, 1], minlength=kernel.REF + 1).tolist()
    its = np.bincount(log[log[:, 2] >= stack.sets, 1], minlength=kernel.REF + 1).tolist()
    rows = {name: issued[at] - its[at] for at, name in OF_A_SET.items()}
    found = {**dict(zip(PURPOSES, purposes, strict=True)), **rows, **{name: issued[at] for at, name in OF_ALL.items()}}
    if stack.processor_share is None:
        return found
    return {
        **found,
        "processor RD": issued[kernel.FETCH],
        "processor WR": issued[kernel.STORE],
        "processor ACT": its[kernel.ACT],
    }


def issue(stack: Stack, commands: Integers, until: int = 0) -> tuple[int, Integers]:
    """The cycles that a channel takes for its commands, and what it issued when: lines as `pim_kernel.run` has them.

    Args:
        until: cycles that a processor goes on reading for, if commands are done before.
    """
    cycles, log = kernel.run(commands, _alike(commands), rules_of(stack, until), np.array(gaps(stack), np.int64))
    return int(cycles), log


def _alike(commands: Integers) -> Integers:
    """Of each command the number of the next that differs from it in kind or place."""
    places = commands[:, [kernel.KIND, kernel.SET, kernel.ROW, kernel.RANK, kernel.GROUP]]
    ends = np.append(np.flatnonzero((places[1:] != places[:-1]).any(axis=1)) + 1, len(commands))
    return ends[np.searchsorted(ends, np.arange(len(commands)), side="right")]


def gaps(stack: Stack) -> Spacing:
    """Cycles between two MACs, moves, reads and writes of a processor: of a channel, of a rank, of a bank group.

    To a read or a write its pseudo-channel is a rank: the channel takes one a cycle.
    """
    timings = stack.timings
    moves, reads = (timings["nBL"], timings["nCCDS"], timings["nCCDL"]), (1, timings["nCCDS"], timings["nCCDL"])
    return stack.level.spacing, moves, reads, reads


def rules_of(stack: Stack, until: int = 0) -> Integers:
    """What `pim_kernel.run` wants to know of a stack."""
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
    rules[kernel.PLACES] = stack.sizes["bank_group"] * max(stack.sizes["rank"], stack.sizes["pseudo_channel"])
    if stack.processor_share:
        rules[kernel.QUEUE] = stack.level.queue or 0
        rules[kernel.BURSTS] = stack.processor_share * stack.sizes["pseudo_channel"]
        rules[kernel.CYCLES] = 100 * max(timings["nBL"], timings["nCCDS"])
        rules[kernel.GROUPS], rules[kernel.BANKS] = stack.sizes["bank_group"], stack.sizes["bank"]
        rules[kernel.COLUMNS], rules[kernel.UNTIL] = stack.sizes["column"], until
        rules[kernel.BURST_TOKENS], rules[kernel.ROW_TOKENS] = power.burst, power.row
        rules[kernel.READS] = reads_of_a_run(stack)
        rules[kernel.NRTW], rules[kernel.NWTR] = timings["nRTW"], write_to_other_read(stack)
    return rules
