"""Timing of an array that does the softmax of a tile itself: Q x K, maximum, exp, sum and P x V, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing

LONGEST_SIDE = 2**16
MOST_REGISTERS = 1024
SUB = 1  # beat of a score less the maximum
EXP = 6  # beats of exp: range reduction and five Horner steps, the last one shifting
HELD = 1  # the register in which a column's maximum waits for SUB


@dataclass(frozen=True)
class FuseParams(Checked):
    """The array."""

    rows: Annotated[int, Size("rows of processing elements: keys of a tile", high=LONGEST_SIDE)]
    cols: Annotated[int, Size("columns of processing elements: queries of a tile", high=LONGEST_SIDE)]
    input_registers: Annotated[int, Size("registers between an input and the array", 0, MOST_REGISTERS)] = 0
    output_registers: Annotated[int, Size("registers between the array and the output", 0, MOST_REGISTERS)] = 0


@dataclass(frozen=True)
class KeyTiles(Checked):
    """The job: a tile of queries and so many tiles of keys."""

    E: Annotated[int, Size("elements of a query and of a key")]
    F: Annotated[int, Size("elements of a value")]
    tiles: Annotated[int, Size("tiles of keys, one after another")] = 1


@dataclass(frozen=True)
class Step:
    """One step of one tile, counted from its first beat, edge 0.

    Attributes:
        timing: `first` and `last` are the edges at which results leave the array or, of QK and SLN, are in place in
            the first and the last element; `busy` that at which a beat of any other step may enter.
        after: the edge at which a step that needs these results may enter. In a tile program, the step's latency
            towards the array is `after - busy`, towards a vector unit `last + 1 - busy`.
    """

    timing: Timing
    after: int


def step_timings(params: FuseParams, E: int, F: int) -> dict[str, Step]:
    """QK, LM, SLN, SLD and SLNV of a tile.

    A beat enters at the left, a row's share of it one edge after that of the row above, and moves one column per edge,
    so that element (i, j) does its step i + j edges after element (0, 0), and the last one (R - 1) + (C - 1) after it.
    Every element does one step per edge: E beats of QK, one of LM, one of SUB and six of exp, one of SLD, F of SLNV.
    Each needs of the same element what the one before left there, but for SUB, which needs the maximum of the column.

    What moves down a column (maximum, sum of P, P x V) has a register in every row, so it is below the last row R edges
    after it was above the first, plus j for column j; C - 1 - j edges later it leaves, rows whole. The maximum goes
    back to the top of its column: R edges down and the register in which it waits (`HELD`) lie between LM and SUB.

    Source: cascade 5 and Mapping 1 of FuseMax (MICRO 2024): cycles per tile E, 1, 7, 1 and F. Assumes no stall.
    """
    across = params.rows - 1 + params.cols - 1
    begin = params.input_registers
    down = params.rows + params.cols - 1 + begin + params.output_registers

    def kept(beats: int) -> Step:
        first = begin + beats - 1
        return Step(Timing(first, first + across, beats), beats)

    def leaves(beats: int) -> Timing:
        return Timing(down, down + beats - 1, beats)

    return {
        "QK": kept(E),
        "LM": Step(leaves(1), params.rows + HELD),
        "SLN": kept(SUB + EXP),
        "SLD": Step(leaves(1), 1),
        "SLNV": Step(leaves(F), F),
    }


def timing(params: FuseParams, shape: KeyTiles) -> Timing:
    """The steps of a tile of keys are QK, LM, SLN, SLD, SLNV; from the second tile on the order is another.

    While the maximum of a tile is on its way the array does SLNV of the tile before, whose P still are in place: QK,
    LM, SLNV of the tile before, SLN, SLD; after the last tile its SLNV. So the first tile's wait of R edges for SUB is
    bare, and that of the others is hidden by the F beats of SLNV as far as these reach: each takes
    E + 1 + max(F, R) + 7 + 1 edges. All beats enter one after another; the first output is the first LM, E edges after
    the job's first beat and down the column, the last one the last beat of SLNV.

    Source: the order of FuseMax's +Binding; one tile alone is its +Architecture, whose R edges of drain per tile are
    bare. An element there holds scores of several tiles and hides more than F edges. Assumes no stall.

    >>> timing(FuseParams(8, 8), KeyTiles(E=64, F=64, tiles=2))
    Timing(first=79, last=296, busy=282)
    """
    steps = step_timings(params, shape.E, shape.F)
    busy = {name: step.timing.busy for name, step in steps.items()}
    alone = busy["QK"] + steps["LM"].after + busy["SLN"] + busy["SLD"]
    beside = busy["QK"] + max(busy["LM"] + busy["SLNV"], steps["LM"].after) + busy["SLN"] + busy["SLD"]
    end = alone + (shape.tiles - 1) * beside
    return Timing(busy["QK"] + steps["LM"].timing.first, end + steps["SLNV"].timing.last, end + busy["SLNV"])
