"""Why a run takes as long as it does: watches a machine and keeps for every start the path that led to it.

A start happens at the instant at which something ended that let it start, so its path is the path of what ended and the
ticks of that: no gap back to tick 0. Causes are `dependency` (a result, or the end of the body before), `resource`
(claims given back), `buffer` (room given back) and `window` (the last result of the oldest iteration).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from accelsim.program.idle import WINDOW, Idle
from accelsim.program.obstacles import turn
from accelsim.program.path import Leg, Mark, Path, repeated, total
from accelsim.program.state import Instance

if TYPE_CHECKING:
    from accelsim.program.machine import Machine


class Why:
    """What ended or started last, where that may let something start.

    Attributes:
        latest: the last leg that started or ended.
        freed: resource to who gave some of it back last.
        given: buffer to who gave room back last.
        roots: for every mark where its paths lead through the mark before; see `Leg.root`. May be cleared between marks
            that are not compared.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, self.idle = machine, Idle(machine)
        self.latest = Leg({}, "", 0)
        self.freed: dict[str, Leg] = {}
        self.given: dict[str, Leg] = {}
        self.roots: list[tuple[int, ...]] = []

    # what the machine tells

    def looked(self, instance: Instance) -> None:
        """An instance has become live: an iteration opened, its stream has come to it, or a body began."""
        self.idle.looked(instance)
        closed = instance.run.closed
        if closed and closed.since + closed.whole == self.machine.now and instance.task.kind == "task":
            instance.by = closed, "window"
        else:
            instance.by = self.latest, "dependency"

    def starting(self, instance: Instance) -> None:
        """An instance or its next chunk starts; its `cause` still says what it waited for."""
        now = self.machine.now
        leg, cause = instance.by if instance.arrival == now else self.enabler(instance)
        instance.leg = self.latest = Leg(leg.until(cause, now), instance.run.plan.spent[instance.place], now, leg.root)

    def enabler(self, instance: Instance) -> tuple[Leg, str]:
        """What ended now that an instance has waited for.

        Where nothing did, its turn came: a list, a queue or the order of acquisition went on, with the latest start or
        end of this instant.
        """
        now, cause = self.machine.now, instance.cause or "resource"
        if cause == "buffer":
            for hold in instance.task.holds:
                leg = self.given.get(hold.buffer)
                if leg and leg.since + leg.whole == now:
                    return leg, cause
        else:
            for name, _ in instance.task.claims:
                leg = self.freed.get(name)
                if leg and leg.since + leg.busy == now:
                    return leg, cause
        return self.latest, cause

    def released(self, instance: Instance) -> None:
        """Claims ended, of an instance or of a chunk, whose next one then stands in line again."""
        leg = self.latest = instance.leg
        leg.busy = self.machine.now - leg.since
        for name, _ in instance.task.claims:
            self.freed[name] = leg
        if instance.left:
            instance.by = leg, "resource"

    def finished(self, instance: Instance) -> None:
        """A result exists."""
        leg = self.latest = instance.leg
        leg.whole = self.machine.now - leg.since
        if instance.data:
            leg.moved = instance.data - leg.since

    def roomy(self, buffer: str) -> None:
        """What finished last gave room back."""
        self.given[buffer] = self.latest

    # skipping

    def mark(self) -> Mark:
        """The legs that starts from here on may follow from; from now on paths know through which of them they lead."""
        places: dict[Leg, int] = {}
        key = self._key(places)
        legs = tuple(places)
        self.roots.append(tuple(leg.root for leg in legs))
        for place, leg in enumerate(legs):
            leg.root = place
        return Mark(len(self.roots) - 1, self.machine.now, key, legs, tuple(leg.path for leg in legs))

    def _key(self, places: dict[Leg, int]) -> Hashable:
        """Numbers the legs that count by when they are met; equal keys number them alike."""

        def at(leg: Leg) -> int:
            return places.setdefault(leg, len(places))

        machine, now = self.machine, self.machine.now
        running = [instance for _, _, instance in sorted(machine.events)]
        ranks = {instance: rank for rank, instance in enumerate(sorted(running, key=lambda i: i.order))}
        return (
            tuple((ranks[i], i.place, at(i.leg)) for i in running),
            tuple((n, at(leg)) for n, leg in sorted(self.freed.items()) if leg.since + leg.busy == now),
            tuple((n, at(leg)) for n, leg in sorted(self.given.items()) if leg.since + leg.whole == now),
            tuple(at(r.closed) if r.closed and r.closed.since + r.closed.whole == now else -1 for r in machine.runs),
            at(self.latest),
            tuple(
                (i.cause, at(i.by[0]), i.by[1]) if i.arrival == now else i.cause
                for i in sorted(machine.ready, key=turn)
            ),
            tuple((leg.what, now - leg.since, leg.busy, leg.whole) for leg in places),
        )

    def jump(self, before: Mark, now: Mark, times: int) -> None:
        """Go on by `times` more periods from the mark just made, once the coordinates are those after them."""
        came = tuple(range(len(now.legs)))
        for roots in reversed(self.roots[before.number + 1 : now.number + 1]):
            came = tuple(roots[place] for place in came)
        grown = repeated(before.paths, now.paths, came, times)
        for leg, (path, _) in zip(now.legs, grown, strict=True):
            leg.path = path
        self.roots.append(tuple(place for _, place in grown))
        self._move(set(now.legs), before.now, times * (now.now - before.now))
        self.idle.line_up()

    def _move(self, legs: set[Leg], since: int, ticks: int) -> None:
        """Legs are later by the periods skipped; so is the last claim of what was given back in a period."""
        for leg in legs | {leg for leg in self.freed.values() if leg.since + leg.busy > since}:
            leg.since += ticks

    def here(self) -> Path:
        """The path to this tick where everything has ended."""
        return self.latest.until("dependency", self.machine.now)

    def repeat(self, before: Path, since: int, times: int) -> None:
        """Go on by `times` more laps like the one that led from `before`, at tick `since`, to here."""
        self.latest.path = total(((1, self.latest.path), (times, self.here()), (-times, before)))
        self._move({self.latest}, since, times * (self.machine.now - since))

    # the end

    def path(self) -> Path:
        """The ticks of the whole run, up to the last result."""
        return self.latest.until("work", self.machine.now)

    def idleness(self) -> dict[str, dict[tuple[str, str], int]]:
        """Resource to (cause, what) to idle ticks; what comes after the last claim is the `end`, not the window."""
        found: dict[str, dict[tuple[str, str], int]] = {name: {} for name in self.idle.single}
        for key, ticks in sorted(self.machine.counts.items()):
            if key[0] == "idle" and ticks:
                found[key[1]][key[2], key[3]] = ticks
        for name, causes in found.items():
            last = self.freed.get(name)
            after = self.machine.now - (last.since + last.busy if last else 0)
            causes["end", ""], causes[WINDOW] = after, causes.get(WINDOW, 0) - after
            found[name] = {key: ticks for key, ticks in causes.items() if ticks}
        return found
