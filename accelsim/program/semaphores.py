"""Counting semaphores for a marked graph: which tokens each task of a queue takes when it starts, and posts at its end.

What follows from the order of the queues and from other waits needs no token. Every other wait is a token: the k-th
task that takes from a semaphore must find the token of the k-th that posts to it. So waits share a semaphore only if
their takers stand in one queue, and their posters complete in that order however long transfers take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from accelsim.errors import AccelsimError
from accelsim.program.instruction import SEMAPHORES
from accelsim.program.marked import MarkedGraph, Node

MOST_TOKENS = 255


@dataclass(frozen=True)
class Tokens:
    """The semaphores that a task takes one from when it starts, and adds one to when it has completed."""

    wait: frozenset[int]
    post: frozenset[int]


def tokens(graph: MarkedGraph, most: int = SEMAPHORES) -> tuple[Tokens, ...]:
    """For every node its tokens.

    Raises:
        AccelsimError: more semaphores than there are, or more tokens in one than it counts.
    """
    chains = _Chains(graph.nodes)
    for place in range(len(graph.nodes)):
        chains.add(place)
    if chains.number > most:
        raise AccelsimError(f"program {graph.name} needs {chains.number} semaphores; the sequencer has {most}")
    _check_counts(graph, chains.taken)
    posts: list[set[int]] = [set() for _ in graph.nodes]
    for taken in chains.taken:
        for semaphore, poster in taken.items():
            posts[poster].add(semaphore)
    return tuple(Tokens(frozenset(t), frozenset(p)) for t, p in zip(chains.taken, posts, strict=True))


def _check_counts(graph: MarkedGraph, taken: Sequence[dict[int, int]]) -> None:
    """Refuse tokens that wait in larger numbers than a semaphore counts."""
    changes: dict[int, list[tuple[int, int]]] = {}
    for node, found in zip(graph.nodes, taken, strict=True):
        for semaphore, poster in found.items():
            by = graph.nodes[poster]
            changes.setdefault(semaphore, []).extend([(by.start + by.busy + by.latency, 1), (node.start, -1)])
    for found_changes in changes.values():
        count = 0
        for _, change in sorted(found_changes, key=lambda item: (item[0], -item[1])):
            count += change
            if count > MOST_TOKENS:
                raise AccelsimError(f"program {graph.name}: more than {MOST_TOKENS} tokens wait in one semaphore")


@dataclass
class _Chains:
    """Waits strung together to semaphores, task by task in the order of their starts. Sets of tasks are bit masks.

    Attributes:
        at_start: for each task all that have completed when it starts, whatever the durations of transfers.
        at_end: the same when it completes, itself included.
        lines: for each queue its tasks so far.
        ends: for each queue its semaphores with the last who posts and the last who takes.
        taken: for each task its semaphores, each with who posts the token.
    """

    nodes: Sequence[Node]
    at_start: list[int] = field(default_factory=list)
    at_end: list[int] = field(default_factory=list)
    lines: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, dict[int, tuple[int, int]]] = field(default_factory=dict)
    taken: list[dict[int, int]] = field(default_factory=list)
    number: int = 0

    def add(self, place: int) -> None:
        node = self.nodes[place]
        line = self.lines.setdefault(node.queue, [])
        known = self.at_start[line[-1]] if line else 0
        known |= self._ended(line, 0)
        needed = [need for need in node.needs if not known >> need & 1]
        least = [n for n in needed if not any(m != n and self.at_end[m] >> n & 1 for m in needed)]
        self.taken.append({self._semaphore(place, need): need for need in sorted(least)})
        for need in least:
            known |= self.at_end[need]
        self.at_start.append(known)
        self.at_end.append(known | 1 << place | self._ended(line, node.busy + node.latency))
        line.append(place)

    def _ended(self, line: Sequence[int], ticks: int) -> int:
        """Who of a queue has completed so many ticks after the unit has become free behind the last of them."""
        found = 0
        for place in reversed(line):
            if self.nodes[place].latency <= ticks:
                found |= 1 << place
            ticks += self.nodes[place].busy
        return found

    def _semaphore(self, place: int, need: int) -> int:
        """The one whose chain a wait goes on, best of all behind the same queue, or a new one."""
        mine = self.ends.setdefault(self.nodes[place].queue, {})
        fits = [
            (self.nodes[poster].queue == self.nodes[need].queue, poster, semaphore)
            for semaphore, (poster, taker) in mine.items()
            if taker != place and poster != need and self.at_end[need] >> poster & 1
        ]
        if fits:
            found = max(fits)[-1]
        else:
            found = self.number
            self.number += 1
        mine[found] = (need, place)
        return found
