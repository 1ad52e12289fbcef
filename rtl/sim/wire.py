"""A port of the bench, read as bits and written as an integer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_DEPOSIT = 0  # how a value is written: until the design or the bench writes another


class Wire:
    """The simulator's own object behind a handle of cocotb.

    A bench reads every port at every edge. Handles make an object of each value, which can be 0, 1, X or Z; without
    it a run takes two thirds of the time. The attribute is not public: accelsim asks for the version that has it.
    """

    def __init__(self, handle: Any, width: int) -> None:
        port = handle._handle
        self.width = width
        self.read: Callable[[], str] = port.get_signal_val_binstr
        """The bits, the first the highest: each `0` or `1`, or any other letter for what is neither."""
        self._write: Callable[[int, str], None] = port.set_signal_val_binstr

    def write(self, value: int) -> None:
        """Raises ValueError for a value that does not fit."""
        if value >> self.width:
            raise ValueError(f"a port of {self.width} bits cannot be {value}")
        self._write(_DEPOSIT, f"{value:0{self.width}b}")
