"""Where everything of a head lies: tensors in memory, tiles in scratchpads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.errors import AccelsimError
from accelsim.hardware.layer.head import OUTPUT, Head, K, Q, V
from accelsim.program.model import Buffer, Program, bodies
from rtl.layer.machine_form import MachineForm

PAGE = 4096
WORD_BYTES = 8
OUTPUT_BYTES = 4


@dataclass(frozen=True)
class Places:
    """Bytes of a tile of each tensor and where in memory its first lies; how many tiles of each pad are in use.

    A tile begins at a multiple of the power of two that is at least its size, so that no burst crosses a page.

    Attributes:
        base: tensor to the address of its first tile.
        step: tensor to the bytes from tile to tile.
        slots: tensor to the tiles of it that its pad holds; also `sums`, tiles of queries whose sums are kept.
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


def places_of(head: Head, program: Program, form: MachineForm) -> Places:
    """Where things lie, as many of them at once as the program keeps.

    Raises:
        AccelsimError: more tiles than the machine's pads hold.
    """
    sizes = {
        Q: (head.rows * head.depth, head.query_tiles),
        K: (head.cols * head.depth, head.key_tiles),
        V: (head.cols * head.columns, head.key_tiles),
        OUTPUT: (head.rows * head.columns * OUTPUT_BYTES, head.query_tiles),
    }
    base, step, end = dict[str, int](), dict[str, int](), 0
    for tensor, (size, tiles) in sizes.items():
        step[tensor] = 1 << (size - 1).bit_length()
        base[tensor] = -(-end // PAGE) * PAGE
        end = base[tensor] + tiles * step[tensor]
    (in_flight,) = [body.in_flight for _, _, body in bodies(program.root)]
    slots = {tensor: _slots(program, tensor) for tensor in (Q, K, V, OUTPUT, "RD", "RNV")}
    found = Places(base, step, slots, in_flight, end)
    _check_room(head, found, form)
    return found


def _slots(program: Program, tensor: str) -> int:
    """Tiles that a program keeps of a tensor: its reservation over the largest tile."""
    buffers: dict[str, Buffer] = {buffer.name: buffer for buffer in program.buffers}
    for _, _, body in bodies(program.root):
        for task in body.tasks:
            for hold in task.holds:
                if hold.buffer.partition(".")[0] == tensor:
                    return buffers[hold.buffer].capacity // int(str(getattr(hold.bytes, "value", 1)))
    return 1


def _check_room(head: Head, places: Places, form: MachineForm) -> None:
    words = {Q: head.depth // WORD_BYTES, K: head.depth // WORD_BYTES, V: head.columns // WORD_BYTES}
    pads = {Q: form.q_words, K: form.k_words, V: form.v_words}
    for tensor, each in words.items():
        wanted = each * places.slots[tensor]
        if wanted > pads[tensor]:
            raise AccelsimError(
                f"{places.slots[tensor]} tiles of {tensor} need {wanted} words in each bank; the machine has "
                f"{pads[tensor]}: give it more ({tensor.lower()}_words of the buffer's rtl) or keep fewer (copies)"
            )
    for what, wanted, most in (
        ("tiles in flight", places.in_flight, form.tiles),
        ("parts of a row of the output", head.folds, form.folds),
        *((f"copies of {name}", places.slots[name], form.copies) for name in ("RD", "RNV", OUTPUT)),
    ):
        if wanted > most:
            raise AccelsimError(f"{what}: {wanted}, and the machine has room for {most}")
    if head.keys > form.length:
        raise AccelsimError(f"keys: {head.keys}, and the machine's sums hold {form.length}")
