"""Verilog of designs, and the JSON beside it with their parameters and with what their timing functions say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np

from accelsim.hardware.design import Design
from rtl.tools import need
from rtl.verilog import write_verilog

EXAMPLES = 3


def generate(design: Design, folder: Path) -> tuple[Path, Path]:
    """Write `<name>.v` and `<name>.json` of a design; the same bytes every time.

    Raises:
        AccelsimError: parameters that cannot be built, a missing tool, or a folder that cannot be written.
    """
    need("amaranth", "pyosys")
    unit = design.unit
    return write_verilog(
        unit.under_test.build(design.params),
        design.name,
        folder,
        parameters={"unit": unit.name, **design.plain},
        timing={"counted_from": "the edge of the job's first input transfer", "jobs": list(_jobs(design))},
    )


def _jobs(design: Design) -> Iterator[dict[str, object]]:
    """A few jobs that the unit takes, with their edges."""
    bench = design.unit.under_test
    rng = np.random.default_rng(0)
    for _ in range(EXAMPLES):
        shape = bench.shape(design.params, rng)
        edges = bench.timing(design.params, shape)
        yield {"job": _plain(shape), "first": edges.first, "last": edges.last, "busy": edges.busy}


def _plain(shape: object) -> object:
    return asdict(shape) if is_dataclass(shape) and not isinstance(shape, type) else str(shape)
