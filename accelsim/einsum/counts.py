"""What a cascade costs before any hardware is chosen: operations, exact under masks, and compulsory bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod

from accelsim.einsum.ast import Lookup
from accelsim.einsum.cascade import Shapes
from accelsim.einsum.operators import Operator, match_cost, operators
from accelsim.einsum.points import count_points
from accelsim.einsum.presence import presences, scope_of
from accelsim.einsum.selection import searched
from accelsim.einsum.types import DataType
from accelsim.einsum.walk import coordinates, walk

__all__ = ["Counts", "EinsumCounts", "Operator", "add_up", "count", "match_cost", "operators"]


@dataclass(frozen=True)
class EinsumCounts:
    """One line: its points that exist (of a selection its candidates), and what is computed over all of them."""

    points: int
    macs: int
    operations: Mapping[str, int]


@dataclass(frozen=True)
class Counts:
    """A cascade, or several together.

    Attributes:
        operations: every operator but `mac`, by name.
        bytes_by_tensor: inputs that are read and outputs, each once; intermediates move nothing.
        per_einsum: by the name of the line.
    """

    macs: int
    operations: Mapping[str, int]
    bytes_by_tensor: Mapping[str, int]
    per_einsum: Mapping[str, EinsumCounts]

    @property
    def flops(self) -> int:
        """Two for each mac and nothing else."""
        return 2 * self.macs

    @property
    def bytes(self) -> int:
        return sum(self.bytes_by_tensor.values())

    @property
    def intensity(self) -> Fraction | None:
        """Flops per compulsory byte."""
        return Fraction(self.flops, self.bytes) if self.bytes else None


def count(shapes: Shapes, types: Mapping[str, DataType]) -> Counts:
    """Operations and compulsory bytes of one cascade; `types` holds the data type of every input and output."""
    per_einsum = count_einsums(shapes)
    return Counts(
        macs=sum(line.macs for line in per_einsum.values()),
        operations=add_up(line.operations for line in per_einsum.values()),
        bytes_by_tensor=compulsory_bytes(shapes, types),
        per_einsum=per_einsum,
    )


def count_einsums(shapes: Shapes) -> dict[str, EinsumCounts]:
    """Points and operations of every line."""
    scope, present = scope_of(shapes), presences(shapes)
    found = {}
    for line in shapes.cascade.einsums:
        points = count_points(scope.sizes, searched(line), present[line.name], scope.values, scope.maps)
        times = {name: n * points for name, n in Counter(op.name for op in operators(line)).items()}
        found[line.name] = EinsumCounts(points, times.pop("mac", 0), times)
    return found


def compulsory_bytes(shapes: Shapes, types: Mapping[str, DataType]) -> dict[str, int]:
    """Bytes of the inputs that some line reads and of the outputs, rounded up to whole bytes.

    What is only reached through index tensors counts as often as the largest of the reads (or the scatter) goes to
    another place, though no more than the whole: what several of them reach together cannot be known.
    """
    read = {access.tensor for line in shapes.cascade.einsums for access in line.reads}
    moved = [*(name for name in shapes.cascade.inputs if name in read), *shapes.cascade.outputs]
    return {name: ceil(_elements(shapes, name) * types[name].bytes) for name in moved}


def _elements(shapes: Shapes, tensor: str) -> int:
    """How many elements of an input or an output are moved."""
    whole, lines = prod(shapes.shapes[tensor]), shapes.cascade.einsums
    reads = [(line, access) for line in lines for access in line.reads if access.tensor == tensor]
    writes = [(line, line.target) for line in lines if line.tensor == tensor]
    visits = writes if tensor in shapes.cascade.outputs else reads
    if not all(any(isinstance(item, Lookup) for item in walk(access)) for _, access in visits):
        return whole
    scope, present = scope_of(shapes), presences(shapes)
    places = (
        count_points(scope.sizes, coordinates(*access.indices), present[line.name], scope.values, scope.maps)
        for line, access in visits
    )
    return min(whole, max(places))


def add_up(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sums by key, keys in the order in which they first appear."""
    total: dict[str, int] = {}
    for table in tables:
        for key, value in table.items():
            total[key] = total.get(key, 0) + value
    return total
