"""From statements and declarations to a cascade: every name known, every line one reading, every cycle a recurrence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.einsum.ast import (
    FUNCTIONS,
    REDUCTIONS,
    RESERVED,
    Access,
    Call,
    Coordinate,
    IndexExpr,
    Lookup,
    MapCall,
    Predicate,
    Size,
    Statement,
)
from accelsim.einsum.cascade import Cascade, Einsum
from accelsim.einsum.left import Left, Tensors, left_side, read_tensors
from accelsim.einsum.order import order
from accelsim.einsum.ranks import read_ranks
from accelsim.einsum.reduction import reduction_of
from accelsim.einsum.walk import coordinates, reads, walk
from accelsim.errors import AccelsimError, Mark, nearest
from accelsim.yamlfile import Node


@dataclass(frozen=True)
class Declarations:
    """What a workload declares beside its lines.

    Attributes:
        inputs: tensor to its coordinates, in order; `outputs` likewise.
        ranks: "b" to `B`, "m1,m0" to `m by M0`, "j" to `like i`.
        params: names that may stand in size expressions.
        maps: integer tables for indices.
        mark: where the declarations stand, for errors without a better place.
    """

    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    ranks: Mapping[str, Node]
    params: frozenset[str]
    maps: Mapping[str, tuple[int, ...]]
    mark: Mark


@dataclass(frozen=True)
class _Names:
    """The names that a line may use: coordinates, integers (parameters and sizes), tensors with their ranks, maps."""

    coordinates: frozenset[str]
    integers: frozenset[str]
    tensors: Mapping[str, tuple[str, ...]]
    maps: Mapping[str, tuple[int, ...]]


def resolve(statements: tuple[Statement, ...], declarations: Declarations) -> Cascade:
    """The cascade that the lines mean.

    Raises:
        AccelsimError: an unknown name (with the nearest), a wrong number of indices or arguments, a reduction with two
            readings, a tensor defined twice or an output never, or a cycle that is no recurrence.
    """
    ranks = read_ranks(declarations.ranks, declarations.params)
    _check_declared(declarations, frozenset(ranks.sizes))
    lefts = tuple(left_side(line.target) for line in statements)
    tensors = read_tensors(statements, lefts, declarations.inputs, declarations.outputs)
    sizes = {name.upper() for name in ranks.sizes}
    names = _Names(frozenset(ranks.sizes), declarations.params | sizes, tensors.coordinates, declarations.maps)
    einsums = tuple(_einsum(line, left, names) for line, left in zip(statements, lefts, strict=True))
    _check_outputs(declarations, tensors, einsums)
    found = order(einsums, tensors)
    return Cascade(
        einsums=einsums,
        components=found.components,
        iterative=found.iterative,
        inputs=tuple(declarations.inputs),
        outputs=tuple(declarations.outputs),
        tensors=tensors.coordinates,
        generative=tensors.generative,
        ranks=ranks.sizes,
        splits=ranks.splits,
        like=ranks.like,
        maps=declarations.maps,
        upto=ranks.upto,
    )


def _check_declared(declarations: Declarations, known: frozenset[str]) -> None:
    mark = declarations.mark
    for tensor, ranks in [*declarations.inputs.items(), *declarations.outputs.items()]:
        if tensor in RESERVED:
            raise AccelsimError(f'"{tensor}" is a reserved word and cannot name a tensor', mark)
        for rank in ranks:
            if rank not in known:
                raise AccelsimError(f'{tensor}: unknown rank "{rank}"{nearest(rank, known)}', mark)
    for tensor in declarations.outputs:
        if tensor in declarations.inputs:
            raise AccelsimError(f'"{tensor}" is both an input and an output', mark)


def _einsum(line: Statement, left: Left, names: _Names) -> Einsum:
    _check_line(line, names)
    every = coordinates(line.target, line.expr, line.where, line.otherwise)
    reduced = tuple(name for name in every if name not in left.kept)
    return Einsum(
        name=f"{line.target.tensor}@start" if left.is_start else line.target.tensor,
        target=line.target,
        expr=line.expr,
        coordinates=left.kept + reduced,
        reduction=reduction_of(line, left.kept, reduced),
        reduced=reduced,
        where=line.where,
        otherwise=line.otherwise,
        reads=reads(*line.target.indices, line.expr, line.where, line.otherwise),
        mark=line.mark,
    )


def _check_line(line: Statement, names: _Names) -> None:
    for item in walk(line.target, line.expr, line.where, line.otherwise):
        if isinstance(item, Access | Lookup):
            _check_access(item, names)
        elif isinstance(item, Call):
            _check_call(item)
    if line.where is not None:
        _check_indices(line.where, names, line.mark)


def _check_access(access: Access | Lookup, names: _Names) -> None:
    tensor, found = access.tensor, len(access.indices)
    if tensor not in names.tensors:
        raise AccelsimError(f'unknown tensor "{tensor}"{nearest(tensor, names.tensors)}', access.mark)
    for index in access.indices:
        _check_indices(index.expr, names, index.mark)
    ranks = names.tensors[tensor]
    if found != len(ranks):
        shown = f"{tensor}[{','.join(ranks)}]" if ranks else f"{tensor}, a scalar"
        raise AccelsimError(
            f"{tensor} is {shown}; got {found or 'no'} {'index' if found == 1 else 'indices'}", access.mark
        )


def _check_indices(item: IndexExpr | Predicate, names: _Names, mark: Mark) -> None:
    for inner in walk(item):
        match inner:
            case Coordinate(name) if name not in names.coordinates:
                raise AccelsimError(f'unknown rank "{name}"{nearest(name, names.coordinates)}', mark)
            case Size(name) if name not in names.integers:
                raise AccelsimError(f'unknown size "{name}"{nearest(name, names.integers)}', mark)
            case MapCall(name) if name not in names.maps:
                raise AccelsimError(f'unknown map "{name}"{nearest(name, names.maps)}', inner.mark)


def _check_call(call: Call) -> None:
    name, found = call.function, len(call.arguments)
    if name in REDUCTIONS and (name not in FUNCTIONS or found == 1):
        raise AccelsimError(f'{name} is a reduction: it must be the outermost call, followed by "over"', call.mark)
    if name not in FUNCTIONS:
        raise AccelsimError(f'unknown function "{name}"{nearest(name, FUNCTIONS)}', call.mark)
    if found != FUNCTIONS[name]:
        wanted = f"{FUNCTIONS[name]} argument{'s' * (FUNCTIONS[name] > 1)}"
        raise AccelsimError(f"{name} takes {wanted}, got {found}", call.mark)


def _check_outputs(declarations: Declarations, tensors: Tensors, einsums: tuple[Einsum, ...]) -> None:
    marks = {line.tensor: line.mark for line in einsums}
    for name, declared in declarations.outputs.items():
        if name not in marks:
            raise AccelsimError(f'output "{name}" is never defined{nearest(name, marks)}', declarations.mark)
        found = tensors.coordinates[name]
        if found != declared:
            shown = f"[{','.join(declared)}], but written at [{','.join(found)}]"
            raise AccelsimError(f"output {name} is declared with {shown}", marks[name])
