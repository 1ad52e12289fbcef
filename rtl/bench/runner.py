"""`simulate`: runs cases on devices in a simulator and compares what was seen with what was expected."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from accelsim.errors import AccelsimError, nearest
from rtl.bench.compare import begins, faults
from rtl.bench.device import Device
from rtl.bench.model import build_model, finish_worker, start_worker
from rtl.bench.waves import Axis, wave_name, write_fst
from rtl.sim.case import Case, Job, Observed, Result
from rtl.sim.codec import observed_from, plain_cases

X_SEEDS = (1, 2)
WAVES = "dump.vcd"  # as Verilator calls it


def simulate(
    devices: Sequence[Device],
    cases: Sequence[Case],
    *,
    sim: str = "verilator",
    x_seeds: Sequence[int] = X_SEEDS,
    waves: Path | None = None,
    axis: Axis | None = None,
) -> list[Result]:
    """Run all cases, on one model of all devices, once for each of `x_seeds`; results in the order of cases.

    Icarus has X and runs once. Under Verilator each seed fills what is not initialised in another way, and the runs
    go at the same time. `waves` is a folder that gets one wave file per run (`icarus.fst`, `verilator-1.fst`); `axis`
    says where on the axis of time a run of one case lies.
    Raises AccelsimError where nothing ran: no case, a missing tool, a simulation that ended early.
    """
    _check(devices, cases)
    seeds = seeds_of(sim, x_seeds)
    model = build_model(devices, sim, waves=waves is not None)
    with tempfile.TemporaryDirectory(prefix="accelsim-bench-") as box:
        folders = {seed: Path(box, f"seed{seed}") for seed in seeds}
        _run(folders, model, _told(devices, cases), sim, waves is not None)
        if waves is not None:
            _keep_waves(folders, sim, waves, axis)
        seen = {seed: _observations(folder, len(cases)) for seed, folder in folders.items()}
    begin = {seed: begins(cases, observations) for seed, observations in seen.items()}
    return [
        Result(case, sim, seed, observed, faults(case, observed, begin[seed].get(case.device)))
        for place, case in enumerate(cases)
        for seed in seeds
        for observed in [seen[seed][place]]
    ]


def seeds_of(sim: str, x_seeds: Sequence[int]) -> tuple[int, ...]:
    """Of what is not initialised, one for each run. Icarus has X instead, and runs once."""
    if not x_seeds:
        raise AccelsimError("x_seeds: must have at least one seed")
    return tuple(x_seeds) if sim == "verilator" else (0,)


def _told(devices: Sequence[Device], cases: Sequence[Case]) -> str:
    return json.dumps(plain_cases({found.name: asdict(found.interface) for found in devices}, cases))


def _run(folders: dict[int, Path], model: Path, text: str, sim: str, waves: bool) -> None:
    running = []
    with contextlib.ExitStack() as stack:
        for seed, folder in folders.items():
            folder.mkdir()
            (folder / "cases.json").write_text(text, encoding="utf-8")
            spec = {"sim": sim, "folder": str(folder), "model": str(model), "waves": waves, "x_seed": seed}
            process = start_worker("run", spec, folder)
            stack.callback(process.wait)
            stack.callback(process.kill)
            running.append((process, folder))
        for process, folder in running:
            finish_worker("run", process, folder)


def _observations(folder: Path, wanted: int) -> list[Observed]:
    try:
        plain = json.loads((folder / "observed.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        plain = []
    if len(plain) != wanted:
        raise AccelsimError(f"a simulation ran {len(plain)} of {wanted} cases")
    return [observed_from(each) for each in plain]


def _keep_waves(folders: dict[int, Path], sim: str, waves: Path, axis: Axis | None) -> None:
    try:
        waves.mkdir(parents=True, exist_ok=True)
        for seed, folder in folders.items():
            write_fst(folder / WAVES, waves / wave_name(sim, seed), axis)
    except OSError as error:
        raise AccelsimError(f"{waves}: cannot be written: {error.strerror}") from None


def _check(devices: Sequence[Device], cases: Sequence[Case]) -> None:
    """Raise AccelsimError for no case, two of one name, or a device or stream that is not there."""
    if not cases:
        raise AccelsimError("a simulation must have at least one case")
    known = {found.name: found for found in devices}
    names = set()
    for case in cases:
        if case.name in names:
            raise AccelsimError(f'case "{case.name}": is there twice')
        names.add(case.name)
        if case.device not in known:
            raise AccelsimError(f'case "{case.name}": has no device "{case.device}"{nearest(case.device, known)}')
        for job in (*case.jobs, *(case.cut.jobs if case.cut else ())):
            _check_job(case, job, known[case.device])


def _check_job(case: Case, job: Job, found: Device) -> None:
    sides = (("input", job.inputs, found.interface.inputs()), ("output", job.outputs, found.interface.outputs()))
    for side, streams, ports in sides:
        known = [port.name for port in ports]
        for name in streams:
            if name not in known:
                raise AccelsimError(f'case "{case.name}": has no {side} stream "{name}"{nearest(name, known)}')
