"""What a sweep left in a folder: every row of results.jsonl, checked, and the sweep file that stands beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from accelsim.errors import AccelsimError, Mark
from accelsim.yamlfile import Node, load_file

RESULTS, SWEEP = "results.jsonl", "sweep.resolved.yaml"
MAX_BYTES = 1 << 28
Value = str | int | float | bool | None
Document = Mapping[str, object]


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
    """What a folder holds: the sweep file, its rows in the order of their first appearance, and both files' hashes."""

    sweep: Node
    rows: tuple[Row, ...]
    hashes: Mapping[str, str]


def read_folder(out: Path) -> Left:
    """The sweep file and the rows of a folder.

    Raises:
        AccelsimError: a file is missing or malformed, or there is no row at all.
    """
    text = _text(out / RESULTS)
    rows = _rows(text, str(out / RESULTS))
    if not rows:
        raise AccelsimError(f"{out / RESULTS}: holds no result: run the sweep first")
    sweep = load_file(out / SWEEP)
    hashes = {name: sha256((out / name).read_bytes()).hexdigest() for name in (SWEEP, RESULTS)}
    return Left(sweep, rows, hashes)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise AccelsimError(f"{path}: is longer than {MAX_BYTES} bytes")
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AccelsimError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise AccelsimError(f"{path}: {error.strerror}; expected what a sweep leaves in a folder") from None


def _rows(text: str, source: str) -> tuple[Row, ...]:
    """The rows by key, the last of a key winning; a last line without its end is what an interrupted sweep leaves."""
    lines = text.split("\n")
    complete, rest = lines[:-1], lines[-1]
    found: dict[str, Row] = {}
    for number, line in enumerate([*complete, *([rest] if _whole(rest) else [])], start=1):
        if line.strip():
            row = _row(_object(line, Mark(source, number, 1)), Mark(source, number, 1))
            found[row.key] = row
    return tuple(found.values())


def _whole(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _object(line: str, mark: Mark) -> Document:
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise AccelsimError(f"not a JSON document: {str(error) or 'nested too deeply'}", mark) from None
    if not isinstance(value, dict):
        raise AccelsimError(f"expected a JSON object, got {line[:40]}", mark)
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number of JSON")


def _row(document: Document, mark: Mark) -> Row:
    point = _Reader(_Reader(document, mark, "").table("point"), mark, "point.")
    row = _Reader(document, mark, "")
    status, result = row.text("status"), row.table("result")
    if status == "ok" and not result:
        raise AccelsimError('result: missing in a row of status "ok"', mark)
    return Row(
        row.text("key"),
        status,
        point.text("arch"),
        point.text("workload"),
        point.text("depth", "analytic"),
        point.values("set"),
        _run(_Reader(result, mark, "result.")) if status == "ok" else None,
        row.text("message", ""),
    )


def _run(result: _Reader) -> Run:
    machine = _Reader(result.table("machine"), result.mark, "result.machine.")
    units = result.tables("units")
    seconds = result.number("seconds")
    if seconds is None or seconds <= 0:
        raise AccelsimError(f"result.seconds: must be positive, got {seconds}", result.mark)
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
    mark: Mark
    path: str

    def error(self, key: str, what: str) -> AccelsimError:
        shown = json.dumps(self.document.get(key))[:60]
        return AccelsimError(f"{self.path}{key}: must be {what}, got {shown}", self.mark)

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
        return _Reader(self.table(key), self.mark, f"{self.path}{key}.")

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
