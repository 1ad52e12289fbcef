"""A document as YAML text again: scalars keep the way in which they were written, comments are gone."""

from __future__ import annotations

import yaml

from accelsim.yamlfile import Node

WIDTH = 120
_TEXT = "tag:yaml.org,2002:str"
_resolver = yaml.SafeLoader("")


def dump_node(node: Node) -> str:
    """The text of a document that the loader reads back as the same values.

    >>> from accelsim.yamlfile import load_text
    >>> dump_node(load_text('{a: 16 MiB, b: "no"}', "x.yaml"))
    'a: 16 MiB\\nb: "no"\\n'
    """
    text: str = yaml.serialize(_yaml_node(node), Dumper=yaml.SafeDumper, width=WIDTH, allow_unicode=True)
    return text.removesuffix("...\n")


def _yaml_node(node: Node) -> yaml.Node:
    if isinstance(node.value, dict):
        pairs = [(yaml.ScalarNode(_TEXT, key), _yaml_node(item)) for key, item in node.value.items()]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=not _deep(node))
    if isinstance(node.value, tuple):
        items = [_yaml_node(item) for item in node.value]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=not _deep(node))
    if node.literal or "\n" in node.text:
        return yaml.ScalarNode(_TEXT, node.text, style="|")
    if isinstance(node.value, str):
        return yaml.ScalarNode(_TEXT, node.text, style='"' if node.quoted else None)
    text = "null" if node.value is None else node.text
    return yaml.ScalarNode(_tag(text), text)


def _tag(text: str) -> str:
    """What YAML 1.1 takes the text for: a scalar of that tag is written as it is, without quotes."""
    tag: str = _resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return tag


def _deep(node: Node) -> bool:
    """Whether a value needs several lines: the document, or what holds a mapping, a list or a text of several lines."""
    if not isinstance(node.value, tuple | dict):
        return False
    inner = node.value.values() if isinstance(node.value, dict) else node.value
    return not node.path or any(isinstance(item.value, tuple | dict) or "\n" in item.text for item in inner)
