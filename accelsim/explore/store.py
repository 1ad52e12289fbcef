"""The store of a sweep: one JSON line per point, appended, so that a run that was cut off can go on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from accelsim.errors import AccelsimError
from accelsim.explore.sweep import Point
from accelsim.shipped import data_dir

SCHEMA = 1
STATUSES = ("done", "error", "crashed")
RESULTS = "results.jsonl"


@dataclass(frozen=True)
class Row:
    """What came of a point.

    Attributes:
        status: `done`, `error` (`message` says why) or `crashed` (its process died each time).
        point: the document of the point: arch, workload, depth, set.
        result: the document of the result, None unless done.
        seconds: how long the run took.
    """

    key: str
    status: str
    point: Mapping[str, object]
    result: Mapping[str, object] | None
    message: str | None
    seconds: float

    @property
    def settings(self) -> Mapping[str, object]:
        """What the point sets: path to value."""
        chosen = self.point.get("set")
        return chosen if isinstance(chosen, Mapping) else {}

    def to_line(self) -> bytes:
        return json.dumps(asdict(self), allow_nan=False).encode() + b"\n"


def read_row(line: bytes) -> Row | None:
    """The row of a line, None for a line that was cut off."""
    try:
        found = json.loads(line)
        row = Row(**found)
    except (ValueError, TypeError, RecursionError):
        return None
    fits = isinstance(row.key, str) and row.status in STATUSES and isinstance(row.point, dict)
    return row if fits and isinstance(row.result, dict | None) else None


def read_rows(path: Path) -> list[Row]:
    """The rows of a store in the order written; none where there is no file."""
    try:
        lines = path.read_bytes().splitlines() if path.exists() else []
    except OSError as error:
        raise AccelsimError(f"{path}: {error.strerror}") from None
    return [row for line in lines if (row := read_row(line)) is not None]


@contextmanager
def open_store(path: Path, rows: Sequence[Row]) -> Iterator[Callable[[Row], None]]:
    """A function that appends a row in one write to a store that holds `rows` and nothing else."""
    lines = b"".join(row.to_line() for row in rows)
    if not path.exists() or path.read_bytes() != lines:
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(lines)
        part.replace(path)
    with path.open("ab", buffering=0) as file:
        yield lambda row: _write(file.fileno(), row.to_line())


def _write(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]


def point_keys(points: Sequence[Point], version: str) -> list[str]:
    """The key of every point: SHA-256 of all that its result depends on.

    That is the schema of the store, the program's version, the point, and the documents behind its names with their
    bases followed and the traces that they read. The mapping is chosen while running, so every shipped mapping counts.
    """
    arch, workload, mappings = cache(_arch), cache(_workload), _mappings()
    return [_digest(SCHEMA, version, point, arch(point.arch), workload(point.workload), mappings) for point in points]


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _arch(name: str) -> str:
    from accelsim.arch import load_arch

    try:
        return load_arch(name).sha256
    except AccelsimError as error:
        return str(error)


def _workload(name: str) -> str:
    from accelsim.workload.files import choose_file, open_document, open_uses
    from accelsim.workload.origin import trace_hashes

    try:
        document, _ = open_document(choose_file(name).path)
        uses = open_uses(document)
        traces = trace_hashes((document, *uses.values()))
        return _digest(document.plain(), {key: used.plain() for key, used in uses.items()}, traces)
    except AccelsimError as error:
        return str(error)


def _mappings() -> str:
    paths = sorted(data_dir("arch_configs/mappings").glob("*.yaml"))
    return _digest([(path.name, path.read_bytes()) for path in paths])
