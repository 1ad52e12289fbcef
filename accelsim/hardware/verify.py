"""Verification of designs: the sweep of the bench over them, and what was wrong, counted by kind."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from accelsim.hardware.design import Design
from rtl.bench import Result, devices_of, simulate, sweep
from rtl.sim.case import KINDS

SEED = 1


@dataclass(frozen=True)
class Row:
    """What came of one configuration.

    Attributes:
        device: what the simulation model calls it.
        parameters: all of them, as plain values.
        cases: the names of those that were run.
        beats: payloads that moved, in all runs.
        wrong: differing bits, and edges that are not those of the timing function, by kind (`rtl.sim.case.KINDS`).
        failures: a line for each of the first things that were wrong.
    """

    unit: str
    configuration: str
    device: str
    parameters: Mapping[str, object]
    cases: tuple[str, ...]
    beats: int
    wrong: dict[str, int]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not any(self.wrong.values())


@dataclass(frozen=True)
class Verification:
    """One unit's rows, and the seconds that building the model and running it took."""

    unit: str
    rows: tuple[Row, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return all(row.passed for row in self.rows)


def verify(designs: Sequence[Design], sim: str, seed: int = SEED, waves: Path | None = None) -> Verification:
    """Run the sweep with all designs of one unit on one model.

    Args:
        seed: of shapes, inputs and gaps.
        waves: a folder for wave files; None: none are written.

    Raises:
        AccelsimError: a missing tool, with what installs it, or a simulation that did not run to its end.
    """
    start = time.monotonic()
    unit = designs[0].unit.under_test
    params = [design.params for design in designs]
    results = simulate(devices_of(unit, params), sweep(unit, params, seed), sim=sim, waves=waves)
    devices = [f"{unit.name}_{place}" for place in range(len(designs))]
    rows = [
        _row(d, name, [r for r in results if r.case.device == name]) for d, name in zip(designs, devices, strict=True)
    ]
    return Verification(designs[0].unit.name, tuple(rows), time.monotonic() - start)


def _row(design: Design, device: str, results: Sequence[Result]) -> Row:
    wrong: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
    for result in results:
        for fault in result.faults:
            wrong[fault.kind] += fault.number
    return Row(
        unit=design.unit.name,
        configuration=design.label,
        device=device,
        parameters=dict(design.plain),
        cases=tuple(dict.fromkeys(result.case.name for result in results)),
        beats=sum(len(moved) for result in results for moved in result.observed.transfers.values()),
        wrong=dict(wrong),
        failures=tuple(f"{_run(result)}: {line}" for result in results for line in result.failures),
    )


def _run(result: Result) -> str:
    return f"{result.case.name}, {result.sim} {result.x_seed}"
