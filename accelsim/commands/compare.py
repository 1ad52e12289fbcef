"""`accelsim compare`: one workload on several architectures, side by side."""

from __future__ import annotations

import argparse

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_depth, add_overrides

HELP = "a workload on several architectures, the first being the baseline"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    parser.add_argument("archs", nargs="+", metavar="ARCH", help="paths or shipped names")
    parser.add_argument(
        "--mapping",
        action="append",
        default=[],
        metavar="FILE",
        help="for the architectures and functions that it is for (default: their own); may be repeated",
    )
    add_depth(parser)
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    for arch in arguments.archs:
        refuse_swapped(arch, arguments.workload)
    from accelsim.explore import compare
    from accelsim.report.text import comparison_text

    comparison = compare(arguments.workload, arguments.archs, arguments.overrides, arguments.depth, arguments.mapping)
    return Reply(comparison_text(comparison), comparison.to_json())
