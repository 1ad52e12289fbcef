"""Run a program exactly: every start by the rules, or the same integers sooner by skipping periods that recur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from accelsim.memory.model import Outcome
from accelsim.program.check import check_program
from accelsim.program.machine import MOST_STARTS, Machine, Start
from accelsim.program.model import Program
from accelsim.program.room import check_room
from accelsim.program.rounds import Rounds
from accelsim.program.skip import Skipper
from accelsim.program.why import Why

CAUSES = ("dependency", "resource", "buffer", "window")


@dataclass(frozen=True)
class Run:
    """What a program took.

    Attributes:
        busy: resource to ticks x amount claimed.
        starts: task to how often it ran.
        waits: task to cause to ticks that its instances waited, those outside the window from when their stream
            came to them; cause is `dependency`, `resource` or `buffer`.
        critical: the resource with the largest share of busy ticks.
        trace: the first starts, as many as were asked for (those executed, where periods were skipped).
        stages: the ticks at which the children of a root `seq` had ended; the end where there is none.
        executed: starts that were executed one by one.
        path: (cause, what) to ticks, which add up to `ticks`: what led to the last result, back to tick 0. The cause is
            what each start on the way waited for, `dependency`, `resource`, `buffer` or `window`, and at last `work`;
            what is the resource on which those ticks went by, or `latency` after the end of the claims.
        idle: resource of count 1 to (cause, what) to ticks in which nothing claims it: what the next task on it waits
            for, `dependency` with a task, `buffer` and `resource` with their name, `window` with no name while nothing
            that claims it may be looked at yet, and `end` when nothing more will claim it. With `busy` they add up to
            `ticks`.
        channels: resource with a DRAM to what each of its channels has done.
    """

    ticks: int
    seconds: Fraction
    busy: Mapping[str, int]
    starts: Mapping[str, int]
    waits: Mapping[str, Mapping[str, int]]
    critical: str
    trace: tuple[Start, ...]
    executed: int
    stages: tuple[int, ...] = ()
    path: Mapping[tuple[str, str], int] = field(default_factory=dict)
    idle: Mapping[str, Mapping[tuple[str, str], int]] = field(default_factory=dict)
    channels: Mapping[str, tuple[Outcome, ...]] = field(default_factory=dict)


def execute(
    program: Program, *, skip: bool = True, trace: int = 0, limit: int = MOST_STARTS, explain: bool = True
) -> Run:
    """The program from its first tick to its last result.

    Args:
        skip: leap over periods that recur; the answer has the same integers, `executed` and the trace excepted. The
            rows and refreshes of a DRAM do not recur, so that a program with one is executed in full.
        trace: how many starts to keep.
        limit: how many starts may be executed one by one.
        explain: keep `path` and `idle`; without them a run is a little quicker.

    Raises:
        AccelsimError: a deadlock, explained; a duration below 1; an index outside its table; 2^62 ticks or more.
    """
    check_program(program)
    check_room(program)
    machine = Machine(program, trace, limit)
    machine.why = Why(machine) if explain else None
    if skip and not any(resource.memory for resource in program.resources):
        skipper = Skipper(machine)
        machine.on_open, machine.on_lap = skipper.opened, skipper.lap
        machine.on_chunk = Rounds(machine).began
    machine.execute()
    return run_of(machine)


def run_of(machine: Machine) -> Run:
    """What a machine that has come to its end has counted."""
    program, counts = machine.program, machine.counts
    waits: dict[str, dict[str, int]] = {}
    pairs = sorted((key, ticks) for key, ticks in counts.items() if len(key) == 2)
    for (task, cause), ticks in pairs:
        if cause in CAUSES and ticks:
            waits.setdefault(task, {})[cause] = ticks
    busy = {resource.name: counts["busy", resource.name] for resource in program.resources}
    share = {r.name: Fraction(busy[r.name], r.count) for r in program.resources}
    starts = {name: n for (kind, name), n in pairs if kind == "starts"}
    return Run(
        machine.now,
        machine.now / program.ticks_per_s,
        busy,
        starts,
        waits,
        max(share, key=lambda name: share[name], default=""),
        tuple(machine.trace),
        machine.executed,
        tuple(machine.stages) or (machine.now,),
        machine.why.path() if machine.why else {},
        machine.why.idleness() if machine.why else {},
        machine.dram.outcomes(machine.now),
    )
