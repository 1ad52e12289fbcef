"""The one safe YAML loader: YAML 1.2 scalars, every value with its place, bounded in size, depth and nodes."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import yaml

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.quantity import parse_integer, parse_number, parse_quantity

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 64
MAX_PATH = 1000
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+-]*")
Scalar = str | int | Fraction | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Node:
    """One YAML value and its place. `value` is a scalar, a tuple of nodes or a dict of name to node.

    `text` is a scalar as it was written, `path` the dotted way to it, `indent` the column at which the lines of a
    literal block begin (0 elsewhere), `key_mark` the place of the key that names the value in a mapping,
    `quoted` that quotes stand around a scalar.
    """

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    mark: Mark
    text: str = ""
    path: str = ""
    indent: int = 0
    literal: bool = False
    key_mark: Mark | None = None
    quoted: bool = False

    def error(self, message: str) -> AccelsimError:
        """An error about this value, led by its place and path."""
        return AccelsimError(f"{self.path}: {message}" if self.path else message, self.mark)

    def expected(self, what: str) -> AccelsimError:
        return self.error(f"must be {what}, got {self.shown()}")

    def shown(self) -> str:
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, tuple):
            return "a list"
        return "nothing" if self.value is None else f'"{self.text[:80]}"'

    def mapping(self) -> dict[str, Node]:
        """The entries of a mapping, in the order written."""
        if not isinstance(self.value, dict):
            raise self.expected("a mapping")
        return self.value

    def sequence(self) -> tuple[Node, ...]:
        if not isinstance(self.value, tuple):
            raise self.expected("a list")
        return self.value

    def fields(self, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> dict[str, Node]:
        """The entries of a mapping whose keys are known; a missing or an unknown one is an error."""
        entries = self.mapping()
        known = required + optional
        for key, node in entries.items():
            if key not in known:
                place = node.key_mark or node.mark
                raise AccelsimError(f'{node.path}: unknown key "{key}"{nearest(key, known)}', place)
        for key in required:
            if key not in entries:
                raise self.error(f'missing key "{key}"')
        return entries

    def string(self) -> str:
        """A scalar as text; numbers are accepted as they were written."""
        if self.value is None or isinstance(self.value, tuple | dict | bool):
            raise self.expected("a text")
        return self.text

    def name(self) -> str:
        text = self.string()
        if not NAME.fullmatch(text):
            raise self.expected("a name")
        return text

    def names(self) -> tuple[str, ...]:
        return tuple(item.name() for item in self.sequence())

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.expected("true or false")
        return self.value

    def number(self) -> Fraction:
        if isinstance(self.value, bool) or not isinstance(self.value, int | Fraction):
            raise self.expected("a number")
        return Fraction(self.value)

    def integer(self) -> int:
        value = self.number()
        if value.denominator != 1:
            raise self.expected("an integer")
        return int(value)

    def positive_integer(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int | Fraction):
            raise self.expected("a positive integer")
        if self.value <= 0 or Fraction(self.value).denominator != 1:
            raise self.expected("a positive integer")
        return int(self.value)

    def quantity(self, unit: str) -> Fraction:
        """The exact value in `unit`; never negative."""
        if isinstance(self.value, tuple | dict | bool) or self.value is None:
            raise self.expected(f"a quantity in {unit}")
        try:
            value = parse_quantity(self.text, unit)
        except AccelsimError as error:
            raise self.error(error.message) from None
        if value < 0:
            raise self.expected("not negative")
        return value

    def plain(self) -> Plain:
        """The value as plain Python data; fractions stay exact."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value

    def at_path(self, path: str) -> Node:
        """The same tree, its paths rewritten to begin with `path`."""
        if isinstance(self.value, dict):
            inner = {k: n.at_path(f"{path}.{k}" if path else k) for k, n in self.value.items()}
            return replace(self, value=inner, path=path)
        if isinstance(self.value, tuple):
            return replace(self, value=tuple(n.at_path(f"{path}[{i}]") for i, n in enumerate(self.value)), path=path)
        return replace(self, path=path)


def read_text(path: Path) -> str:
    """The text of a regular UTF-8 file of at most 1 MiB. Raises AccelsimError for anything else."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            kind = "a directory" if stat.S_ISDIR(info.st_mode) else "not a regular file"
            raise AccelsimError(f"{path}: is {kind}; expected a YAML file")
        if info.st_size > MAX_BYTES:
            raise AccelsimError(f"{path}: is {info.st_size} bytes; at most {MAX_BYTES} are read")
        return _bounded_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AccelsimError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not a path"
        raise AccelsimError(f"{path}: {reason}") from None


def _bounded_bytes(path: Path) -> bytes:
    """What a file holds, never more than was asked for: the size that `stat` tells may be wrong."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise AccelsimError(f"{path}: is longer than {MAX_BYTES} bytes")
    return data


def load_file(path: Path) -> Node:
    """The YAML document of a file as a tree of nodes."""
    return load_text(read_text(path), str(path))


def load_text(text: str, source: str) -> Node:
    """The one YAML document in `text`; `source` is what errors call it."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise AccelsimError(f"{source}: is not UTF-8 text (character {error.start})") from None
    if size > MAX_BYTES:
        raise AccelsimError(f"{source}: is longer than {MAX_BYTES} bytes")
    return _document(text, source)


@lru_cache(maxsize=256)
def _document(text: str, source: str) -> Node:
    """The same text gives the same tree: nodes never change, and sweeps read the same few files again and again."""
    builder = _Builder(source, text)
    try:
        return builder.document(iter(yaml.parse(text, Loader=_Parser)))
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(source, place.line + 1, place.column + 1) if place else None
        raise AccelsimError(f"not YAML: {error.problem or error.context}", mark) from None
    except yaml.YAMLError as error:
        raise AccelsimError(f"{source}: not YAML: {error}") from None


def load_value(text: str, source: str = "--set") -> Node:
    """One value as `--set` gives it, parsed by the same loader."""
    return load_text(text, source) if text.strip() else Node(None, Mark(source, 1, 1))


class _Builder:
    """Builds nodes from parser events, counting nodes and depth before anything is kept."""

    def __init__(self, source: str, text: str) -> None:
        self.source, self.lines, self.count = source, text.splitlines(), 0

    def mark(self, event: yaml.Event) -> Mark:
        place = event.start_mark
        return Mark(self.source, place.line + 1, place.column + 1) if place else Mark(self.source, 1, 1)

    def document(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise AccelsimError("a second document in one file", self.mark(event))
            if isinstance(event, yaml.NodeEvent):
                root = self.node(event, events, "", 0)
        return root or Node(None, Mark(self.source, 1, 1))

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], path: str, depth: int) -> Node:
        mark = self.mark(event)
        self.count += 1
        if self.count > MAX_NODES:
            raise AccelsimError(f"more than {MAX_NODES} values in one file", mark)
        if depth > MAX_DEPTH:
            raise AccelsimError(f"nested deeper than {MAX_DEPTH} levels", mark)
        if len(path) > MAX_PATH:
            raise AccelsimError(f"the names of the keys that lead here have more than {MAX_PATH} characters", mark)
        if isinstance(event, yaml.AliasEvent):
            raise AccelsimError(f'aliases are not allowed: "*{event.anchor}"', mark)
        anchor = getattr(event, "anchor", None)
        if anchor:
            raise AccelsimError(f'anchors are not allowed: "&{anchor}"', mark)
        tag = getattr(event, "tag", None)
        if tag:
            raise AccelsimError(f'tags are not allowed: "{tag}"', mark)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, mark, path)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                items.append(self.node(event, events, f"{path}[{len(items)}]", depth + 1))
            return Node(tuple(items), mark, path=path)
        return self.entries(events, mark, path, depth)

    def entries(self, events: Iterator[yaml.Event], mark: Mark, path: str, depth: int) -> Node:
        found: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self.node(event, events, path, depth + 1)
            if isinstance(key.value, tuple | dict) or not key.text:
                raise AccelsimError("a key must be a text", key.mark)
            if key.text in found:
                raise AccelsimError(f'duplicate key "{key.text}"', key.mark)
            inner = f"{path}.{key.text}" if path else key.text
            value = self.node(next(events), events, inner, depth + 1)
            place = key.mark if value.value is None else value.mark
            found[key.text] = replace(value, mark=place, key_mark=key.mark)
        return Node(found, mark, path=path)

    def scalar(self, event: yaml.ScalarEvent, mark: Mark, path: str) -> Node:
        plain = not event.style and event.implicit[0]  # libyaml calls the plain style "", Python's parser None
        value = _resolved(event.value, mark) if plain else event.value
        if event.style != "|":
            return Node(value, mark, event.value, path, quoted=event.style in ("'", '"'))
        first = next((line for line in event.value.splitlines() if line.strip()), "")
        indent = len(self.first_line_after(mark).rstrip()) - len(first.rstrip()) if first else 0
        return Node(value, mark, event.value, path, indent=indent, literal=True)

    def first_line_after(self, mark: Mark) -> str:
        """The first line below `mark` that is not blank."""
        return next((self.lines[i] for i in range(mark.line, len(self.lines)) if self.lines[i].strip()), "")


def _resolved(text: str, mark: Mark) -> Scalar:
    """The value of a plain scalar by the core schema of YAML 1.2."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false") and text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if INTEGER.fullmatch(text):
        return parse_integer(text, mark)
    if FLOAT.fullmatch(text):
        value = parse_number(text, mark)
        return int(value) if value.denominator == 1 and "." not in text else value
    return text
