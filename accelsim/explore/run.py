"""Run a sweep: what is in the store already stays, every other point is run, and what fails is written down."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from accelsim.errors import AccelsimError, nearest, one_line
from accelsim.explore.store import RESULTS, Row, open_store, point_keys, read_rows
from accelsim.explore.sweep import Point, Sweep, load_sweep
from accelsim.explore.table import table_text
from accelsim.pool import Crashed, run_local
from accelsim.version import VERSION
from accelsim.yamldump import dump_node

EXECUTORS = {"local": run_local}
RESOLVED = "sweep.resolved.yaml"
TABLE = "table.csv"
MAX_WORKERS = 256


def run_sweep(sweep: Sweep | Path | str, out: Path, workers: int = 1, executor: str = "local") -> list[Row]:
    """Run the points of a sweep that the store in `out` does not hold yet.

    A folder is for one sweep: points that the sweep no longer has, or whose inputs changed, are removed from the store.
    Leaves `results.jsonl` (a line for each point as it ends), `sweep.resolved.yaml` and `table.csv` in `out`. Points
    that crashed are tried again, points that failed are not: with the same inputs they fail again.

    Args:
        sweep: a sweep, its path, or the name of a shipped one.
        workers: processes; 1 runs here.

    Returns:
        The rows of all points in the order of the sweep.

    Raises:
        AccelsimError: an unknown sweep or executor, a number of workers out of range, a folder that cannot be written.
    """
    sweep = sweep if isinstance(sweep, Sweep) else load_sweep(sweep)
    _check(workers, executor)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check_folder(sweep, out)
        _replace(out / RESOLVED, dump_node(sweep.resolved))
        rows = _run(sweep, out / RESULTS, workers, executor)
        _replace(out / TABLE, table_text(rows, sweep.objectives))
    except OSError as error:
        raise AccelsimError(f"{error.filename or out}: {error.strerror}") from None
    return rows


def read_run(out: Path) -> tuple[Sweep, list[Row]]:
    """The sweep that was run in a folder, and its rows as they stand there, in the order of its points.

    Raises:
        AccelsimError: no run was made there.
    """
    if not (out / RESOLVED).is_file():
        raise AccelsimError(f"{out}: holds no sweep: no {RESOLVED}")
    sweep = load_sweep(out / RESOLVED)
    place = {json.dumps(point.to_json()): index for index, point in enumerate(sweep.points)}
    rows = {json.dumps(row.point): row for row in read_rows(out / RESULTS)}
    return sweep, [rows[point] for point in sorted(rows, key=lambda point: place.get(point, len(place)))]


def _check(workers: int, executor: str) -> None:
    if executor not in EXECUTORS:
        raise AccelsimError(f'no executor "{executor}"{nearest(executor, EXECUTORS)}')
    if not 1 <= workers <= MAX_WORKERS:
        raise AccelsimError(f'workers: must be 1 to {MAX_WORKERS}, got "{workers}"')


def _check_folder(sweep: Sweep, out: Path) -> None:
    """A folder is for one sweep: what is not of it is removed from the store."""
    if (out / RESOLVED).is_file():
        name = load_sweep(out / RESOLVED).name
        if name != sweep.name:
            raise AccelsimError(f'{out}: holds the sweep "{name}"; choose another folder for "{sweep.name}"')


def _run(sweep: Sweep, path: Path, workers: int, executor: str) -> list[Row]:
    keys = point_keys(sweep.points, VERSION)
    wanted = set(keys)
    rows = {row.key: row for row in read_rows(path) if row.key in wanted and row.status != "crashed"}
    jobs = [(key, point) for key, point in zip(keys, sweep.points, strict=True) if key not in rows]
    with open_store(path, list(rows.values())) as append:
        for done, (index, answer) in enumerate(EXECUTORS[executor](run_point, jobs, workers), 1):
            row = _crashed(*jobs[index]) if isinstance(answer, Crashed) else answer
            append(row)
            rows[row.key] = row
            _show_progress(done, len(jobs))
    return [rows[key] for key in keys]


def run_point(job: tuple[str, Point]) -> Row:
    """The row of one point. Nothing that goes wrong in it leaves this function: a sweep goes on."""
    key, point = job
    started = time.perf_counter()
    result, message = None, None
    try:
        result = _simulated(point)
    except AccelsimError as error:
        message = str(error)
    except Exception as error:
        message = one_line(f"a bug in accelsim: {type(error).__name__}: {error}")
    status = "done" if result is not None else "error"
    return Row(key, status, point.to_json(), result, message, time.perf_counter() - started)


def _simulated(point: Point) -> dict[str, object]:
    from accelsim.simulate import simulate_named

    result = simulate_named(point.arch, point.workload, point.overrides, depth=point.depth).to_json()
    json.dumps(result, allow_nan=False)  # what cannot be stored fails here, as its own point
    return result


def _crashed(key: str, point: Point) -> Row:
    return Row(key, "crashed", point.to_json(), None, "the process that ran it died each time", 0.0)


def _show_progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{total} points{chr(10) if done == total else ''}")
        sys.stderr.flush()


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
