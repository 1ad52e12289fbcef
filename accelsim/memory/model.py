"""A DRAM as data: what a channel is made of, its commands, and how soon one may follow another. Times are in ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from accelsim.units.fields import Checked, Choice, Size

Integers = NDArray[np.int64]

LEVELS = ("channel", "pseudo_channel", "rank", "bank_group", "bank")
"""From the whole to its smallest part; a scope is one of them, or `other_rank`: the other ranks beside a bank's own."""
SCOPES = (*LEVELS, "other_rank")

TABLED = ("ACT", "PRE", "RD", "WR", "PREA", "REFab", "REFpb")
"""The commands that a table describes; RD and WR stand there for RDA and WRA too, which close the row themselves."""
COMMANDS = (*TABLED, "RDA", "WRA")
"""Every command as it is issued; its place here is its number in a log and in the kernel."""
REFRESHES = ("none", "all-bank", "per-bank")
PAGES = ("open", "closed")


@dataclass(frozen=True)
class Command:
    """`bus` is a place in the device's buses, held for `ticks`; a `rising` one begins at even ticks only."""

    bus: int
    ticks: int
    rising: bool


@dataclass(frozen=True)
class Constraint:
    """A command of `next` comes at least `ticks` after the `window`-th last of `after` within the same scope."""

    scope: str
    after: tuple[str, ...]
    next: tuple[str, ...]
    ticks: int
    window: int = 1


@dataclass(frozen=True)
class Organisation:
    """How many of each part the part above holds; `bursts` are those of a row."""

    name: str
    channels: int
    pseudo_channels: int
    ranks: int
    bank_groups: int
    banks: int
    rows: int
    bursts: int
    burst_bytes: int

    @property
    def banks_in(self) -> Mapping[str, int]:
        """Banks in one part of each level of a channel."""
        below = (self.pseudo_channels, self.ranks, self.bank_groups, self.banks)
        return {level: prod(below[at:]) for at, level in enumerate(LEVELS)}

    @property
    def bytes(self) -> int:
        """Of all channels."""
        return self.channels * self.banks_in["channel"] * self.rows * self.bursts * self.burst_bytes


@dataclass(frozen=True)
class Refresh:
    """`interval` ticks from one refresh of a part of level `scope` to its next; whether banks may have their own."""

    scope: str
    interval: int
    per_bank: bool


@dataclass(frozen=True)
class Energy:
    """Energy of commands in pJ, of a rank with an open row and of one at rest in mW; None where no figure is known."""

    source: str
    kind: str
    command_pj: Mapping[str, Fraction | None]
    open_mw: Fraction | None
    static_mw: Fraction | None


@dataclass(frozen=True)
class Device:
    """A standard with one of its organisations and timings, `tick_ps` picoseconds to the tick.

    Attributes:
        commands: those of TABLED that the standard has.
        burst_ticks: how long the data of one RD or WR occupies its pseudo-channel.
        read_ticks, write_ticks: from RD or WR to the end of its data.
        address_map: as written; see `addresses`.
    """

    standard: str
    organisation: Organisation
    timing: str
    tick_ps: Fraction
    buses: tuple[str, ...]
    commands: Mapping[str, Command]
    constraints: tuple[Constraint, ...]
    burst_ticks: int
    read_ticks: int
    write_ticks: int
    refresh: Refresh
    address_map: AddressMap
    energy: Energy
    source: str

    @property
    def peak_bytes_per_s(self) -> float:
        """Of one channel."""
        shape = self.organisation
        return shape.pseudo_channels * shape.burst_bytes / float(self.burst_ticks * self.tick_ps) * 1e12

    @property
    def pins_bytes_per_s(self) -> Fraction:
        """Of all channels, exact."""
        shape = self.organisation
        ports = shape.channels * shape.pseudo_channels
        return ports * shape.burst_bytes * 10**12 / (self.burst_ticks * self.tick_ps)


@dataclass(frozen=True)
class Digit:
    """The part `address // step % base` of a burst's number, worth `weight` in the coordinate `field`."""

    field: str
    step: int
    base: int
    weight: int


AddressMap = tuple[Digit, ...]


@dataclass(frozen=True)
class Policy(Checked):
    """How a controller decides. Numbers of requests, and percent of the write queue for the watermarks."""

    queue: Annotated[int, Size("places for reads that have not opened a row", 1, 4096)] = 32
    write_queue: Annotated[int, Size("places for writes that have not opened a row", 1, 4096)] = 32
    drain_above: Annotated[int, Size("percent of the write queue above which writes go first", 1, 100)] = 80
    drain_below: Annotated[int, Size("percent of the write queue below which reads go first again", 0, 100)] = 20
    page: Annotated[str, Choice("whether a row stays open when nobody waits for it", PAGES)] = "open"
    refresh: Annotated[str, Choice("what is refreshed at once", REFRESHES)] = "none"


class Requests(NamedTuple):
    """Bursts to read or write in one channel, in the order in which they are offered: one entry each.

    Attributes:
        bank: counted through pseudo-channels, ranks, bank groups and banks, the last fastest.
        row: in the bank.
        write: 1 for a write, 0 for a read.
        arrival: tick before which it is not offered.
    """

    bank: Integers
    row: Integers
    write: Integers
    arrival: Integers


@dataclass(frozen=True)
class Outcome:
    """What a controller did with its requests.

    Attributes:
        cycles: ticks until the last data has passed.
        accepted_cycles: ticks until the last request was taken into a queue.
        hits, misses, conflicts: requests that found their row open, that opened it, that closed another one first.
        commands: how often each of COMMANDS was issued.
        read_latency: sum over reads of the ticks from acceptance to the end of data.
        open_ticks: sum over ranks of the ticks with a row open.
        log: (tick, command, bank, request) of every command; the request is -1 for what nobody asked for; empty unless
            it was wanted.
        done: tick of the end of data of every request.
    """

    cycles: int
    accepted_cycles: int
    hits: int
    misses: int
    conflicts: int
    commands: Mapping[str, int]
    read_latency: int
    open_ticks: int
    log: tuple[tuple[int, int, int, int], ...]
    done: Integers = field(compare=False)
