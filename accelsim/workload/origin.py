"""What a workload was made from: its file, and the traces that its tables read, each by the SHA-256 of its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from accelsim.workload.function import TABLES
from accelsim.workload.model import Workload
from accelsim.workload.tables import trace_path
from accelsim.workload.trace import read_trace
from accelsim.yamlfile import Node

DIGITS = 16


def provenance(workload: Workload) -> dict[str, str]:
    """`workload` to its name and hash, and `trace.PATH`, as its table has the path, to the hash of each trace.

    Raises:
        AccelsimError: a trace that is not there, or malformed.
    """
    hashes = trace_hashes((workload.resolved, *workload.uses.values()))
    traces = {f"trace.{name}": f"sha256:{sha256[:DIGITS]}" for name, sha256 in hashes.items()}
    return {"workload": f"{workload.name} sha256:{workload.sha256[:DIGITS]}", **traces}


def trace_hashes(documents: Iterable[Node]) -> dict[str, str]:
    """Every trace that a table of the documents reads, as the table has its path, to the SHA-256 of its text."""
    found = (node for document in documents for node in _traces(document))
    return {node.string(): read_trace(trace_path(node)).sha256 for node in found}


def _traces(node: Node) -> Iterator[Node]:
    """Each `trace:` under `maps:` or `statistics:`, at any depth: of a function, a preset or a step of a layer."""
    children = node.value.items() if isinstance(node.value, dict) else ()
    for name, child in children:
        tables = child.value.values() if name in TABLES and isinstance(child.value, dict) else ()
        yield from (
            table.value["trace"] for table in tables if isinstance(table.value, dict) and "trace" in table.value
        )
        yield from _traces(child)
    for item in node.value if isinstance(node.value, tuple) else ():
        yield from _traces(item)
