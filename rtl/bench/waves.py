"""The waves of a run as a file: which edge lies where on the axis of time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rtl.bench.fst import fst_bytes

PICO, FEMTO = -12, -15
FIRST_RISE, EDGE = 3, 2  # steps of the simulator: at which edge 0 rises behind the reset, and from edge to edge


@dataclass(frozen=True)
class Axis:
    """Ticks of a program as times.

    Attributes:
        ticks_per_s: an edge is a tick.
        first: the edge at time 0, counted as in `Observed`. Of what is before it the last state shows, at time 0.
    """

    ticks_per_s: Fraction
    first: int

    @property
    def exponent(self) -> int:
        """The unit of time is a picosecond where a tick is a whole number of those, else a femtosecond."""
        return PICO if (10**-PICO / self.ticks_per_s).denominator == 1 else FEMTO

    def time(self, step: int) -> int:
        """The time, in units, of a step of the simulator; rounded down."""
        ticks = Fraction(step - FIRST_RISE, EDGE) - self.first
        return int(max(Fraction(0), ticks) / self.ticks_per_s * 10**-self.exponent)


def wave_name(sim: str, x_seed: int) -> str:
    """What the file of a run is called."""
    return f"{sim}.fst" if sim == "icarus" else f"{sim}-{x_seed}.fst"


def write_fst(vcd: Path, fst: Path, axis: Axis | None) -> None:
    """Write the waves of a run of one case on its axis; without one, steps of the simulator as picoseconds.

    A run that does not come to the first edge of its axis is written as if it had none.
    """
    with vcd.open(encoding="ascii") as lines:
        last = max((int(line[1:]) for line in lines if line[0] == "#"), default=0)
    reached = axis is not None and (last - FIRST_RISE) / EDGE >= axis.first
    exponent, retime = (axis.exponent, axis.time) if axis is not None and reached else (PICO, _steps)
    with vcd.open(encoding="ascii") as lines:
        fst.write_bytes(fst_bytes(lines, exponent, retime))


def _steps(step: int) -> int:
    return step
