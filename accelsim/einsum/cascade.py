"""A cascade: resolved Einsums, the tensors between them, and the sizes once parameters are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from accelsim.einsum.ast import Access, Expr, IndexExpr, Predicate, Reduction
from accelsim.errors import Mark


@dataclass(frozen=True)
class Split:
    """Coordinates `parts` (outer, inner) of rank `parent`, `parent = outer * step + inner`."""

    parent: str
    parts: tuple[str, str]
    step: IndexExpr


@dataclass(frozen=True)
class Einsum:
    """One line, resolved.

    Attributes:
        name: the tensor that it defines; a start line (`X[0,..] = ..`) is named `X@start`.
        target: the access on the left.
        expr: what is computed at a point (the argument of the reduction, if there is one).
        coordinates: every coordinate of the line, those of the left first.
        reduction: the operator, "sum" also where it is implied; None for an element-wise line.
        reduced: the coordinates that the reduction removes.
        where: points that exist, None for all; split ranks' ends are not in here (see `presence`).
        otherwise: the value of absent points, None when they stay absent.
        reads: every tensor access on the right, index tensors included, in the order written.
    """

    name: str
    target: Access
    expr: Expr
    coordinates: tuple[str, ...]
    reduction: Reduction | None
    reduced: tuple[str, ...]
    where: Predicate | None
    otherwise: Expr | None
    reads: tuple[Access, ...]
    mark: Mark

    @property
    def tensor(self) -> str:
        return self.target.tensor


@dataclass(frozen=True)
class Cascade:
    """Resolved lines in a valid order of evaluation.

    Attributes:
        einsums: in the order written.
        components: indices into `einsums`, grouped into strongly connected components in dependency order; a component
            with an iterative rank is a recurrence and is evaluated coordinate by coordinate.
        iterative: for each component the coordinate along which it recurs, or None.
        tensors: every tensor to the coordinates of its dimensions, as declared (inputs) or as on the left; a dimension
            written at `r+1` is listed as `r` and has one coordinate more (see `generative`).
        generative: tensor to the coordinate `r` along which it is written at `r+1`.
        ranks: coordinate to its size expression (None for a part of a split: the split gives it).
        splits: coordinate part to its split, for both parts.
        like: coordinate to the coordinate whose rank it shares (`j: like i`).
        upto: coordinates of ranks whose size depends on data (`k: upto(S)`); `ranks` has the largest.
    """

    einsums: tuple[Einsum, ...]
    components: tuple[tuple[int, ...], ...]
    iterative: tuple[str | None, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, tuple[str, ...]]
    generative: Mapping[str, str]
    ranks: Mapping[str, IndexExpr | None]
    splits: Mapping[str, Split]
    like: Mapping[str, str]
    maps: Mapping[str, tuple[int, ...]]
    upto: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Shapes:
    """A cascade with numbers: `sizes` of coordinates, `shapes` of tensors in elements per dimension, and `params`.

    `statistics` are the index tensors and the ranks of data-dependent size that are described by a table, which stands
    among the maps of the cascade under the same name, each with the ranks that count its entries. Evaluation takes the
    data instead.
    """

    cascade: Cascade
    params: Mapping[str, int]
    sizes: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    statistics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
