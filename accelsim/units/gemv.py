"""Timing of a GEMV unit in memory: weights stream past vectors that are held, sums of several outputs interleaved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

MOST_STAGES = 1024
STORE = 1  # the register of a sum


@dataclass(frozen=True)
class GemvParams(Checked):
    """The unit. Each number of stages is one of registers behind a step."""

    lanes: Annotated[int, Size("weights per beat")] = 4
    vectors: Annotated[int, Size("vectors that share the weights")] = 1
    outputs: Annotated[int, Size("outputs whose sums are held side by side")] = 8
    words: Annotated[int, Size("beats of a vector that a buffer holds")] = 16
    vector_buffers: Annotated[
        int, Size("buffers of vectors: with two, the next job's enter beside the weights", 1, 2)
    ] = 2
    read_stages: Annotated[int, Size("edges to read a vector", 0, MOST_STAGES)] = 1
    product_stages: Annotated[int, Size("edges of the products", 0, MOST_STAGES)] = 1
    align_stages: Annotated[int, Size("edges of an addition to align its operands", 0, MOST_STAGES)] = 1
    sum_stages: Annotated[int, Size("edges of an addition to add significands", 0, MOST_STAGES)] = 1
    normal_stages: Annotated[int, Size("edges of an addition to normalise", 0, MOST_STAGES)] = 1
    round_stages: Annotated[int, Size("edges of an addition to round", 0, MOST_STAGES)] = 1

    @property
    def addition(self) -> int:
        """Edges of an addition."""
        return self.align_stages + self.sum_stages + self.normal_stages + self.round_stages

    @property
    def depth(self) -> int:
        """Edges from a beat of weights to its sum."""
        levels = (self.lanes - 1).bit_length()
        return self.read_stages + self.product_stages + (levels + 1) * self.addition + STORE


@dataclass(frozen=True)
class Matrix(Checked):
    """The job: rows of weights, each with as many elements as a vector."""

    rows: Annotated[int, Size("outputs of a vector")]
    elements: Annotated[int, Size("elements of a vector")]


def timing(params: GemvParams, shape: Matrix) -> Timing:
    """Vectors enter first, a beat of each in turn: ceil(elements / lanes) x vectors edges. Then weights enter.

    Outputs are made in groups of `outputs`, the last with what is left. Within a group beat b of all its rows comes
    before beat b + 1. A beat of weights is multiplied with all vectors, passes ceil(log2(lanes)) levels of the tree and
    is added to the sum of its row, which is read at the start of that addition and written, with all beats before it,
    `addition` + 1 edges later. So beat b + 1 of a row follows beat b that many edges later, or as many as the group has
    rows if those are more: with `outputs` above the edges of an addition, a beat of weights enters at every edge. The
    next group begins new sums and waits for nothing. A row leaves as its last beat is added.

    With one buffer, the next vectors enter when the last weights have. With two they enter beside the weights, and the
    next job's weights follow these at once, or its vectors where those take longer (`interval`); edges of the next job
    are then those of a lone one less its vectors', which its predecessor has hidden.

    Source: structure, that of the multiplier, tree and double buffer of AttAcc's GEMV unit (ASPLOS 2024) and of the
    modules of Logic-PIM in Duplex (MICRO 2024). Assumes no stall.

    Raises:
        AccelsimError: vectors that are longer than a buffer.
    """
    loading, first_group = load_edges(params, shape), min(shape.rows, params.outputs)
    first = loading + (beats_of(params, shape) - 1) * row_interval(params, first_group) + params.depth
    last = loading + weight_edges(params, shape) - 1 + params.depth
    return Timing(first, last, interval(params, shape, shape))


def interval(params: GemvParams, job: Matrix, following: Matrix) -> int:
    """Edges from the first weights of a job to those of the one behind it."""
    entering, loading = weight_edges(params, job), load_edges(params, following)
    return entering + loading if params.vector_buffers == 1 else max(entering, loading)


def load_edges(params: GemvParams, shape: Matrix) -> int:
    """Edges at which the vectors of a job enter."""
    return beats_of(params, shape) * params.vectors


def weight_edges(params: GemvParams, shape: Matrix) -> int:
    """Edges from the first weights of a job to the last, both included."""
    groups, rest = divmod(shape.rows, params.outputs)
    again = beats_of(params, shape) - 1
    whole = groups * (again * row_interval(params, params.outputs) + params.outputs)
    return whole + (again * row_interval(params, rest) + rest if rest else 0)


def row_interval(params: GemvParams, rows: int) -> int:
    """Edges between two beats of a row, in a group of so many."""
    return max(rows, params.addition + STORE)


def beats_of(params: GemvParams, shape: Matrix) -> int:
    """Beats of a row of weights, and of a vector."""
    beats = ceil_div(shape.elements, params.lanes)
    if beats > params.words:
        most = params.words * params.lanes
        raise AccelsimError(f'elements: must be at most {most}, as a buffer holds, got "{shape.elements}"')
    return beats
