"""The declared ranks of a cascade: sizes (`m: M`), splits (`m1,m0: m by M0`) and second indices (`j: like i`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from accelsim.einsum.ast import RESERVED, Coordinate, IndexExpr, Lookup, MapCall, Size
from accelsim.einsum.cascade import Split
from accelsim.einsum.parse import parse_index
from accelsim.einsum.walk import walk
from accelsim.errors import AccelsimError, nearest
from accelsim.yamlfile import Node

NAME = re.compile(r"[a-z][a-z0-9_]*")
LIKE = re.compile(r"\s*like\s+(\w+)\s*")
UPTO = re.compile(r"\s*upto\s*\((.*)\)\s*")
BY = re.compile(r"\s*(\w+)\s+by\s+(?=\S)")


@dataclass(frozen=True)
class Ranks:
    """Coordinates to their sizes (None: a part of a split), parts to their splits, `like` to the first of a rank.

    Of the coordinates in `upto` the size is the largest that data may give them.
    """

    sizes: Mapping[str, IndexExpr | None]
    splits: Mapping[str, Split]
    like: Mapping[str, str]
    upto: frozenset[str]


def read_ranks(declared: Mapping[str, Node], params: frozenset[str]) -> Ranks:
    """What `ranks:` says.

    Raises:
        AccelsimError: a name that is reserved or not lower case, declared twice or unknown; a size that names a
            coordinate or an unknown parameter; a cycle of `like` or of splits.
    """
    keys = {key: _names(key, node) for key, node in declared.items()}
    known = [name for names in keys.values() for name in names]
    sizes: dict[str, IndexExpr | None] = {}
    splits: dict[str, Split] = {}
    like: dict[str, str] = {}
    upto: set[str] = set()
    for key, node in declared.items():
        for name in keys[key]:
            if name in sizes:
                raise _error(node, f'rank "{name}" is declared twice')
            sizes[name] = None
        parts = keys[key]
        if len(parts) == 2:
            splits |= dict.fromkeys(parts, _split(node, (parts[0], parts[1]), known, params))
        elif match := UPTO.fullmatch(node.text):
            upto.add(parts[0])
            sizes[parts[0]] = _size(_rest(node, match[1], match.start(1)), params)
        elif match := LIKE.fullmatch(node.text):
            like[parts[0]] = _known(node, match[1], known)
        else:
            sizes[parts[0]] = _size(node, params)
    nodes = {name: node for key, node in declared.items() for name in keys[key]}
    roots = _roots(nodes, splits, like, known)
    alike = {name: roots[name] for name in like}
    upto |= {name for name, root in alike.items() if root in upto}
    return Ranks(sizes | {name: sizes[root] for name, root in alike.items()}, splits, alike, frozenset(upto))


def _error(node: Node, message: str) -> AccelsimError:
    return AccelsimError(message, node.mark)


def _names(key: str, node: Node) -> tuple[str, ...]:
    names = tuple(name.strip() for name in key.split(","))
    for name in names:
        if not NAME.fullmatch(name) or name in RESERVED:
            reason = "is a reserved word" if name in RESERVED else "must be a lower-case name"
            raise _error(node, f'rank "{name[:80]}" {reason}')
    if len(names) > 2:
        raise _error(node, f'a split has two parts, outer and inner, got "{key[:80]}"')
    return names


def _known(node: Node, name: str, known: list[str]) -> str:
    if name not in known:
        raise _error(node, f'unknown rank "{name[:80]}"{nearest(name[:80], known)}')
    return name


def _split(node: Node, parts: tuple[str, str], known: list[str], params: frozenset[str]) -> Split:
    match = BY.match(node.text)
    if not match:
        raise _error(node, f'ranks {parts[0]}, {parts[1]}: expected a split such as "m by M0", got {node.shown()}')
    parent = _known(node, match[1], known)
    return Split(parent, parts, _size(_rest(node, node.text[match.end() :], match.end()), params))


def _rest(node: Node, text: str, start: int) -> Node:
    """A part of a node's text, with its place."""
    return replace(node, value=text, text=text, mark=replace(node.mark, column=node.mark.column + start))


def _size(node: Node, params: frozenset[str]) -> IndexExpr:
    expr = parse_index(node)
    for item in walk(expr):
        if isinstance(item, MapCall | Lookup):
            raise AccelsimError("a size is made of numbers and parameters only", item.mark)
        if isinstance(item, Size) and item.name not in params:
            raise _error(node, f'unknown parameter "{item.name}"{nearest(item.name, params)}')
        if isinstance(item, Coordinate):
            raise _error(node, f'a size is made of numbers and parameters (upper case), got "{item.name}"')
    return expr


def _roots(
    nodes: Mapping[str, Node], splits: Mapping[str, Split], like: Mapping[str, str], known: list[str]
) -> dict[str, str]:
    """Each coordinate to the one that `like` leads to in the end; a circle of `like` and splits is refused."""
    above = {part: split.parent for part, split in splits.items()} | dict(like)
    roots = {name: name for name in known if name not in above}
    for start in above:
        name, path = start, dict[str, None]()
        while name not in roots:
            if name in path:
                raise AccelsimError(f"ranks {', '.join(path)} give each other's size", nodes[start].mark)
            path[name] = None
            name = above[name]
        for name in reversed(path):
            roots[name] = roots[like[name]] if name in like else name
    return roots
