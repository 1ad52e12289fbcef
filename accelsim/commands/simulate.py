"""`accelsim simulate`: what a workload costs on an architecture, and why."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_depth, add_overrides
from accelsim.errors import AccelsimError
from accelsim.result import Result

HELP = "time, energy, traffic and utilisation of a workload on an architecture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a path or a shipped name")
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    parser.add_argument("--mapping", metavar="FILE", help="a path or a shipped name (default: the architecture's own)")
    parser.add_argument("--out", metavar="DIR", help="write result.json and the resolved configuration there")
    add_depth(parser)
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    refuse_swapped(arguments.arch, arguments.workload)
    from accelsim.report.text import result_text
    from accelsim.simulate import simulate_named

    result = simulate_named(
        arguments.arch, arguments.workload, arguments.overrides, arguments.mapping, depth=arguments.depth
    )
    if arguments.out:
        write_run(result, Path(arguments.out))
    return Reply(result_text(result), result.to_json())


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
