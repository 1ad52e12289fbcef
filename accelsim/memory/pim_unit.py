"""Timing of processing in memory: decode attention by multipliers in a stack of DRAM, command by command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.errors import AccelsimError
from accelsim.memory.pim import load_stack
from accelsim.memory.pim_run import run_attention
from accelsim.memory.pim_stream import Attention
from accelsim.units.catalog import Unit
from accelsim.units.fields import Checked, Choice, Size, Word
from accelsim.units.timing import Timing

STACK = "HBM3-PIM"
MOST_PAIRS, MOST_POSITIONS, MOST_DEPTH = 2**16, 2**20, 2**12


@dataclass(frozen=True)
class Flag:
    """True or false."""

    says: str
    kind: str = "true or false"

    def holds(self, value: object) -> bool:
        return isinstance(value, bool)

    def read(self, plain: object) -> object:
        return plain


@dataclass(frozen=True)
class PimParams(Checked):
    """The stack: HBM3 with multipliers at every bank, every bank group or every pseudo-channel."""

    level: Annotated[str, Choice("where the multipliers sit", ("bank", "bank-group", "buffer"))]
    bytes: Annotated[int, Size("bytes of an element", high=8)]
    power_limit: Annotated[bool, Flag("whether power limits MACs and activations")]
    rules: Annotated[str, Word("rules of its file, arch_configs/pim: released or corrected")] = "released"


@dataclass(frozen=True)
class PairsOfHeads(Checked):
    """The job: a query each of pairs of head and request, all of one length."""

    pairs: Annotated[int, Size("pairs of head and request", high=MOST_PAIRS)]
    length: Annotated[int, Size("positions that each query attends to", high=MOST_POSITIONS)]
    head_dim: Annotated[int, Size("elements of a query and of a key", high=MOST_DEPTH)]


def timing(params: PimParams, shape: PairsOfHeads) -> Timing:
    """An edge is a cycle of the stack's clock; the last output is the last sum of P x V that leaves its multipliers.

    Commands of the channel with the most pairs are issued one by one, refreshes too (`accelsim.memory.pim_channel`).
    Nothing of the next job runs beside them, and the first and the last output are not told apart.

    Source: AttAcc (ASPLOS 2024) and its released simulator. Assumes that the stack does nothing else, and pairs of
    equal length.

    Raises:
        AccelsimError: unknown rules, elements that do not fit a burst, too many commands.
    """
    try:
        stack = load_stack(STACK, params.level, params.rules, power_limit=params.power_limit)
    except AccelsimError as error:
        raise AccelsimError(error.message) from None
    work = Attention(shape.pairs, shape.length, shape.head_dim, params.bytes)
    cycles = run_attention(stack, work).cycles
    return Timing(cycles - 1, cycles - 1, cycles)


PIM = Unit("pim", "stack of DRAM with multipliers: decode attention", PimParams, PairsOfHeads, timing)
