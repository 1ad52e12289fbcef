"""A line of the text of a program: its words, and what numbers, names and expressions may stand in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from accelsim.einsum.ast import IndexExpr, Predicate
from accelsim.einsum.parse import parse_cascade, parse_index
from accelsim.errors import AccelsimError, Mark
from accelsim.yamlfile import Node

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
WORDS = ("on", "moves", "by", "at", "busy", "latency", "after", "holds", "of", "for", "with", "when")
CONDITION = "X = Y where "


@dataclass(frozen=True)
class Line:
    """A line that is not empty: its words with their columns, and how deep it stands."""

    mark: Mark
    depth: int
    text: str

    @property
    def words(self) -> list[str]:
        return self.text.split()

    def error(self, message: str) -> AccelsimError:
        return AccelsimError(message, self.mark)

    def node(self, part: str, lead: str = "") -> Node:
        """A part of the line as a value with its place; `lead` is put before it."""
        column = self.mark.column + max(self.text.find(part), 0) - len(lead)
        return Node(lead + part, Mark(self.mark.source, self.mark.line, column), lead + part)

    def number(self, word: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", word):
            raise self.error(f'expected an integer, got "{word}"')
        return int(word)

    def fraction(self, word: str) -> Fraction:
        if not re.fullmatch(r"[0-9]{1,18}(/0*[1-9][0-9]{0,17})?", word):
            raise self.error(f'expected a number such as 512 or 512/3, got "{word}"')
        return Fraction(word)

    def name(self, word: str) -> str:
        if not NAME.fullmatch(word):
            raise self.error(f'expected a name, got "{word}"')
        if word in WORDS:
            raise self.error(f'"{word}" is a word of the text and cannot be a name')
        return word

    def index(self, text: str) -> IndexExpr:
        return parse_index(self.node(text))

    def predicate(self, text: str) -> Predicate | None:
        return parse_cascade(self.node(text, CONDITION))[0].where
