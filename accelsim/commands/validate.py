"""`accelsim validate`: our numbers beside published and measured ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from accelsim.commands.files import json_text, write_text
from accelsim.commands.reply import Reply

HELP = "our error against published and measured numbers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", nargs="?", metavar="SUITE", help="one suite (default: all)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write validation.txt and validation.json there")


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.validation import validate

    report = validate(arguments.suite)
    text, document = report.to_text(), report.to_json()
    if arguments.out:
        write_text(arguments.out / "validation.txt", text + "\n")
        write_text(arguments.out / "validation.json", json_text(document) + "\n")
    return Reply(text, document, 0 if report.passed else 1)
