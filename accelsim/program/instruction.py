"""Instructions of the sequencer: 128 bits, little-endian, one description for assembler, disassembler and hardware.

Every instruction begins with its operation, the semaphores it waits for, those it posts, and flags; LOAD and STORE have
another form behind them than all others. `FIELDS` and `DMA_FIELDS` give the widths from bit 0 upwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from accelsim.errors import AccelsimError, nearest

BITS = 128
SEMAPHORES = 16
HEAD = {"op": 4, "wait": SEMAPHORES, "post": SEMAPHORES, "flags": 8}
FIELDS: Mapping[str, int] = MappingProxyType({"a": 16, "b": 16, "dst": 16, "rows": 12, "cols": 12, "imm": 12})
DMA_FIELDS: Mapping[str, int] = MappingProxyType({"address": 32, "local": 16, "rows": 12, "beats": 8, "stride": 16})
OPS = ("NOP", "LOAD", "STORE", "MATMUL", "SOFTMAX", "SCALE_ADD", "DIVIDE", "SETP", "HALT", "LOOP")
"""By number. LOOP is reserved: no queue takes it."""
DMA_OPS = ("LOAD", "STORE")
FLAGS = ("first", "last", "accumulate", "transpose", "mask")
"""By bit of `flags`."""
QUEUES = ("load", "array", "vector", "store")
QUEUE_OF: Mapping[str, str] = MappingProxyType(
    {
        "LOAD": "load",
        "MATMUL": "array",
        "SOFTMAX": "vector",
        "SCALE_ADD": "vector",
        "DIVIDE": "vector",
        "SETP": "vector",
        "STORE": "store",
    }
)
"""What runs an operation. NOP says in `imm` for which queue it is, by number; HALT is for the sequencer itself."""


@dataclass(frozen=True)
class Instruction:
    """One instruction; `args` are fields of its form by name, what is left out is 0.

    Attributes:
        wait: semaphores that must be above 0 and are taken from when it starts.
        post: semaphores that are added to when it has completed.
        flags: of FLAGS.

    Raises:
        AccelsimError: an unknown operation, flag or field, or a number that its field cannot hold.
    """

    op: str
    wait: frozenset[int] = frozenset()
    post: frozenset[int] = frozenset()
    flags: frozenset[str] = frozenset()
    args: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_known("operation", self.op, OPS)
        for name in self.flags:
            _check_known("flag", name, FLAGS)
        for semaphore in self.wait | self.post:
            if not 0 <= semaphore < SEMAPHORES:
                raise AccelsimError(f"{self.op}: semaphores are s0 to s{SEMAPHORES - 1}, not s{semaphore}")
        form = form_of(self.op)
        for name, value in self.args.items():
            _check_known(f"field of {self.op}", name, tuple(form))
            if not 0 <= value < 1 << form[name]:
                raise AccelsimError(f"{self.op}: {name} must be from 0 to {(1 << form[name]) - 1}, not {value}")

    @property
    def queue(self) -> str | None:
        """The queue that it stands in; None: the sequencer's own.

        Raises:
            AccelsimError: a NOP for a queue that is not there.
        """
        if self.op != "NOP":
            return QUEUE_OF.get(self.op)
        number = self.args.get("imm", 0)
        if number >= len(QUEUES):
            raise AccelsimError(f"NOP: imm must be a queue, 0 to {len(QUEUES) - 1}, not {number}")
        return QUEUES[number]


def form_of(op: str) -> Mapping[str, int]:
    """The fields behind the head and their widths."""
    return DMA_FIELDS if op in DMA_OPS else FIELDS


def encode(instruction: Instruction) -> int:
    """The 128 bits as an integer; `to_bytes(16, "little")` of it is what stands in memory."""
    head = {
        "op": OPS.index(instruction.op),
        "wait": sum(1 << s for s in instruction.wait),
        "post": sum(1 << s for s in instruction.post),
        "flags": sum(1 << FLAGS.index(name) for name in instruction.flags),
    }
    form = form_of(instruction.op)
    word, place = 0, 0
    for name, width in {**HEAD, **form}.items():
        word |= (head[name] if name in head else instruction.args.get(name, 0)) << place
        place += width
    return word


def decode(word: int) -> Instruction:
    """The inverse of `encode`; fields that are 0 are left out.

    Raises:
        AccelsimError: more than 128 bits, an operation or a flag that is not there.
    """
    if not 0 <= word < 1 << BITS:
        raise AccelsimError(f"an instruction has {BITS} bits, not {word:#x}")
    number = word & 0xF
    if number >= len(OPS):
        raise AccelsimError(f"no operation has the number {number}; the last is {OPS[-1]}, {len(OPS) - 1}")
    found: dict[str, int] = {}
    for name, width in {**HEAD, **form_of(OPS[number])}.items():
        found[name] = word & ((1 << width) - 1)
        word >>= width
    if found["flags"] >> len(FLAGS):
        raise AccelsimError(f"{OPS[number]}: flags must be below {1 << len(FLAGS)}, not {found['flags']}")
    return Instruction(
        OPS[number],
        _bits(found["wait"]),
        _bits(found["post"]),
        frozenset(FLAGS[bit] for bit in _bits(found["flags"])),
        {name: value for name, value in found.items() if name not in HEAD and value},
    )


def _bits(mask: int) -> frozenset[int]:
    return frozenset(bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def _check_known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise AccelsimError(f'no {what} is called "{name}"{nearest(name, known)}')
