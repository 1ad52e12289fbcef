"""Decode attention as the commands of one channel: which columns its multipliers read, and what moves beside them.

Commands are lines of integers: kind, set of banks and row of a MAC, rank and bank group that it occupies, purpose. Bank
groups are counted over all ranks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory.model import Integers
from accelsim.memory.pim import Stack
from accelsim.memory.pim_kernel import (
    APPEND,
    BARRIER,
    FIELDS,
    GROUP,
    KIND,
    MOVE,
    PURPOSE,
    RANK,
    ROW,
    SET,
    SOFTMAX,
    WEIGHTS,
)

PURPOSES = ("MAC", "query", "scores", "softmax", "weights", "outputs", "append", "barrier")
KINDS = {"softmax": SOFTMAX, "weights": WEIGHTS}  # all other moves are plain
MOST_COMMANDS = 1 << 25
NONE: Integers = np.zeros((0, FIELDS), np.int64)


@dataclass(frozen=True)
class Attention:
    """Decode attention on a stack: `pairs` of head and request, a query each against `length` positions."""

    pairs: int
    length: int
    head_dim: int
    element_bytes: int


class Block(NamedTuple):
    """MACs up to a barrier, and the moves of their results. Appends stand before a barrier of their own."""

    macs: Integers
    results: Integers


def channel_commands(stack: Stack, work: Attention) -> Integers:
    """The commands of the channel with the most pairs, in order, [commands][FIELDS].

    Pairs are dealt to the channels in turn, each wholly in one. Those of a channel are taken by twos, so that softmax
    of one runs beside the MACs of the other: score a, score b, context a, context b. An odd one runs alone. Source: the
    trace generators of AttAcc (ASPLOS 2024).

    Raises:
        AccelsimError: elements that do not fit a burst, or more than 2**25 MACs.
    """
    if stack.burst_bytes % work.element_bytes:
        raise AccelsimError(f"bytes: must divide a burst of {stack.burst_bytes} bytes, got {work.element_bytes}")
    pairs = ceil(work.pairs / stack.channels)
    macs = 2 * pairs * _Pair(stack, work, 0).reads
    if macs > MOST_COMMANDS:
        raise AccelsimError(f"pairs: {macs} MACs of a channel; at most {MOST_COMMANDS} are supported")
    return np.concatenate(list(_channel(stack, work, pairs)))


def _channel(stack: Stack, work: Attention, pairs: int) -> Iterator[Integers]:
    for first in range(0, pairs, 2):
        twos = [_Pair(stack, work, number) for number in range(first, min(first + 2, pairs))]
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


class _Pair:
    """The commands of the pair that is `number` of its channel; its K, then its V, begin at rows of their own."""

    def __init__(self, stack: Stack, work: Attention, number: int) -> None:
        self.stack = stack
        lanes = stack.burst_bytes // work.element_bytes
        self.bursts = ceil(work.head_dim / (stack.parts(stack.level.head_dim) * lanes))
        self.positions = ceil(work.length / stack.parts(stack.level.length))
        self.weight_bursts = ceil(self.positions / lanes)
        self.reads = self.bursts * self.positions  # of K, and as many of V
        self.rows = ceil(self.reads / stack.parts(stack.level.walk))
        self.first_row = 2 * number * self.rows

    def query(self) -> Integers:
        return self._moves("query", self.bursts)

    def score(self) -> list[Block]:
        """Q x K, position by position; results move when as many as fill a burst are there."""
        gathered = self.stack.results_per_move
        steps = ((first, min(first + gathered, self.positions)) for first in range(0, self.positions, gathered))
        blocks = [self._block(self.first_row, a * self.bursts, b * self.bursts, "scores") for a, b in steps]
        return [*blocks[:-1], self._appended(blocks[-1], self.bursts)]

    def softmax(self) -> Integers:
        return _line("softmax", 0, 0)

    def weights(self) -> Integers:
        return self._moves("weights", self.weight_bursts)

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
        return Block(self._macs(row, np.arange(first, end)), self._moves(results, 1))

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
    return np.array([[kind, 0, 0, rank, group, PURPOSES.index(purpose)]], np.int64)


BETWEEN = _line("barrier", 0, 0)
