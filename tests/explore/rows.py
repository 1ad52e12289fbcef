"""Rows without a simulation behind them."""

from __future__ import annotations

from collections.abc import Mapping

from accelsim.explore import Row


def make_row(
    result: Mapping[str, object] | None,
    settings: Mapping[str, object] | None = None,
    workload: str = "w",
    key: str = "k",
) -> Row:
    point = {"arch": "a", "workload": workload, "depth": "analytic", "set": dict(settings or {})}
    status = "done" if result is not None else "error"
    return Row(key, status, point, result, None if result is not None else "no", 0.5)
