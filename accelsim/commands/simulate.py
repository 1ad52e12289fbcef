"""`accelsim simulate`: what a workload costs on an architecture, and why."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_depth, add_mappings, add_overrides
from accelsim.errors import AccelsimError
from accelsim.result import Result

if TYPE_CHECKING:
    from accelsim.program.timed import Timed

TRACED = 20_000  # starts that a timeline keeps
HELP = "time, energy, traffic and utilisation of a workload on an architecture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a path or a shipped name")
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    add_mappings(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="write result.json and the resolved configuration there; at depth cycle the timeline too",
    )
    parser.add_argument(
        "--trace", metavar="FILE", help="at depth cycle: the timeline, for Perfetto (.json) or as waves (.vcd)"
    )
    parser.add_argument("--program", metavar="FILE", help="at depth cycle: the tile program as text")
    parser.add_argument(
        "--no-skip", action="store_true", help="at depth cycle: execute everything, for the same numbers"
    )
    add_depth(parser)
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    refuse_swapped(arguments.arch, arguments.workload)
    from accelsim.report.text import result_text

    result = simulated(arguments)
    return Reply(result_text(result), result.to_json())


def simulated(arguments: argparse.Namespace) -> Result:
    """The result, and the files that were asked for."""
    from accelsim.commands.files import write_text
    from accelsim.program.text import render_program
    from accelsim.simulate import executed, load_named, simulate

    found = load_named(arguments.arch, arguments.workload, arguments.overrides, arguments.mapping)
    if arguments.depth != "cycle":
        for option in ("trace", "program", "no_skip"):
            if getattr(arguments, option):
                raise AccelsimError(f"--{option.replace('_', '-')} needs --depth cycle")
        result = simulate(*found, depth=arguments.depth)
        if arguments.out:
            write_run(result, Path(arguments.out))
        return result
    starts = TRACED if arguments.trace or arguments.out else 0
    result, timed = executed(*found, skip=not arguments.no_skip, trace=starts)
    if arguments.trace:
        write_trace(timed, Path(arguments.trace))
    if arguments.program:
        write_text(Path(arguments.program), render_program(timed.program))
    if arguments.out:
        write_run(result, Path(arguments.out))
        write_timeline(timed, Path(arguments.out))
    return result


def write_timeline(timed: Timed, out: Path) -> None:
    """`program.txt`, `trace.json` for Perfetto, and a picture of the first periods."""
    from accelsim.commands.files import write_text
    from accelsim.program.text import render_program
    from accelsim.report.gantt import gantt
    from accelsim.report.style import save

    write_text(out / "program.txt", render_program(timed.program))
    write_trace(timed, out / "trace.json")
    save(gantt(timed.program, timed.run), out)


def write_trace(timed: Timed, path: Path) -> None:
    """The timeline of a run in the format that the ending of the file names."""
    if path.suffix not in (".json", ".vcd"):
        raise AccelsimError(f'{path}: a trace ends in .json (Perfetto) or .vcd (waves), not "{path.suffix}"')
    from accelsim.commands.files import write_text
    from accelsim.report.perfetto import perfetto_document
    from accelsim.report.vcd import vcd_text

    document = perfetto_document(timed.program, timed.run)
    write_text(
        path, json.dumps(document, allow_nan=False) if path.suffix == ".json" else vcd_text(timed.program, timed.run)
    )


def write_run(result: Result, out: Path) -> None:
    """`result.json` and, beside it, every document that the run was made from, with its overrides in place."""
    from accelsim.yamldump import dump_node

    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "result.json").write_text(json.dumps(result.to_json(), indent=2, allow_nan=False) + "\n")
        for name, document in result.resolved.items():
            (out / f"{name}.resolved.yaml").write_text(dump_node(document))
    except OSError as error:
        raise AccelsimError(f"{out}: {error.strerror}") from None
