"""Stretches of bytes as bursts, and where each burst lies: what the kernel of `burst_kernel.py` must equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from accelsim.memory.addresses import bank_of, decode
from accelsim.memory.model import Device, Integers, Organisation

Run = tuple[int, int, int, int]
"""First byte, bytes, the distance from one such stretch to the next, and how many of them."""


def bursts_of(runs: Sequence[Run], burst_bytes: int) -> list[int]:
    """The bursts that stretches of bytes lie in, in order; one that two neighbours share is asked for once.

    Stretches that go back begin anew: what they ask for again is moved again.
    """
    found: list[int] = []
    reached = -1  # the byte behind the last stretch
    for first, size, distance, count in runs:
        for start in (first + distance * number for number in range(count)):
            burst = start // burst_bytes
            if start >= reached >= 0 and burst == found[-1]:
                burst += 1
            reached = start + size
            found += range(burst, (reached - 1) // burst_bytes + 1)
    return found


def places_of(device: Device, bursts: Sequence[int]) -> tuple[Integers, Integers, Integers]:
    """Channel, bank and row of every burst."""
    fields = decode(device.address_map, np.array(bursts, np.int64))
    return fields["ch"], bank_of(device.organisation, fields), fields["ro"]


def steps_of(device: Device) -> Integers:
    """The address map as the kernel reads it, a line for each digit: its step and base, what it adds to each place."""
    weights = _weights(device.organisation)
    lines = [
        (digit.step, digit.base, *(digit.weight * weight for weight in weights[digit.field]))
        for digit in device.address_map
        if digit.base > 1 and any(weights[digit.field])
    ]
    return np.array(lines, np.int64).reshape(-1, 5)


def _weights(shape: Organisation) -> Mapping[str, tuple[int, int, int]]:
    """What one of each field is worth in channel, bank and row."""
    size = shape.banks_in
    return {
        "ch": (1, 0, 0),
        "pc": (0, size["pseudo_channel"], 0),
        "ra": (0, size["rank"], 0),
        "bg": (0, size["bank_group"], 0),
        "ba": (0, 1, 0),
        "ro": (0, 0, 1),
        "co": (0, 0, 0),
    }
