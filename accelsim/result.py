"""`Result`: what every engine returns, at every depth, with what it is made of and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

from accelsim.yamlfile import Node

SCHEMA = 1


@dataclass(frozen=True)
class UnitUse:
    """How a compute unit was used: `busy_cycles` of the run's cycles, `utilization` = work over (PEs x cycles)."""

    busy_cycles: Fraction
    utilization: Fraction


@dataclass(frozen=True)
class EinsumUse:
    """Where an Einsum ran and for how long; `utilization` is its share of that unit's work over (PEs x cycles)."""

    unit: str
    busy_cycles: Fraction
    utilization: Fraction


@dataclass(frozen=True)
class Transfer:
    """Bytes that a level gave (`read`) and took (`write`) for one tensor."""

    read: Fraction
    write: Fraction

    def __add__(self, other: Transfer) -> Transfer:
        return Transfer(self.read + other.read, self.write + other.write)

    @property
    def total(self) -> Fraction:
        return self.read + self.write


@dataclass(frozen=True)
class Part:
    """One group of Einsums that runs to its end before the next begins; `limits` are the candidates for `bound_by`."""

    name: str
    seconds: Fraction
    limits: Mapping[str, Fraction]
    bound_by: str


@dataclass(frozen=True)
class Wait:
    """Cycles that went by for one `cause`, with what was waited for: a resource, a task, a buffer, or `latency`."""

    cause: str
    what: str
    cycles: Fraction


@dataclass(frozen=True)
class Waits:
    """Why a run took as long as it did, computed by depth `cycle`.

    Attributes:
        path: the critical path from the first cycle to the last, largest first; its cycles add up to the run's. A start
            on it had to wait for a result (`dependency`), for a resource to be given back (`resource`), for room
            (`buffer`) or for the window (`window`), and `what` was at work meanwhile. Waiting for a level has the name
            of the level; `work` is the last task itself.
        idle: resource to why nothing ran on it; with its busy cycles they add up to the run's.
    """

    path: tuple[Wait, ...]
    idle: Mapping[str, tuple[Wait, ...]]

    def shares(self) -> dict[str, Fraction]:
        """Cause to its share of the critical path."""
        total = sum((wait.cycles for wait in self.path), Fraction(0))
        found: dict[str, Fraction] = {}
        for wait in self.path:
            found[wait.cause] = found.get(wait.cause, Fraction(0)) + wait.cycles / total
        return found


@dataclass(frozen=True)
class Machine:
    """What the hardware could do at best: flop/s of every unit that multiplies, byte/s of every limited level."""

    peak_flops_per_s: Mapping[str, Fraction]
    bandwidth_bytes_per_s: Mapping[str, Fraction]


@dataclass(frozen=True)
class Result:
    """What a workload costs on an architecture. Times are exact rationals; `cycles` is the ceiling.

    Attributes:
        cycles_exact: cycles at `clock_hz` before rounding up; None where no clock is meant.
        energy_by: component to pJ; actions: component to action to count (see SEMANTICS: energy = count x table).
        traffic: level to tensor to bytes read from and written to that level.
        parts: groups in order, their times adding up to `seconds`.
        scope: what the energy covers, in words.
        notes: what a reader must know (assumptions, overlays, warnings).
        waits: what held the run up, at depth `cycle`.
        resolved: the documents it was made from, `arch`, `workload` and `mapping.STEP`, every override in its place.
    """

    workload: str
    arch: str
    mapping: str
    depth: str
    engine: str
    seconds: Fraction
    cycles_exact: Fraction | None
    clock_hz: Fraction | None
    energy_by: Mapping[str, Fraction] | None
    actions: Mapping[str, Mapping[str, Fraction]]
    units: Mapping[str, UnitUse]
    traffic: Mapping[str, Mapping[str, Transfer]]
    einsums: Mapping[str, EinsumUse]
    macs: int
    bound_by: str
    params: Mapping[str, int | str]
    version: str
    parts: tuple[Part, ...] = ()
    area_um2: Mapping[str, Fraction] | None = None
    scope: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    machine: Machine | None = None
    resolved: Mapping[str, Node] = field(default_factory=dict)
    waits: Waits | None = None

    @property
    def cycles(self) -> int | None:
        return None if self.cycles_exact is None else ceil(self.cycles_exact)

    @property
    def energy_pj(self) -> Fraction | None:
        return None if self.energy_by is None else sum(self.energy_by.values(), Fraction(0))

    def level_bytes(self, level: str) -> Fraction:
        """Bytes moved to and from a level."""
        return sum((t.total for t in self.traffic.get(level, {}).values()), Fraction(0))

    def to_json(self) -> dict[str, object]:
        """The document of DESIGN: keys are only ever added, unknown is null."""
        return {
            "schema": SCHEMA,
            "kind": "result",
            "workload": self.workload,
            "arch": self.arch,
            "mapping": self.mapping,
            "depth": self.depth,
            "engine": self.engine,
            "seconds": float(self.seconds),
            "cycles": self.cycles,
            "clock_hz": _number(self.clock_hz),
            "energy_pj": _number(self.energy_pj),
            "energy_by": {k: _number(v) for k, v in (self.energy_by or {}).items()},
            "actions": {c: {a: _number(n) for a, n in table.items()} for c, table in self.actions.items()},
            "units": {
                n: {"busy_cycles": _number(u.busy_cycles), "utilization": float(u.utilization)}
                for n, u in self.units.items()
            },
            "traffic_bytes": {
                level: {t: {"read": _number(x.read), "write": _number(x.write)} for t, x in table.items()}
                for level, table in self.traffic.items()
            },
            "einsums": {
                n: {"unit": e.unit, "busy_cycles": _number(e.busy_cycles), "utilization": float(e.utilization)}
                for n, e in self.einsums.items()
            },
            "macs": self.macs,
            "bound_by": self.bound_by,
            "waits": None if self.waits is None else _waits_json(self.waits),
            "error": None,
            "parts": [
                {
                    "name": p.name,
                    "seconds": float(p.seconds),
                    "bound_by": p.bound_by,
                    "limits": {k: float(v) for k, v in p.limits.items()},
                }
                for p in self.parts
            ],
            "area_um2": None if self.area_um2 is None else {k: _number(v) for k, v in self.area_um2.items()},
            "scope": list(self.scope),
            "notes": list(self.notes),
            "params": dict(self.params),
            "provenance": dict(self.provenance),
            "machine": None
            if self.machine is None
            else {
                "peak_flops_per_s": {k: _number(v) for k, v in self.machine.peak_flops_per_s.items()},
                "bandwidth_bytes_per_s": {k: _number(v) for k, v in self.machine.bandwidth_bytes_per_s.items()},
            },
            "version": self.version,
        }


def _waits_json(waits: Waits) -> dict[str, object]:
    return {
        **{cause: float(share) for cause, share in waits.shares().items()},
        "critical_path": [_wait_json(wait) for wait in waits.path],
        "idle": {name: [_wait_json(wait) for wait in found] for name, found in waits.idle.items()},
    }


def _wait_json(wait: Wait) -> dict[str, object]:
    return {"cause": wait.cause, "what": wait.what, "cycles": _number(wait.cycles)}


def _number(value: Fraction | None) -> int | float | None:
    """Exact integers stay integers in JSON, everything else becomes the nearest float."""
    if value is None:
        return None
    return value.numerator if value.denominator == 1 else float(value)
