"""Timing of an attention tile: Q x K, online softmax and P x V, one key per edge, division at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

MOST_STAGES = 1024
MOST_BITS = 128
QUERY = 1  # the register that holds the query while its keys pass
SUMS = 1  # the register of each sum


@dataclass(frozen=True)
class AttentionParams(Checked):
    """The unit. Each number of stages is one of registers behind a step."""

    depth: Annotated[int, Size("elements of a query and a key")]
    product_stages: Annotated[int, Size("edges of the products of Q x K", 0, MOST_STAGES)] = 1
    level_stages: Annotated[int, Size("edges of one level of the adder tree", 0, MOST_STAGES)] = 1
    scale_stages: Annotated[int, Size("edges of the product with the scale", 0, MOST_STAGES)] = 1
    round_stages: Annotated[int, Size("edges to round and saturate a score", 0, MOST_STAGES)] = 1
    difference_stages: Annotated[int, Size("edges of a score less the running maximum", 0, MOST_STAGES)] = 1
    range_stages: Annotated[int, Size("edges of the range reduction of exp", 0, MOST_STAGES)] = 1
    lookup_stages: Annotated[int, Size("edges to look up a segment of exp", 0, MOST_STAGES)] = 1
    horner_stages: Annotated[int, Size("edges of the Horner step of exp", 0, MOST_STAGES)] = 1
    shift_stages: Annotated[int, Size("edges of the shift of exp", 0, MOST_STAGES)] = 1
    weigh_stages: Annotated[int, Size("edges of the products of P x V", 0, MOST_STAGES)] = 1
    output_bits: Annotated[int, Size("bits of an output", 2, MOST_BITS)] = 24
    division_bits: Annotated[int, Size("bits of a quotient that one stage of the division gives", 1, MOST_BITS)] = 1


@dataclass(frozen=True)
class Row(Checked):
    """The job: a query and its keys, masked ones included."""

    keys: Annotated[int, Size("keys of the row")]


def timing(params: AttentionParams, shape: Row) -> Timing:
    """The query enters at edge 0 and is held in a register; its keys enter at edges 1 to `keys`, one at each.

    A key passes the products, ceil(log2(depth)) levels of the adder tree, the scale, the rounding, the difference to
    the running maximum, the four steps of exp, the products with V, and the register of the sums: their edges add up
    to `depth_of_key`. Maximum and sums are kept in registers that take a key at every edge. The sums of the last key
    then pass the division, whose stages give `division_bits` bits of the quotient each, `output_bits` and one more
    by which it is rounded. A row has one output, so first and last are the same.

    The next query is taken into the register at the edge at which the last key leaves it, and its keys follow at
    once: everything behind is pipelined, the division too, so that rows of any lengths never wait for each other.

    Source: structure. Assumes no stall.
    """
    tree = (params.depth - 1).bit_length() * params.level_stages
    score = params.product_stages + tree + params.scale_stages + params.round_stages
    exp = params.range_stages + params.lookup_stages + params.horner_stages + params.shift_stages
    depth_of_key = score + params.difference_stages + exp + params.weigh_stages + SUMS
    division = ceil_div(params.output_bits + 1, params.division_bits)
    last_key = QUERY + shape.keys - 1
    end = last_key + depth_of_key + division
    return Timing(end, end, last_key)
