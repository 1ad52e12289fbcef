"""What a drawing of a cascade shows: a box for each tensor, an arrow for each read, and the layers that they are in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accelsim.einsum.cascade import Cascade, Einsum
from accelsim.einsum.passes import stages
from accelsim.einsum.text import render_einsum, render_expr
from accelsim.report.style import COLOURS, GREY

BLUE, ORANGE, GREEN, VERMILLION = COLOURS[:4]
LETTER, ROW = 7.3, 17  # width of a letter and height of a row, in pixels at the size of the text
WRAP = 46  # letters in a row
CLAUSES = re.compile(r"(?= (?:over|where|and|or|else) )")
OPERATORS = re.compile(r"(?<=[-+*/,])(?![^\[]*\])")
LOOP = 46  # room beside a box for the loop of a line that reads itself


@dataclass(frozen=True)
class Box:
    """What is drawn for a tensor: an input, or the line that defines it with its start."""

    name: str
    rows: tuple[str, ...]
    layer: int
    colour: str
    output: bool
    loops: bool

    @property
    def width(self) -> float:
        letters = max(len(row) for row in self.rows)
        return round(letters * LETTER + 24 + (2 * LOOP if self.loops else 0), 1)

    @property
    def height(self) -> float:
        return len(self.rows) * ROW + 14


@dataclass(frozen=True)
class Arrow:
    """A tensor from the line that writes it to one that reads it; `back`: in a later step of the recurrence."""

    tensor: str
    reader: str
    back: bool

    @property
    def loop(self) -> bool:
        """Whether a line reads itself."""
        return self.tensor == self.reader


def arrows_of(cascade: Cascade) -> list[Arrow]:
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
    return [Arrow(tensor, reader, back) for (tensor, reader), back in found.items()]


def layers_of(cascade: Cascade, arrows: Sequence[Arrow], stage: Mapping[str, int]) -> dict[str, int]:
    """The layer of every tensor: below what it reads, above what it reads of a step before, below earlier passes."""
    order = [cascade.einsums[i] for component in cascade.components for i in component]
    lines = sorted((line for line in order if line.name == line.tensor), key=lambda line: stage.get(line.tensor, 1))
    above: dict[str, list[str]] = {}
    for arrow in arrows:
        upper, lower = (arrow.reader, arrow.tensor) if arrow.back else (arrow.tensor, arrow.reader)
        above.setdefault(lower, []).append(upper)
    layers: dict[str, int] = {}
    floor, current = 1, 1
    for line in lines:
        if stage.get(line.tensor, 1) > current:
            floor, current = max(layers.values()) + 1, stage[line.tensor]
        layers[line.tensor] = max([floor, *(layers[name] + 1 for name in above.get(line.tensor, ()) if name in layers)])
    readers = {name: [a.reader for a in arrows if a.tensor == name] for name in cascade.inputs}
    inputs = {name: min(layers[reader] for reader in found) - 1 for name, found in readers.items() if found}
    return inputs | layers


def stages_of(cascade: Cascade, rank: str) -> dict[str, int]:
    """The pass over a rank in which each tensor is made; a start counts as the line that goes on from it."""
    found = stages(cascade, rank) if rank else {}
    names = {line.tensor: (line.tensor, f"{line.tensor}@start") for line in cascade.einsums}
    return {tensor: max(found.get(name, 1) for name in lines) for tensor, lines in names.items()}


def bands_of(layers: Mapping[str, int], stage: Mapping[str, int]) -> dict[int, int]:
    """The layer in which each pass begins; none where there is a single pass."""
    first: dict[int, int] = {}
    for tensor, number in stage.items():
        first[number] = min(first.get(number, layers[tensor]), layers[tensor])
    return {} if len(first) < 2 else {layer: number for number, layer in sorted(first.items())}


def box_of(name: str, cascade: Cascade, layer: int, arrows: Sequence[Arrow]) -> Box:
    if name in cascade.inputs:
        return Box(name, (f"{name}[{','.join(cascade.tensors[name])}]",), layer, GREY, False, False)
    lines = {line.name: line for line in cascade.einsums if line.tensor == name}
    line = lines[name]
    rows = [render_expr(line.target), *_wrapped(render_einsum(line).split(" = ", 1)[1])]
    start = lines.get(f"{name}@start")
    rows += [f"start: {render_einsum(start)}"] if start else []
    loops = any(arrow.tensor == arrow.reader == name for arrow in arrows)
    return Box(name, tuple(rows), layer, _colour(line), name in cascade.outputs, loops)


def _colour(line: Einsum) -> str:
    return BLUE if line.reduction else ORANGE


def _wrapped(text: str) -> list[str]:
    """`= text` in rows of at most WRAP letters, if it can be cut."""
    rows, row = list[str](), f"= {_pieces(text)[0]}"
    for piece in _pieces(text)[1:]:
        if len(row) + len(piece) > WRAP:
            rows, row = [*rows, row], f"  {piece.lstrip()}"
        else:
            row += piece
    return [*rows, row]


def _pieces(text: str) -> list[str]:
    """The text cut before clauses and, where it computes, behind operators outside brackets."""
    value, *clauses = CLAUSES.split(text)
    return [*OPERATORS.split(value), *clauses]
