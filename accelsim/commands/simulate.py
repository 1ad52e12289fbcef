"""`accelsim simulate`: what a workload costs on an architecture, and why."""

from __future__ import annotations

import argparse

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_depth, add_overrides

HELP = "time, energy, traffic and utilisation of a workload on an architecture"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a path or a shipped name")
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    parser.add_argument("--mapping", metavar="FILE", help="a path or a shipped name (default: the architecture's own)")
    add_depth(parser)
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    refuse_swapped(arguments.arch, arguments.workload)
    from accelsim.report.text import result_text
    from accelsim.simulate import simulate_named

    result = simulate_named(
        arguments.arch, arguments.workload, arguments.overrides, arguments.mapping, depth=arguments.depth
    )
    return Reply(result_text(result), result.to_json())
