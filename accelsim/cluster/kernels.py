"""A cascade as kernels, the way a library runs it: matrix products, and runs of element-wise lines between them.

A product stands alone, or beside those that multiply the same tensor over the same ranks. Lines between two products
are one kernel: it reads what comes from elsewhere and writes what is used elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod

from accelsim.einsum.ast import Access, BinaryOp, Lookup
from accelsim.einsum.cascade import Cascade, Einsum
from accelsim.einsum.operators import operators
from accelsim.einsum.types import DataType
from accelsim.einsum.walk import coordinates, walk
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
    """The kernels of a cascade in a valid order, with `sizes` of every coordinate.

    Raises:
        AccelsimError: a recurrence, a mask, a gather, parts of a rank or a product of elements of different sizes; a
            library has no kernels for them.
    """
    return tuple(plan.kernel(sizes) for plan in plans_of(cascade, types))


def plans_of(cascade: Cascade, types: Mapping[str, DataType]) -> tuple[Plan, ...]:
    """The same before sizes are known. Raises AccelsimError as `kernels_of` does."""
    for line in cascade.einsums:
        if _is_special(cascade, line):
            raise AccelsimError(
                f"{line.name}: masks, recurrences, gathers and parts of ranks have no kernels here", line.mark
            )
    return tuple(_plan(cascade, types, group) for group in _groups(cascade, types))


def _is_special(cascade: Cascade, line: Einsum) -> bool:
    gathers = any(isinstance(item, Lookup) for item in walk(line.target, *line.reads))
    of_parts = any(rank in cascade.splits for rank in line.coordinates)
    return of_parts or line.where is not None or line.tensor in cascade.generative or gathers


def fused_plan(cascade: Cascade, types: Mapping[str, DataType], einsums: Sequence[str]) -> Plan:
    """Lines of a cascade as one kernel, whose intermediate tensors never leave the unit that runs it."""
    lines = [line for line in cascade.einsums if line.name in einsums]
    return replace(_plan(cascade, types, lines), products=())


@dataclass(frozen=True)
class Tensor:
    """Its coordinates and the bytes of an element."""

    ranks: tuple[str, ...]
    element_bytes: float

    def bytes(self, sizes: Mapping[str, int]) -> float:
        return prod(sizes[rank] for rank in self.ranks) * self.element_bytes


def tensor_of(cascade: Cascade, types: Mapping[str, DataType], name: str) -> Tensor:
    return Tensor(tuple(cascade.tensors[name]), float(types[name].bytes))


@dataclass(frozen=True)
class _Shape:
    """A product before sizes are known: the coordinates whose sizes multiply to each of its numbers.

    Attributes:
        rows: with the copies; `copies` are dimensions of the right operand that rows have too. An index such as `h//R`
            takes each key for several queries: those are rows of one product. There are no more copies than rows.
    """

    copies: tuple[str, ...]
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    depth: tuple[str, ...]
    element_bytes: float

    def product(self, sizes: Mapping[str, int]) -> Product:
        copies, rows, cols, depth = (
            prod(sizes[rank] for rank in ranks) for ranks in (self.copies, self.rows, self.cols, self.depth)
        )
        copies = min(copies, rows)
        rows = ceil(rows / copies)
        return Product(copies, rows, cols, depth, self.element_bytes, split=copies == 1 or rows > 1)


@dataclass(frozen=True)
class Plan:
    """A kernel before sizes are known. Attributes as of `Kernel`; `work`: coordinates and flops at a point, by line."""

    einsums: tuple[str, ...]
    ranks: frozenset[str]
    reduced: frozenset[str]
    read: tuple[Tensor, ...]
    written: tuple[Tensor, ...]
    work: tuple[tuple[tuple[str, ...], int], ...]
    products: tuple[_Shape, ...]

    def kernel(self, sizes: Mapping[str, int]) -> Kernel:
        products = [shape.product(sizes) for shape in self.products]
        return Kernel(
            einsums=self.einsums,
            ranks=self.ranks,
            product=replace(products[0], cols=sum(each.cols for each in products)) if products else None,
            read_bytes=sum(tensor.bytes(sizes) for tensor in self.read),
            written_bytes=sum(tensor.bytes(sizes) for tensor in self.written),
            flops=sum(flops * prod(sizes[rank] for rank in ranks) for ranks, flops in self.work),
            reduced=self.reduced,
        )


def _groups(cascade: Cascade, types: Mapping[str, DataType]) -> list[list[Einsum]]:
    """Lines that run as one, in the order of their first lines."""
    groups: list[list[Einsum]] = []
    for line in cascade.einsums:
        if groups and _joins(cascade, types, line, groups[-1]):
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _joins(cascade: Cascade, types: Mapping[str, DataType], line: Einsum, group: Sequence[Einsum]) -> bool:
    """Whether a line runs with others: products that differ in columns only, or lines that are none."""
    operands, first = _operands(line), _operands(group[0])
    if operands is None or first is None:
        return operands is None and first is None
    made = {other.tensor for other in group}
    shapes = (replace(_shape(cascade, types, each), cols=()) for each in (line, group[0]))
    return operands[0].tensor == first[0].tensor and operands[1].tensor not in made and len(set(shapes)) == 1


def _operands(line: Einsum) -> tuple[Access, Access] | None:
    """The operands of a matrix product, which are two tensors; else None."""
    expr = line.expr
    if line.reduction != "sum" or not isinstance(expr, BinaryOp) or expr.op != "*":
        return None
    left, right = expr.left, expr.right
    if not (isinstance(left, Access) and isinstance(right, Access)) or left.tensor == right.tensor:
        return None
    return left, right


def _plan(cascade: Cascade, types: Mapping[str, DataType], group: Sequence[Einsum]) -> Plan:
    names = [line.tensor for line in group]
    read = dict.fromkeys(access.tensor for line in group for access in line.reads if access.tensor not in names)
    written = [name for name in names if _leaves(cascade, name, group)]
    return Plan(
        einsums=tuple(line.name for line in group),
        ranks=frozenset(rank for line in group for rank in line.coordinates),
        reduced=frozenset(rank for line in group for rank in line.reduced),
        read=tuple(tensor_of(cascade, types, name) for name in read),
        written=tuple(tensor_of(cascade, types, name) for name in written),
        work=tuple((line.coordinates, _flops(line)) for line in group),
        products=tuple(_shape(cascade, types, line) for line in group if _operands(line)),
    )


def _leaves(cascade: Cascade, name: str, group: Sequence[Einsum]) -> bool:
    """Whether a tensor is an output of the cascade or read by a line that is not of the group."""
    others = (line for line in cascade.einsums if line not in group)
    return name in cascade.outputs or any(access.tensor == name for line in others for access in line.reads)


def _shape(cascade: Cascade, types: Mapping[str, DataType], line: Einsum) -> _Shape:
    operands = _operands(line)
    assert operands is not None
    left, right = (list(_dimensions(cascade, access)) for access in operands)
    made = [rank for rank in line.coordinates if rank not in line.reduced]
    rows = [rank for rank in made if any(rank in names for names, _ in left)]
    copies = tuple(dimension for names, dimension in right if names & set(rows))
    cols = tuple(rank for rank in made if rank not in rows)
    return _Shape(copies, tuple(rows), cols, tuple(line.reduced), _element_bytes(types, line, operands))


def _element_bytes(types: Mapping[str, DataType], line: Einsum, operands: Sequence[Access]) -> float:
    sizes = {float(types[access.tensor].bytes) for access in operands}
    if len(sizes) > 1:
        raise AccelsimError(f"{line.name}: a product of elements of different sizes has no kernel here", line.mark)
    return sizes.pop()


def _dimensions(cascade: Cascade, access: Access) -> Iterator[tuple[frozenset[str], str]]:
    """The coordinates in each index of an access, and the tensor's own coordinate there."""
    for index, rank in zip(access.indices, cascade.tensors[access.tensor], strict=True):
        yield frozenset(coordinates(index)), rank


def _flops(line: Einsum) -> int:
    """Of a point."""
    return sum(2 if operator.name == "mac" else 1 for operator in operators(line))
