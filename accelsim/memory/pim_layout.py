"""A matrix laid over the banks of a channel: which commands read it, and what moves beside them.

Commands are lines of integers: kind, set of banks and row of a MAC, rank and bank group that it occupies, purpose,
cycles of a softmax. Bank groups are counted over all ranks.
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
from accelsim.memory.pim_kernel import BARRIER, FIELDS, GROUP, MOVE, RANK, ROW, SET, SOFTMAX, WEIGHTS
from accelsim.memory.pim_model import Stack

PURPOSES = ("MAC", "query", "scores", "softmax", "weights", "outputs", "append", "barrier")
KINDS = {"softmax": SOFTMAX, "weights": WEIGHTS, "barrier": BARRIER}  # all others are plain moves
MOST_COMMANDS = 1 << 25
NONE: Integers = np.zeros((0, FIELDS), np.int64)


class Block(NamedTuple):
    """MACs up to a barrier, and the moves of their results. Appends stand before a barrier of their own."""

    macs: Integers
    results: Integers


@dataclass(frozen=True)
class Matrix:
    """`length` vectors of `depth` elements in the banks of a channel; MACs multiply them with `queries` vectors."""

    stack: Stack
    length: int
    depth: int
    element_bytes: int
    queries: int

    @property
    def lanes(self) -> int:
        return self.stack.burst_bytes // self.element_bytes

    @property
    def bursts(self) -> int:
        """Of a vector in each of the parts that it is divided over."""
        return ceil(self.depth / (self.stack.parts(self.stack.level.head_dim) * self.lanes))

    @property
    def positions(self) -> int:
        """Vectors in each of the parts that they are divided over."""
        return ceil(self.length / self.stack.parts(self.stack.level.length))

    @property
    def reads(self) -> int:
        """MACs that read all of it."""
        return self.bursts * self.positions

    @property
    def rows(self) -> int:
        return ceil(self.reads / (self.stack.sizes["column"] * self.stack.spaces))

    def times_vectors(self, first_row: int) -> list[Block]:
        """Each vector of it times the queries; results move when as many as fill a burst are there."""
        gathered = self.stack.results_per_move
        steps = ((first, min(first + gathered, self.positions)) for first in range(0, self.positions, gathered))
        return [self._block(first_row, a * self.bursts, b * self.bursts, "scores") for a, b in steps]

    def summed(self, first_row: int) -> list[Block]:
        """Its vectors, each with a weight, added up: lanes by lanes, which give their sums when they have seen all."""
        each = self.positions
        return [self._block(first_row, at * each, (at + 1) * each, "outputs") for at in range(self.bursts)]

    def vectors(self) -> Integers:
        """The queries, moved to the multipliers."""
        return self.moves("query", self.queries * self.bursts)

    def inputs(self) -> Integers:
        """The queries, moved to the multipliers of every channel: by each for itself, or a share by each for all."""
        if self.stack.level.inputs == "channel":
            return self.vectors()
        sizes, each = self.stack.sizes, self.stack.channels * self.stack.sizes["pseudo_channel"]
        bursts = ceil(self.queries * self.depth * self.element_bytes / (each * self.stack.burst_bytes))
        groups = [line("query", 0, group) for group in range(sizes["bank_group"])]
        return np.tile(np.concatenate(groups), (ceil(bursts / len(groups)), 1))[:bursts]

    def weights(self) -> Integers:
        """A weight of each vector for each of the queries, moved to the multipliers."""
        return self.moves("weights", self.queries * ceil(self.positions / self.lanes))

    def moves(self, purpose: str, each: int) -> Integers:
        """So many moves to each of the parts that the level names."""
        names, sizes = self.stack.level.moves[purpose], self.stack.sizes
        lines = []
        for parts in product(*(range(sizes[name]) for name in names)):
            place = dict(zip(names, parts, strict=True))
            rank = place.get("rank", 0)
            lines.append(line(purpose, rank, rank * sizes["bank_group"] + place.get("bank_group", 0)))
        return np.repeat(np.concatenate(lines), each, axis=0)

    def _block(self, row: int, first: int, end: int, results: str) -> Block:
        return Block(self._macs(row, np.arange(first, end)), self.moves(results, self.queries))

    def _macs(self, row: int, number: Integers) -> Integers:
        """The MACs that read the bursts of those numbers, in the order in which commands walk."""
        sizes, sets = self.stack.sizes, 1
        place = dict.fromkeys(sizes, np.zeros_like(number))
        found = np.zeros((len(number), FIELDS), np.int64)
        found[:, ROW], number = self._row_and_rest(row, number)
        for name in reversed(self.stack.level.walk):
            number, place[name] = np.divmod(number, sizes[name])
            if name != "column":
                found[:, SET] += place[name] * sets
                sets *= sizes[name]
        found[:, RANK] = place["rank"]
        found[:, GROUP] = place["rank"] * sizes["bank_group"] + place["bank_group"]
        return found

    def _row_and_rest(self, row: int, number: Integers) -> tuple[Integers, Integers]:
        """Rows, and the places in them: of all sets of banks, or of all but the last, which a processor has."""
        rows, rest = np.divmod(number, self.stack.sizes["column"] * self.stack.spaces)
        return row + rows, rest


def in_step(blocks: Sequence[Block], beside: Integers = NONE, late: Integers = NONE) -> Iterator[Integers]:
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


def line(purpose: str, rank: int, group: int) -> Integers:
    """A command that reads no cells."""
    return np.array([[KINDS.get(purpose, MOVE), 0, 0, rank, group, PURPOSES.index(purpose), 0]], np.int64)


BETWEEN = line("barrier", 0, 0)


def check_elements(stack: Stack, element_bytes: int) -> None:
    """Raise AccelsimError for elements of which a burst does not hold whole ones."""
    if stack.burst_bytes % element_bytes:
        raise AccelsimError(f"bytes: must divide a burst of {stack.burst_bytes} bytes, got {element_bytes}")


def check_macs(name: str, macs: int) -> None:
    """Raise AccelsimError, led by a parameter's name, for more MACs of a channel than are supported."""
    if macs > MOST_COMMANDS:
        raise AccelsimError(f"{name}: {macs} MACs of a channel; at most {MOST_COMMANDS} are supported")
