"""A tile program as data: resources, buffers, tables and a tree of loops over tasks, all immutable.

Every number of a task may depend on the iteration: it is an index expression of the cascade language over the ranks
of the loops around it, `4*m1+1`, or a column of a table or of draws, `LEN[b]`. A condition is a predicate of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from accelsim.einsum.ast import IndexExpr, Int, Predicate
from accelsim.memory.bursts import Run
from accelsim.memory.setup import Setup

Order = Literal["oldest", "static", "fifo"]
ORDERS: tuple[Order, ...] = ("oldest", "static", "fifo")
Kind = Literal["task", "load", "store"]
KINDS: tuple[Kind, ...] = ("task", "load", "store")
ZERO = Int(0)


@dataclass(frozen=True)
class Table:
    """Integers keyed by coordinates; `values` in row-major order of `shape`. One column of a trace is one table."""

    name: str
    shape: tuple[int, ...]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """One of `choices`, equally likely (repeat one to weigh it): a pure function of seed, name and coordinates."""

    name: str
    seed: int
    choices: tuple[int, ...]


@dataclass(frozen=True)
class Places:
    """Where tiles lie in a DRAM, keyed by coordinates: stretches of bytes; `tiles` in row-major order of `shape`."""

    name: str
    shape: tuple[int, ...]
    tiles: tuple[tuple[Run, ...], ...]


@dataclass(frozen=True)
class Memory:
    """A DRAM whose commands are simulated; `period` ticks of the program are one of its own."""

    setup: Setup
    period: Fraction


@dataclass(frozen=True)
class Resource:
    """What tasks claim: `count` servers, ports or tokens.

    Attributes:
        order: who goes first: `oldest` by coordinates, then position in the body; `fifo` by the instant at which
            everything but resources and room was there; `static` strictly by the list.
        static: (task, stage) in the order of issue; stage 2 is the task of the iteration two earlier.
        rate: bytes per tick of each claim, where transfers run on it.
        memory: the DRAM that transfers go to instead: each claims it until all that it asks for is in the queues of
            the channels, and has its result when its last burst has passed.
    """

    name: str
    count: int = 1
    order: Order = "oldest"
    static: tuple[tuple[str, int], ...] = ()
    rate: Fraction | None = None
    memory: Memory | None = None

    @property
    def is_channel(self) -> bool:
        """Whether transfers run on it."""
        return self.rate is not None or self.memory is not None


@dataclass(frozen=True)
class Buffer:
    """`capacity` bytes: the reservation of one writer, or a `pool` that several share."""

    name: str
    capacity: int
    pool: bool = False


@dataclass(frozen=True)
class Edge:
    """Wait for the result of `source` in another iteration (nothing said: of the same one).

    Attributes:
        distance: by rank, how many iterations earlier.
        first: ranks at which the source stands at 0, wherever the task stands.
        back: how many iterations earlier in the order of all iterations of the nest; negative: later.
    """

    source: str
    distance: tuple[tuple[str, int], ...] = ()
    first: tuple[str, ...] = ()
    back: int = 0


@dataclass(frozen=True)
class Hold:
    """Bytes that a writer takes when it starts and that come back when the last named reader has ended.

    Attributes:
        by: the ranks that tell tiles apart. All iterations that agree on them share one tile: it is written once, its
            readers wait for it, and the last of them frees it. Without readers the writer's own end does.
        users: tasks that free it like readers but do not wait for the writer (edges say what they wait for). The
            writer of a tile with users may write it again and again: its last instance frees it too.
    """

    buffer: str
    bytes: IndexExpr
    by: tuple[str, ...]
    readers: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transfer:
    """Bytes moved at the rate of the claimed channel, `chunk` bytes at a turn (None: all in one).

    `at`: an entry of `Places`, where the channel is a DRAM, which loads read and stores write.
    """

    bytes: IndexExpr
    chunk: int | None = None
    at: IndexExpr | None = None


@dataclass(frozen=True)
class Task:
    """What one iteration does once.

    Attributes:
        claims: (resource, amount), all or nothing, from the start for `busy` ticks.
        busy: ticks; None where a `transfer` says it.
        latency: ticks from the end of the claims to the result.
        when: where it is false the task does not exist.
        kind: `task` computes inside the window; `load` and `store` stand outside it, each a stream in loop order.
    """

    name: str
    claims: tuple[tuple[str, int], ...]
    busy: IndexExpr | None = None
    latency: IndexExpr = ZERO
    when: Predicate | None = None
    after: tuple[Edge, ...] = ()
    kind: Kind = "task"
    holds: tuple[Hold, ...] = ()
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Body:
    """Tasks of one iteration; `in_flight` bounds the iterations that have compute tasks left."""

    tasks: tuple[Task, ...]
    in_flight: int = 1


@dataclass(frozen=True)
class Loop:
    """`rank` from 0 to `bound` - 1. Loops directly around a body overlap in its window; around `seq` or `par` each
    iteration ends before the next begins."""

    rank: str
    bound: IndexExpr
    child: Tree


@dataclass(frozen=True)
class Seq:
    """Children one after another, each beginning when all results of the one before exist."""

    children: tuple[Tree, ...]


@dataclass(frozen=True)
class Par:
    """Children at once, sharing resources; it ends with the last of them."""

    children: tuple[Tree, ...]


Tree = Loop | Seq | Par | Body


@dataclass(frozen=True)
class Program:
    """A tree and what it runs on; `ticks_per_s` says what an integer tick is."""

    name: str
    ticks_per_s: Fraction
    resources: tuple[Resource, ...]
    root: Tree
    buffers: tuple[Buffer, ...] = ()
    tables: tuple[Table | Draw, ...] = ()
    places: tuple[Places, ...] = ()


def children(tree: Tree) -> tuple[Tree, ...]:
    """What stands directly inside."""
    if isinstance(tree, Loop):
        return (tree.child,)
    return tree.children if isinstance(tree, Seq | Par) else ()


def bodies(tree: Tree) -> Iterator[tuple[tuple[Loop, ...], tuple[Loop, ...], Body]]:
    """Every body with its loops: those outside (barriers between iterations) and those of its own nest, outer first."""
    pending: list[tuple[tuple[Loop, ...], tuple[Loop, ...], Tree]] = [((), (), tree)]
    while pending:
        outer, nest, item = pending.pop()
        if isinstance(item, Body):
            yield outer, nest, item
        elif isinstance(item, Loop):
            pending.append((outer, (*nest, item), item.child))
        else:
            pending += [((*outer, *nest), (), child) for child in reversed(item.children)]
