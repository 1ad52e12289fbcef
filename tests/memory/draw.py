"""Requests drawn at random, and the devices that tests run them on."""

from __future__ import annotations

import numpy as np

from accelsim.memory.load import load_document, read_device
from accelsim.memory.model import Device, Requests
from accelsim.shipped import shipped_names

STANDARDS = tuple(shipped_names("arch_configs/dram"))
GOLDEN = {
    "HBM4": ("HBM4_32Gb_8Hi", "HBM4_8000Mbps"),
    "HBM3": ("HBM3_16Gb_8hi", "HBM3_6400Mbps"),
    "HBM2": ("HBM2_8Gb", "HBM2_2000Mbps"),
    "HBM2E": ("HBM2E_16Gb", "HBM2E_3200Mbps"),
    "DDR5": ("DDR5_16Gb_x8", "DDR5_4800AN"),
    "DDR4": ("DDR4_8Gb_x8", "DDR4_3200AA"),
    "GDDR6": ("GDDR6_16Gb_x16", "GDDR6_14000_1350mV_double"),
    "LPDDR5": ("LPDDR5_16Gb_x16", "LPDDR5_6400"),
}


def device(standard: str) -> Device:
    return read_device(load_document(standard), *GOLDEN[standard])


def drawn(on: Device, count: int, seed: int, writes: float = 0.4) -> Requests:
    """Requests to a few banks and rows with pauses between them, so that all of hits, conflicts and idling occur."""
    rng = np.random.default_rng(seed)
    banks = on.organisation.banks_in["channel"]
    used = rng.permutation(banks)[: rng.choice([2, 5, banks])]
    rows = rng.choice([1, 3, on.organisation.rows])
    pauses = rng.integers(0, rng.choice([1, 8, 60, on.refresh.interval // 16]), count)
    return Requests(
        rng.choice(used, count).astype(np.int64),
        rng.integers(0, rows, count),
        (rng.random(count) < writes).astype(np.int64),
        np.cumsum(pauses).astype(np.int64),
    )
