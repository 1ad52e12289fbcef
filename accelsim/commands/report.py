"""`accelsim report`: pictures, an HTML page and the headlines from what a sweep left."""

from __future__ import annotations

import argparse
from pathlib import Path

from accelsim.commands.reply import Reply

HELP = "HTML and PNG from what a sweep left"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that explore wrote")


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.report import headlines, write_report

    lines = headlines(arguments.folder)
    page = str(write_report(arguments.folder))
    return Reply("\n".join([*lines, page]), {"schema": 1, "kind": "report", "report": page, "headlines": lines})
