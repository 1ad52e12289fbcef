"""A DRAM as something else has it: a standard with what is chosen of it, and how its controller decides."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.memory.load import load_device
from accelsim.memory.model import Device, Policy


@dataclass(frozen=True)
class Setup:
    """What is said of a DRAM; `address_map` as it is written, `standard` a shipped name or a path."""

    standard: str
    organisation: str
    timing: str
    channels: int
    address_map: str
    policy: Policy


def device_of(setup: Setup) -> Device:
    """The device that a setup describes. Raises AccelsimError as `load_device` does."""
    changed = (f"organisations.{setup.organisation}.channels={setup.channels}", f"address_map={setup.address_map}")
    return load_device(setup.standard, setup.organisation, setup.timing, changed)
