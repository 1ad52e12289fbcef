"""A cascade as kernels, the way a library runs it: matrix products, and runs of element-wise lines between them.

A product stands alone, or beside those that multiply the same tensor over the same ranks. Lines between two products
are one kernel: it reads what comes from elsewhere and writes what is used elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from accelsim.einsum.ast import Access, BinaryOp, Coordinate, IndexExpr, IndexOp, MapCall
from accelsim.einsum.cascade import Cascade, Einsum
from accelsim.einsum.operators import operators
from accelsim.einsum.types import DataType
from accelsim.errors import AccelsimError
from accelsim.units.roofline import Product


@dataclass(frozen=True)
class Kernel:
    """Lines that run as one.

    Attributes:
        einsums: their names.
        ranks: every coordinate of them.
        product: None for element-wise lines.
        read_bytes, written_bytes: of whole tensors, each once.
        flops: two for each mac, one for every other operator.
        output: bytes of the tensor that a product sums over `reduced`.
        reduced: coordinates that a product sums over.
    """

    einsums: tuple[str, ...]
    ranks: frozenset[str]
    product: Product | None
    read_bytes: float
    written_bytes: float
    flops: int
    reduced: frozenset[str]

    @property
    def name(self) -> str:
        return "+".join(self.einsums)

    @property
    def bytes(self) -> float:
        return self.read_bytes + self.written_bytes


def kernels_of(cascade: Cascade, types: Mapping[str, DataType], sizes: Mapping[str, int]) -> tuple[Kernel, ...]:
    """The kernels of a cascade in a valid order.

    Args:
        types: of every tensor.
        sizes: of every coordinate, on one device.

    Raises:
        AccelsimError: a recurrence, a mask or a gather; a library has no kernels for them.
    """
    _check(cascade)
    context = _Context(cascade, types, sizes)
    return tuple(context.kernel(group) for group in _groups(cascade))


def fused_kernel(
    cascade: Cascade, types: Mapping[str, DataType], sizes: Mapping[str, int], einsums: Sequence[str]
) -> Kernel:
    """Lines of a cascade as one kernel, whose intermediate tensors never leave the unit that runs it."""
    lines = [line for line in cascade.einsums if line.name in einsums]
    return replace(_Context(cascade, types, sizes).kernel(lines), product=None)


def tensor_bytes(
    cascade: Cascade, types: Mapping[str, DataType], sizes: Mapping[str, int], tensors: Sequence[str]
) -> float:
    """Bytes of some tensors."""
    context = _Context(cascade, types, sizes)
    return sum(context.bytes(name) for name in tensors)


def _check(cascade: Cascade) -> None:
    for line in cascade.einsums:
        if line.where is not None or cascade.generative.get(line.tensor):
            raise AccelsimError(f"{line.name}: masks and recurrences have no kernels here", line.mark)


def _groups(cascade: Cascade) -> list[list[Einsum]]:
    """Lines that run as one, in the order of their first lines."""
    groups: list[list[Einsum]] = []
    for line in cascade.einsums:
        if groups and _joins(line, groups[-1]):
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _joins(line: Einsum, group: Sequence[Einsum]) -> bool:
    operands, last = _operands(line), _operands(group[-1])
    if operands is None or last is None:
        return operands is None and last is None
    return operands[0].tensor == last[0].tensor and line.reduced == group[-1].reduced


def _operands(line: Einsum) -> tuple[Access, Access] | None:
    """The operands of a matrix product: two tensors, at least one of which has results of its own; else None."""
    expr = line.expr
    if line.reduction != "sum" or not isinstance(expr, BinaryOp) or expr.op != "*":
        return None
    left, right = expr.left, expr.right
    if not (isinstance(left, Access) and isinstance(right, Access)) or left.tensor == right.tensor:
        return None
    return left, right


@dataclass(frozen=True)
class _Context:
    cascade: Cascade
    types: Mapping[str, DataType]
    sizes: Mapping[str, int]

    def kernel(self, group: Sequence[Einsum]) -> Kernel:
        names = [line.tensor for line in group]
        read = dict.fromkeys(access.tensor for line in group for access in line.reads if access.tensor not in names)
        written = [name for name in names if self._leaves(name, group)]
        return Kernel(
            einsums=tuple(line.name for line in group),
            ranks=frozenset(rank for line in group for rank in line.coordinates),
            product=self._product(group),
            read_bytes=sum(map(self.bytes, read)),
            written_bytes=sum(map(self.bytes, written)),
            flops=sum(self._points(line) * _flops(line) for line in group),
            reduced=frozenset(rank for line in group for rank in line.reduced),
        )

    def _leaves(self, name: str, group: Sequence[Einsum]) -> bool:
        """Whether a tensor is an output of the cascade or read by a line that is not of the group."""
        others = (line for line in self.cascade.einsums if line not in group)
        return name in self.cascade.outputs or any(access.tensor == name for line in others for access in line.reads)

    def bytes(self, tensor: str) -> float:
        return float(prod(self.sizes[rank] for rank in self.cascade.tensors[tensor]) * self.types[tensor].bytes)

    def _points(self, line: Einsum) -> int:
        return prod(self.sizes[rank] for rank in line.coordinates)

    def _product(self, group: Sequence[Einsum]) -> Product | None:
        """The product of one line; those that stand side by side differ in columns, which add up."""
        first = self._one_product(group[0])
        if first is None:
            return None
        cols = [self._one_product(line) for line in group]
        return replace(first, cols=sum(product.cols for product in cols if product))

    def _one_product(self, line: Einsum) -> Product | None:
        operands = _operands(line)
        if operands is None:
            return None
        left, right = (list(self._dimensions(access)) for access in operands)
        made = set(line.coordinates) - set(line.reduced)
        rows_of = made & _coordinates(left)
        cols_of = made - rows_of
        # an index such as h//R takes each key for several queries: those are rows of one product
        copies = prod(size for coordinates, size in right if coordinates & rows_of)
        cols = prod(self.sizes[rank] for rank in cols_of)
        rows = prod(self.sizes[rank] for rank in rows_of) // copies
        depth = prod(self.sizes[rank] for rank in line.reduced)
        size = float(self.types[operands[1].tensor].bytes)
        return Product(copies, rows, cols, depth, size, split=copies == 1 or rows > 1)

    def _dimensions(self, access: Access) -> Iterator[tuple[frozenset[str], int]]:
        """The coordinates in each index of an access, and the size of that dimension."""
        for index, rank in zip(access.indices, self.cascade.tensors[access.tensor], strict=True):
            yield frozenset(_names(index.expr)), self.sizes[rank]


def _coordinates(dimensions: Sequence[tuple[frozenset[str], int]]) -> set[str]:
    return {name for names, _ in dimensions for name in names}


def _names(expr: IndexExpr) -> Iterator[str]:
    match expr:
        case Coordinate(name):
            yield name
        case IndexOp(_, left, right):
            yield from _names(left)
            yield from _names(right)
        case MapCall(_, argument, _):
            yield from _names(argument)


def _flops(line: Einsum) -> int:
    """Of a point."""
    return sum(2 if operator.name == "mac" else 1 for operator in operators(line))
