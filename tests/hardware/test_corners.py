"""The cases that `verify` runs by default reach the corners of each unit, in every configuration and for any seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from accelsim.hardware.catalog import UNITS, find_unit
from rtl.bench import Case, Job, sweep
from tests.hardware import corners

REACHED: dict[str, Callable[[Any, Job], corners.Corners]] = {
    "softmax": corners.of_softmax,
    "attention": corners.of_attention,
    "exp": corners.of_exp,
    "divide": corners.of_divide,
    "gemv": corners.of_gemv,
    "systolic": corners.of_systolic,
    "fuse-array": corners.of_fuse_array,
    "array-engine": corners.of_array_engine,
    "topk-quick": corners.of_topk_quick,
    "topk-radix": corners.of_topk_radix,
    "sequencer": corners.of_sequencer,
}


def counted(unit: Any, setup: Any, cases: list[Case]) -> Counter[str]:
    """How many jobs of these cases reach each corner, and how many come with keys behind one without."""
    found: Counter[str] = Counter()
    for case in cases:
        reached = [dict(REACHED[unit.name](setup, job)) for job in case.jobs]
        for each in reached:
            found.update(each)
        if "no key" in found:
            behind = [before["no key"] and not after["no key"] for before, after in pairwise(reached)]
            found["row with keys behind one without"] += sum(behind)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", list(UNITS))
def test_default_cases_reach_every_corner(name: str, seed: int) -> None:
    unit = find_unit(name)
    cases = sweep(unit.under_test, list(unit.configurations.values()), seed)
    for place, (label, setup) in enumerate(unit.configurations.items()):
        found = counted(unit, setup, [case for case in cases if case.device == f"{unit.under_test.name}_{place}"])
        missing = [what for what, number in found.items() if not number]
        assert missing == [], label
