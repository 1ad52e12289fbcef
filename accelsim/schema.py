"""The first line of every file of ours: `schema: accelsim/<kind>/1`."""

from __future__ import annotations

from accelsim.yamlfile import Node

VERSION = 1


def check_schema(document: Node, kind: str) -> None:
    """Refuse a document of another kind or of a major version that this program does not read.

    >>> from accelsim.yamlfile import load_text
    >>> check_schema(load_text("schema: accelsim/workload/1", "x.yaml"), "workload")
    """
    entries = document.mapping()
    wanted = f"accelsim/{kind}/{VERSION}"
    if "schema" not in entries:
        raise document.error(f'missing key "schema": expected {wanted}')
    node = entries["schema"]
    head, _, version = node.string().rpartition("/")
    if head != f"accelsim/{kind}":
        raise node.expected(f'"{wanted}"')
    if version != str(VERSION):
        raise node.error(f'version "{version}" is not read by this program; expected {wanted}')
