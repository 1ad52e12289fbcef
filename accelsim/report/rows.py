"""What a sweep left in a folder, as a report needs it: every row with its numbers, checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.explore import Row as StoredRow
from accelsim.explore import Sweep, read_run
from accelsim.explore.objectives import Document

RESULTS, RESOLVED = "results.jsonl", "sweep.resolved.yaml"
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Run:
    """A result as a report needs it: seconds, pJ, bytes, fractions; None where the result has no honest value.

    Attributes:
        energy_by: component to pJ; area_um2: component to square micrometres.
        busy: unit to busy cycles; utilization: unit to work over (PEs x cycles).
        einsums: unit to Einsum to busy cycles.
        bytes: level to bytes moved, outermost level first.
        peak_flops: unit to flop/s; bandwidth: level to bytes/s; both empty where the result names no machine.
    """

    seconds: float
    clock_hz: float | None
    energy_pj: float | None
    energy_by: Mapping[str, float]
    busy: Mapping[str, float]
    utilization: Mapping[str, float]
    einsums: Mapping[str, Mapping[str, float]]
    bytes: Mapping[str, float]
    macs: float
    bound_by: str
    area_um2: float | None
    peak_flops: Mapping[str, float]
    bandwidth: Mapping[str, float]
    mapping: str
    engine: str
    params: Mapping[str, Value]
    scope: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: Mapping[str, Value]
    version: str
    document: Document


@dataclass(frozen=True)
class Row:
    """A point of the sweep and what became of it; `run` is None where it failed and `message` says why."""

    key: str
    status: str
    arch: str
    workload: str
    depth: str
    settings: Mapping[str, Value]
    run: Run | None
    message: str


@dataclass(frozen=True)
class Left:
    """What a folder holds: the sweep, its rows in the order of its points, and the hashes of both files."""

    sweep: Sweep
    rows: tuple[Row, ...]
    hashes: Mapping[str, str]


def read_folder(out: Path) -> Left:
    """The sweep and the rows of a folder.

    Raises:
        AccelsimError: no sweep was run there, there is no row, or a row is malformed.
    """
    sweep, stored = read_run(out)
    if not stored:
        raise AccelsimError(f"{out / RESULTS}: holds no result: run the sweep first")
    rows = tuple(_row(row, f"{out / RESULTS}: {row.key[:12]}") for row in stored)
    hashes = {name: sha256((out / name).read_bytes()).hexdigest() for name in (RESOLVED, RESULTS)}
    return Left(sweep, rows, hashes)


def _row(row: StoredRow, source: str) -> Row:
    point = _Reader(row.point, source, "point.")
    return Row(
        row.key,
        row.status,
        point.text("arch"),
        point.text("workload"),
        point.text("depth", "analytic"),
        point.values("set"),
        _run(_Reader(row.result, source, "result.")) if row.result else None,
        row.message or "",
    )


def _run(result: _Reader) -> Run:
    machine = result.at("machine")
    units = result.tables("units")
    seconds = result.number("seconds")
    if seconds is None or seconds <= 0:
        raise result.error("seconds", "a positive number")
    return Run(
        seconds=seconds,
        clock_hz=result.number("clock_hz"),
        energy_pj=result.number("energy_pj"),
        energy_by=result.numbers("energy_by"),
        busy={name: unit.number("busy_cycles") or 0.0 for name, unit in units.items()},
        utilization={name: unit.number("utilization") or 0.0 for name, unit in units.items()},
        einsums=_einsums(result.tables("einsums")),
        bytes={level: _moved(tensors) for level, tensors in result.tables("traffic_bytes").items()},
        macs=result.number("macs") or 0.0,
        bound_by=result.text("bound_by", ""),
        area_um2=sum(result.numbers("area_um2").values()) or None,
        peak_flops=machine.numbers("peak_flops_per_s"),
        bandwidth=machine.numbers("bandwidth_bytes_per_s"),
        mapping=result.text("mapping", ""),
        engine=result.text("engine", ""),
        params=result.values("params"),
        scope=result.texts("scope"),
        notes=result.texts("notes"),
        provenance=result.values("provenance"),
        version=result.text("version", ""),
        document=result.document,
    )


def _einsums(tables: Mapping[str, _Reader]) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, einsum in tables.items():
        found.setdefault(einsum.text("unit", ""), {})[name] = einsum.number("busy_cycles") or 0.0
    return found


def _moved(level: _Reader) -> float:
    tensors = (level.at(name) for name in level.document)
    return sum((tensor.number("read") or 0.0) + (tensor.number("write") or 0.0) for tensor in tensors)


@dataclass(frozen=True)
class _Reader:
    """A JSON object whose values are fetched by type; `path` leads to it in errors."""

    document: Document
    source: str
    path: str

    def error(self, key: str, what: str) -> AccelsimError:
        shown = json.dumps(self.document.get(key))[:60]
        return AccelsimError(f"{self.source}: {self.path}{key}: must be {what}, got {shown}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.document.get(key, default)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.error(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.document.get(key) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "a list of texts")
        return tuple(value)

    def number(self, key: str) -> float | None:
        """A finite number that is not negative, None for null and for nothing."""
        value = self.document.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value > 1e300 or not value >= 0:
            raise self.error(key, "a finite number, not negative")
        return float(value)

    def table(self, key: str) -> Document:
        value = self.document.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(key, "an object")
        return value or {}

    def at(self, key: str) -> _Reader:
        return _Reader(self.table(key), self.source, f"{self.path}{key}.")

    def tables(self, key: str) -> Mapping[str, _Reader]:
        inner = self.at(key)
        return {name: inner.at(name) for name in inner.document}

    def numbers(self, key: str) -> Mapping[str, float]:
        """The entries of an object that have a number; null entries are left out."""
        inner = self.at(key)
        found = {name: inner.number(name) for name in inner.document}
        return {name: value for name, value in found.items() if value is not None}

    def values(self, key: str) -> Mapping[str, Value]:
        inner = self.at(key)
        for name, value in inner.document.items():
            if isinstance(value, list | dict) or (isinstance(value, float) and not math.isfinite(value)):
                raise inner.error(name, "a scalar")
        return {name: value for name, value in inner.document.items() if isinstance(value, str | int | float | None)}
