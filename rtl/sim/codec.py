"""Cases and observations as plain data for the file between the caller and the simulator; payloads are hexadecimal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rtl.sim.case import Case, Cut, Job, Observed, Streams, Transfers

Plain = dict[str, Any]


def plain_cases(interfaces: Mapping[str, Plain], cases: Sequence[Case]) -> Plain:
    """All that the simulator must know: the interface of each device as plain data, and the cases."""
    return {"devices": dict(interfaces), "cases": [plain_case(case) for case in cases]}


def plain_case(case: Case) -> Plain:
    cut = {**asdict(case.cut), "jobs": [_plain_job(job) for job in case.cut.jobs]} if case.cut else None
    jobs = [_plain_job(job) for job in case.jobs]
    return {**{name: getattr(case, name) for name in _FLAT}, "pins": dict(case.pins), "jobs": jobs, "cut": cut}


_FLAT = ("name", "device", "gap_in", "gap_out", "seed", "rigid")


def case_from(plain: Plain) -> Case:
    cut = Cut(**{**plain["cut"], "jobs": _jobs(plain["cut"]["jobs"])}) if plain["cut"] else None
    return Case(**{name: plain[name] for name in _FLAT}, pins=plain["pins"], jobs=_jobs(plain["jobs"]), cut=cut)


def _plain_job(job: Job) -> Plain:
    edges = {"first": job.first, "last": job.last, "busy": job.busy}
    return {"inputs": _plain_streams(job.inputs), "outputs": _plain_streams(job.outputs), **edges}


def _jobs(plain: Sequence[Plain]) -> tuple[Job, ...]:
    return tuple(
        Job(_streams(job["inputs"]), _streams(job["outputs"]), job["first"], job["last"], job["busy"]) for job in plain
    )


def _plain_streams(streams: Streams) -> dict[str, list[str]]:
    return {name: [f"{beat:x}" for beat in beats] for name, beats in streams.items()}


def _streams(plain: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(beat, 16) for beat in beats) for name, beats in plain.items()}


def plain_observed(observed: Observed) -> Plain:
    return {
        "transfers": _plain_transfers(observed.transfers),
        "stalls": {name: list(edges) for name, edges in observed.stalls.items()},
        "cut": _plain_transfers(observed.cut),
        "trouble": observed.trouble,
    }


def observed_from(plain: Plain) -> Observed:
    stalls = {name: tuple(edges) for name, edges in plain["stalls"].items()}
    return Observed(_transfers(plain["transfers"]), stalls, _transfers(plain["cut"]), plain["trouble"])


def _plain_transfers(transfers: Transfers) -> dict[str, list[tuple[int, str]]]:
    return {name: [(edge, f"{payload:x}") for edge, payload in moved] for name, moved in transfers.items()}


def _transfers(plain: Mapping[str, Sequence[tuple[int, str]]]) -> Transfers:
    return {name: tuple((edge, int(payload, 16)) for edge, payload in moved) for name, moved in plain.items()}
