"""What commands and time cost: energy by component, None where the table has no figure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from accelsim.memory.model import Device, Outcome

ISSUED_AS = {"ACT": ("ACT",), "RD": ("RD", "RDA"), "WR": ("WR", "WRA"), "REFab": ("REFab",), "REFpb": ("REFpb",)}
PJ_PER_MW_PS = Fraction(1, 1000)


def energy_of(device: Device, outcome: Outcome) -> dict[str, float | None]:
    """pJ of one channel: commands (ACT with its precharge), rows that are open above rest, and rest of all ranks.

    A component that did not occur costs 0, whether its figure is known or not.
    """
    table = device.energy
    found = {
        component: _product(table.command_pj[component], sum(outcome.commands[name] for name in names))
        for component, names in ISSUED_AS.items()
    }
    ranks = device.organisation.pseudo_channels * device.organisation.ranks
    found["open"] = _product(table.open_mw, outcome.open_ticks * device.tick_ps * PJ_PER_MW_PS)
    found["static"] = _product(table.static_mw, ranks * outcome.cycles * device.tick_ps * PJ_PER_MW_PS)
    return found


def _product(rate: Fraction | None, amount: Fraction | int) -> float | None:
    if amount == 0:
        return 0.0
    return None if rate is None else float(rate * amount)


def total(parts: Mapping[str, float | None]) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in parts.values() if value]
    return sum(known) if known else None
