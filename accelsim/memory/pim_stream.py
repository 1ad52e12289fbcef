"""Decode attention as the commands of one channel: which columns its multipliers read, and what moves beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.memory.model import Integers
from accelsim.memory.pim_kernel import APPEND, KIND, LASTS, PURPOSE
from accelsim.memory.pim_layout import (
    BETWEEN,
    PURPOSES,
    Block,
    Matrix,
    check_elements,
    check_macs,
    in_step,
    line,
)
from accelsim.memory.pim_model import Stack


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


def channel_commands(stack: Stack, work: Job, lengths: Sequence[int], sharers: int) -> Integers:
    """The commands of a channel that holds pairs of those lengths, in order, [commands][FIELDS].

    Pairs are taken by twos, so that softmax of one runs beside the MACs of the other: score a, score b, context a,
    context b. An odd one runs alone. Source: the trace generators of AttAcc (ASPLOS 2024).

    Args:
        sharers: channels that share the softmax unit.

    Raises:
        AccelsimError: elements that do not fit a burst, K and V that do not fit the channel, more than 2**25 MACs.
    """
    check_elements(stack, work.element_bytes)
    pairs = _placed(stack, work, lengths, sharers)
    check_macs("pairs", 2 * sum(pair.matrix.reads for pair in pairs))
    return np.concatenate(list(_channel(pairs)))


def softmax_cycles(stack: Stack, scores: int, sharers: int) -> int:
    """Cycles from the command to the first weight: each channel has an equal share of the stack's one unit."""
    return stack.softmax.passes * ceil(scores * sharers / stack.softmax.per_cycle) if stack.softmax else 0


def _placed(stack: Stack, work: Job, lengths: Sequence[int], sharers: int) -> list[_Pair]:
    """The pairs of a channel, each in rows of its own behind those of the one before."""
    matrices = {length: Matrix(stack, length, work.head_dim, work.element_bytes, work.group) for length in set(lengths)}
    ends = list(accumulate((2 * matrices[length].rows for length in lengths), initial=0))
    if ends[-1] > stack.rows:
        raise AccelsimError(
            f"length: K and V of the {len(lengths)} pairs of a channel need {ends[-1]} rows of each bank, and there "
            f"are {stack.rows}"
        )
    softmax = {length: softmax_cycles(stack, work.group * length, sharers) for length in matrices}
    rows = zip(lengths, ends, strict=False)
    return [_Pair(matrices[length], first_row, softmax[length]) for length, first_row in rows]


def _channel(pairs: Sequence[_Pair]) -> Iterator[Integers]:
    for first in range(0, len(pairs), 2):
        twos = pairs[first : first + 2]
        yield twos[0].matrix.vectors()
        yield BETWEEN
        yield from _alone(*twos) if len(twos) == 1 else _together(*twos)


def _alone(one: _Pair) -> Iterator[Integers]:
    yield from in_step(one.score())
    yield one.softmax()
    yield one.matrix.weights()
    yield BETWEEN
    yield from in_step(one.context())


def _together(a: _Pair, b: _Pair) -> Iterator[Integers]:
    yield from in_step(a.score(), b.matrix.vectors())
    yield from in_step(b.score(), a.softmax(), a.matrix.weights())
    yield from in_step(a.context(), b.softmax(), b.matrix.weights())
    yield from in_step(b.context())


@dataclass(frozen=True)
class _Pair:
    """The commands of a pair; its K begins at `first_row`, its V, which is as large, behind it."""

    matrix: Matrix
    first_row: int
    softmax_cycles: int

    def score(self) -> list[Block]:
        """Q x K; the new key is the last."""
        blocks = self.matrix.times_vectors(self.first_row)
        return [*blocks[:-1], self._appended(blocks[-1], self.matrix.bursts)]

    def softmax(self) -> Integers:
        found = line("softmax", 0, 0)
        found[:, LASTS] = self.softmax_cycles
        return found

    def context(self) -> list[Block]:
        """P x V; each block reads some lanes of the new value at its end."""
        return [self._appended(block, 1) for block in self.matrix.summed(self.first_row + self.matrix.rows)]

    def _appended(self, block: Block, count: int) -> Block:
        """The block whose last MACs read what is written first: a burst into each of the units that share it."""
        stack = self.matrix.stack
        if not stack.append:
            return block
        before, new = block.macs[:-count], block.macs[-count:]
        writes = np.repeat(new, stack.parts(stack.level.head_dim), axis=0)
        writes[:, KIND], writes[:, PURPOSE] = APPEND, PURPOSES.index("append")
        return Block(np.concatenate((before, writes, BETWEEN, new)), block.results)
