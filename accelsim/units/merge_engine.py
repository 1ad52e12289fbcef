"""Timing of a merge engine, whose lanes are queries: tiles of attention are added and divided, a word per edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

Operation = Literal["SCALE_ADD", "DIVIDE"]
MOST_STAGES = 1024
MOST_BITS = 128
HEAD = 1  # the word of maxima and denominators, before those of accumulators
ISSUE = 1  # the register of the instruction: its first word is read at the edge after its start
WRITE = 1  # the edge at which what has passed the last register is written


@dataclass(frozen=True)
class MergeEngineParams(Checked):
    """The unit. Each number of stages is one of registers behind a step."""

    difference_stages: Annotated[int, Size("edges of the distance of two maxima", 0, MOST_STAGES)] = 1
    round_stages: Annotated[int, Size("edges to shift, round and saturate a distance", 0, MOST_STAGES)] = 1
    range_stages: Annotated[int, Size("edges of the range reduction of exp", 0, MOST_STAGES)] = 1
    lookup_stages: Annotated[int, Size("edges to look up a segment of exp", 0, MOST_STAGES)] = 1
    horner_stages: Annotated[int, Size("edges of the Horner step of exp", 0, MOST_STAGES)] = 1
    shift_stages: Annotated[int, Size("edges of the shift of exp", 0, MOST_STAGES)] = 1
    rescale_stages: Annotated[int, Size("edges of the product of a sum and its factor", 0, MOST_STAGES)] = 1
    add_stages: Annotated[int, Size("edges to add to that product", 0, MOST_STAGES)] = 1
    output_bits: Annotated[int, Size("bits of an output", 2, MOST_BITS)] = 24
    division_bits: Annotated[int, Size("bits of a quotient that one stage of the division gives", 1, MOST_BITS)] = 1


@dataclass(frozen=True)
class MergeWords(Checked):
    """The job: one instruction."""

    operation: Annotated[Operation, Choice("what the instruction does", get_args(Operation))]
    words: Annotated[int, Size("words of accumulators: one for each column of V")] = 1


def timing(params: MergeEngineParams, shape: MergeWords) -> Timing:
    """DIVIDE has a word for each column of V; SCALE_ADD one more, for maxima and denominators, before them.

    They are issued one per edge, the first to be read at the edge after the start, which is edge 0. All pass the
    registers in which the first word of SCALE_ADD becomes factors (distance, rounding, the four steps of exp); sums,
    and D and PV pads, are read behind these. Behind that edge lie

    - SCALE_ADD: the product and the sum;
    - DIVIDE: the division, whose stages give `division_bits` bits of the quotient each, `output_bits` and one more by
      which it is rounded;

    and a word is written at the edge after the last register. `first` and `last` are the edges at which results are
    written: of SCALE_ADD the denominator is the first (the maximum is in place before). In the cycle before the last
    the instruction completes.

    The next instruction, whatever it is, starts when the last word is issued, so that its own first follows at the next
    edge: all words pass the same registers up to where sums are read.

    Source: structure. Assumes no stall, and data that are there.

    >>> timing(MergeEngineParams(), MergeWords("SCALE_ADD", 64))
    Timing(first=10, last=74, busy=65)
    """
    exp = params.range_stages + params.lookup_stages + params.horner_stages + params.shift_stages
    factors = params.difference_stages + params.round_stages + exp
    merge = params.rescale_stages + params.add_stages
    quotient = ceil_div(params.output_bits + 1, params.division_bits)
    behind, words = {
        "SCALE_ADD": (merge, HEAD + shape.words),
        "DIVIDE": (quotient, shape.words),
    }[shape.operation]
    first = ISSUE + factors + behind + WRITE
    return Timing(first, first + words - 1, words)
