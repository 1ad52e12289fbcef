"""What a way to keep a tensor costs, as columns of numbers that add up over tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.mapper.problem import Amount, Problem
from accelsim.mapper.tensors import Moved


@dataclass(frozen=True)
class Columns:
    """Bytes at each level that can be full, then energy in pJ, then seconds of each port.

    Attributes:
        energies: level to pJ of a byte read and of a byte written.
    """

    levels: tuple[str, ...]
    capacity: NDArray[np.float64]
    ports: tuple[tuple[str, tuple[str, ...], float], ...]
    energies: Mapping[str, tuple[float, float]]

    @cached_property
    def room(self) -> tuple[float, ...]:
        """The capacities as plain numbers."""
        return tuple(map(float, self.capacity))

    @cached_property
    def width(self) -> int:
        return len(self.levels) + 1 + len(self.ports)

    @staticmethod
    @lru_cache(maxsize=16)
    def of(problem: Problem) -> Columns:
        arch = problem.arch
        inner = [level for level in arch.levels[1:] if level.capacity_bytes is not None]
        energies = {}
        for level in arch.levels:
            component = arch.components[level.component]
            width = float(component.width_bytes or 1)
            read, write = (float(component.energy_pj.get(kind, 0)) / width for kind in ("read", "write"))
            energies[level.name] = (read, write)
        return Columns(
            tuple(level.name for level in inner),
            np.array([float(level.capacity_bytes or 0) for level in inner]),
            tuple((level.name, port.kinds, float(port.bytes_per_s)) for level in arch.levels for port in level.ports),
            energies,
        )

    def fill(self, row: NDArray[np.float64], moved: Moved) -> None:
        """Write the columns of one way into `row` [candidate, column]."""
        for at, level in enumerate(self.levels):
            row[:, at] = moved.held.get(level, 0)
        at = len(self.levels)
        row[:, at] = moved.fill_pj
        for level in moved.read:
            read, write = self.energies[level]
            row[:, at] += moved.read[level] * read + moved.write[level] * write
        for column, (level, kinds, bytes_per_s) in enumerate(self.ports, at + 1):
            total: Amount = 0
            for kind, table in (("read", moved.read), ("write", moved.write)):
                if kind in kinds:
                    total = total + table.get(level, 0)
            row[:, column] = total / bytes_per_s
