"""A stack of DRAM with multipliers: where they sit, how commands are spaced, what limits power."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, prod

from accelsim.errors import AccelsimError

DIMENSIONS = ("pseudo_channel", "rank", "bank_group", "bundle", "bank", "column")


@dataclass(frozen=True)
class Compute:
    """Multipliers for each burst that a MAC reads: they take `width_bytes` of operands every `cycles` cycles."""

    width_bytes: int
    cycles: int


@dataclass(frozen=True)
class Level:
    """Where the multipliers sit: which dimensions of a channel they divide, and which commands walk through.

    Attributes:
        head_dim, length: dimensions that divide the head dimension and the positions.
        walk: dimensions that commands walk through, the last fastest.
        spacing: cycles between MACs of a channel, of a rank, of a bank group.
        moves: of each kind of move the dimensions whose parts it serves one after another, the last fastest.
        queue: places for the processor's requests to banks that no MAC reads; None where MACs need the ordinary path.
        inputs: who hears a move of inputs of a matrix product: the channel, or the whole stack.
        read_path, move_path: steps, of those that have an energy, from a cell to the multipliers, and of a move.
        multiply_pj: energy of a product and its sum, by bytes of an element; None is not known.
    """

    head_dim: tuple[str, ...]
    length: tuple[str, ...]
    walk: tuple[str, ...]
    spacing: tuple[int, int, int]
    compute: Compute
    moves: Mapping[str, tuple[str, ...]]
    queue: int | None
    inputs: str
    read_path: tuple[str, ...]
    move_path: tuple[str, ...]
    multiply_pj: Mapping[int, Fraction | None]


@dataclass(frozen=True)
class Power:
    """A bucket of tokens: `refill` a cycle up to `most`; a MAC and an activation take theirs.

    Attributes:
        mac: of a MAC of one query; `query` of each further one.
        burst, row: of a burst that a processor reads or writes, and of its activation of one bank.
    """

    refill: int
    most: int
    mac: int
    query: int
    activate: int
    burst: int = 0
    row: int = 0


@dataclass(frozen=True)
class Softmax:
    """The one softmax unit of a stack: elements a cycle, and how often it passes over a row of scores."""

    per_cycle: int
    passes: int


@dataclass(frozen=True)
class Energy:
    """What commands cost, and a stack at rest; None is not known.

    Attributes:
        activate_pj: of a row of one bank, with its precharge.
        step_pj_per_bit: of each step of the ways that data take.
        ordinary_path: steps from a cell to a processor, there and back.
        outside_path: steps of queries and results outside the stack.
        softmax_pj: of a score.
        refresh_pj: of a pseudo-channel.
    """

    source: str
    activate_pj: Fraction | None
    step_pj_per_bit: Mapping[str, Fraction | None]
    ordinary_path: tuple[str, ...]
    outside_path: tuple[str, ...]
    softmax_pj: Fraction | None
    refresh_pj: Fraction | None
    background_mw: Fraction | None


NO_LIMIT = Power(refill=0, most=0, mac=0, query=0, activate=0)


@dataclass(frozen=True)
class Stack:
    """A stack at one level under one set of rules. Timings are cycles of `period_ps`.

    Attributes:
        sizes: parts of each dimension of a channel, and its columns in bursts.
        rows: of a bank.
        window: commands of a channel that the controller sees at once.
        softmax: None where it takes no time.
        append: whether the last position is written first: K and V of the new token.
        processor_share: percent of the ordinary bandwidth that a processor asks for; it has the last set of banks for
            itself then. None: there is no processor.
        processor_writes: percent of its requests.
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
    energy: Energy
    processor_share: int | None = None
    processor_writes: int = 0

    @property
    def sets(self) -> int:
        """Sets of banks that a channel's commands open and close on their own."""
        return self.parts(name for name in self.level.walk if name != "column")

    @property
    def spaces(self) -> int:
        """Sets of banks that matrices may lie in."""
        return self.sets - (self.processor_share is not None)

    @property
    def banks_per_command(self) -> int:
        return self.parts(name for name in DIMENSIONS if name != "column") // self.sets

    def parts(self, names: Iterable[str]) -> int:
        """The product of the sizes of some dimensions."""
        return prod(self.sizes[name] for name in names)


def with_queries(stack: Stack, queries: int, name: str = "group") -> Stack:
    """The stack as MACs see it that multiply what they read with so many queries.

    The next MAC of a channel waits for the multipliers: cycles x ceil(queries x burst / width) lie between two.

    Raises:
        AccelsimError: led by the parameter's name: no queries, or a MAC that takes more tokens than there can be.
    """
    if queries < 1:
        raise AccelsimError(f"{name}: must be at least 1, got {queries}")
    level, power = stack.level, stack.power
    mac = power.mac + (queries - 1) * power.query
    if mac > power.most:
        raise AccelsimError(f"{name}: a MAC of {queries} queries takes {mac} tokens of power; at most {power.most} fit")
    busy = level.compute.cycles * ceil(queries * stack.burst_bytes / level.compute.width_bytes)
    spacing = (max(level.spacing[0], busy), *level.spacing[1:])
    return replace(stack, level=replace(level, spacing=spacing), power=replace(power, mac=mac))


def beside_processor(stack: Stack, share: int, writes: int = 0) -> Stack:
    """The stack with a processor that asks for `share` percent of the ordinary bandwidth, `writes` of it in writes.

    Raises:
        AccelsimError: MACs of that level need the ordinary path.
    """
    if stack.level.queue is None:
        raise AccelsimError("processor_share: the multipliers of this level read over the processor's own path")
    return replace(stack, processor_share=share, processor_writes=writes)
