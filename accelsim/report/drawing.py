"""A cascade as a picture: lines as boxes, tensors as edges, passes as bands, recurrences as edges that lead back.

Plain SVG, the same bytes for the same cascade; no drawing library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from accelsim.einsum.cascade import Cascade, Einsum, Shapes
from accelsim.einsum.passes import passes as count_passes
from accelsim.einsum.passes import stages
from accelsim.einsum.text import render_einsum, render_expr
from accelsim.errors import AccelsimError
from accelsim.report.layers import Edge, Layout, Node, lay_out
from accelsim.report.style import COLOURS, GREY, INK
from accelsim.workload import Workload, steps

BLUE, ORANGE, GREEN, VERMILLION = COLOURS[:4]
MAX_LINES = 200
MARGIN, GAP, BAND = 24, 52, 26
SIZE, LETTER, ROW = 12, 7.3, 17  # font size, width of a letter and height of a row, in pixels
WRAP = 46
LOOP = 46  # room beside a box for the loop of a line that reads itself
FONT = "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\""


def draw_workload(workload: Workload) -> str:
    """The cascades of all steps of a workload, one below the other."""
    sheets = []
    for step in steps(workload):
        passes = count_passes(step.shapes.cascade)
        sheets.append(_sheet(f"{step.name} ({step.cascade_name})", step.shapes, passes))
    return _document(workload.name, sheets)


def draw_cascade(shapes: Shapes, passes: Mapping[str, int], title: str = "cascade") -> str:
    """One cascade as SVG.

    Args:
        passes: rank to its number of passes; the rank with the most is drawn as bands.

    Raises:
        AccelsimError: more lines than can be read.
    """
    return _document(title, [_sheet(title, shapes, passes)])


@dataclass(frozen=True)
class _Sheet:
    """A drawing and its size."""

    body: tuple[str, ...]
    width: float
    height: float


@dataclass(frozen=True)
class _Box:
    """What is drawn for a tensor: an input, or the line that defines it with its start."""

    name: str
    rows: tuple[str, ...]
    layer: int
    colour: str
    bold: bool
    loops: bool

    @property
    def width(self) -> float:
        letters = max(len(row) for row in self.rows)
        return round(letters * LETTER + 24 + (2 * LOOP if self.loops else 0), 1)

    @property
    def height(self) -> float:
        return len(self.rows) * ROW + 14


@dataclass(frozen=True)
class _Arrow:
    """A tensor from the line that writes it to one that reads it; `back`: in a later step of the recurrence."""

    tensor: str
    reader: str
    back: bool


def _sheet(title: str, shapes: Shapes, passes: Mapping[str, int]) -> _Sheet:
    cascade = shapes.cascade
    if len(cascade.einsums) > MAX_LINES:
        raise AccelsimError(f"a drawing of {len(cascade.einsums)} lines cannot be read; at most {MAX_LINES} are drawn")
    rank = _banded(cascade, passes)
    stage = stages(cascade, rank) if rank else {}
    arrows = _arrows(cascade)
    layers = _layers(cascade, arrows, stage)
    boxes = [_box(name, cascade, layers[name], arrows) for name in layers]
    bands = _bands(cascade, layers, stage)
    gaps = [GAP + (BAND if layer in bands else 0) for layer in range(max(layers.values()) + 1)]
    straight = [arrow for arrow in arrows if arrow.tensor != arrow.reader]
    edges = [Edge(*sorted((a.tensor, a.reader), key=lambda name: layers[name])) for a in straight]
    layout = lay_out([Node(b.name, b.layer, b.width, b.height) for b in boxes], edges, gaps)
    names = {box.name: box for box in boxes}
    head = [_text(0, 14, title, weight="bold", size=SIZE + 3), _text(0, 34, _summary(shapes, passes), colour=GREY)]
    body = [
        *(part for layer, number in bands.items() for part in _band(layer, number, rank, layout)),
        *_edges(straight, edges, names, layout),
        *(_loop(names[a.tensor], layout, cascade) for a in arrows if a.tensor == a.reader),
        *(_drawn(box, layout) for box in boxes),
    ]
    head_width = max(len(title) * (LETTER + 2), len(_summary(shapes, passes)) * LETTER)
    return _Sheet((*head, _moved(body, 0, 30)), max(layout.width, head_width), layout.bottoms[-1] + 30)


def _summary(shapes: Shapes, passes: Mapping[str, int]) -> str:
    sizes = ", ".join(f"{rank}={shapes.sizes[rank]}" for rank in shapes.cascade.ranks)
    many = [f"{number} over {rank}" for rank, number in passes.items() if number > 1]
    return f"{sizes}; passes: {', '.join(many) or 'one over every rank'}"


def _banded(cascade: Cascade, passes: Mapping[str, int]) -> str:
    """The rank whose passes are drawn: that with the most, a whole rank before parts of a split; nothing for one pass."""
    many = [rank for rank in cascade.ranks if passes.get(rank, 1) > 1]
    whole = [rank for rank in many if rank not in cascade.splits]
    return max(whole or many, key=lambda rank: passes[rank], default="")


# Which boxes and arrows there are, and in which layers.


def _arrows(cascade: Cascade) -> list[_Arrow]:
    """Each pair of a tensor and a line that reads it, once, by the tensors that the lines define."""
    order = [cascade.einsums[i] for component in cascade.components for i in component]
    known = set(cascade.inputs)
    found: dict[tuple[str, str], bool] = {}
    for line in order:
        for access in line.reads:
            pair = (access.tensor, line.tensor)
            back = access.tensor not in known or access.tensor == line.tensor
            found[pair] = found.get(pair, True) and back
        known |= {line.tensor} if line.name == line.tensor else set()
    return [_Arrow(tensor, reader, back) for (tensor, reader), back in found.items()]


def _layers(cascade: Cascade, arrows: Sequence[_Arrow], stage: Mapping[str, int]) -> dict[str, int]:
    """The layer of every tensor: below all that it reads, and below the lines of earlier passes."""
    order = [cascade.einsums[i] for component in cascade.components for i in component]
    lines = sorted((line for line in order if line.name == line.tensor), key=lambda line: stage.get(line.name, 1))
    above: dict[str, list[str]] = {}
    for arrow in arrows:
        if not arrow.back:
            above.setdefault(arrow.reader, []).append(arrow.tensor)
    layers: dict[str, int] = {}
    floor, current = 1, 1
    for line in lines:
        if stage.get(line.name, 1) > current:
            floor, current = max(layers.values()) + 1, stage[line.name]
        layers[line.tensor] = max([floor, *(layers[name] + 1 for name in above.get(line.tensor, ()) if name in layers)])
    readers = {name: [a.reader for a in arrows if a.tensor == name] for name in cascade.inputs}
    inputs = {name: min(layers[reader] for reader in found) - 1 for name, found in readers.items() if found}
    return inputs | layers


def _bands(cascade: Cascade, layers: Mapping[str, int], stage: Mapping[str, int]) -> dict[int, int]:
    """The layer in which each pass begins; none where there is a single pass."""
    first: dict[int, int] = {}
    for line in cascade.einsums:
        number = stage.get(line.name, 1)
        first[number] = min(first.get(number, layers[line.tensor]), layers[line.tensor])
    return {} if len(first) < 2 else {layer: number for number, layer in first.items()}


def _box(name: str, cascade: Cascade, layer: int, arrows: Sequence[_Arrow]) -> _Box:
    if name in cascade.inputs:
        return _Box(name, (f"{name}[{','.join(cascade.tensors[name])}]",), layer, GREY, False, False)
    lines = {line.name: line for line in cascade.einsums if line.tensor == name}
    line = lines[name]
    rows = [render_expr(line.target), *_wrapped(render_einsum(line).split(" = ", 1)[1])]
    start = lines.get(f"{name}@start")
    rows += [f"start: {render_einsum(start)}"] if start else []
    loops = any(arrow.tensor == arrow.reader == name for arrow in arrows)
    return _Box(name, tuple(rows), layer, _colour(line), name in cascade.outputs, loops)


def _colour(line: Einsum) -> str:
    return BLUE if line.reduction else ORANGE


def _wrapped(text: str) -> list[str]:
    """`= text` in rows of at most WRAP letters where it has places to break."""
    rows, row = [], "="
    for word in text.replace(" over ", "\n over ").replace(" where ", "\n where ").split("\n"):
        for piece in _pieces(word):
            if len(row) + len(piece) > WRAP and row.strip():
                rows, row = [*rows, row], "   "
            row += piece if piece.startswith(" ") or row.endswith(" ") else f" {piece}" if row == "=" else piece
    return [*rows, row]


def _pieces(text: str) -> list[str]:
    """The text cut behind operators outside brackets and before clauses."""
    pieces, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if depth == 0 and letter in "+-*/," and at > start:
            pieces.append(text[start : at + 1])
            start = at + 1
    return [*pieces, text[start:]]


# How they look.


def _document(title: str, sheets: Sequence[_Sheet]) -> str:
    width, height, body = 0.0, float(MARGIN), []
    for sheet in sheets:
        body.append(_moved(sheet.body, MARGIN, height))
        width, height = max(width, sheet.width), height + sheet.height + 2 * MARGIN
    legend, legend_width = _legend()
    body.append(_moved(legend, MARGIN, height))
    full, tall = _number(max(width, legend_width) + 2 * MARGIN), _number(height + 40)
    size = f'width="{full}" height="{tall}" viewBox="0 0 {full} {tall}"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {FONT} font-size="{SIZE}">'
    sheet = f'<rect width="{full}" height="{tall}" fill="white"/>'
    return "\n".join([opening, f"<title>{escape(title)}</title>", sheet, *body, "</svg>", ""])


def _legend() -> tuple[list[str], float]:
    entries = (("reduction", BLUE), ("element-wise", ORANGE), ("input", GREY), ("bold frame: output", INK))
    parts, x = [], 0.0
    for text, colour in entries:
        parts.append(_rect(x, 0, 16, 12, colour, 1.5))
        parts.append(_text(x + 22, 11, text, colour=INK))
        x += 22 + len(text) * LETTER + 26
    parts.append(f'<path d="M{_number(x)} 6h22" stroke="{VERMILLION}" stroke-width="1.6" stroke-dasharray="5 3"/>')
    parts.append(_text(x + 28, 11, "read in the next step of the recurrence", colour=INK))
    return parts, x + 28 + 39 * LETTER


def _moved(parts: Iterable[str], x: float, y: float) -> str:
    return "\n".join([f'<g transform="translate({_number(x)} {_number(y)})">', *parts, "</g>"])


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(
    x: float, y: float, text: str, *, colour: str = INK, weight: str = "", size: int = SIZE, halo: bool = False
) -> str:
    extra = f' font-weight="{weight}"' if weight else ""
    extra += f' font-size="{size}"' if size != SIZE else ""
    extra += ' stroke="white" stroke-width="3" paint-order="stroke"' if halo else ""
    return f'<text x="{_number(x)}" y="{_number(y)}" fill="{colour}"{extra}>{escape(text, quote=False)}</text>'


def _rect(x: float, y: float, width: float, height: float, colour: str, stroke: float) -> str:
    place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
    return f'<rect {place} rx="5" fill="{colour}" fill-opacity="0.12" stroke="{colour}" stroke-width="{stroke}"/>'


def _frame(box: _Box, layout: Layout) -> tuple[float, float, float]:
    """Left, right and top of the box itself, without the room for its loop."""
    half = box.width / 2 - (LOOP if box.loops else 0)
    centre = layout.centres[box.name]
    return centre - half, centre + half, layout.tops[box.layer]


def _drawn(box: _Box, layout: Layout) -> str:
    left, right, top = _frame(box, layout)
    white = (
        f'<rect x="{_number(left)}" y="{_number(top)}" width="{_number(right - left)}" height="{_number(box.height)}"'
    )
    parts = [
        f'{white} rx="5" fill="white"/>',
        _rect(left, top, right - left, box.height, box.colour, 3 if box.bold else 1.5),
    ]
    for at, row in enumerate(box.rows):
        weight = "bold" if at == 0 else ""
        shade = "#666666" if row.startswith("start: ") else INK
        parts.append(_text(left + 12, top + 19 + at * ROW, row, weight=weight, colour=shade))
    return "\n".join(parts)


def _band(layer: int, number: int, rank: str, layout: Layout) -> list[str]:
    """A barrier above a layer: every line below it waits until the rank has been traversed."""
    y = layout.tops[layer] - GAP - BAND / 2 + 4
    rule = f'stroke="{GREEN}" stroke-width="1.4" stroke-dasharray="2 4"'
    line = f'<path d="M0 {_number(y)}H{_number(layout.width)}" {rule}/>'
    return [line, _text(0, y - 5, f"pass {number} over {rank}", colour=GREEN, weight="bold", halo=True)]


def _edges(arrows: Sequence[_Arrow], edges: Sequence[Edge], boxes: Mapping[str, _Box], layout: Layout) -> list[str]:
    """The edges through their lanes; the ends at the top of a box are spread in the order of where they come from."""
    ports = _ports(arrows, edges, boxes, layout)
    parts = []
    for at, (arrow, edge) in enumerate(zip(arrows, edges, strict=True)):
        tail, head = boxes[edge.tail], boxes[edge.head]
        places = [(ports[at, "tail"], layout.tops[tail.layer] + tail.height)]
        for lane, x in enumerate(layout.bends[at], tail.layer + 1):
            places += [(x, layout.tops[lane]), (x, layout.bottoms[lane])]
        places.append((ports[at, "head"], layout.tops[head.layer]))
        parts.append(_path(places, arrow))
    return parts


def _ports(
    arrows: Sequence[_Arrow], edges: Sequence[Edge], boxes: Mapping[str, _Box], layout: Layout
) -> dict[tuple[int, str], float]:
    """Where each edge meets its boxes: what a line writes leaves from one place, all other ends are spread."""
    ends: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for at, edge in enumerate(edges):
        bends = layout.bends[at] or (layout.centres[edge.tail], layout.centres[edge.head])
        ends.setdefault((edge.head, "head"), []).append((bends[-1] if layout.bends[at] else bends[0], at))
        ends.setdefault((edge.tail, "tail"), []).append((bends[0] if layout.bends[at] else bends[1], at))
    found: dict[tuple[int, str], float] = {}
    for (name, end), places in ends.items():
        left, right, _ = _frame(boxes[name], layout)
        groups: dict[object, list[int]] = {}
        for _, at in sorted(places):
            shared = end == "tail" and not arrows[at].back
            groups.setdefault("out" if shared else at, []).append(at)
        for number, members in enumerate(groups.values(), 1):
            found |= {(at, end): left + (right - left) * number / (len(groups) + 1) for at in members}
    return found


def _path(places: Sequence[tuple[float, float]], arrow: _Arrow) -> str:
    """A smooth line through the places with a head at the reader, and the tensor's name beside the head."""
    (x, y), *rest = places
    path = f"M{_number(x)} {_number(y)}"
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        path += f"C{_number(x)} {_number(middle)} {_number(to_x)} {_number(middle)} {_number(to_x)} {_number(to_y)}"
        x, y = to_x, to_y
    colour, dash = (VERMILLION, ' stroke-dasharray="5 3"') if arrow.back else (INK, "")
    (head_x, head_y), down = (places[0], -1) if arrow.back else (places[-1], 1)
    line = f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.3" stroke-opacity="0.8"{dash}/>'
    label = _text(head_x + 6, head_y - 6 if down > 0 else head_y + 14, arrow.tensor, colour=colour, size=10, halo=True)
    return "\n".join([line, _head(head_x, head_y, down, colour), label])


def _head(x: float, y: float, down: int, colour: str) -> str:
    return f'<path d="M{_number(x)} {_number(y)}l-4 {-8 * down}h8z" fill="{colour}"/>'


def _loop(box: _Box, layout: Layout, cascade: Cascade) -> str:
    """A line that reads what it wrote a step earlier."""
    _, right, top = _frame(box, layout)
    low, high = top + box.height - 10, top + 10
    path = (
        f"M{_number(right)} {_number(low)}C{_number(right + 34)} {_number(low)} {_number(right + 34)} {_number(high)} "
    )
    line = f'{path}{_number(right + 7)} {_number(high)}"'
    shape = f'<path d="{line} fill="none" stroke="{VERMILLION}" stroke-width="1.6" stroke-dasharray="5 3"/>'
    head = f'<path d="M{_number(right)} {_number(high)}l8 -4v8z" fill="{VERMILLION}"/>'
    return "\n".join(
        [
            shape,
            head,
            _text(right + 30, (low + high) / 2 + 4, cascade.generative.get(box.name, ""), colour=VERMILLION, size=10),
        ]
    )
