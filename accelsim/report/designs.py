"""The numbers of a sweep over designs: every design's objectives by case, and the Pareto front of two of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from accelsim.report.rows import Row, Run
from accelsim.report.settings import OBJECTIVES
from accelsim.report.study import Study, varying_keys
from accelsim.report.tables import Table, table_of

# objective -> axis label, unit, and its size in that unit
UNITS = {
    "seconds": ("latency", "s", 1.0),
    "energy_pj": ("energy", "J", 1e-12),
    "area_um2": ("area, mm²", "", 1e-6),
    "edp": ("energy x delay", "Js", 1e-12),
}
MOST_CASES = 6


def objective(run: Run, name: str) -> float | None:
    """The value of an objective; all are better when smaller."""
    if name == "edp":
        return run.energy_pj * run.seconds if run.energy_pj else None
    found = {"seconds": run.seconds, "energy_pj": run.energy_pj, "area_um2": run.area_um2}[name]
    return found or None


def design_table(study: Study) -> Table:
    """A row per design and case with its objectives; what varies in a case is the workload and its parameters."""
    rows = tuple(row for row in study.rows if row.depth == study.settings.depth)
    names = objectives_of(study)
    varying = varying_keys(rows)
    several = len({row.arch for row in rows}) > 1
    found = []
    for row in rows:
        if row.run:
            case, design = _case(study, row, varying), _design(study, row, varying, several)
            found.append((case, design, *(objective(row.run, name) for name in names), row.run.bound_by))
    return table_of(("case", "design", *names, "bound_by"), found)


def objectives_of(study: Study) -> tuple[str, ...]:
    """The objectives asked for, else time, energy and area, as far as some run knows them."""
    wanted = study.settings.objectives or OBJECTIVES[:3]
    runs = [row.run for row in study.rows if row.run]
    return tuple(name for name in wanted if any(objective(run, name) for run in runs))


def _is_of_workload(row: Row, key: str) -> bool:
    """Whether a key of `set` is a parameter of the workload rather than a part of the design."""
    return key.startswith("workload.") or bool(row.run and key in row.run.params)


def _case(study: Study, row: Row, varying: set[str]) -> str:
    own = [f"{k.rpartition('.')[2]}={v}" for k, v in row.settings.items() if k in varying and _is_of_workload(row, k)]
    return " ".join([study.label(row.workload), *own])


def _design(study: Study, row: Row, varying: set[str], several: bool) -> str:
    own = [(k.rpartition(".")[2], v) for k, v in row.settings.items() if k in varying and not _is_of_workload(row, k)]
    texts = [study.label(row.arch)] if several or not own else []
    return " ".join([*texts, *(f"{key}={value}" for key, value in own)])


def pareto_pairs(study: Study) -> list[tuple[str, str]]:
    """The pairs of objectives that are drawn against each other."""
    return list(combinations(objectives_of(study), 2))


def pareto(table: Table, pair: tuple[str, str]) -> Table:
    """The designs for which both objectives are known, of at most six cases, and whether they stand on the front."""
    places = [table.columns.index(name) for name in ("case", "design", *pair)]
    cases = table.texts("case")[:MOST_CASES]
    rows = [tuple(row[i] for i in places) for row in table.rows if row[places[0]] in cases]
    known = [row for row in rows if row[2] is not None and row[3] is not None]
    marked = []
    for case in cases:
        some = [row for row in known if row[0] == case]
        best = front([(float(str(row[2])), float(str(row[3]))) for row in some])
        marked += [(*row, "yes" if i in best else "no") for i, row in enumerate(some)]
    return table_of(("case", "design", *pair, "on_front"), marked)


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other is at least as good as in both, by rising first value.

    >>> front([(1, 3), (2, 2), (2, 3), (3, 1), (3, 3)])
    [0, 1, 3]
    """
    best: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: points[i]):
        if not best or points[i][1] < points[best[-1]][1]:
            best.append(i)
    return best
