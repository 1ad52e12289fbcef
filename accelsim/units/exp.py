"""Timing of an exp unit: range reduction, an optional table of segments, a polynomial by Horner's rule, a shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

Datapath = Literal["pipelined", "shared"]
MOST_STAGES = 1024
DATAPATH = "whether every step has hardware of its own, or all share one multiplier and adder"


@dataclass(frozen=True)
class ExpParams(Checked):
    """The unit. The defaults are a fifth-degree polynomial without a table, one edge a step."""

    lanes: Annotated[int, Size("elements per beat")]
    degree: Annotated[int, Size("degree of the polynomial: so many Horner steps", 0, MOST_STAGES)] = 5
    datapath: Annotated[Datapath, Choice(DATAPATH, get_args(Datapath))] = "pipelined"
    range_stages: Annotated[int, Size("edges of the range reduction, x log2 e split in two", 0, MOST_STAGES)] = 1
    lookup_stages: Annotated[int, Size("edges to look up the coefficients of a segment", 0, MOST_STAGES)] = 0
    horner_stages: Annotated[int, Size("edges of one Horner step", 0, MOST_STAGES)] = 1
    shift_stages: Annotated[int, Size("edges of the shift by the integer part", 0, MOST_STAGES)] = 0


@dataclass(frozen=True)
class Elements(Checked):
    """The job: one vector."""

    elements: Annotated[int, Size("elements of the vector")]


def timing(params: ExpParams, shape: Elements) -> Timing:
    """exp(x) = 2^integer * 2^fraction of x log2 e, the second factor a polynomial of `degree` in Horner form.

    A beat of `lanes` elements passes range reduction, look-up, `degree` dependent Horner steps and the shift: their
    edges add up to `depth`. Pipelined, a beat enters at every edge. Shared, the one multiplier and adder is at work on
    a beat until it leaves, so the next enters `depth` edges later (one at least: a port takes one beat per edge).
    ceil(elements / lanes) beats enter; a part-filled beat costs a whole one.

    Source: the steps of FuseMax's processing element (MICRO 2024): range reduction and five Horner steps, the last
    one shifting, are the 6 cycles that the default shared unit takes. Assumes no stall between steps.
    """
    steps = params.degree * params.horner_stages
    depth = params.range_stages + params.lookup_stages + steps + params.shift_stages
    interval = 1 if params.datapath == "pipelined" else max(1, depth)
    beats = ceil_div(shape.elements, params.lanes)
    return Timing(depth, (beats - 1) * interval + depth, beats * interval)
