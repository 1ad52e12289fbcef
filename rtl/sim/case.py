"""What a bench runs and what it saw: jobs with their expected outputs and edges, cases, observed transfers, results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from accelsim.errors import AccelsimError

Beats = tuple[int, ...]
Streams = Mapping[str, Beats]
Transfers = Mapping[str, tuple[tuple[int, int], ...]]
KINDS = ("bits", "first", "last", "busy", "rules")
"""Of faults: bits of payloads, the three edges that a timing function gives, and all other rules of the bench."""


class Edges(Protocol):
    """What a timing function gives: edges of a job, counted from the edge of its first input transfer."""

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...

    @property
    def busy(self) -> int: ...


@dataclass(frozen=True)
class Job:
    """One job: payloads that go into each input stream, that must come out of each output stream, and when.

    Attributes:
        first: edge of the first output transfer, counted from the first input transfer.
        last: edge of the last output transfer.
        busy: edge at which the next job's first input is taken when jobs are offered back to back.
    """

    inputs: Streams
    outputs: Streams
    first: int
    last: int
    busy: int

    def __post_init__(self) -> None:
        if not (any(self.inputs.values()) and any(self.outputs.values())):
            raise AccelsimError("job: must have an input payload and an output payload")


@dataclass(frozen=True)
class Cut:
    """Jobs that run before a case, with gaps of their own, and are cut off by a reset at edge `edge`."""

    jobs: tuple[Job, ...]
    edge: int
    gap_in: float = 0.0
    gap_out: float = 0.0


@dataclass(frozen=True)
class Case:
    """Jobs offered back to back to one device that comes out of a reset.

    Attributes:
        name: what a report calls it; unique within a run.
        device: the device that runs it.
        jobs: in the order in which they are offered.
        gap_in: probability, at each edge, that an input which could be offered is not.
        gap_out: probability, at each edge, that an output is not ready.
        seed: of the gaps, and of what stands on the wires of inputs that are not valid.
        cut: jobs before, ended by a reset in mid-stream.
        pins: values of inputs that are not streams, for the whole case.
        rigid: while an output stalls the whole unit stands still, so that stalled edges delay all else exactly.
    """

    name: str
    device: str
    jobs: tuple[Job, ...]
    gap_in: float = 0.0
    gap_out: float = 0.0
    seed: int = 0
    cut: Cut | None = None
    pins: Mapping[str, int] = field(default_factory=dict)
    rigid: bool = False

    def __post_init__(self) -> None:
        if not self.jobs:
            raise AccelsimError(f'case "{self.name}": must have at least one job')
        for gap in (self.gap_in, self.gap_out, *((self.cut.gap_in, self.cut.gap_out) if self.cut else ())):
            if not 0 <= gap < 1:
                raise AccelsimError(f'case "{self.name}": a gap must be from 0 to below 1, got "{gap}"')

    @property
    def free(self) -> bool:
        """Whether inputs are offered always and outputs taken always: what timing functions speak of."""
        return self.gap_in == 0 and self.gap_out == 0


@dataclass(frozen=True)
class Observed:
    """What the monitor saw, edges numbered from 0 at the first edge with reset low.

    Attributes:
        transfers: edge and payload of each transfer, for every stream.
        stalls: edges at which an output was valid and not ready, for every output stream.
        cut: transfers before the reset in mid-stream; none without one.
        trouble: why the run was broken off (X on a wire, a stream that broke its rule, nothing moved), or nothing.
    """

    transfers: Transfers
    stalls: Mapping[str, tuple[int, ...]]
    cut: Transfers
    trouble: str = ""


@dataclass(frozen=True)
class Fault:
    """One thing that was wrong: its kind, one of KINDS, a line about it, and how many times it was."""

    kind: str
    text: str
    number: int = 1


@dataclass(frozen=True)
class Result:
    """A case that ran, in which simulator and with which seed for its uninitialised registers, and what was wrong."""

    case: Case
    sim: str
    x_seed: int
    observed: Observed
    faults: tuple[Fault, ...]

    @property
    def passed(self) -> bool:
        return not self.faults

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for each fault."""
        return tuple(fault.text for fault in self.faults)
