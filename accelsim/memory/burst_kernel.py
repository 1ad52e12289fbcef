"""Bursts of stretches of bytes with their places, compiled; `bursts.py` is the definition."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.jit import kernel
from accelsim.memory.model import Integers
from accelsim.memory.records import State


@kernel
def most_bursts(runs: Integers, burst_bytes: int) -> int:
    """No fewer than the bursts that stretches lie in."""
    total = 0
    for k in range(runs.shape[0]):
        total += runs[k, 3] * ((runs[k, 1] - 2) // burst_bytes + 2)
    return total


@kernel
def placed(runs: Integers, burst_bytes: int, steps: Integers, places: Integers, counts: Integers) -> int:
    """Write channel, bank and row of every burst into the rows of `places`, and how many each channel has.

    Returns how many bursts there are.
    """
    number, last, reached = 0, -1, -1
    for k in range(runs.shape[0]):
        for n in range(runs[k, 3]):
            start = runs[k, 0] + n * runs[k, 2]
            burst = start // burst_bytes
            if start >= reached >= 0 and burst == last:
                burst += 1
            reached = start + runs[k, 1]
            while burst <= (reached - 1) // burst_bytes:
                channel, bank, row = 0, 0, 0
                for d in range(steps.shape[0]):
                    digit = burst // steps[d, 0] % steps[d, 1]
                    channel += digit * steps[d, 2]
                    bank += digit * steps[d, 3]
                    row += digit * steps[d, 4]
                places[0, number], places[1, number], places[2, number] = channel, bank, row
                counts[channel] += 1
                number += 1
                last = burst
                burst += 1
    return number


@kernel
def offered(places: Integers, number: int, write: int, now: int, states: Sequence[State], queues: Integers) -> None:
    """Put requests behind those offered before to their channels; rows of a queue are those of `kernel.py`."""
    for k in range(number):
        channel = places[0, k]
        at = states[channel].offered
        queues[channel, :, at] = 0
        queues[channel, 0, at] = places[1, k]
        queues[channel, 1, at] = places[2, k]
        queues[channel, 2, at] = write
        queues[channel, 3, at] = now
        states[channel].offered = at + 1
