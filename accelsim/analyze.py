"""`analyze`: what a workload needs, whatever the hardware: passes, footprints, operations, bytes, intensity."""

from __future__ import annotations

from collections.abc import Callable

from accelsim.einsum.analysis import Analysis, analyze_shapes
from accelsim.workload import Workload, provenance, steps

__all__ = ["Analysis", "analyze"]


def analyze(workload: Workload, choose: Callable[[str], str | None] = lambda function: None) -> Analysis:
    """Passes, live footprints, exact operation counts and compulsory bytes of a workload.

    Args:
        choose: function to the form of it to take where the workload fixes none; None takes the first of its file.

    >>> from accelsim.workload import load_workload
    >>> analyze(load_workload("attention-3pass", ["B=1", "H=1", "E=64", "M=1024"])).passes["m"]
    3

    Raises:
        AccelsimError: as `accelsim.workload.steps`; a mask that cannot be counted exactly.
    """
    found = (
        analyze_shapes(step.name, step.shapes, step.types, step.cascade_name, step.tensors)
        for step in steps(workload, choose)
    )
    return Analysis(workload.name, workload.params, tuple(found), provenance(workload))
