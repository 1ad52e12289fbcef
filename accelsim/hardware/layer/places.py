"""Where everything of a head lies: tensors in memory, tiles in scratchpads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.program.marked import MarkedGraph
from accelsim.program.model import Program, bodies

PAGE = 4096
WORD_BYTES = 8
OUTPUT_BYTES = 4
SUMS = ("RD", "RNV")
"""Tensors whose tiles stay in the vector engine."""


@dataclass(frozen=True)
class Places:
    """Bytes of a tile of each tensor and where in memory its first lies; how many tiles of each pad are in use.

    A tile begins at a multiple of the power of two that is at least its size, so that no burst crosses a page.

    Attributes:
        base: tensor to the address of its first tile.
        step: tensor to the bytes from tile to tile.
        slots: tensor to the tiles of it that its pad, or for SUMS the vector engine, holds.
        in_flight: tiles of scores that are under way at once.
        bytes: of all tensors together.
    """

    base: Mapping[str, int]
    step: Mapping[str, int]
    slots: Mapping[str, int]
    in_flight: int
    bytes: int

    def address(self, tensor: str, tile: int) -> int:
        return self.base[tensor] + tile * self.step[tensor]


def places_of(program: Program, tiles: Mapping[str, tuple[int, int]]) -> Places:
    """Where things lie, as many of them at once as the program keeps.

    Args:
        tiles: tensor to the bytes of a tile and the number of tiles.
    """
    base, step, end = dict[str, int](), dict[str, int](), 0
    for tensor, (size, number) in tiles.items():
        step[tensor] = 1 << (size - 1).bit_length()
        base[tensor] = -(-end // PAGE) * PAGE
        end = base[tensor] + number * step[tensor]
    (in_flight,) = [body.in_flight for _, _, body in bodies(program.root)]
    slots = {tensor: _slots(program, tensor) for tensor in (*tiles, *SUMS)}
    return Places(base, step, slots, in_flight, end)


def _slots(program: Program, tensor: str) -> int:
    """Tiles that a program keeps of a tensor: its reservation over a slot.

    Raises:
        AccelsimError: tiles that take their bytes instead of a slot.
    """
    capacity = {buffer.name: buffer.capacity for buffer in program.buffers}
    for hold in (hold for _, _, body in bodies(program.root) for task in body.tasks for hold in task.holds):
        if hold.buffer.partition(".")[0] == tensor:
            if not isinstance(hold.bytes, Int):
                raise AccelsimError(f"{tensor}: tiles of a scratchpad take slots; its level must have slots: true")
            return capacity[hold.buffer] // hold.bytes.value
    return 1


def check_words(places: Places, words: Mapping[str, tuple[int, int]]) -> None:
    """Refuse more tiles of a tensor than its pad holds.

    Args:
        words: tensor to the words of a tile in each bank of its pad, and those that a bank has.

    Raises:
        AccelsimError: naming what would do.
    """
    for tensor, (each, most) in words.items():
        wanted = each * places.slots[tensor]
        if wanted > most:
            raise AccelsimError(
                f"{places.slots[tensor]} tiles of {tensor} need {wanted} words in each bank; the machine has "
                f"{most}: give it more ({tensor.lower()}_words of the buffer's rtl) or keep fewer (copies)"
            )


def check_queues(graph: MarkedGraph, most: int) -> None:
    """Refuse more instructions than a queue takes in before it is full and lets the program run.

    Raises:
        AccelsimError: naming the resource.
    """
    for resource, number in Counter(node.queue for node in graph.nodes).items():
        if number + 2 > most:  # SETP, and one place that stays free
            raise AccelsimError(
                f"{resource}: {number} instructions, and a queue takes {most - 2} before the program must run: give it "
                "more places (queue of the buffer's rtl) or run fewer tiles"
            )


def check_counts(counts: Iterable[tuple[str, int, int]]) -> None:
    """Refuse more of something than there is room for: what it is, how many are wanted, how many fit."""
    for what, wanted, most in counts:
        if wanted > most:
            raise AccelsimError(f"{what}: {wanted}, and the machine has room for {most}")
