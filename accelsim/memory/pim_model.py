"""A stack of DRAM with multipliers: where they sit, how commands are spaced, what limits power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

DIMENSIONS = ("pseudo_channel", "rank", "bank_group", "bank", "column")


@dataclass(frozen=True)
class Level:
    """Where the multipliers sit: which dimensions of a channel they divide, and which commands walk through.

    Attributes:
        head_dim, length: dimensions that divide the head dimension and the positions.
        walk: dimensions that commands walk through, the last fastest.
        spacing: cycles between MACs of a channel, of a rank, of a bank group.
        moves: of each kind of move the dimensions whose parts it serves one after another, the last fastest.
    """

    head_dim: tuple[str, ...]
    length: tuple[str, ...]
    walk: tuple[str, ...]
    spacing: tuple[int, int, int]
    moves: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Power:
    """A bucket of tokens: `refill` a cycle up to `most`; a MAC takes `mac`, an activation `activate`."""

    refill: int
    most: int
    mac: int
    activate: int


@dataclass(frozen=True)
class Softmax:
    """The one softmax unit of a stack: elements a cycle, and how often it passes over a row of scores."""

    per_cycle: int
    passes: int


NO_LIMIT = Power(refill=0, most=0, mac=0, activate=0)


@dataclass(frozen=True)
class Stack:
    """A stack at one level under one set of rules. Timings are cycles of `period_ps`.

    Attributes:
        sizes: parts of each dimension of a channel, and its columns in bursts.
        rows: of a bank.
        window: commands of a channel that the controller sees at once.
        softmax: None where it takes no time.
        append: whether the last position is written first: K and V of the new token.
    """

    period_ps: float
    channels: int
    sizes: Mapping[str, int]
    rows: int
    burst_bytes: int
    timings: Mapping[str, int]
    window: int
    results_per_move: int
    level: Level
    power: Power
    softmax: Softmax | None
    append: bool

    @property
    def sets(self) -> int:
        """Sets of banks that a channel's commands open and close on their own."""
        return self.parts(name for name in self.level.walk if name != "column")

    @property
    def banks_per_command(self) -> int:
        return self.parts(name for name in DIMENSIONS if name != "column") // self.sets

    def parts(self, names: Iterable[str]) -> int:
        """The product of the sizes of some dimensions."""
        return prod(self.sizes[name] for name in names)
