"""What an estimate offers an architecture: its clock and the area of its units, as `--set` lines."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor

from accelsim.arch.model import Arch, Unit
from accelsim.hardware.estimate import DesignEstimate, Flows
from rtl.estimate.gates import DELAY_IS

KHZ_PER_PS = 1e9  # of the clock whose period is one picosecond


@dataclass(frozen=True)
class Offer:
    """`lines` are `path=value` as `--set` takes them, of the figures of `library`; `notes` say what they are not."""

    library: str
    lines: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def options(self) -> str:
        """The same as words of a command line."""
        return " ".join(f"--set {shlex.quote(line)}" for line in self.lines)


def offer_of(estimates: Sequence[DesignEstimate], flows: Flows, arch: Arch | None) -> Offer | None:
    """Clock and, of an architecture, areas, by the first of the libraries; None without a library.

    The clock is that of the slowest design. Area goes to the first component that a unit counts in `per_pe` and that
    nothing else of the architecture counts; it then stands for the whole PE, so that the unit has the area estimated.
    """
    if not flows.libraries:
        return None
    library = flows.libraries[0][0]
    lines, notes = [], [f"clock: 1 over the delay, which is {DELAY_IS}"]
    delays = [one.estimates[library.name].figures["delay_ps"] for one in estimates]
    known = [delay for delay in delays if delay]
    if known and len(known) == len(delays):
        lines.append(f"arch.clock={floor(KHZ_PER_PS / max(known))} kHz")
    else:
        notes = [f"clock: none, {library.name} has no delays" if not library.timed else "clock: none, no path of gates"]
    if arch is not None:
        notes.append(f"area: that of cells of {library.path.name}, its unit taken to be um2, at its own node")
        for one in estimates:
            for used in one.used:
                found = list(_area(arch, arch.units[used], float(one.estimates[library.name].figures["area"] or 0)))
                lines += found
                notes += [] if found else [f"area of {used}: none, it counts no component of its own in per_pe"]
    return Offer(library.name, tuple(lines), tuple(notes))


def _area(arch: Arch, unit: Unit, area_um2: float) -> Iterator[str]:
    """Nothing where the unit has no component of its own to carry its area."""
    owned = own_components(arch, unit)
    if owned:
        yield f"arch.units.{unit.name}.per_pe={{{owned[0]}: 1}}"
        yield f"arch.components.{owned[0]}.area={area_um2 / unit.pes!r} um2"


def own_components(arch: Arch, unit: Unit) -> list[str]:
    """What only this unit counts and an area can be set of; its registers first."""
    tables = arch.resolved.mapping()["components"].mapping()
    counted = Counter(component for each in arch.units.values() for component in each.per_pe)
    levels = {level.component for level in arch.levels}
    found = [
        name for name in unit.per_pe if counted[name] == 1 and name not in levels and "area" in tables[name].mapping()
    ]
    return sorted(found, key=lambda name: name != unit.registers)
