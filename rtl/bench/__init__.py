"""The bench: devices side by side in one simulation model, jobs offered with gaps, every transfer compared.

`UnitUnderTest` describes a unit by plain functions, `sweep` draws the cases, `simulate` runs them.
"""

from rtl.bench.beats import pack, unpack
from rtl.bench.compare import failures
from rtl.bench.device import Device, device
from rtl.bench.plan import UnitUnderTest, devices_of, soak, sweep
from rtl.bench.runner import simulate
from rtl.sim.case import Case, Cut, Edges, Job, Observed, Result

__all__ = [
    "Case",
    "Cut",
    "Device",
    "Edges",
    "Job",
    "Observed",
    "Result",
    "UnitUnderTest",
    "device",
    "devices_of",
    "failures",
    "pack",
    "simulate",
    "soak",
    "sweep",
    "unpack",
]
