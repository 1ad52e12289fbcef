"""For a sweep at depth cycle: what the critical path of each run consists of, and one run of each design drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from accelsim.errors import AccelsimError
from accelsim.report.rows import Row
from accelsim.report.study import Study
from accelsim.report.style import Picture
from accelsim.report.tables import Cell, Table, table_of

MOST_PICTURES = 6
STARTS = 20_000  # that a picture is chosen from
PARTS = ("critical_path", "idle")  # of `waits`; what stands beside them are the shares of causes


def paths(study: Study) -> Table:
    """A row per run at depth cycle: shares of its critical path by cause. No rows where there is none."""
    found = [(row, _shares(row)) for row in study.rows if row.depth == "cycle" and row.run]
    causes = list(dict.fromkeys(cause for _, shares in found for cause in shares))
    keys = sorted({key for row, _ in found for key in row.settings})
    rows = ((row.arch, row.workload, *_said(row, keys), *map(shares.get, causes), _bound(row)) for row, shares in found)
    return table_of(("architecture", "workload", *keys, *causes, "bound by"), rows)


def _shares(row: Row) -> Mapping[str, float]:
    waits = row.run.document.get("waits") if row.run else None
    return {str(c): s for c, s in waits.items() if c not in PARTS} if isinstance(waits, dict) else {}


def _said(row: Row, keys: list[str]) -> Iterator[Cell]:
    for key in keys:
        value = row.settings.get(key)
        yield str(value).lower() if isinstance(value, bool) else value


def _bound(row: Row) -> str:
    return row.run.bound_by if row.run else ""


def timelines(study: Study) -> Iterator[tuple[Picture, str] | str]:
    """A picture of some periods of the first run of each design, executed again, with the run in words; or why not."""
    for arch in list(study.archs)[:MOST_PICTURES]:
        row = next((row for row in study.rows if row.depth == "cycle" and row.run and row.arch == arch), None)
        if row is None:
            continue
        try:
            yield _picture(study, row), _words(study, row)
        except AccelsimError as error:
            yield f"There is no timeline of {_words(study, row)}: {error.message}."


def _words(study: Study, row: Row) -> str:
    said = "".join(f", {key} = {value}" for key, value in row.settings.items())
    return f"{study.label(row.workload)} on {study.label(row.arch)}{said}"


def _picture(study: Study, row: Row) -> Picture:
    from accelsim.report.gantt import gantt
    from accelsim.simulate import executed, load_named

    points = (p for p in study.sweep.points if (p.arch, p.workload) == (row.arch, row.workload))
    point = next((p for p in points if p.to_json()["set"] == dict(row.settings)), None)
    if point is None:
        raise AccelsimError("the sweep has no such point any more")
    _, timed = executed(*load_named(point.arch, point.workload, point.overrides), trace=STARTS)
    place = study.archs.index(row.arch)
    return replace(gantt(timed.program, timed.run), name=f"timeline-{place}")
