"""Timing of the engine around the array that does softmax itself: an instruction for scores, weights or values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.errors import AccelsimError
from accelsim.units.array_engine import ISSUE, READ
from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.fuse_array import LONGEST_SIDE, MOST_REGISTERS, FuseParams, step_timings
from accelsim.units.timing import Timing

Operation = Literal["scores", "weights", "values", "setup"]
COUNTED = ("scores", "values")


@dataclass(frozen=True)
class FuseEngineParams(Checked):
    """The engine: an array that does softmax itself between pads. How many tiles it holds is no matter of time."""

    rows: Annotated[int, Size("rows of processing elements: keys of a tile", high=LONGEST_SIDE)]
    cols: Annotated[int, Size("columns of processing elements: queries of a tile", high=LONGEST_SIDE)]
    input_registers: Annotated[int, Size("registers between the pads and the array", 0, MOST_REGISTERS)] = 1
    output_registers: Annotated[int, Size("registers between the array and the pads", 0, MOST_REGISTERS)] = 1


@dataclass(frozen=True)
class TileStep(Checked):
    """The job: one instruction. MATMUL for scores or for values, SOFTMAX for weights, SETP for setup.

    Raises:
        AccelsimError: elements of weights or setup, which are of the whole tile.
    """

    operation: Annotated[Operation, Choice("what the instruction does", get_args(Operation))]
    elements: Annotated[int, Size("elements of a query and a key for scores, of a value for values")] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.operation not in COUNTED and self.elements != 1:
            raise AccelsimError(f'elements: must be 1 for {self.operation}, got "{self.elements}"')


def timing(params: FuseEngineParams, shape: TileStep) -> Timing:
    """Edge 0 is that at which the instruction is taken; `first` and `last` are edges at which results are written.

    The instruction stands in its register from edge 0 on; the places of beat n go to the pads then, which take them at
    edge ISSUE + n; the operands enter the array at edge ISSUE + READ + n. Beats and results are of `step_timings`:

    - scores: QK, `elements` beats, then LM, whose maximum is the one result.
    - weights: SLN, seven beats, then SLD, whose sum is the one result.
    - values: SLNV, `elements` beats and as many results.
    - setup: one beat of SLNV that adds up nothing, and leaves when its result would.

    The next instruction, whatever it is, is taken at the edge at which the pads take the last place. Weights of a tile
    may be taken at the edge after the last one of its scores: LM has then entered `LM.after` edges ago or more, because
    what leaves has come down all rows.

    Source: structure, and `step_timings`. Assumes that pads are read and written without a stall.
    """
    array = FuseParams(params.rows, params.cols, params.input_registers, params.output_registers)
    steps = step_timings(array, shape.elements, shape.elements)
    before, leaves = {
        "scores": ("QK", "LM"),
        "weights": ("SLN", "SLD"),
        "values": (None, "SLNV"),
        "setup": (None, "SLD"),
    }[shape.operation]
    enters = steps[before].after if before else 0
    result = steps[leaves].timing
    fetched = ISSUE + READ + enters
    return Timing(fetched + result.first, fetched + result.last, enters + result.busy)
