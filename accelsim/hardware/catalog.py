"""The hardware units by name. Each is loaded when it is asked for, so that their names need no tool to be installed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from accelsim.errors import AccelsimError, nearest
from rtl.tools import need

if TYPE_CHECKING:
    from accelsim.hardware.unit import HardwareUnit

UNITS = {
    "systolic": "systolic array of integers: output or weight stationary",
    "exp": "exp unit: range reduction, and chords of 2^-f",
    "softmax": "vector unit with online softmax: weights, maximum and denominator of a row",
    "divide": "divider: quotients of several numerators by one denominator, rounded and saturated",
    "gemv": "GEMV unit of memory with logic: BF16 weights stream past vectors that are held, FP32 sums",
    "topk-radix": "radix engine: keeps the k largest scores, the k-th found digit by digit, from the top",
    "attention": "attention tile of one key per cycle: Q x K, online softmax, P x V",
    "fuse-array": "array that does the softmax of a tile itself: Q x K, maximum, exp, sum and P x V",
    "array-engine": "array engine: Q x K and P x V by instructions, from pads into pads",
    "topk-quick": "top-k engine: quick-select with drawn pivots, or with pivots from outside to verify it",
    "sequencer": "sequencer: queues and semaphores that start each instruction when depth cycle does",
}


def find_unit(name: str) -> HardwareUnit:
    """The unit of that name.

    Raises:
        AccelsimError: no such unit, with the nearest name; or Amaranth is not installed, with what installs it.
    """
    if name not in UNITS:
        raise AccelsimError(f'no hardware unit named "{name}"{nearest(name, UNITS)}')
    need("amaranth")
    unit: HardwareUnit = import_module(f"accelsim.hardware.{name.replace('-', '_')}").UNIT
    return unit
