"""The recurrence of `law` in floating point, compiled: sums over earlier states are carried along, not formed anew.

States are (above, below) with above <= below; the other half are their mirror images. `of_below[b]` is the sum over the
states (0..above - 1, b), `of_above` that over (above, 0..below - 1), which by symmetry begins as `of_below[above]`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from accelsim.jit import kernel

Floats = npt.NDArray[np.float64]


@kernel
def mean(above: int, below: int, lanes: int, overhead: int) -> float:
    """Mean cycles of the state (above, below), above <= below."""
    of_below = np.zeros(below + 1)
    found = 0.0
    for a in range(above + 1):
        of_above = of_below[a]
        for b in range(a, below + 1):
            count = a + b + 1
            found = -(-count // lanes) + overhead + (of_above + of_below[b]) / count
            of_above += found
            of_below[b] += found
    return found


@kernel
def weights(above: int, below: int, lanes: int, overhead: int, length: int) -> Floats:
    """Probability of 0..length - 1 cycles of the state (above, below), above <= below."""
    of_below, of_above, found = np.zeros((below + 1, length)), np.zeros(length), np.zeros(length)
    for a in range(above + 1):
        of_above[:] = of_below[a]
        for b in range(a, below + 1):
            count = a + b + 1
            cycles = -(-count // lanes) + overhead
            column, each = of_below[b], 1.0 / count
            found[: min(cycles, length)] = 0.0
            for total in range(cycles, length):
                found[total] = (of_above[total - cycles] + column[total - cycles]) * each
            if cycles < length:
                found[cycles] += each
            for total in range(length):
                of_above[total] += found[total]
                column[total] += found[total]
    return found
