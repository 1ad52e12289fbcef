"""The command line: words to a verb, its reply to text or JSON, and what went wrong to one line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn, TextIO

from accelsim.commands.files import json_text
from accelsim.commands.reply import Reply, place_of
from accelsim.commands.verbs import VERBS
from accelsim.errors import AccelsimError, CheckFailedError, nearest, one_line
from accelsim.result import SCHEMA
from accelsim.version import VERSION

DONE, FAILED, REFUSED, BUG, INTERRUPTED = 0, 1, 2, 3, 130
LONGEST_BUG = 300
EPILOG = "Exit status: 0 done; 1 a check failed; 2 the request cannot be met; 3 a bug in accelsim; 130 interrupted."


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise AccelsimError(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: the words after the program's name; None: those of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _deliver(_answer(words))
    except BrokenPipeError:
        _drop_output()
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _drop_output()
        sys.stderr.write(f"accelsim: standard output: {error.strerror}\n")
        return REFUSED


def _answer(words: list[str]) -> Reply:
    """The reply to a command; whatever is raised becomes a reply too."""
    as_json = "--json" in words
    try:
        return _run(words)
    except CheckFailedError as error:
        return _refusal(error, FAILED, as_json)
    except AccelsimError as error:
        return _refusal(error, REFUSED, as_json)
    except ModuleNotFoundError as error:
        return _bug(error, as_json) if _is_ours(error) else _refusal(_missing(error), REFUSED, as_json)
    except KeyboardInterrupt:
        return _refusal(AccelsimError("interrupted"), INTERRUPTED, as_json)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _refusal(AccelsimError(f"{error.filename}: {error.strerror}"), REFUSED, as_json)
    except Exception as error:
        return _bug(error, as_json)


def _run(words: list[str]) -> Reply:
    """The reply of a verb, its text being what standard output is to show."""
    verb = next((word for word in words if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        raise AccelsimError(f'no command "{verb}"{nearest(verb, VERBS)}')
    try:
        arguments = _parser().parse_args(words)
    except SystemExit:  # --help and --version have printed what they had to
        return Reply("", {})
    reply = VERBS[arguments.verb].run(arguments)
    return replace(reply, text=json_text(reply.document)) if arguments.json else reply


def _parser() -> Parser:
    parser = Parser(
        "accelsim", description="What attention costs on hardware, and why.", epilog=EPILOG, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"accelsim {VERSION}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for name, verb in VERBS.items():
        inner = verbs.add_parser(name, help=verb.HELP, description=verb.HELP, allow_abbrev=False)
        verb.add_arguments(inner)
        inner.add_argument("--json", action="store_true", help="one JSON document and nothing else")
    return parser


def _refusal(error: AccelsimError, status: int, as_json: bool) -> Reply:
    document = {"schema": SCHEMA, "kind": "error", "message": error.message, **place_of(error)}
    return Reply(json_text(document), document, status) if as_json else Reply("", document, status, (str(error),))


def _is_ours(error: ModuleNotFoundError) -> bool:
    return _package(error) == "accelsim"


def _missing(error: ModuleNotFoundError) -> AccelsimError:
    return AccelsimError(f'this needs the package "{_package(error)}": pip install {_package(error)}')


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "accelsim").split(".")[0]


def _bug(error: Exception, as_json: bool) -> Reply:
    """One line, and the traceback in a file for whoever mends it."""
    with tempfile.NamedTemporaryFile("w", prefix="accelsim-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    message = one_line(f"a bug in accelsim: {type(error).__name__}: {error}")[:LONGEST_BUG]
    return _refusal(AccelsimError(f"{message}; the traceback is in {file.name}"), BUG, as_json)


def _deliver(reply: Reply) -> int:
    for warning in reply.warnings:
        _write(sys.stderr, f"accelsim: {warning}")
    if reply.text:
        _write(sys.stdout, reply.text)
    return reply.status


def _write(stream: TextIO | None, text: str) -> None:
    """A text and a line end, in a way that no encoding refuses; None is a stream that was closed at the start."""
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    stream.write(f"{text}\n".encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _drop_output() -> None:
    """Nobody reads: what is still buffered goes nowhere, also when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
