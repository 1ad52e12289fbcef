"""What a run made of the DRAM of its architecture: the actions, the energy and the words that a result has for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from accelsim.memory.energy import energy_of
from accelsim.memory.model import Energy, Outcome
from accelsim.memory.setup import Setup, device_of

KINDS = ("row_hits", "row_misses", "row_conflicts", "refreshes")


@dataclass(frozen=True)
class Served:
    """A level whose commands were simulated.

    Attributes:
        actions: hits, misses, conflicts, refreshes and every command that was issued, of all channels.
        energy_pj: of all channels as far as the standard's figures go; None where it has none for reads and writes.
        scope: what that energy covers and where it is from.
        note: what a reader must know.
        provenance: the standard and what was chosen of it.
    """

    level: str
    actions: Mapping[str, Fraction]
    energy_pj: Fraction | None
    scope: str
    note: str
    provenance: str


def served(level: str, setup: Setup, outcomes: Sequence[Outcome]) -> Served:
    """What channels have done, for the result of the run."""
    device, actions = device_of(setup), _actions(outcomes)
    channels = f"{setup.channels} channels of {device.organisation.name} at {device.timing}"
    counts = ", ".join(f"{int(actions[kind]):,} {kind.replace('_', ' ')}" for kind in KINDS)
    energies = [energy_of(device, outcome) for outcome in outcomes]
    known = _is_known(device.energy)
    parts = [Fraction(value) for energy in energies for value in energy.values() if value] if known else []
    left_out = sorted({_word(name) for energy in energies for name, value in energy.items() if value is None})
    missing = f"; no figure for {', '.join(left_out)}" if left_out else ""
    per_access = "" if known else f"; {device.standard} has no energies, so that they are those of accesses"
    return Served(
        level=level,
        actions=actions,
        energy_pj=sum(parts, Fraction(0)) if known else None,
        scope=f"{level}: commands of {device.standard}, {device.energy.kind}: {device.energy.source}{missing}",
        note=f"{level}: {channels} by their commands, executed in full: {counts}{per_access}",
        provenance=f"{device.standard} {channels}, {_policy(setup)}",
    )


def _actions(outcomes: Sequence[Outcome]) -> dict[str, Fraction]:
    commands = Counter[str]()
    for outcome in outcomes:
        commands.update(outcome.commands)
    hits, misses, conflicts = (sum(getattr(o, name) for o in outcomes) for name in ("hits", "misses", "conflicts"))
    kinds = dict(zip(KINDS, (hits, misses, conflicts, commands["REFab"] + commands["REFpb"]), strict=True))
    issued = {name: number for name, number in commands.items() if number}
    return {name: Fraction(number) for name, number in (kinds | issued).items()}


def _is_known(energy: Energy) -> bool:
    return all(energy.command_pj[command] is not None for command in ("RD", "WR"))


def _word(component: str) -> str:
    return {"open": "rows left open", "static": "standby"}.get(component, component)


def _policy(setup: Setup) -> str:
    policy = setup.policy
    return f"map {setup.address_map}, queue {policy.queue}, page {policy.page}, refresh {policy.refresh}"
