"""What a way to keep a tensor costs, as columns of numbers that add up over tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.mapper.problem import Problem
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

    def room(self, moments: int) -> tuple[float, ...]:
        """The capacity of each level at each moment."""
        return tuple(map(float, np.repeat(self.capacity, moments)))

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

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """Energy, and seconds of each port, of a byte read from and written to each level [read and write, column]."""
        found = np.zeros((2 * len(self.energies), 1 + len(self.ports)))
        for at, (level, energies) in enumerate(self.energies.items()):
            found[2 * at : 2 * at + 2, 0] = energies
            for column, (of, kinds, bytes_per_s) in enumerate(self.ports, 1):
                for row, kind in enumerate(("read", "write")):
                    if of == level and kind in kinds:
                        found[2 * at + row, column] = 1 / bytes_per_s
        return found

    def fill(self, row: NDArray[np.float64], moved: Moved) -> None:
        """Write the columns of one way into `row` [candidate, column]."""
        for at, level in enumerate(self.levels):
            row[:, at] = moved.held.get(level, 0)
        amounts = np.zeros((row.shape[0], 2 * len(self.energies)))
        for at, level in enumerate(self.energies):
            if level in moved.read:
                amounts[:, 2 * at], amounts[:, 2 * at + 1] = moved.read[level], moved.write[level]
        row[:, len(self.levels) :] = amounts @ self.prices
        row[:, len(self.levels)] += moved.fill_pj


@lru_cache(maxsize=1 << 12)
def sources(width: int, alive: tuple[range, ...], moments: int) -> tuple[int, ...]:
    """Which of `width` columns stands in each column if what is held at each level is told for each moment.

    `width` itself, of which there is none: while the tensor is not `alive` at the level.
    """
    held = [at if moment in during else width for at, during in enumerate(alive) for moment in range(moments)]
    return (*held, *range(len(alive), width))
