"""A cascade as a picture: lines as boxes, tensors as edges, passes as bands, recurrences as edges that lead back.

Plain SVG, the same bytes for the same cascade; no drawing library.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accelsim.einsum.cascade import Cascade, Shapes
from accelsim.einsum.passes import passes as count_passes
from accelsim.errors import AccelsimError
from accelsim.report import svg
from accelsim.report.boxes import (
    BLUE,
    GREEN,
    LETTER,
    LOOP,
    ORANGE,
    ROW,
    VERMILLION,
    Arrow,
    Box,
    arrows_of,
    bands_of,
    box_of,
    layers_of,
    stages_of,
)
from accelsim.report.layers import Edge, Layout, Node, lay_out
from accelsim.report.style import GREY, INK
from accelsim.workload import Workload, steps

MAX_LINES = 200
MARGIN, GAP, BAND, HEAD = 24, 50, 34, 58
FADED = "#666666"
DASH, DOTS = "5 3", "2 4"
LABEL = 10


def draw_workload(workload: Workload) -> str:
    """The cascades of all steps of a workload, one below the other."""
    sheets = []
    for step in steps(workload):
        passes = count_passes(step.shapes.cascade)
        sheets.append(_sheet(f"{step.name} ({step.cascade_name})", step.shapes, passes))
    return _page(workload.name, sheets)


def draw_cascade(shapes: Shapes, passes: Mapping[str, int], title: str = "cascade") -> str:
    """One cascade as SVG.

    Args:
        passes: rank to its number of passes; the rank with the most is drawn as bands.

    Raises:
        AccelsimError: more lines than can be read.
    """
    return _page(title, [_sheet(title, shapes, passes)])


@dataclass(frozen=True)
class _Sheet:
    """A drawing and its size in pixels."""

    parts: tuple[str, ...]
    width: float
    height: float


def _page(title: str, sheets: Sequence[_Sheet]) -> str:
    parts, top = [], float(MARGIN)
    for sheet in (*sheets, _legend()):
        parts.append(svg.moved(sheet.parts, MARGIN, top))
        top += sheet.height + 2 * MARGIN
    width = max(sheet.width for sheet in (*sheets, _legend()))
    return svg.document(title, width + 2 * MARGIN, top - MARGIN, parts)


def _legend() -> _Sheet:
    entries = (("reduction", BLUE), ("element-wise", ORANGE), ("input", GREY), ("bold frame: output", INK))
    parts, x = list[str](), 0.0
    for words, colour in entries:
        parts += [svg.box((x, 0), 16, 12, colour), svg.text((x + 22, 11), words, INK)]
        x += 22 + len(words) * LETTER + 26
    words = "read in the next step of the recurrence"
    parts += [svg.line(f"M{svg.number(x)} 6h22", VERMILLION, DASH), svg.text((x + 28, 11), words, INK)]
    return _Sheet(tuple(parts), x + 28 + len(words) * LETTER, 12)


def _sheet(title: str, shapes: Shapes, passes: Mapping[str, int]) -> _Sheet:
    cascade = shapes.cascade
    if len(cascade.einsums) > MAX_LINES:
        raise AccelsimError(f"a drawing of {len(cascade.einsums)} lines cannot be read; at most {MAX_LINES} are drawn")
    rank = _banded(cascade, passes)
    stage = stages_of(cascade, rank)
    arrows = arrows_of(cascade)
    layers = layers_of(cascade, arrows, stage)
    bands = bands_of(layers, stage)
    boxes = {name: box_of(name, cascade, layers[name], arrows) for name in layers}
    across = [arrow for arrow in arrows if not arrow.loop]
    edges = [Edge(*sorted((a.tensor, a.reader), key=layers.__getitem__)) for a in across]
    gaps = [(GAP if layer else 0) + (BAND if layer in bands else 0) for layer in range(max(layers.values()) + 1)]
    layout = lay_out([Node(b.name, b.layer, b.width, b.height) for b in boxes.values()], edges, gaps)
    summary = _summary(shapes, passes)
    width = max(layout.width, len(title) * (LETTER + 2), len(summary) * LETTER)
    below = [
        *(_band(layout.tops[layer], f"pass {number} over {rank}", width) for layer, number in bands.items()),
        *_edges(across, edges, boxes, layout),
        *(_loop(boxes[a.tensor], layout, cascade.generative.get(a.tensor, "")) for a in arrows if a.loop),
        *(part for box in boxes.values() for part in _drawn(box, layout)),
    ]
    heading = [svg.text((0, 14), title, INK, bold=True, size=svg.SIZE + 3), svg.text((0, 34), summary, FADED)]
    return _Sheet((*heading, svg.moved(below, 0, HEAD)), width, layout.bottoms[-1] + HEAD)


def _summary(shapes: Shapes, passes: Mapping[str, int]) -> str:
    sizes = ", ".join(f"{rank}={shapes.sizes[rank]}" for rank in shapes.cascade.ranks)
    many = [f"{number} over {rank}" for rank, number in passes.items() if number > 1]
    return f"{sizes}; passes: {', '.join(many) or 'one over every rank'}"


def _banded(cascade: Cascade, passes: Mapping[str, int]) -> str:
    """The rank whose passes are drawn: the one with most, whole ranks before parts of a split; none for one pass."""
    many = [rank for rank in cascade.ranks if passes.get(rank, 1) > 1]
    whole = [rank for rank in many if rank not in cascade.splits]
    return max(whole or many, key=lambda rank: passes[rank], default="")


def _frame(box: Box, layout: Layout) -> tuple[float, float, float]:
    """Left, right and top of the box itself, without the room for its loop."""
    half = box.width / 2 - (LOOP if box.loops else 0)
    centre = layout.centres[box.name]
    return centre - half, centre + half, layout.tops[box.layer]


def _drawn(box: Box, layout: Layout) -> Iterator[str]:
    left, right, top = _frame(box, layout)
    yield svg.box((left, top), right - left, box.height, box.colour, 3 if box.output else 1.5)
    for at, row in enumerate(box.rows):
        colour = FADED if row.startswith("start: ") else INK
        yield svg.text((left + 12, top + 19 + at * ROW), row, colour, bold=at == 0)


def _band(top: float, words: str, width: float) -> str:
    """A barrier above a layer: every line below it waits until the rank has been traversed."""
    y = top - GAP
    path = f"M0 {svg.number(y)}H{svg.number(width)}"
    return "\n".join([svg.line(path, GREEN, DOTS), svg.text((0, y - 5), words, GREEN, bold=True)])


def _edges(arrows: Sequence[Arrow], edges: Sequence[Edge], boxes: Mapping[str, Box], layout: Layout) -> list[str]:
    """The arrows, each through the lanes of its edge."""
    ports = _ports(arrows, edges, boxes, layout)
    parts = list[str]()
    for at, (arrow, edge) in enumerate(zip(arrows, edges, strict=True)):
        tail, head = boxes[edge.tail], boxes[edge.head]
        start, bottom = ports[at, "tail"], layout.bottoms[tail.layer]
        places = [(start, layout.tops[tail.layer] + tail.height), (start, bottom)]
        for layer, x in enumerate(layout.bends[at], tail.layer + 1):
            places += [(x, layout.tops[layer]), (x, layout.bottoms[layer])]
        places.append((ports[at, "head"], layout.tops[head.layer]))
        parts += _arrow(places if edge.tail == arrow.tensor else places[::-1], arrow)
    return parts


def _arrow(places: Sequence[svg.Place], arrow: Arrow) -> Iterator[str]:
    """An arrow to the last place; the tensor's name stands beside its head, on the side that it does not come from."""
    (x, y), (from_x, from_y) = places[-1], places[-2]
    colour, up = VERMILLION if arrow.back else INK, y < from_y
    yield svg.line(svg.smooth(places), colour, DASH if arrow.back else "")
    yield svg.head((x, y), colour, 180 if up else 0)
    side, anchor = (-7, "end") if from_x > x else (7, "start")
    yield svg.text((x + side, y + 14 if up else y - 5), arrow.tensor, colour, size=LABEL, anchor=anchor)


def _ports(
    arrows: Sequence[Arrow], edges: Sequence[Edge], boxes: Mapping[str, Box], layout: Layout
) -> dict[tuple[int, str], float]:
    """Where each edge meets its boxes: a tensor leaves its box at one place, all other ends are spread by direction."""
    ends: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for at, edge in enumerate(edges):
        line = (layout.centres[edge.tail], *layout.bends[at], layout.centres[edge.head])
        ends.setdefault((edge.tail, "tail"), []).append((line[1], at))
        ends.setdefault((edge.head, "head"), []).append((line[-2], at))
    found: dict[tuple[int, str], float] = {}
    for (name, end), places in ends.items():
        left, right, _ = _frame(boxes[name], layout)
        groups: dict[int, list[int]] = {}
        for _, at in sorted(places):
            leaving = arrows[at].tensor == name
            groups.setdefault(-1 if leaving else at, []).append(at)
        for number, members in enumerate(groups.values(), 1):
            found |= {(at, end): left + (right - left) * number / (len(groups) + 1) for at in members}
    return found


def _loop(box: Box, layout: Layout, rank: str) -> str:
    """A line that reads what it wrote a step earlier."""
    _, right, top = _frame(box, layout)
    low, high, out = top + box.height - 10, top + 10, svg.number(right + 34)
    path = f"M{svg.number(right)} {svg.number(low)}C{out} {svg.number(low)} {out} {svg.number(high)} "
    shape = svg.line(f"{path}{svg.number(right + 7)} {svg.number(high)}", VERMILLION, DASH)
    words = svg.text((right + 30, (low + high) / 2 + 4), rank, VERMILLION, size=LABEL)
    return "\n".join([shape, svg.head((right, high), VERMILLION, 90), words])
