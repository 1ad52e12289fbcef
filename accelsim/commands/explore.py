"""`accelsim explore`: run a sweep, going on where an earlier run stopped, then report."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from accelsim.commands.reply import Reply
from accelsim.errors import AccelsimError

HELP = "run a design-space sweep; resumes"
MOST_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sweep", metavar="SWEEP", help="a path or a shipped name")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results and report go (default: out/SWEEP)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--executor", default="local", metavar="NAME", help="how points are run (default: local)")
    parser.add_argument("--no-report", action="store_true", help="results only")


def run(arguments: argparse.Namespace) -> Reply:
    from accelsim.explore import load_sweep, run_sweep

    sweep = load_sweep(arguments.sweep)
    out = arguments.out or Path("out") / sweep.name
    rows = run_sweep(sweep, out, arguments.workers, arguments.executor)
    messages = Counter(row.message or row.status for row in rows if row.status != "done")
    if messages.total() == len(rows):
        raise AccelsimError(f"every point failed: {next(iter(messages))}")
    lines, page = _reported(out) if not arguments.no_report else ([], None)
    document = {
        "schema": 1,
        "kind": "exploration",
        "sweep": sweep.name,
        "out": str(out),
        "points": len(rows),
        "failed": messages.total(),
        "messages": dict(messages),
        "headlines": lines,
        "report": page,
    }
    done = f"{len(rows) - messages.total()} of {len(rows)} points done: {out}"
    return Reply("\n".join([done, *lines, *([page] if page else [])]), document, warnings=_warnings(messages))


def _reported(out: Path) -> tuple[list[str], str]:
    """The headlines and the path of the page."""
    from accelsim.report import headlines, write_report

    return headlines(out), str(write_report(out))


def _warnings(messages: Counter[str]) -> tuple[str, ...]:
    shown = [f"{count} points failed: {message}" for message, count in messages.most_common(MOST_SHOWN)]
    more = len(messages) - len(shown)
    return tuple(shown) if not more else (*shown, f"and for {more} more reasons: see table.csv")
