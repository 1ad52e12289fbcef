"""The numbers of a sweep over designs: every design's objectives by case, and the Pareto front of two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from accelsim.explore.objectives import objective
from accelsim.explore.pareto import DESIGN, front
from accelsim.report.rows import Row, Value
from accelsim.report.study import Study, varying_keys
from accelsim.report.tables import Table, table_of

# objective -> what it is, its unit, and one of it in that unit
UNITS = {
    "seconds": ("latency", "s", 1.0),
    "cycles": ("latency", "cycles", 1.0),
    "energy_pj": ("energy", "J", 1e-12),
    "area_um2": ("area", "mm²", 1e-6),
    "energy_delay": ("energy x delay", "J s", 1e-12),
    "energy_delay_area": ("energy x delay x area", "J s mm²", 1e-18),
}
AREA = "area_um2"
MOST_CASES = 6


def design_table(study: Study) -> Table:
    """A row per design and case with its objectives.

    What varies in a case is the workload, its sizes and the assumptions; designs compete within a case.
    """
    names = objectives_of(study)
    settings = [row.settings for row in study.rows]
    keys, sizes = _telling(settings), [key for key in varying_keys(settings) if not key.startswith(DESIGN)]
    several = len({_stands_for(study, row.arch)[0] for row in study.rows}) > 1
    rows = (
        (_case(study, row, sizes, replaced), _design(study.label(arch), row, keys, several), *values, row.run.bound_by)
        for row in study.rows
        for arch, replaced in [_stands_for(study, row.arch)]
        if row.run
        for values in [[objective(row.run.document, name) or None for name in names]]
    )
    return table_of(("case", "design", *names, "bound_by"), rows)


def _stands_for(study: Study, arch: str) -> tuple[str, str]:
    """The architecture of the study that one stands for, and the assumptions under which it does ("" for its own)."""
    found = ((own, o.label) for o in study.settings.overlays for own, other in o.archs.items() if other == arch)
    return next(found, (arch, "")) if arch not in study.archs else (arch, "")


def _telling(settings: Sequence[Mapping[str, Value]]) -> list[str]:
    """The keys by which designs differ: one of them where they vary together."""
    keys = [key for key in varying_keys(settings) if key.startswith(DESIGN)]
    designs = {tuple(chosen.get(key) for key in keys) for chosen in settings}
    alone = (key for key in keys if len({chosen.get(key) for chosen in settings}) == len(designs))
    return next(([key] for key in alone), keys)


def objectives_of(study: Study) -> tuple[str, ...]:
    """The objectives of the sweep and the area, as far as some run knows them."""
    wanted = dict.fromkeys((*study.sweep.objectives, AREA))
    runs = [row.run for row in study.rows if row.run]
    return tuple(name for name in wanted if any(objective(run.document, name) for run in runs))


def _case(study: Study, row: Row, keys: Sequence[str], assumptions: str) -> str:
    own = [f"{_last(key)}={row.settings[key]}" for key in keys if key in row.settings]
    return " ".join([study.label(row.workload), *own]) + (f", {assumptions}" if assumptions else "")


def _design(label: str, row: Row, keys: Sequence[str], several: bool) -> str:
    own = [f"{_last(key)}={row.settings[key]}" for key in keys if key in row.settings]
    return " ".join([*([label] if several or not own else []), *own])


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def pareto_pairs(study: Study) -> list[tuple[str, str]]:
    """The pairs of objectives that are drawn against each other; time in seconds and in cycles is one of them only."""
    names = objectives_of(study)
    return list(combinations([n for n in names if n != "cycles" or "seconds" not in names], 2))


def front_table(table: Table, pair: tuple[str, str]) -> Table:
    """The designs for which both objectives are known, of at most six cases, numbered, and whether they are on a front.

    Equal designs have equal numbers in all cases; a front is that of its case.
    """
    number = {design: i for i, design in enumerate(table.texts("design"), start=1)}
    rows = []
    for case in table.texts("case")[:MOST_CASES]:
        some = table.where(case=case)
        values = [some.lookup(name, "design") for name in pair]
        known = [key for key in values[0] if key in values[1]]
        points = [(values[0][key], values[1][key]) for key in known]
        best = set(front(points))
        rows += [
            (case, number[str(design)], design, *points[i], "yes" if i in best else "no")
            for i, (design,) in enumerate(known)
        ]
    return table_of(("case", "number", "design", *pair, "on_front"), rows)


def in_order(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of a front as the corners of its step line: by rising first value, equal points once."""
    return sorted(set(points))
