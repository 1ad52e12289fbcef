"""Timing of a systolic array that multiplies M x K by K x N: output, weight or input stationary, any size, folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.timing import Timing

Dataflow = Literal["os", "ws", "is"]
Edges = Literal["padded", "trimmed"]
Folds = Literal["serialised", "overlapped"]
Outputs = Literal["skewed", "aligned"]
LONGEST_SIDE = 2**16
MOST_REGISTERS = 1024
EDGES = "whether lanes past the end of a matrix take their turn (with zeros) or are left out"
FOLDS = "whether a fold begins when the last output of the one before has left, or as soon as nothing collides"
OUTPUTS = "whether a column's outputs leave as soon as they are there, or wait so that whole rows leave at one edge"
BUFFERS = "stationary values that a processing element holds: 2 load the next fold during this one"


@dataclass(frozen=True)
class SystolicParams(Checked):
    """The array. What has a default has that of the published simulator: padded, serialised, no further registers."""

    rows: Annotated[int, Size("rows of processing elements", high=LONGEST_SIDE)]
    cols: Annotated[int, Size("columns of processing elements", high=LONGEST_SIDE)]
    dataflow: Annotated[Dataflow, Choice("what stays in place: outputs, weights or inputs", get_args(Dataflow))]
    edges: Annotated[Edges, Choice(EDGES, get_args(Edges))] = "padded"
    folds: Annotated[Folds, Choice(FOLDS, get_args(Folds))] = "serialised"
    weight_buffers: Annotated[int, Size(BUFFERS, high=2)] = 1
    input_registers: Annotated[int, Size("registers between an input port and the array", 0, MOST_REGISTERS)] = 0
    mac_registers: Annotated[int, Size("registers between multiplier and adder", 0, MOST_REGISTERS)] = 0
    output_registers: Annotated[int, Size("registers between the array and its output port", 0, MOST_REGISTERS)] = 0
    outputs: Annotated[Outputs, Choice(OUTPUTS, get_args(Outputs))] = "skewed"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_buffers == 2 and (self.dataflow == "os" or self.folds == "serialised"):
            raise AccelsimError(
                f'weight_buffers: 2 changes nothing with dataflow "{self.dataflow}" and folds "{self.folds}": '
                "it needs ws or is, and overlapped"
            )


@dataclass(frozen=True)
class Product(Checked):
    """The job: outputs[M, N] = inputs[M, K] times weights[K, N]."""

    M: Annotated[int, Size("rows of the inputs and of the outputs")]
    N: Annotated[int, Size("columns of the weights and of the outputs")]
    K: Annotated[int, Size("columns of the inputs and rows of the weights")]


@dataclass(frozen=True)
class Layout:
    """How a product lies on the array: what goes down the rows, across the columns, and past them in time."""

    down: int
    across: int
    beats: int


def layout(dataflow: Dataflow, shape: Product) -> Layout:
    """Output stationary: M x N lies still, K streams. Weights: K x N, M. Inputs: K x M (transposed), N."""
    return {
        "os": Layout(shape.M, shape.N, shape.K),
        "ws": Layout(shape.K, shape.N, shape.M),
        "is": Layout(shape.K, shape.M, shape.N),
    }[dataflow]


def fold_timing(params: SystolicParams, rows: int, cols: int, beats: int) -> Timing:
    """One fold that uses `rows` x `cols` processing elements, R x C being the array, while `beats` beats stream.

    An operand enters at the left or the top and moves one element per edge, so element (i, j) works on beat b at
    edge b + i + j after the stream began; a skew register chain of i (or j) in front of each lane makes that so. The
    registers at the input, inside the MAC and at the output delay everything alike: `stages` is their sum.

    Outputs stationary: both operands stream at once. Element (i, j) has its sum with its last beat, at edge
    beats - 1 + i + j, and hands it to the one output wire of its column. So the first output leaves at beats - 1,
    the last at beats - 1 + (rows - 1) + (cols - 1). The next fold may follow when its stream does not meet this one
    (`beats` edges) and the column's wire, which carries one of `rows` sums per edge, is free: the larger of the two.

    Weights (or inputs) stationary: first R rows of weights enter, one per edge, each travelling down to the row
    that keeps it; row i has caught its own at edge 2i, just before its first beat at R + i if i <= R - 1. Then beats
    stream; a partial sum passes all R rows, also the unused ones, and leaves column j at R + b + (R - 1) + j.
    With one buffer the next weight for element (0, 0) may be caught with the last beat there, at R + beats - 1,
    and all others follow at the same slope. With two it may be caught once this fold's has been put to use, at R, so
    only the ports count: `beats` edges for the stream, R for the weights. Weights that are offered sooner are taken as
    soon as those before are in use; what streams and what leaves comes at the same edges.

    Outputs aligned: column j waits C - 1 - j edges more, in as many registers, for the last of the array's columns.

    Padded, all R rows and C columns of outputs take their turn, as published; trimmed, only those that exist.
    Assumes that stationary values are loaded anew for every fold and that partial sums over K are added outside.

    Source: Samajdar et al., SCALE-Sim (ISPASS 2020), whose counts K + R + C - 2 and M + 2R + C - 2 per fold follow with
    no registers, padded; the element-by-element simulation of `pe_array` is the witness for everything else.
    """
    stages = params.input_registers + params.mac_registers + params.output_registers
    stationary = params.dataflow != "os"
    if params.edges == "padded":
        rows, cols = params.rows, params.cols
    if stationary:
        rows = params.rows
    aligned = params.outputs == "aligned"
    if aligned:
        cols = params.cols
    preload = params.rows if stationary else 0
    first = preload + (rows - 1 if stationary else beats - 1) + (cols - 1 if aligned else 0) + stages
    last = preload + (beats - 1) + (rows - 1) + (cols - 1) + stages
    if params.folds == "serialised":
        return Timing(first, last, last + 1)
    if not stationary:
        return Timing(first, last, max(beats, rows))
    return Timing(first, last, max(beats, preload) if params.weight_buffers == 2 else preload + beats - 1)


def timing(params: SystolicParams, shape: Product) -> Timing:
    """A whole product: ceil(down / R) x ceil(across / C) folds, columns fastest, each begun `busy` after the last.

    All folds but those of the last row and the last column of folds are full, so four kinds of fold give the sum.
    The last output is that of the last fold or, where folds overlap and the last fold is narrower, of the one to
    its left, which began `busy` earlier and has more columns. Partial sums count as outputs.

    >>> timing(SystolicParams(rows=32, cols=32, dataflow="ws"), Product(M=100, N=70, K=33))
    Timing(first=63, last=1163, busy=1164)
    """
    place = layout(params.dataflow, shape)
    (full_rows, end_rows), (full_cols, end_cols) = (
        _folds(place.down, params.rows),
        _folds(place.across, params.cols),
    )

    def fold(rows: int, cols: int) -> Timing:
        return fold_timing(params, rows, cols, place.beats)

    full, right = fold(params.rows, params.cols), fold(params.rows, end_cols)
    below, corner = fold(end_rows, params.cols), fold(end_rows, end_cols)
    busy = full_rows * (full_cols * full.busy + right.busy) + full_cols * below.busy + corner.busy
    begun = busy - corner.busy
    before = begun - below.busy + below.last if full_cols else 0
    first = (full if full_rows and full_cols else right if full_rows else below if full_cols else corner).first
    return Timing(first, max(begun + corner.last, before), busy)


def _folds(extent: int, side: int) -> tuple[int, int]:
    """Full folds, and the extent of the one after them: 1 to `side`."""
    full = (extent - 1) // side
    return full, extent - full * side
