"""From a text to the parser's tree: lexing, bounds on size and depth, and refusals in human words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, cast

from accelsim.einsum.ast import RESERVED
from accelsim.einsum.grammar import GRAMMAR

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

    Branch = Tree[Token]

MAX_TEXT = 1 << 16
MAX_BRACKETS = 64
MAX_DEPTH = 200
MAX_INDEX_DEPTH = 64
MAX_NAME = 64
MAX_DIGITS = 18
STARTS = {"NAME", "INT", "NUMBER", "MINUS", "LPAR", "INF", "LOWEST", "NOT"}
ENDS = {"_NL", "$END"}
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT"}
MARKS = {"LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "COMMA": ",", "EQUAL": "="}


class Refusal(Exception):  # noqa: N818 - parse makes an AccelsimError of it
    """What is wrong at a line and column of the text itself; `parse` turns it into an error at the file's place."""

    def __init__(self, message: str, line: int, column: int) -> None:
        self.message, self.line, self.column = message, line, column


class _Filter:
    """Between lexer and parser: checks every word, drops line ends inside brackets, refuses what is never closed."""

    always_accept = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        opened: list[Token] = []
        for token in stream:
            _check_word(token)
            if token.type in ("LPAR", "LSQB"):
                opened.append(token)
            elif token.type in ("RPAR", "RSQB") and opened:
                opened.pop()
            if len(opened) > MAX_BRACKETS:
                _refuse(f"brackets nest deeper than {MAX_BRACKETS} levels", token)
            if token.type != "_NL" or not opened:
                yield token
        if opened:
            _refuse(f'"{opened[-1]}" is never closed', opened[-1])


def syntax_tree(text: str, start: str) -> Branch:
    """The tree of a text, never deeper than MAX_DEPTH, in an index MAX_INDEX_DEPTH.

    Args:
        start: the rule of the grammar to begin with, `cascade` or `affine`.

    Raises:
        Refusal: what was found, what was expected, and where in the text.
    """
    if len(text) > MAX_TEXT:
        raise Refusal(f"the text has {len(text)} characters; at most {MAX_TEXT} are read", 1, 1)
    tree = _parsed(text, start)
    _check_depth(tree, start)
    return tree


def _parsed(text: str, start: str) -> Branch:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    run: Any = _lark().parse_interactive(text, start=start)
    try:
        run.exhaust_lexer()
        return cast("Branch", run.feed_eof())
    except UnexpectedToken as error:
        ends = {"$END": "the end of the text", "_NL": "the end of the line"}
        found = ends.get(error.token.type, f'"{error.token}"')
        line, column = _end(text) if error.token.type == "$END" else (error.line, error.column)
        raise Refusal(f"found {found}, expected {_expected(run.accepts())}", line, column) from None
    except UnexpectedCharacters as error:
        found = f'"{text[error.pos_in_stream or 0]}"'
        raise Refusal(f"found {found}, expected {_expected(run.accepts())}", error.line, error.column) from None


@cache
def _lark() -> Lark:
    from lark import Lark

    return Lark(
        GRAMMAR,
        parser="lalr",
        lexer="contextual",
        start=["cascade", "affine"],
        postlex=_Filter(),
        propagate_positions=True,
        maybe_placeholders=False,
    )


def _refuse(message: str, token: Token) -> NoReturn:
    raise Refusal(message, token.line or 1, token.column or 1)


def _check_word(token: Token) -> None:
    shown = f'"{token[:16]}..."'
    if token.type == "NAME" and token in RESERVED:
        _refuse(f'"{token}" is a reserved word and cannot stand here', token)
    if token.type == "NAME" and len(token) > MAX_NAME:
        _refuse(f"name {shown} is {len(token)} characters long; at most {MAX_NAME} are read", token)
    if token.type == "INT" and len(token) > MAX_DIGITS:
        _refuse(f"integer {shown} has {len(token)} digits; at most {MAX_DIGITS} are read", token)
    if token.type == "NUMBER" and not isfinite(float(token)):
        _refuse(f'number "{token[:16]}" is out of range', token)


def _end(text: str) -> tuple[int, int]:
    """Line and column just past the last character that is not blank."""
    lines = text.rstrip().split("\n")
    return len(lines), len(lines[-1]) + 1


def _expected(terminals: set[str]) -> str:
    """What may stand at a place, in words."""
    words = []
    if "NUMBER" in terminals or "INT" in terminals or "NAME" in terminals:
        words.append(_operand(terminals))
        terminals = terminals - STARTS - ENDS
    if "STAR" in terminals:
        words.append("an operator")
        terminals = terminals - OPERATORS
    words += ["a comparison"] * ("COMPARISON" in terminals)
    words += [f'"{symbol}"' for terminal, symbol in MARKS.items() if terminal in terminals]
    words += [f'"{word}"' for word in RESERVED if word.upper() in terminals]
    words += ["a new line"] * ("_NL" in terminals)
    words += ["the end of the text"] * ("$END" in terminals and "_NL" not in terminals)
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _operand(terminals: set[str]) -> str:
    if "NUMBER" in terminals:
        return "a value"
    if "NOT" in terminals:
        return "a condition"
    return "an index" if "INT" in terminals else "a name"


def _check_depth(tree: Branch, start: str) -> None:
    """Refuse what a recursive walk could not follow; brackets and chains (`a+a+..`) both count."""
    stack = [(tree, 1, int(start == "affine"))]
    while stack:
        branch, depth, within = stack.pop()
        if depth > MAX_DEPTH or within > MAX_INDEX_DEPTH:
            limit, what = (MAX_DEPTH, "line") if depth > MAX_DEPTH else (MAX_INDEX_DEPTH, "index")
            raise Refusal(f"more than {limit} operations nest in one {what}", branch.meta.line, branch.meta.column)
        for child in branches(branch):
            stack.append((child, depth + 1, within + 1 if within else int(child.data in ("index", "comparison"))))


def branches(tree: Branch) -> list[Branch]:
    """The children of a tree that are trees themselves."""
    from lark import Tree

    return [child for child in tree.children if isinstance(child, Tree)]
