"""Hypothesis strategies of top-k engines and jobs, and numpy's own answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from accelsim.units.topk.digits import BitParams, RadixParams
from accelsim.units.topk.engines import ENGINES, Engine
from accelsim.units.topk.job import Overlap, Switch
from accelsim.units.topk.merge import MergeParams
from accelsim.units.topk.queues import HeapParams, QueueParams
from accelsim.units.topk.quick import QuickParams

BITS = 6
LANES = st.sampled_from([1, 2, 3, 4, 8, 16])
SMALL = st.integers(0, 5)
SWITCH: st.SearchStrategy[Switch] = st.sampled_from(["no", "yes"])
OVERLAP: st.SearchStrategy[Overlap] = st.sampled_from(["none", "filter", "all"])
COMMON = {"lanes": LANES, "overhead": SMALL, "input_lanes": LANES, "overlap": OVERLAP}
FIRST = st.sampled_from(["select", "fill"])
PARAMS: dict[str, st.SearchStrategy[Any]] = {
    "quickselect": st.builds(QuickParams, **COMMON),
    "radixselect": st.builds(
        RadixParams,
        **COMMON,
        score_bits=st.just(BITS),
        digit_bits=st.integers(1, BITS),
        compaction=SWITCH,
        first_digit=FIRST,
        early_exit=SWITCH,
    ),
    "bitserial": st.builds(BitParams, **COMMON, score_bits=st.just(BITS), first_digit=FIRST, early_exit=SWITCH),
    "odd-even-merge": st.builds(MergeParams, **COMMON),
    "priority-queue": st.builds(QueueParams, **COMMON),
    "heap": st.builds(HeapParams, **COMMON, level_cycles=SMALL),
}


@dataclass(frozen=True)
class Case:
    """An engine with a job."""

    engine: Engine
    params: Any
    scores: list[int]
    k: int
    draws: list[float]


@st.composite
def cases(draw: st.DrawFn, name: str | None = None) -> Case:
    """Any engine and job: few values, so that many are equal, or many; k may be 0 and above n."""
    name = name or draw(st.sampled_from(list(PARAMS)))
    values = st.integers(0, draw(st.sampled_from([0, 1, 3, 2**BITS - 1])))
    scores = draw(st.lists(values, min_size=1, max_size=40))
    n = len(scores)
    parts = st.floats(0, 1, exclude_max=True)
    draws = draw(st.lists(parts, min_size=n, max_size=n))
    return Case(ENGINES[name], draw(PARAMS[name]), scores, draw(st.integers(0, n + 1)), draws)


def largest(scores: Sequence[int], k: int) -> tuple[int, ...]:
    """Indices of the k largest, of equal ones the first, ascending: by numpy."""
    order = np.lexsort((np.arange(len(scores)), -np.asarray(scores)))
    return tuple(sorted(int(index) for index in order[:k]))
