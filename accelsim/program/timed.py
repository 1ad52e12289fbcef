"""Depth `cycle` for placed steps: their program, its run, and what the run says of time and of waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from accelsim.cost.analytic import StepCost, step_cost
from accelsim.mapping.bind import Placement
from accelsim.program.execute import Run, execute
from accelsim.program.lower.program import program_of, unit_of
from accelsim.program.model import Program
from accelsim.program.served import Served, served
from accelsim.result import Part, Wait, Waits


@dataclass(frozen=True)
class Timed:
    """A program that has run; `costs` are those of depth `analytic` with the times of the run.

    `served`: what became of the commands of a DRAM, where they were simulated.
    """

    program: Program
    run: Run
    costs: tuple[StepCost, ...]
    waits: Waits
    bound_by: str
    served: Served | None = None


@lru_cache(maxsize=8)
def timed(placements: tuple[Placement, ...], name: str, skip: bool = True, trace: int = 0) -> Timed:
    """Steps one after another, executed; memoised on the placements.

    Args:
        skip: leap over what repeats; False executes every start, for the same numbers.
        trace: how many starts to keep.
    """
    program = program_of(placements, name)
    run = execute(program, skip=skip, trace=trace)
    per_cycle = program.ticks_per_s / placements[0].arch.clock_hz
    waits = _waits(program, run, per_cycle)
    return Timed(program, run, _costs(placements, program, run), waits, _bound_by(waits), _served(program, run))


def _served(program: Program, run: Run) -> Served | None:
    setups = {resource.name: resource.memory.setup for resource in program.resources if resource.memory}
    return next((served(name, setups[name], found) for name, found in run.channels.items()), None)


def _costs(placements: tuple[Placement, ...], program: Program, run: Run) -> tuple[StepCost, ...]:
    """Counts as at depth `analytic`, which are exact; the time of every group from the run."""
    ends = iter(run.stages)
    begin, found = 0, []
    for placement in placements:
        cost, parts = step_cost(placement), list[Part]()
        for part in cost.parts:
            end = next(ends)
            parts.append(replace(part, seconds=(end - begin) / program.ticks_per_s))
            begin = end
        found.append(replace(cost, parts=tuple(parts)))
    return tuple(found)


def _waits(program: Program, run: Run, per_cycle: Fraction) -> Waits:
    channels = {resource.name for resource in program.resources if resource.is_channel}
    path: dict[tuple[str, str], Fraction] = {}
    for (cause, what), ticks in run.path.items():
        named = what if what in channels and cause in ("dependency", "resource") else cause
        key = named, unit_of(what)
        path[key] = path.get(key, Fraction(0)) + ticks / per_cycle
    idle: dict[str, dict[tuple[str, str], Fraction]] = {}
    for resource, found in run.idle.items():
        table = idle.setdefault(unit_of(resource), {})
        for key, ticks in found.items():
            table[key] = table.get(key, Fraction(0)) + ticks / per_cycle
    return Waits(_sorted(path), {name: _sorted(table) for name, table in idle.items()})


def _sorted(table: Mapping[tuple[str, str], Fraction]) -> tuple[Wait, ...]:
    """Largest first."""
    items = sorted(table.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Wait(cause, what, cycles) for (cause, what), cycles in items if cycles)


def _bound_by(waits: Waits) -> str:
    """What was at work on most of the critical path."""
    found: dict[str, Fraction] = {}
    for wait in waits.path:
        found[wait.what] = found.get(wait.what, Fraction(0)) + wait.cycles
    return max(found, key=lambda what: found[what], default="")
