"""`accelsim whatif`: every resource of an architecture doubled and halved."""

from __future__ import annotations

import argparse
from pathlib import Path

from accelsim.commands.names import refuse_swapped
from accelsim.commands.reply import Reply, add_overrides

HELP = "every resource doubled and halved: speed-up, energy, area"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arch", metavar="ARCH", help="a path or a shipped name")
    parser.add_argument("workload", metavar="WORKLOAD", help="a path or a shipped name")
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> Reply:
    refuse_swapped(arguments.arch, arguments.workload)
