"""Changes to a document by path: `--set path=value`, and `base:` with `set:` as the only inheritance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.yamlfile import Node, load_value

SOURCE = "--set"
MAX_CHAIN = 16
OWN_KEYS = ("schema", "name", "description", "source")


def split_override(text: str) -> tuple[str, Node]:
    """Path and value of `path=value`; the value is read as YAML.

    >>> path, value = split_override("arch.units.pe2d.rows=128")
    >>> path, value.value
    ('arch.units.pe2d.rows', 128)
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise AccelsimError(f'must be PATH=VALUE, got "{text[:80]}"', Mark(SOURCE, 1, 1))
    return path.strip(), load_value(value, f"{SOURCE} {path.strip()}")


def given_by_set(node: Node) -> bool:
    """Whether a value came from `--set` rather than from a file."""
    return node.mark.source.startswith(SOURCE)


def apply_set(node: Node, path: str, value: Node, create: bool = False) -> Node:
    """The document with the value at a dotted path replaced; items of lists are addressed by their `name`.

    Args:
        create: whether the last key may be new; the mapping that it goes into must exist either way.

    Raises:
        AccelsimError: no such path, with the nearest key that exists.
    """
    return _replaced(node, path.split("."), value, create, path)


def _replaced(node: Node, rest: list[str], value: Node, create: bool, path: str) -> Node:
    if not rest:
        return value.at_path(node.path)
    if isinstance(node.value, tuple):
        return _replaced_item(node, rest, value, create, path)
    if not isinstance(node.value, dict):
        raise AccelsimError(f'"{path}": {node.path} is {node.shown()}, not a mapping', value.mark)
    key, after = _first_key(node.value, rest)
    if key in node.value:
        return replace(node, value={**node.value, key: _replaced(node.value[key], after, value, create, path)})
    if not create or after:
        raise AccelsimError(f'"{path}": no "{key}"{_within(node)}{nearest(key, node.value)}', value.mark)
    return replace(node, value={**node.value, key: value.at_path(f"{node.path}.{key}" if node.path else key)})


def _first_key(entries: dict[str, Node], rest: list[str]) -> tuple[str, list[str]]:
    """The longest leading part of a path that is a key, since keys may hold dots themselves."""
    for length in range(len(rest), 1, -1):
        if (key := ".".join(rest[:length])) in entries:
            return key, rest[length:]
    return rest[0], rest[1:]


def _replaced_item(node: Node, rest: list[str], value: Node, create: bool, path: str) -> Node:
    items = node.sequence()
    names = [_item_name(item) for item in items]
    if rest[0] not in names:
        known = [name for name in names if name]
        raise AccelsimError(f'"{path}": no item "{rest[0]}"{_within(node)}{nearest(rest[0], known)}', value.mark)
    at = names.index(rest[0])
    changed = _replaced(items[at], rest[1:], value, create, path)
    return replace(node, value=(*items[:at], changed, *items[at + 1 :]))


def _item_name(item: Node) -> str:
    name = item.value.get("name") if isinstance(item.value, dict) else None
    return name.text if name else ""


def _within(node: Node) -> str:
    return f" in {node.path}" if node.path else ""


def resolve_base(node: Node, load: Callable[[str], Node]) -> Node:
    """The document with `base:` followed and `set:` applied, nearest base first.

    A document with a `base` may hold only its own schema, name, description and source besides `set`.

    Args:
        load: the document of that name, as written (its own base is followed here).

    Raises:
        AccelsimError: a base that leads back to itself, more than 16 of them, or a path that the base does not have.
    """
    chain: list[Node] = []
    seen: list[str] = []
    while "base" in node.mapping():
        fields = node.fields(("base",), (*OWN_KEYS, "set"))
        name = fields["base"].string()
        if name in seen:
            raise fields["base"].error(f"leads back to itself: {' -> '.join([*seen, name])}")
        if len(seen) == MAX_CHAIN:
            raise fields["base"].error(f"follows more than {MAX_CHAIN} bases")
        seen.append(name)
        chain.append(node)
        node = load(name)
    for derived in reversed(chain):
        node = _derived(node, derived.mapping())
    return node


def _derived(base: Node, fields: dict[str, Node]) -> Node:
    own = {key: fields[key] for key in OWN_KEYS if key in fields}
    node = replace(base, value={**base.mapping(), **own})
    for path, value in (fields["set"].mapping() if "set" in fields else {}).items():
        node = apply_set(node, path, value, create=True)
    return node
