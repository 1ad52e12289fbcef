"""Timing of a divider: restoring steps in a pipeline, so many bits of the quotient at each stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

MOST_BITS = 128


@dataclass(frozen=True)
class DivideParams(Checked):
    """The unit."""

    lanes: Annotated[int, Size("quotients per beat")] = 1
    output_bits: Annotated[int, Size("bits of a quotient", 2, MOST_BITS)] = 24
    division_bits: Annotated[int, Size("bits of a quotient that one stage gives", 1, MOST_BITS)] = 1


@dataclass(frozen=True)
class Quotients(Checked):
    """The job: one vector."""

    quotients: Annotated[int, Size("quotients of the vector")]


def timing(params: DivideParams, shape: Quotients) -> Timing:
    """A step gives one bit of the quotient, the highest first, and there is one more bit, by which it is rounded.

    `output_bits` + 1 steps, `division_bits` of them in front of each register, are as many registers as stages.
    ceil(quotients / lanes) beats enter, one per edge; a part-filled beat costs a whole one.

    Source: structure. Assumes no stall.
    """
    stages = ceil_div(params.output_bits + 1, params.division_bits)
    beats = ceil_div(shape.quotients, params.lanes)
    return Timing(stages, stages + beats - 1, beats)
