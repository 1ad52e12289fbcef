"""Decode attention as the commands of one channel: which columns its multipliers read, and what moves beside them.

Commands are lines of integers: kind, set of banks and row of a MAC, rank and bank group that it occupies, purpose,
cycles of a softmax. Bank groups are counted over all ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, product
from math import ceil
from typing import NamedTuple

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory.model import Integers
from accelsim.memory.pim_kernel import (
    APPEND,
    BARRIER,
    FIELDS,
    GROUP,
    KIND,
    LASTS,
    MOVE,
    PURPOSE,
    RANK,
    ROW,
    SET,
    SOFTMAX,
    WEIGHTS,
)
from accelsim.memory.pim_model import Stack

PURPOSES = ("MAC", "query", "scores", "softmax", "weights", "outputs", "append", "barrier")
KINDS = {"softmax": SOFTMAX, "weights": WEIGHTS}  # all other moves are plain
MOST_COMMANDS = 1 << 25
NONE: Integers = np.zeros((0, FIELDS), np.int64)


@dataclass(frozen=True)
class Attention:
    """Decode attention on a stack: `pairs` of head and request, each K and V of `length` positions.

    Attributes:
        group: query heads that share the K and V of a pair (GQA, MQA).
    """

    pairs: int
    length: int
    head_dim: int
    element_bytes: int
    group: int = 1

    @property
    def lengths(self) -> tuple[int, ...]:
        return (self.length,) * self.pairs


@dataclass(frozen=True)
class RaggedAttention:
    """Decode attention of pairs that attend to different numbers of positions."""

    lengths: tuple[int, ...]
    head_dim: int
    element_bytes: int
    group: int = 1


Job = Attention | RaggedAttention


class Block(NamedTuple):
    """MACs up to a barrier, and the moves of their results. Appends stand before a barrier of their own."""

    macs: Integers
    results: Integers


def channel_commands(stack: Stack, work: Job, lengths: Sequence[int], sharers: int) -> Integers:
    """The commands of a channel that holds pairs of those lengths, in order, [commands][FIELDS].

    Pairs are taken by twos, so that softmax of one runs beside the MACs of the other: score a, score b, context a,
    context b. An odd one runs alone. Source: the trace generators of AttAcc (ASPLOS 2024).

    Args:
        sharers: channels that share the softmax unit.

    Raises:
        AccelsimError: elements that do not fit a burst, K and V that do not fit the channel, more than 2**25 MACs.
    """
    if stack.burst_bytes % work.element_bytes:
        raise AccelsimError(f"bytes: must divide a burst of {stack.burst_bytes} bytes, got {work.element_bytes}")
    pairs = _placed(stack, work, lengths, sharers)
    macs = 2 * sum(pair.reads for pair in pairs)
    if macs > MOST_COMMANDS:
        raise AccelsimError(f"pairs: {macs} MACs of a channel; at most {MOST_COMMANDS} are supported")
    return np.concatenate([NONE, *_channel(pairs)])


def softmax_cycles(stack: Stack, scores: int, sharers: int) -> int:
    """Cycles from the command to the first weight: each channel has an equal share of the stack's one unit."""
    return stack.softmax.passes * ceil(scores * sharers / stack.softmax.per_cycle) if stack.softmax else 0


def _placed(stack: Stack, work: Job, lengths: Sequence[int], sharers: int) -> list[_Pair]:
    """The pairs of a channel, each in rows of its own behind those of the one before."""
    softmax = {length: softmax_cycles(stack, work.group * length, sharers) for length in set(lengths)}
    shapes = {length: _Pair(stack, work, length, 0, cycles) for length, cycles in softmax.items()}
    ends = list(accumulate((2 * shapes[length].rows for length in lengths), initial=0))
    if ends[-1] > stack.rows:
        raise AccelsimError(
            f"length: K and V of the {len(lengths)} pairs of a channel need {ends[-1]} rows of each bank, and there "
            f"are {stack.rows}"
        )
    return [replace(shapes[length], first_row=row) for length, row in zip(lengths, ends, strict=False)]


def _channel(pairs: Sequence[_Pair]) -> Iterator[Integers]:
    for first in range(0, len(pairs), 2):
        twos = pairs[first : first + 2]
        yield twos[0].query()
        yield BETWEEN
        yield from _alone(*twos) if len(twos) == 1 else _together(*twos)


def _alone(one: _Pair) -> Iterator[Integers]:
    yield from _step(one.score())
    yield one.softmax()
    yield one.weights()
    yield BETWEEN
    yield from _step(one.context())


def _together(a: _Pair, b: _Pair) -> Iterator[Integers]:
    yield from _step(a.score(), b.query())
    yield from _step(b.score(), a.softmax(), a.weights())
    yield from _step(a.context(), b.softmax(), b.weights())
    yield from _step(b.context())


def _step(blocks: Sequence[Block], beside: Integers = NONE, late: Integers = NONE) -> Iterator[Integers]:
    """Blocks, each with the results of the one before it and a share of other moves; the last results follow.

    Args:
        beside: moves dealt out over all blocks.
        late: moves dealt out over their second half.
    """
    results, half = NONE, len(blocks) // 2
    for at, block in enumerate(blocks):
        yield block.macs
        yield results
        yield _share(beside, at, len(blocks))
        yield _share(late, at - half, len(blocks) - half)
        yield BETWEEN
        results = block.results
    yield results


def _share(moves: Integers, at: int, shares: int) -> Integers:
    each = ceil(len(moves) / shares)
    return moves[at * each : (at + 1) * each] if at >= 0 else NONE


@dataclass(frozen=True)
class _Pair:
    """The commands of a pair; its K begins at `first_row`, its V at a row of its own."""

    stack: Stack
    work: Job
    length: int
    first_row: int
    softmax_cycles: int

    @property
    def lanes(self) -> int:
        return self.stack.burst_bytes // self.work.element_bytes

    @property
    def bursts(self) -> int:
        return ceil(self.work.head_dim / (self.stack.parts(self.stack.level.head_dim) * self.lanes))

    @property
    def positions(self) -> int:
        return ceil(self.length / self.stack.parts(self.stack.level.length))

    @property
    def reads(self) -> int:
        """MACs of K, and as many of V."""
        return self.bursts * self.positions

    @property
    def rows(self) -> int:
        """Of K, and as many of V."""
        return ceil(self.reads / self.stack.parts(self.stack.level.walk))

    def query(self) -> Integers:
        return self._moves("query", self.work.group * self.bursts)

    def score(self) -> list[Block]:
        """Q x K, position by position; results move when as many as fill a burst are there."""
        gathered = self.stack.results_per_move
        steps = ((first, min(first + gathered, self.positions)) for first in range(0, self.positions, gathered))
        blocks = [self._block(self.first_row, a * self.bursts, b * self.bursts, "scores") for a, b in steps]
        return [*blocks[:-1], self._appended(blocks[-1], self.bursts)]

    def softmax(self) -> Integers:
        line = _line("softmax", 0, 0)
        line[:, LASTS] = self.softmax_cycles
        return line

    def weights(self) -> Integers:
        return self._moves("weights", self.work.group * ceil(self.positions / self.lanes))

    def context(self) -> list[Block]:
        """P x V, lanes of the head dimension by lanes; each gives its sums when it has seen all positions."""
        row, each = self.first_row + self.rows, self.positions
        blocks = [self._block(row, at * each, (at + 1) * each, "outputs") for at in range(self.bursts)]
        return [self._appended(block, 1) for block in blocks]

    def _appended(self, block: Block, count: int) -> Block:
        """The block whose last MACs read what is written first: a burst into each of the units that share it."""
        if not self.stack.append:
            return block
        before, new = block.macs[:-count], block.macs[-count:]
        writes = np.repeat(new, self.stack.parts(self.stack.level.head_dim), axis=0)
        writes[:, KIND], writes[:, PURPOSE] = APPEND, PURPOSES.index("append")
        return Block(np.concatenate((before, writes, BETWEEN, new)), block.results)

    def _block(self, row: int, first: int, end: int, results: str) -> Block:
        return Block(self._macs(row, np.arange(first, end)), self._moves(results, self.work.group))

    def _macs(self, row: int, number: Integers) -> Integers:
        """The MACs that read the bursts of those numbers, in the order in which commands walk."""
        sizes, sets = self.stack.sizes, 1
        place = dict.fromkeys(sizes, np.zeros_like(number))
        found = np.zeros((len(number), FIELDS), np.int64)
        for name in reversed(self.stack.level.walk):
            number, place[name] = np.divmod(number, sizes[name])
            if name != "column":
                found[:, SET] += place[name] * sets
                sets *= sizes[name]
        found[:, ROW], found[:, RANK] = row + number, place["rank"]
        found[:, GROUP] = place["rank"] * sizes["bank_group"] + place["bank_group"]
        return found

    def _moves(self, purpose: str, each: int) -> Integers:
        names, sizes = self.stack.level.moves[purpose], self.stack.sizes
        lines = []
        for parts in product(*(range(sizes[name]) for name in names)):
            place = dict(zip(names, parts, strict=True))
            rank = place.get("rank", 0)
            lines.append(_line(purpose, rank, rank * sizes["bank_group"] + place.get("bank_group", 0)))
        return np.repeat(np.concatenate(lines), each, axis=0)


def _line(purpose: str, rank: int, group: int) -> Integers:
    kind = BARRIER if purpose == "barrier" else KINDS.get(purpose, MOVE)
    return np.array([[kind, 0, 0, rank, group, PURPOSES.index(purpose), 0]], np.int64)


BETWEEN = _line("barrier", 0, 0)
