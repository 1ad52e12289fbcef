"""`accelsim topk --sweep`: the lanes that each engine needs as the scores of a job and the part kept change."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from accelsim.commands.reply import Reply
from accelsim.errors import AccelsimError, Mark, nearest

if TYPE_CHECKING:
    from accelsim.units.topk.pace import Needed, Pace

SIZES = (128, 256, 512, 1024, 2048, 4096)
KEEPS = (0.05, 0.1, 0.2, 0.3, 0.5)
ENGINE = "quickselect"
PERCENT = 100


def sweep_reply(arguments: argparse.Namespace) -> Reply:
    """The lanes needed and how long scores wait, as tables for each engine; with `--out` a picture too."""
    from accelsim.report.lanes import lanes_picture, lanes_table, lanes_text
    from accelsim.report.style import save
    from accelsim.units.topk.pace import Line, sweep

    line = Line(arguments.rate, arguments.stall / PERCENT, arguments.scores)
    points = [(n, keep) for n in arguments.n or SIZES for keep in arguments.keep or KEEPS]
    hardware = {name: _params(name, arguments) for name in arguments.engines or (ENGINE,)}
    engines = _engines()
    found = {name: sweep(engines[name], params, points, line) for name, params in hardware.items()}
    table = lanes_table(found)
    paths = save(lanes_picture(table, line, arguments.lanes), arguments.out) if arguments.out else []
    document = {
        "schema": 1,
        "kind": "topk-sweep",
        "rate": line.rate,
        "stall": line.stall,
        "lanes": arguments.lanes,
        "scores": arguments.scores,
        "engines": {name: _entry(hardware[name], needed) for name, needed in found.items()},
        "files": [str(path) for path in paths],
    }
    return Reply("\n".join([lanes_text(found, line), *(str(path) for path in paths)]), document)


def _engines() -> Mapping[str, Any]:
    from accelsim.units.topk.engines import ENGINES

    return ENGINES


def _params(name: str, arguments: argparse.Namespace) -> Any:
    """The hardware of an engine as it is asked about, the rest of it as by default."""
    engines = _engines()
    if name not in engines:
        raise AccelsimError(f'no engine "{name}"{nearest(name, engines)}', Mark("--engines", 1, 1))
    chosen = {"lanes": arguments.lanes, "score_bits": arguments.score_bits, "overhead": arguments.overhead}
    known = {field.name for field in fields(engines[name].params)}
    return engines[name].params(**{key: value for key, value in chosen.items() if key in known and value is not None})


def _entry(params: Any, found: list[Needed]) -> dict[str, Any]:
    return {
        "overhead": getattr(params, "overhead", None),
        "sampled": max(one.asked.sampled for one in found),
        "jobs": [_job(one) for one in found],
    }


def _job(one: Needed) -> dict[str, Any]:
    asked = one.asked
    return {
        "n": asked.job.n,
        "keep": one.keep,
        "k": asked.job.k,
        "budget": asked.budget,
        "fill": asked.fill,
        "select": asked.select,
        "stall": {"beside": asked.beside, "after": asked.after},
        "lanes_needed": {"beside": _lanes(one.beside), "after": _lanes(one.after)},
    }


def _lanes(pace: Pace | None) -> int | None:
    return None if pace is None else pace.lanes
