"""Combinations of assignments still to be completed: the queue, best first, and a beam for a first one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import islice

from accelsim.mapper.pick import Partial, Regime

BEAM = 4


@dataclass
class Queue:
    """Combinations still to be completed, those first that may be the fastest, and of them the thriftiest.

    Attributes:
        is_needless: whether what takes at least so many seconds and pJ cannot be part of anything better.
    """

    is_needless: Callable[[float, float], bool]
    entries: list[tuple[float, float, int, Regime, Partial]] = field(default_factory=list)
    kept: dict[tuple[object, ...], list[Partial]] = field(default_factory=dict)
    number: int = 0

    def push(self, regime: Regime, partial: Partial) -> None:
        """Add a combination unless it is needless, or one that differs in nothing else costs no more."""
        seconds, energy = regime.least(partial)
        if self.is_needless(seconds, energy):
            return
        if not partial.is_refined:
            alike = self.kept.setdefault((id(regime), partial.prefix.face), [])
            if any(old.beats(partial) for old in alike):
                return
            alike[:] = [old for old in alike if not partial.beats(old)]
            alike.append(partial)
        self.number += 1
        heappush(self.entries, (seconds, energy, self.number, regime, partial))

    def pop(self) -> tuple[Regime, Partial] | None:
        """The next combination that is not needless."""
        while self.entries:
            seconds, energy, _, regime, partial = heappop(self.entries)
            if not self.is_needless(seconds, energy):
                return regime, partial
        return None


def queue_of(usable: Iterable[Regime], is_needless: Callable[[float, float], bool]) -> Queue:
    """A queue of regimes that have options, with the first Einsum assigned."""
    queue = Queue(is_needless)
    for regime in usable:
        for partial in regime.wider(regime.empty()):
            queue.push(regime, partial)
    return queue


def first_tries(usable: Iterable[Regime]) -> Iterator[tuple[Regime, Partial]]:
    """Combinations that are likely to be good, for a first point: of each regime those that a beam ends with.

    The regimes with the least bounds come first, of equal ones those with more loops, which hold less.
    """
    for regime in sorted(usable, key=lambda r: (*r.least(r.empty()), -len(r.nest.order))):
        beam = [regime.empty()]
        for _ in regime.einsums:
            wider = sorted((each for partial in beam for each in regime.wider(partial)), key=regime.least)
            refined = (found for partial in wider if (found := regime.refined(partial)))
            beam = list(islice(refined, BEAM))
        yield from ((regime, partial) for partial in beam)
