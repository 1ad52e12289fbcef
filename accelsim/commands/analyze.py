"""`accelsim analyze`: passes, footprints, counts and intensity of a workload, and the cascade as a drawing."""

from __future__ import annotations

import argparse
from pathlib import Path

from accelsim.commands.files import write_text
from accelsim.commands.reply import Reply, add_overrides

HELP = "passes, footprints, operation counts and intensity of a workload"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="also draw the cascade")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.analyze import analyze
    from accelsim.workload import load_workload

    workload = load_workload(arguments.workload, arguments.overrides)
    analysis = analyze(workload)
    if arguments.svg:
        from accelsim.report.drawing import draw_workload

        write_text(arguments.svg, draw_workload(workload))
    return Reply(analysis.to_text(), analysis.to_json())
