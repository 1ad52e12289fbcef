"""A mapping as data: splits, groups, binding, spatial ranks and what each level keeps; free of sizes until bound."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from accelsim.einsum.ast import IndexExpr
from accelsim.yamlfile import Node

Overlap = Literal["phases", "pipeline", "sequential"]
OVERLAPS: tuple[Overlap, ...] = ("phases", "pipeline", "sequential")
Policy = Literal["oldest", "static", "fifo"]
POLICIES: tuple[Policy, ...] = ("oldest", "static", "fifo")
EXECUTION = ("in_flight", "order", "overlap")  # what a group may leave to depth `cycle`
OUTSIDE = "outside"  # `at: outside`: kept during the whole group


@dataclass(frozen=True)
class Tile:
    """The size of one part of a split rank, in units of the part inside it.

    kind `rest`: what is left; `fit`: the largest divisor that fits the level `of`; `size`: the value of `expr` over
    parameters and extents of units, `rows(pe2d) // E`.
    """

    kind: str
    of: str
    expr: IndexExpr | None
    node: Node


Splits = Table[str, tuple[tuple[str, Tile], ...]]  # rank to its parts, outer to inner


@dataclass(frozen=True)
class Kept:
    """A tensor kept at a level: for one iteration of loop `at`, `copies` times, `fraction` of it on chip.

    `overwrites` names a kept tensor in whose place it is written, so that it needs no bytes of its own.
    """

    at: str
    copies: int
    fraction: Fraction
    overwrites: str | None
    node: Node


@dataclass(frozen=True)
class Keep:
    """What a level keeps, within `limit_bytes` (None: the level's capacity)."""

    limit_bytes: Fraction | None
    tensors: Table[str, Kept]


@dataclass(frozen=True)
class Group:
    """Einsums that run together over common loops.

    Attributes:
        splits: coordinates that have other parts in this group than the mapping gives them.
        keep: by level the tensors that this group keeps in another way than the mapping says.
        at: loops of an Einsum that has others than the group.
        phases: Einsums of each phase under `overlap: phases`.
        exposed: Einsum to the latency of its unit that every one of its tiles waits for.
        latency: Einsum to the latency of its unit after which its results exist; only depth `cycle` looks at it.
        in_flight: iterations open at once, None where the mapping does not say.
        policy: how tasks are issued, None where the mapping does not say; `static` by the lists in `order`.
        order: unit to the order of its tasks.
        together: task to the Einsums that it does at once, all their operators in one pipeline.
    """

    name: str
    loops: tuple[str, ...]
    einsums: tuple[str, ...]
    splits: Splits
    keep: Table[str, Keep]
    at: Table[str, tuple[str, ...]]
    overlap: Overlap
    phases: tuple[tuple[str, ...], ...]
    exposed: Table[str, str]
    latency: Table[str, str]
    in_flight: int | None
    policy: Policy | None
    order: Table[str, tuple[str, ...]]
    together: Table[str, tuple[str, ...]]
    node: Node

    def loops_of(self, einsum: str) -> tuple[str, ...]:
        return self.at.get(einsum, self.loops)

    def task_of(self, einsum: str) -> str:
        """The task that does an Einsum: one of its own, unless it is done together with others."""
        return next((task for task, einsums in self.together.items() if einsum in einsums), einsum)


@dataclass(frozen=True)
class Plan:
    """What a mapping says once its case is chosen.

    `spatial`: unit or Einsum to dimension (`rows`, `cols`, `lanes`) to the ranks spread over it, outer to inner.
    `bind`: Einsum to unit. `forward`: (tensor, reading Einsum) served from registers. `home`: tensors of a group that
    go through a level all the same. `counts`: component to action to an expression that replaces its count (how a study
    counted).
    """

    splits: Splits
    groups: tuple[Group, ...]
    spatial: Table[str, Table[str, tuple[str, ...]]]
    bind: Table[str, str]
    forward: frozenset[tuple[str, str]]
    home: Table[str, str]
    keep: Table[str, Keep]
    counts: Table[str, Table[str, Node]]
    document: Node


@dataclass(frozen=True)
class Case:
    """Changes that hold where every size passes its test: `when` is (name, operator, value)."""

    when: tuple[tuple[str, str, int], ...]
    changes: Node


@dataclass(frozen=True, eq=False)
class Mapping:
    """A mapping file: which architectures, functions and cascade it is for, its plan and its cases."""

    name: str
    description: str
    source: str
    path: str
    sha256: str
    archs: tuple[str, ...]
    functions: tuple[str, ...]
    cascade: str | None
    default: bool
    cases: tuple[Case, ...]
    document: Node
