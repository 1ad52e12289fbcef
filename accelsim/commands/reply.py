"""What a verb is and gives: text for a person, a document for a program, and an exit status."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from accelsim.errors import AccelsimError


@dataclass(frozen=True)
class Reply:
    """`text` goes to standard output, or `document` with `--json`; `warnings` go to standard error."""

    text: str
    document: Mapping[str, object]
    status: int = 0
    warnings: tuple[str, ...] = ()


class Verb(Protocol):
    """A module of this package."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> Reply: ...


def add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="overrides",
        help="change a value: L=4096, arch.units.pe2d.rows=128; may be repeated",
    )


def add_mappings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mapping",
        action="append",
        default=[],
        metavar="FILE",
        help="a path or a shipped name, for the functions that it is for; may be repeated "
        "(default: the architecture's own)",
    )


def add_depth(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", default="analytic", metavar="DEPTH", help="bound, analytic (default) or cycle")


def place_of(error: AccelsimError, file: str | None = None) -> dict[str, object]:
    """The place of an error as a document has it; `file` where the error does not know better."""
    mark = error.mark
    if mark is None:
        return {"file": file, "line": None, "column": None}
    return {"file": mark.source, "line": mark.line, "column": mark.column}
