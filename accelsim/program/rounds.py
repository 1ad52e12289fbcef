"""Rounds of a channel: while transfers take their turns and nothing else happens, all but the last are leapt over.

A tile of a million rows moves in a million chunks. Between two instants at which one transfer begins a chunk, with the
same others in line, the same remainder of the last tick and nothing else begun or ended, all that changes is what is
left to move. So it will until a transfer comes to its last chunk, or something that runs beside them ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heapify

from accelsim.program.machine import Counts, Machine
from accelsim.program.path import Path, total
from accelsim.program.state import Instance

FEWEST = 4  # chunks ahead for which it is worth to look


@dataclass(frozen=True)
class Turn:
    """An instant at which a transfer has begun a chunk.

    Attributes:
        moved: how often anything but a chunk had begun or ended by then; `chunks`: how many chunks had begun.
        line: the other transfers in line, the least recently served first.
        left: bytes that each, the transfer itself last, has still to move; `stood`: for how long each stands in line;
            `roots` of their last legs.
        path: the way to this chunk.
    """

    now: int
    moved: int
    chunks: int
    slack: tuple[int, ...]
    line: tuple[Instance, ...]
    left: tuple[int, ...]
    stood: tuple[int, ...]
    counts: Counts
    waiting: Mapping[tuple[str, str], int]
    roots: tuple[int, ...]
    path: Path


class Rounds:
    """Watches the chunks of a machine and moves it ahead where whole rounds are alike."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.watched: tuple[Instance, Turn] | None = None

    def began(self, instance: Instance) -> None:
        """A transfer has begun a chunk that is not its last, and nothing else happens at this instant any more."""
        machine, chunk = self.machine, instance.task.transfer.chunk if instance.task.transfer else None
        alone_until = min((end for end, _, other in machine.events if other is not instance), default=None)
        fits = instance.left // chunk if chunk else 0
        if alone_until is not None:
            fits = min(fits, (alone_until - machine.now) // max(1, instance.end - machine.now))
        if fits < FEWEST or len(machine.trace) < machine.trace_limit:
            return
        who, before = self.watched or (None, None)
        if before is None or before.moved != machine.moved:
            self.watched = instance, self.turn(instance)
        elif who is instance:
            now = self.turn(instance)
            times = self.rounds(before, now, instance, alone_until)
            if times > 0:
                self.leap(before, now, instance, times)
            if times > 0 or before.slack == now.slack:
                self.watched = None

    def turn(self, instance: Instance) -> Turn:
        machine = self.machine
        line = sorted((i for i in machine.ready if i.left and i.begun), key=lambda i: (i.run.turns[i.place], i.order))
        served = (*line, instance)
        return Turn(
            machine.now,
            machine.moved,
            machine.chunks,
            tuple(machine.slack.values()),
            tuple(line),
            tuple(i.left for i in served),
            tuple(machine.now - i.arrival for i in served),
            machine.counted(),
            machine.tally.copy(),
            tuple(i.leg.root for i in served),
            instance.leg.path,
        )

    def rounds(self, before: Turn, now: Turn, instance: Instance, alone_until: int | None) -> int:
        """How many more rounds are like the one from `before` to `now`; 0 where they are not alike."""
        why = self.machine.why
        if before.now == now.now or (why and why.latest is not instance.leg):
            return 0
        if (before.slack, before.line, before.waiting, before.roots) != (now.slack, now.line, now.waiting, now.roots):
            return 0
        moved = [old - new for old, new in zip(before.left, now.left, strict=True)]
        served = 0
        for place, transfer in enumerate((*now.line, instance)):
            chunk = transfer.task.transfer.chunk if transfer.task.transfer else None
            whole = bool(chunk) and moved[place] % (chunk or 1) == 0
            if moved[place] and not (whole and before.stood[place] == now.stood[place]):
                return 0
            served += moved[place] // (chunk or 1)
        if served != now.chunks - before.chunks:
            return 0
        most = [(left - 1) // gone for left, gone in zip(now.left, moved, strict=True) if gone]
        if alone_until is not None:
            most.append((alone_until - now.now - 1) // (now.now - before.now))
        return min(most)

    def leap(self, before: Turn, now: Turn, instance: Instance, times: int) -> None:
        """Make the state that so many more rounds lead to."""
        machine, ticks = self.machine, times * (now.now - before.now)
        for name, n in now.counts.items():
            machine.counts[name] += times * (n - before.counts[name])
        for key, waiting in machine.tally.items():
            machine.counts[key] -= waiting * ticks
        for place, transfer in enumerate((*now.line, instance)):
            moved = before.left[place] - now.left[place]
            if moved:
                transfer.left -= times * moved
                transfer.arrival += ticks
                transfer.leg.since += ticks
                transfer.leg.path = total(((1, transfer.leg.path), (times, now.path), (-times, before.path)))
        machine.events = [(end + ticks if i is instance else end, n, i) for end, n, i in machine.events]
        heapify(machine.events)
        instance.end += ticks
        machine.now += ticks
