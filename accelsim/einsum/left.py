"""The left side of a line: what a tensor is written at, and with it the ranks that every tensor has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.einsum.ast import SELECTIONS, Access, Coordinate, Index, IndexOp, Int, Lookup, Statement
from accelsim.einsum.text import render_expr, render_index
from accelsim.einsum.walk import coordinates, walk
from accelsim.errors import AccelsimError


@dataclass(frozen=True)
class Left:
    """What a line writes at, by dimension: a coordinate, a constant (a start line), or None where it scatters.

    `generative` is the coordinate `r` that is written at `r+1`; `kept` are all coordinates of the left side.
    """

    dims: tuple[str | int | None, ...]
    generative: str | None
    kept: tuple[str, ...]

    @property
    def is_start(self) -> bool:
        return any(isinstance(dim, int) for dim in self.dims)


def left_side(target: Access) -> Left:
    """What `target` writes at. Raises AccelsimError for an index that a left side cannot have."""
    dims = tuple(_dim(index) for index in target.indices)
    names = [dim for dim in dims if isinstance(dim, str)]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise AccelsimError(f'coordinate "{name}" stands twice on the left of {target.tensor}', target.mark)
    generative = [
        name for name, index in zip(dims, target.indices, strict=True) if isinstance(index.expr, IndexOp) and name
    ]
    if len(generative) > 1:
        raise AccelsimError(
            f"{target.tensor} is written at r+1 along two ranks: {generative[0]}, {generative[1]}", target.mark
        )
    return Left(dims, str(generative[0]) if generative else None, coordinates(target))


def _dim(index: Index) -> str | int | None:
    if index.edge:
        raise AccelsimError(f'"{index.edge}" cannot stand on the left', index.mark)
    match index.expr:
        case Coordinate(name) | IndexOp("+", Coordinate(name), Int(1)):
            return name
        case Int(value):
            return value
    if any(isinstance(item, Lookup) for item in walk(index.expr)):
        return None
    shown = render_index(index.expr)
    raise AccelsimError(
        f'an index on the left must be r, r+1, a constant or an index tensor, got "{shown}"', index.mark
    )


@dataclass(frozen=True)
class Tensors:
    """Every tensor to its coordinates, and the one along which it is written at `r+1`."""

    coordinates: Mapping[str, tuple[str, ...]]
    generative: Mapping[str, str]


def read_tensors(
    statements: tuple[Statement, ...],
    lefts: tuple[Left, ...],
    inputs: Mapping[str, tuple[str, ...]],
    outputs: Mapping[str, tuple[str, ...]],
) -> Tensors:
    """The tensors of a cascade. Raises AccelsimError for one that is defined twice, or started but never defined."""
    found, starts = dict[str, Statement](), dict[str, Statement]()
    known, generative = dict(inputs), dict[str, str]()
    selected = {line.target.tensor: line.over[0] for line in statements if line.reduction in SELECTIONS}
    for line, left in zip(statements, lefts, strict=True):
        name = line.target.tensor
        _check_new(line, inputs, starts if left.is_start else found)
        (starts if left.is_start else found)[name] = line
        if not left.is_start:
            known[name] = _coordinates(line, left, outputs, selected)
            generative |= {name: left.generative} if left.generative else {}
    tensors = Tensors(known, generative)
    for line, left in zip(statements, lefts, strict=True):
        if left.is_start:
            _check_start(line, left, tensors)
    return tensors


def _check_new(line: Statement, inputs: Mapping[str, tuple[str, ...]], before: Mapping[str, Statement]) -> None:
    name = line.target.tensor
    if name in inputs:
        raise AccelsimError(f'"{name}" is an input and cannot be defined', line.mark)
    if name in before:
        first = before[name].mark
        raise AccelsimError(f'"{name}" is defined twice; first at {first}', line.mark)


def _coordinates(
    line: Statement, left: Left, outputs: Mapping[str, tuple[str, ...]], selected: Mapping[str, str]
) -> tuple[str, ...]:
    """The coordinates of a tensor: those of the left side; where it scatters those of the declared output, else the
    rank over which the index tensor selects."""
    name = line.target.tensor
    if None not in left.dims or len(outputs.get(name, ())) == len(left.dims):
        return tuple(str(outputs[name][d] if dim is None else dim) for d, dim in enumerate(left.dims))
    ranks = (_reached(index, selected) if dim is None else dim for dim, index in _places(line, left))
    found = tuple(str(rank) for rank in ranks if rank is not None)
    if len(found) < len(left.dims):
        raise AccelsimError(f'"{name}" is scattered into, so its ranks must be declared: make it an output', line.mark)
    return found


def _places(line: Statement, left: Left) -> zip[tuple[str | int | None, Index]]:
    return zip(left.dims, line.target.indices, strict=True)


def _reached(index: Index, selected: Mapping[str, str]) -> str | None:
    """The rank whose coordinates an index tensor holds, where a selection made it and nothing is added to it."""
    return selected.get(index.expr.tensor) if isinstance(index.expr, Lookup) else None


def _check_start(line: Statement, left: Left, tensors: Tensors) -> None:
    name = line.target.tensor
    if name not in tensors.generative:
        raise AccelsimError(f'"{name}" is started at a constant, but no line writes it at r+1', line.mark)
    dims = tensors.coordinates[name]
    expected = tuple(0 if dim == tensors.generative[name] else dim for dim in dims)
    if left.dims != expected:
        shown = f"{name}[{','.join(map(str, expected))}]"
        raise AccelsimError(f"the start of {name} must be written {shown}, got {render_expr(line.target)}", line.mark)
