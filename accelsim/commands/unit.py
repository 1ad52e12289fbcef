"""`accelsim unit`: when one unit gives its outputs and takes its next job; and the list of all units."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from accelsim.commands.reply import Reply
from accelsim.errors import AccelsimError, Mark
from accelsim.overrides import split_override
from accelsim.yamlfile import Node, load_value

if TYPE_CHECKING:
    from accelsim.units import Timing, Unit
    from accelsim.units.fields import Parameter

Answer = TypeVar("Answer")
HELP = "the timing of one unit: first and last output, next job"
SAMPLES, SEED = 1000, 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a unit: see accelsim list units")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="a parameter of the unit or of its job: rows=32, M=100; may be repeated",
    )
    parser.add_argument(
        "--samples", metavar="N", help=f"jobs to draw, where the time depends on the data (default: {SAMPLES})"
    )
    parser.add_argument("--seed", metavar="N", help=f"what they are drawn from (default: {SEED})")


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.units import find_unit

    unit = find_unit(arguments.name, _units())
    samples, seed = _drawn(unit, arguments)
    nodes = dict(split_override(text) for text in arguments.overrides)
    params, shape, timing, report = _timed(unit, nodes)
    study = _placed(nodes, partial(unit.study, params, shape, samples, seed)) if unit.study else {}
    edges = {"cycles": timing.cycles, **asdict(timing)}
    values = {**asdict(params), **asdict(shape)}
    lines = [unit.says, f"{timing.cycles} cycles for one job{' at worst' if unit.study else ''}"]
    lines.append(f"first output at edge {timing.first}, last at {timing.last}; the next job begins at {timing.busy}")
    lines += [f"  {name}: {_written(value)}" for name, value in values.items()]
    lines += _report_lines({**(report or {}), **study})
    document = {"schema": 1, "kind": "unit", "unit": unit.name, **edges, "params": values, "report": report}
    return Reply("\n".join(lines), {**document, **study})


def _drawn(unit: Unit, arguments: argparse.Namespace) -> tuple[int, int]:
    """Samples and seed as given, or their defaults; a unit whose time does not depend on data takes neither."""
    given = {"samples": arguments.samples, "seed": arguments.seed}
    for name, text in given.items():
        if text is not None and unit.study is None:
            raise AccelsimError(f"{name}: {unit.name} takes the same time whatever its data", Mark(f"--{name}", 1, 1))
    samples, seed = (
        default if text is None else load_value(text, f"--{name}").integer()
        for (name, text), default in zip(given.items(), (SAMPLES, SEED), strict=True)
    )
    return samples, seed


def _report_lines(report: Mapping[str, object], above: str = "") -> list[str]:
    """A line for each value or row of values, led by the names that lead to it."""
    found = []
    for name, value in report.items():
        if isinstance(value, Mapping) and any(isinstance(inner, Mapping) for inner in value.values()):
            found += _report_lines(value, f"{above}{name} ")
        elif isinstance(value, Mapping):
            row = ", ".join(f"{inner} {_reported(amount)}" for inner, amount in value.items())
            found.append(f"  {above}{name}: {row}")
        else:
            found.append(f"  {above}{name}: {_reported(value)}")
    return found


def _reported(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else _written(value)


def _units() -> Mapping[str, Unit]:
    """The units of the catalogue, and those that need the model of DRAM."""
    from accelsim.memory.pim_unit import PIM, PIM_GEMM
    from accelsim.units import UNITS

    return {**UNITS, PIM.name: PIM, PIM_GEMM.name: PIM_GEMM}


def _timed(unit: Unit, nodes: Mapping[str, Node]) -> tuple[Any, Any, Timing, Mapping[str, object] | None]:
    """Hardware, job, timing and report."""

    def timed() -> tuple[Any, Any, Timing, Mapping[str, object] | None]:
        params, shape = unit.request({name: node.plain() for name, node in nodes.items()})
        return params, shape, unit.timing(params, shape), unit.report(params, shape) if unit.report else None

    return _placed(nodes, timed)


def _placed(nodes: Mapping[str, Node], answer: Callable[[], Answer]) -> Answer:
    """The answer; an error about a parameter gets the place where it was set."""
    try:
        return answer()
    except AccelsimError as error:
        node = nodes.get(error.message.partition(":")[0].partition(".")[0])
        raise AccelsimError(error.message, node.mark if node else error.mark) from None


def list_units() -> Reply:
    """Every unit with its parameters, as its dataclasses have them."""
    known = _units().values()
    text = "\n\n".join("\n".join([f"{unit.name}  {unit.says}", *map(_line, unit.parameters)]) for unit in known)
    units = [
        {"name": unit.name, "description": unit.says, "parameters": [_entry(p) for p in unit.parameters]}
        for unit in known
    ]
    return Reply(text, {"schema": 1, "kind": "list", "units": units})


def _line(parameter: Parameter) -> str:
    given = "required" if parameter.required else f"default {_written(parameter.default)}"
    return f"  {parameter.name}  {parameter.rule.says} ({parameter.rule.kind}; {given})"


def _entry(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "type": parameter.rule.kind,
        "required": parameter.required,
        "default": parameter.default,
        "description": parameter.rule.says,
    }


def _written(value: object) -> str:
    """A value as a person reads it; a list of operators one behind the other."""
    if not isinstance(value, list | tuple):
        return "none" if value is None else str(value)
    items = (item.values() if isinstance(item, Mapping) else (item,) for item in value)
    return ", ".join(" ".join(f"{part}" for part in parts) for parts in items) or "none"
