"""Timing of the array engine: a product whose operands come from pads, fold by fold, and whose rows go into pads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.systolic import LONGEST_SIDE, MOST_REGISTERS, SystolicParams, fold_timing
from accelsim.units.timing import Timing

ISSUE = 1  # the register of the instruction, from which places are put to the pads
READ = 1  # a pad gives what it has an edge after it was asked for it


@dataclass(frozen=True)
class ArrayEngineParams(Checked):
    """The engine: an output-stationary array between pads."""

    rows: Annotated[int, Size("rows of processing elements", high=LONGEST_SIDE)]
    cols: Annotated[int, Size("columns of processing elements", high=LONGEST_SIDE)]
    input_registers: Annotated[int, Size("registers between the pads and the array", 0, MOST_REGISTERS)] = 1
    mac_registers: Annotated[int, Size("registers between multiplier and adder", 0, MOST_REGISTERS)] = 1
    output_registers: Annotated[int, Size("registers between the array and the pads", 0, MOST_REGISTERS)] = 1


@dataclass(frozen=True)
class Products(Checked):
    """The job: one instruction."""

    beats: Annotated[int, Size("products of each sum: beats of a fold that carry operands", 0)]
    folds: Annotated[int, Size("folds: as many times the columns of the array are columns of the result")] = 1


def timing(params: ArrayEngineParams, shape: Products) -> Timing:
    """Edge 0 is that at which the instruction is taken; `first` and `last` are edges at which rows are written.

    The instruction stands in its register from edge 0 on; the places of beat n go to the pads then, which take
    them at edge ISSUE + n; the operands enter the array at edge ISSUE + READ + n. A fold is that of `fold_timing`
    with as many beats as the array has rows at least: those past the operands are zeros, so that neither end of a
    fold comes too close to that of another, and no beat ever waits. All rows of all folds leave. So the last
    row is that of the last fold, `busy` edges of a fold later for each before it. The next instruction is taken at the
    edge at which the pads take the last place.

    Source: structure, and `fold_timing`. Assumes that pads are read and written without a stall.
    """
    registers = params.input_registers, params.mac_registers, params.output_registers
    array = SystolicParams(params.rows, params.cols, "os", "padded", "overlapped", 1, *registers, "aligned")
    fold = fold_timing(array, params.rows, params.cols, max(shape.beats, params.rows))
    fetched = ISSUE + READ
    return Timing(fetched + fold.first, fetched + (shape.folds - 1) * fold.busy + fold.last, shape.folds * fold.busy)
