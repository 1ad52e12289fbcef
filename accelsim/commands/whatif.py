"""`accelsim whatif`: every resource of an architecture doubled and halved, and how much buffer is enough."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_mappings, add_overrides
from accelsim.errors import AccelsimError

if TYPE_CHECKING:
    from accelsim.whatif import Change, SkiSlope

HELP = "every resource doubled and halved: speed-up, energy, area"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a path or a shipped name")
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    add_mappings(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="also draw both answers")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    refuse_swapped(arguments.arch, arguments.workload)
    from accelsim.report.text import changes_text, slope_text
    from accelsim.whatif import what_if

    named = (arguments.arch, arguments.workload, arguments.overrides, arguments.mapping)
    changes = what_if(*named)
    slope, why = _slope(*named)
    drawn = _drawn(changes, slope, arguments.out) if arguments.out else []
    document = {
        "schema": 1,
        "kind": "whatif",
        "arch": arguments.arch,
        "workload": arguments.workload,
        "changes": [_change(change) for change in changes],
        "ski_slope": None if slope is None else _slope_document(slope),
        "files": drawn,
    }
    below = why if slope is None else slope_text(slope)
    return Reply("\n".join([changes_text(changes), "", below, *drawn]), document)


def _slope(arch: str, workload: str, overrides: Sequence[str], mapping: Sequence[str]) -> tuple[SkiSlope | None, str]:
    """The slope, or why there is none: what_if is answered all the same."""
    from accelsim.whatif import ski_slope

    try:
        return ski_slope(arch, workload, overrides, mapping), ""
    except AccelsimError as error:
        return None, f"no sizes of the buffer: {error}"


def _change(change: Change) -> dict[str, object]:
    return {
        "resource": change.resource,
        "factor": float(change.factor),
        "speedup": _number(change.speedup),
        "energy_ratio": _number(change.energy_ratio),
        "area_ratio": _number(change.area_ratio),
        "note": change.note,
    }


def _slope_document(slope: SkiSlope) -> dict[str, object]:
    return {
        "level": slope.level,
        "capacity_bytes": _number(slope.capacity_bytes),
        "floor_bytes": _number(slope.floor_bytes),
        "points": [{"capacity_bytes": c, "bytes": _number(b), "mapping": m} for c, b, m in slope.points],
        "footprints": [{"what": what, "bytes": _number(size)} for what, size in slope.footprints],
    }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _drawn(changes: Sequence[Change], slope: SkiSlope | None, out: Path) -> list[str]:
    """The pictures written, by path."""
    from accelsim.report.slope import ski_slope as draw_slope
    from accelsim.report.style import save
    from accelsim.report.tornado import write_tornado

    known = [{"resource": c.resource, "factor": float(c.factor), **_ratios(c)} for c in changes if c.speedup]
    paths = write_tornado(known, out)
    if slope is not None:
        sizes = [(float(capacity), float(moved)) for capacity, moved, _ in slope.points]
        marks = [(what, float(size)) for what, size in slope.footprints]
        paths += save(draw_slope(sizes, float(slope.floor_bytes), marks, _number(slope.capacity_bytes)), out)
    return [str(path) for path in paths]


def _ratios(change: Change) -> dict[str, float | None]:
    return {"speedup": _number(change.speedup), "energy_ratio": _number(change.energy_ratio)}
