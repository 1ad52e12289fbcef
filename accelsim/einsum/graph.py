"""Strongly connected components, without recursion, in an order of evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def strongly_connected(count: int, needs: Callable[[int], Iterable[int]]) -> tuple[tuple[int, ...], ...]:
    """Groups of nodes that need each other (Tarjan); a group stands after all groups that it needs.

    Args:
        count: the nodes are 0 to count - 1.
        needs: the nodes that a node needs.

    >>> strongly_connected(4, {0: [2], 1: [], 2: [1, 3], 3: [2]}.__getitem__)
    ((1,), (2, 3), (0,))
    """
    search = _Search(needs)
    for node in range(count):
        if node not in search.number:
            search.run(node)
    return tuple(search.groups)


class _Search:
    def __init__(self, needs: Callable[[int], Iterable[int]]) -> None:
        self.needs = needs
        self.number: dict[int, int] = {}
        self.low: dict[int, int] = {}
        self.open: dict[int, None] = {}
        self.groups: list[tuple[int, ...]] = []

    def run(self, root: int) -> None:
        work = [self.enter(root)]
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                self.leave(node)
                if work:
                    self.lower(work[-1][0], self.low[node])
            elif following not in self.number:
                work.append(self.enter(following))
            elif following in self.open:
                self.lower(node, self.number[following])

    def enter(self, node: int) -> tuple[int, Iterator[int]]:
        self.number[node] = self.low[node] = len(self.number)
        self.open[node] = None
        return node, iter(self.needs(node))

    def lower(self, node: int, number: int) -> None:
        self.low[node] = min(self.low[node], number)

    def leave(self, node: int) -> None:
        """Close the group that `node` is the root of, if it is one."""
        if self.low[node] != self.number[node]:
            return
        group: list[int] = []
        while not group or group[-1] != node:
            group.append(self.open.popitem()[0])
        self.groups.append(tuple(sorted(group)))
