"""The rows of a sweep as a table: one line per point, every number that is not a list or a mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from accelsim.explore.objectives import area_um2
from accelsim.explore.pareto import design_fronts
from accelsim.explore.store import Row

SCALARS = ("seconds", "cycles", "energy_pj", "macs", "bound_by", "mapping")


def table_text(rows: Sequence[Row], objectives: Sequence[str]) -> str:
    """CSV: the point, its status, scalars of its result, utilisation by unit, bytes by level, being on the front."""
    on_front = set(design_fronts(rows, objectives))
    records = [{**_record(row), "on_front": int(index in on_front)} for index, row in enumerate(rows)]
    columns = dict.fromkeys(name for record in records for name in record)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _record(row: Row) -> dict[str, object]:
    names = {name: row.point[name] for name in ("arch", "workload", "depth")}
    outcome = {"status": row.status, "message": row.message or ""}
    return {**names, **row.settings, **outcome, **({} if row.result is None else _numbers(row.result))}


def _numbers(result: Mapping[str, object]) -> dict[str, object]:
    found = {name: result.get(name) for name in SCALARS}
    found["area_um2"] = area_um2(result)
    for unit, use in _table(result, "units").items():
        found[f"utilization.{unit}"] = _table({unit: use}, unit).get("utilization")
    for level, tensors in _table(result, "traffic_bytes").items():
        found[f"bytes.{level}"] = sum(_total(use) for use in _table({level: tensors}, level).values())
    return found


def _table(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def _total(use: object) -> float:
    values = use.values() if isinstance(use, Mapping) else ()
    return sum(value for value in values if isinstance(value, int | float))
