"""Engines that keep the k largest of n scores, in the order in which they came; of equal ones the first.

All find the k-th largest score, the threshold, and then pass over a copy of the scores once more (FILTER). `job` says
what they take and how their parts hand jobs on; `quick`, `digits`, `merge` and `queues` are the engines; `kernel`
counts their cycles over many jobs; `law` has the exact distribution of quick-select; `study` puts samples and laws
side by side; `rate` asks which engine keeps up with what makes the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Study = Callable[[Any, Any, int, int], Mapping[str, object]]


def study_of(name: str) -> Study:
    """`study.study` of an engine, loaded, with numpy and numba, when it is called."""

    def run(params: Any, job: Any, samples: int, seed: int) -> Mapping[str, object]:
        from accelsim.units.topk.study import study

        return study(name, params, job, samples, seed)

    return run
