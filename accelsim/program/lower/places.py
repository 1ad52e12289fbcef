"""Where tiles lie off chip: tensors one after another, and what a transfer moves as stretches of bytes.

Every tensor begins at a burst and has its elements in the order of its ranks as declared, the last one fastest, without
gaps. A tensor of several steps has one place. Of a tile of which a share moves, the first elements do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, prod
from typing import Literal

import numpy as np

from accelsim.cost.analytic import step_cost
from accelsim.cost.traffic import Life
from accelsim.einsum.ast import Coordinate, Index, IndexExpr, Int, Lookup
from accelsim.einsum.grid import Integers
from accelsim.errors import AccelsimError
from accelsim.mapping.bind import Placement
from accelsim.memory.bursts import Run
from accelsim.memory.setup import device_of
from accelsim.program.lower.elements import Elements, comes_again, existing, touched_ever
from accelsim.program.lower.flows import Flow, Setting
from accelsim.program.lower.numbers import HERE

MOST_TILES = 1 << 20
Tile = tuple[Run, ...]


@dataclass(frozen=True)
class Moved:
    """What a transfer moves of a tensor: a share of the elements that a flow touches in each iteration, of those among
    them that come `again`, or, once, of those that `nothing` makes."""

    life: Life
    flow: Flow
    share: Fraction = Fraction(1)
    kind: Literal["touched", "again", "nothing"] = "touched"


def layout_of(placements: Sequence[Placement]) -> Mapping[str, int]:
    """The first byte of every tensor that moves off chip, by its name in the workload, where the DRAM is simulated.

    Raises:
        AccelsimError: the DRAM is too small for them.
    """
    level = placements[0].arch.off_chip
    if level.dram is None:
        return {}
    shape, sizes = device_of(level.dram).organisation, dict[str, int]()
    for placement in placements:
        moving = step_cost(placement).traffic.get(level.name, {})
        for tensor in filter(moving.__contains__, placement.step.shapes.cascade.tensors):
            name = name_of(placement, tensor)
            sizes[name] = max(sizes.get(name, 0), _bytes_of(placement, tensor))
    found, end = dict[str, int](), 0
    for name, size in sizes.items():
        found[name] = end
        end += -(-size // shape.burst_bytes) * shape.burst_bytes
    if end > shape.bytes:
        raise AccelsimError(
            f"{', '.join(sizes)} take {end} B, but {level.name} has {shape.bytes} B: {shape.channels} channels of "
            f"{shape.name}"
        )
    return found


def name_of(placement: Placement, tensor: str) -> str:
    """A tensor's name in the workload."""
    return placement.step.tensors.get(tensor, tensor)


def _bytes_of(placement: Placement, tensor: str) -> int:
    return ceil(prod(placement.step.shapes.shapes[tensor]) * placement.step.types[tensor].bytes)


def place_of(setting: Setting, moved: Moved) -> IndexExpr:
    """The entry of a table with the bytes that a transfer moves in each iteration."""
    loops = moved.flow.along if moved.kind != "nothing" else ()
    extents = tuple((loop, setting.nest.existing.extents[loop]) for loop in loops)
    if prod(n for _, n in extents) > MOST_TILES:
        raise AccelsimError(
            f"{moved.life.tensor} moves in {prod(n for _, n in extents)} tiles; {MOST_TILES} can be placed in a DRAM"
        )
    base = setting.layout[name_of(setting.nest.placement, moved.life.tensor)]
    tiles = tuple(_tile(parts, moved, base) for parts in _parts(setting, moved, extents))
    name = setting.tables.placed(tuple(n for _, n in extents) or (1,), tiles)
    at: list[IndexExpr] = [Coordinate(loop) for loop in loops]
    return Lookup(name, tuple(Index(expr, None, HERE) for expr in at or [Int(0)]), HERE)


def _parts(setting: Setting, moved: Moved, extents: Sequence[tuple[str, int]]) -> Iterator[Sequence[Integers]]:
    """The numbers of the elements of each tile, tile after tile."""
    elements = Elements(setting.counter, tuple(moved.flow.visits), moved.flow.seen, moved.flow.along)
    match moved.kind:
        case "again":
            yield from comes_again(elements, extents).values()
        case "nothing":
            yield [np.setdiff1d(existing(setting.counter, moved.life.tensor), touched_ever(elements))]
        case "touched":
            for place in product(*(range(n) for _, n in extents)):
                yield list(elements.at(dict(zip((loop for loop, _ in extents), place, strict=True))))


def _tile(parts: Sequence[Integers], moved: Moved, base: int) -> Tile:
    """Stretches of bytes of the first elements of a tile, a part behind the other."""
    found: list[Run] = []
    for numbers in parts:
        kept = numbers[: ceil(len(numbers) * moved.share)]
        if len(kept):
            found += runs_of(kept, moved.life.word, base)
    return tuple(found)


def runs_of(numbers: Integers, word: Fraction, base: int) -> Iterator[Run]:
    """The stretches of bytes of elements with rising numbers; equal ones at equal distances are one entry."""
    ends = np.flatnonzero(np.diff(numbers) != 1)
    first, behind = numbers[np.concatenate([[0], ends + 1])], numbers[np.concatenate([ends, [len(numbers) - 1]])] + 1
    starts = base + first * word.numerator // word.denominator
    sizes = base - (-behind * word.numerator // word.denominator) - starts
    gaps = np.concatenate([np.diff(starts), [0]])
    place = 0
    while place < len(starts):
        alike = _alike(sizes[place:], gaps[place:])
        yield int(starts[place]), int(sizes[place]), int(gaps[place]) if alike > 1 else 0, alike
        place += alike


def _alike(sizes: Integers, gaps: Integers) -> int:
    """How many of some stretches are of one size and at one distance, from the first on."""
    same_size = np.flatnonzero(sizes != sizes[0])
    same_gap = np.flatnonzero(gaps != gaps[0])
    most = int(same_size[0]) if len(same_size) else len(sizes)
    return max(1, min(most, int(same_gap[0]) + 1 if len(same_gap) else len(gaps)))
