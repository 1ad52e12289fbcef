"""Timing of a vector engine of attention: SOFTMAX of a tile, sums of P x V, their division, a word per edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

Operation = Literal["SOFTMAX", "SCALE_ADD", "DIVIDE", "SETP"]
MOST_STAGES = 1024
MOST_BITS = 128
ISSUE = 1  # the register of the instruction: its first word is read at the edge after its start
WRITE = 1  # the edge at which what has passed the last register is written


@dataclass(frozen=True)
class VectorEngineParams(Checked):
    """The unit. Each number of stages is one of registers behind a step."""

    lanes: Annotated[int, Size("keys of a tile, and elements of a word")]
    scale_stages: Annotated[int, Size("edges of the product with the scale", 0, MOST_STAGES)] = 1
    round_stages: Annotated[int, Size("edges to round and saturate a score", 0, MOST_STAGES)] = 1
    maximum_stages: Annotated[int, Size("edges of one level of the tree of maxima", 0, MOST_STAGES)] = 1
    difference_stages: Annotated[int, Size("edges of a score less the tile's maximum", 0, MOST_STAGES)] = 1
    range_stages: Annotated[int, Size("edges of the range reduction of exp", 0, MOST_STAGES)] = 1
    lookup_stages: Annotated[int, Size("edges to look up a segment of exp", 0, MOST_STAGES)] = 1
    horner_stages: Annotated[int, Size("edges of the Horner step of exp", 0, MOST_STAGES)] = 1
    shift_stages: Annotated[int, Size("edges of the shift of exp", 0, MOST_STAGES)] = 1
    sum_stages: Annotated[int, Size("edges of one level of the adder tree of P", 0, MOST_STAGES)] = 1
    rescale_stages: Annotated[int, Size("edges of the product of a sum and its factor", 0, MOST_STAGES)] = 1
    add_stages: Annotated[int, Size("edges to add to that product", 0, MOST_STAGES)] = 1
    output_bits: Annotated[int, Size("bits of an output", 2, MOST_BITS)] = 24
    division_bits: Annotated[int, Size("bits of a quotient that one stage of the division gives", 1, MOST_BITS)] = 1


@dataclass(frozen=True)
class Words(Checked):
    """The job: one instruction. SOFTMAX has one fold; SETP, and whatever else does nothing, one row as well.

    Raises:
        AccelsimError: folds of a SOFTMAX.
    """

    operation: Annotated[Operation, Choice("what the instruction does", get_args(Operation))]
    rows: Annotated[int, Size("queries of the tile")] = 1
    folds: Annotated[int, Size("words of each row")] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.operation == "SOFTMAX" and self.folds != 1:
            raise AccelsimError(f'folds: must be 1 for SOFTMAX, got "{self.folds}"')


def timing(params: VectorEngineParams, shape: Words) -> Timing:
    """rows * folds words are read, one per edge, the first at the edge after the start, which is edge 0.

    `first` and `last` are the edges at which results are written, in the cycle before the last of which the
    instruction completes. Behind the edge at which it is read, a word passes registers, and is written at the edge
    after the last of them:

    - SOFTMAX: scale, rounding, ceil(log2(lanes)) levels of the tree of maxima, difference, the four steps of exp;
      there P is written, which is the first result; ceil(log2(lanes)) levels of the tree of sums, and the product and
      the sum by which the denominator is merged, which is the last result.
    - SCALE_ADD: the product and the sum. SETP passes the same registers as a word that writes nothing, so that no two
      instructions complete at the same edge of one port; the scale is there for the next instruction already.
    - DIVIDE: the division, whose stages give `division_bits` bits of the quotient each, `output_bits` and one more by
      which it is rounded.

    The next instruction, whatever it is, starts when the last word is read, so that its own first follows at the next
    edge: one port gives all words, and the pipelines stand beside each other.

    Source: structure. Assumes no stall, and data that are there.
    """
    levels = (params.lanes - 1).bit_length()
    score = params.scale_stages + params.round_stages + levels * params.maximum_stages
    exp = params.range_stages + params.lookup_stages + params.horner_stages + params.shift_stages
    weight = score + params.difference_stages + exp
    merge = params.rescale_stages + params.add_stages
    denominator = weight + levels * params.sum_stages + merge
    quotient = ceil_div(params.output_bits + 1, params.division_bits)
    depths = {
        "SOFTMAX": (weight, denominator),
        "SCALE_ADD": (merge, merge),
        "SETP": (merge, merge),
        "DIVIDE": (quotient, quotient),
    }
    first, last = depths[shape.operation]
    words = shape.rows * shape.folds
    return Timing(ISSUE + first + WRITE, ISSUE + words - 1 + last + WRITE, words)
