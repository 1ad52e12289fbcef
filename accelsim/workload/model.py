"""What a workload is once its file is read: named sizes, and steps that are cascades with shapes and data types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.types import DataType
from accelsim.yamlfile import Node


@dataclass(frozen=True)
class Step:
    """One function call inside a workload.

    Attributes:
        function: what mappings are written for (`attention`, `projection`).
        cascade_name: which form of the function; `default` where a file has a single one.
        types: data type of every tensor of the cascade.
        tensors: tensor of the cascade to its name in the workload; itself when it is not renamed.
    """

    name: str
    function: str
    cascade_name: str
    shapes: Shapes
    types: Mapping[str, DataType]
    tensors: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Workload:
    """A workload with every parameter bound; `accelsim.workload.steps` builds its cascades.

    Attributes:
        name: as it was asked for (`bert-1pass`), or the file's own where it was given by path.
        sha256: of the text of the file at `path`.
        params: value of every parameter, in the order declared (parameters of one cascade are in its step's shapes).
        cascade: the form that was asked for by name or by `--set cascade=..`; None leaves it to the mapping.
        cascades: the forms on offer; of a layer, those of its first step that has several.
        resolved: the document with base, preset and overrides applied.
        uses: documents of the functions that steps use, by the name in `use:`.
    """

    name: str
    path: str
    description: str
    source: str
    sha256: str
    params: Mapping[str, int]
    cascade: str | None
    cascades: tuple[str, ...]
    resolved: Node
    uses: Mapping[str, Node]
