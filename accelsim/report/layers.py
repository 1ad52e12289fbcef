"""Layered layout of a graph: who stands beside whom in a layer, where, and through which gaps long edges run.

Every edge leads from a layer to a later one; where it crosses a layer it takes a place of its own there, and so never
runs through a node. Orders follow neighbours' means (Sugiyama, Tagawa and Toda, 1981), places least squares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 12
SPACE = 28  # between neighbours in a layer
LANE = 16  # width of an edge that crosses a layer
Lane = tuple[int, int]  # edge, layer
Key = str | Lane


@dataclass(frozen=True)
class Node:
    """A box of `width` x `height` in a layer, counted from 0."""

    name: str
    layer: int
    width: float
    height: float


@dataclass(frozen=True)
class Edge:
    """From a node to one of a later layer."""

    tail: str
    head: str


@dataclass(frozen=True)
class Layout:
    """Centres of nodes, top and bottom of every layer, and for each edge its place in the layers that it crosses."""

    centres: Mapping[str, float]
    tops: tuple[float, ...]
    bottoms: tuple[float, ...]
    bends: tuple[tuple[float, ...], ...]
    width: float


def lay_out(nodes: Sequence[Node], edges: Sequence[Edge], gaps: Sequence[float]) -> Layout:
    """Places for all nodes.

    Args:
        gaps: space above each layer; there are as many layers.
    """
    graph = _Graph.of(nodes, edges, len(gaps))
    rows = _ordered(graph)
    places = _placed(graph, rows)
    left = min(places[key] - graph.widths[key] / 2 for row in rows for key in row)
    places = {key: place - left for key, place in places.items()}
    tops, bottoms = [], []
    height = 0.0
    for layer, gap in enumerate(gaps):
        tops.append(height + gap)
        height = tops[-1] + max((node.height for node in nodes if node.layer == layer), default=0.0)
        bottoms.append(height)
    return Layout(
        {node.name: places[node.name] for node in nodes},
        tuple(tops),
        tuple(bottoms),
        tuple(tuple(places[lane] for lane in lanes) for lanes in graph.lanes),
        max(places[key] + graph.widths[key] / 2 for row in rows for key in row),
    )


@dataclass(frozen=True)
class _Graph:
    """Rows of keys (nodes, and edges in the layers that they cross), their widths and neighbours above and below."""

    rows: tuple[tuple[Key, ...], ...]
    widths: Mapping[Key, float]
    above: Mapping[Key, tuple[Key, ...]]
    below: Mapping[Key, tuple[Key, ...]]
    lanes: tuple[tuple[Lane, ...], ...]

    @staticmethod
    def of(nodes: Sequence[Node], edges: Sequence[Edge], layers: int) -> _Graph:
        layer = {node.name: node.layer for node in nodes}
        rows: list[list[Key]] = [[] for _ in range(layers)]
        widths: dict[Key, float] = {}
        for node in nodes:
            rows[node.layer].append(node.name)
            widths[node.name] = node.width
        above: dict[Key, list[Key]] = {}
        below: dict[Key, list[Key]] = {}
        lanes = tuple(tuple((at, n) for n in range(layer[e.tail] + 1, layer[e.head])) for at, e in enumerate(edges))
        for edge, crossed in zip(edges, lanes, strict=True):
            for lane in crossed:
                rows[lane[1]].append(lane)
                widths[lane] = LANE
            chain: tuple[Key, ...] = (edge.tail, *crossed, edge.head)
            for upper, lower in pairwise(chain):
                below.setdefault(upper, []).append(lower)
                above.setdefault(lower, []).append(upper)
        return _Graph(
            tuple(map(tuple, rows)),
            widths,
            {key: tuple(keys) for key, keys in above.items()},
            {key: tuple(keys) for key, keys in below.items()},
            lanes,
        )


Rows = list[tuple[Key, ...]]


def _ordered(graph: _Graph) -> Rows:
    """The order with the fewest crossings among those that sweeping down and up gives."""
    best = rows = list(graph.rows)
    fewest = _crossings(graph, rows)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        rows = list(rows)
        for at in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            beside = rows[at - 1] if down else rows[at + 1]
            rows[at] = _by_means(rows[at], beside, graph.above if down else graph.below)
        if _crossings(graph, rows) < fewest:
            best, fewest = rows, _crossings(graph, rows)
    return best


def _by_means(
    row: tuple[Key, ...], beside: tuple[Key, ...], neighbours: Mapping[Key, tuple[Key, ...]]
) -> tuple[Key, ...]:
    place = {key: at for at, key in enumerate(beside)}
    scale = len(beside) / max(1, len(row))
    means = {key: _mean([place[n] for n in neighbours.get(key, ())], at * scale) for at, key in enumerate(row)}
    return tuple(sorted(row, key=lambda key: means[key]))


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _crossings(graph: _Graph, rows: Rows) -> int:
    total = 0
    for upper, lower in pairwise(rows):
        place = {key: at for at, key in enumerate(lower)}
        ends = [sorted(place[n] for n in graph.below.get(key, ())) for key in upper]
        seen: list[int] = []
        for row in ends:
            total += sum(1 for end in row for other in seen if other > end)
            seen += row
    return total


def _placed(graph: _Graph, rows: Rows) -> dict[Key, float]:
    """Centres that lie near those of their neighbours and leave room for the widths."""
    places: dict[Key, float] = {}
    for row in rows:
        places |= zip(row, _spread(graph, row, [0.0] * len(row)), strict=True)
    for sweep in range(2 * SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = [_mean([places[n] for n in _neighbours(graph, key, sweep)], places[key]) for key in row]
            places |= zip(row, _spread(graph, row, wanted), strict=True)
    return places


def _neighbours(graph: _Graph, key: Key, sweep: int) -> Iterable[Key]:
    above, below = graph.above.get(key, ()), graph.below.get(key, ())
    if sweep >= SWEEPS:
        return above + below
    return above if sweep % 2 == 0 else below


def _spread(graph: _Graph, row: tuple[Key, ...], wanted: Sequence[float]) -> list[float]:
    """The centres nearest to those wanted, in the order of the row and without overlap: pooled means."""
    offsets, edge = [], 0.0
    for key in row:
        offsets.append(edge + graph.widths[key] / 2)
        edge += graph.widths[key] + SPACE
    pools: list[tuple[float, float, int]] = []  # sum of wanted places, weight, members
    for key, place, offset in zip(row, wanted, offsets, strict=True):
        weight = 1.0 if isinstance(key, str) else 2.0
        pools.append(((place - offset) * weight, weight, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            (a, u, n), (b, v, m) = pools[-2:]
            pools[-2:] = [(a + b, u + v, n + m)]
    starts = [total / weight for total, weight, members in pools for _ in range(members)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]
