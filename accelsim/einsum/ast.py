"""The cascade language as data: what the parser makes of a text, immutable and free of sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from accelsim.errors import Mark

Edge = Literal["clamp", "zero", "wrap"]
Reduction = Literal["sum", "max", "min", "prod", "argmax", "argtopk", "argsort"]
REDUCTIONS: tuple[Reduction, ...] = ("sum", "max", "min", "prod", "argmax", "argtopk", "argsort")
SELECTIONS = ("argmax", "argtopk", "argsort")
FUNCTIONS = {"exp": 1, "log": 1, "sqrt": 1, "abs": 1, "relu": 1, "sigmoid": 1, "tanh": 1, "max": 2, "min": 2}
RESERVED = ("over", "where", "else", "and", "or", "not", "inf", "lowest", "clamp", "zero", "wrap", "like", "by")


# Index expressions: integers. Lower-case names are coordinates, upper-case names parameters or sizes of ranks. Two are
# equal wherever they stand: the same index tensor, read in the same way, leads to the same place.


@dataclass(frozen=True)
class Int:
    value: int


@dataclass(frozen=True)
class Coordinate:
    """The coordinate of a rank, lower case: `m1`."""

    name: str


@dataclass(frozen=True)
class Size:
    """A parameter, or the size of the rank of that name, upper case: `M0`."""

    name: str


@dataclass(frozen=True)
class IndexOp:
    """`left op right`; op is one of `+ - * // %`. A unary minus is `0 - x`."""

    op: str
    left: IndexExpr
    right: IndexExpr


@dataclass(frozen=True)
class MapCall:
    """An integer table declared under `maps:`, looked up at `argument`: `gk(h)`."""

    name: str
    argument: IndexExpr
    mark: Mark = field(compare=False)


@dataclass(frozen=True)
class Lookup:
    """An integer tensor read as an index (gather; scatter on the left): `TI[p,k]`."""

    tensor: str
    indices: tuple[Index, ...]
    mark: Mark = field(compare=False)


IndexExpr = Int | Coordinate | Size | IndexOp | MapCall | Lookup


@dataclass(frozen=True)
class Index:
    """One index of an access, with what happens where it leaves its tensor (None: that is an error)."""

    expr: IndexExpr
    edge: Edge | None
    mark: Mark = field(compare=False)


# Predicates over points.


@dataclass(frozen=True)
class Test:
    """`left op right`; op is one of `< <= == != >= >`."""

    __test__: ClassVar[bool] = False  # pytest would take it for a test by its name
    op: str
    left: IndexExpr
    right: IndexExpr


@dataclass(frozen=True)
class Not:
    inner: Predicate


@dataclass(frozen=True)
class And:
    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Predicate, ...]


Predicate = Test | Not | And | Or


# Expressions: values.


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Lowest:
    """The most negative finite value of the line's data type."""


@dataclass(frozen=True)
class Access:
    tensor: str
    indices: tuple[Index, ...]
    mark: Mark


@dataclass(frozen=True)
class Call:
    """A map of `FUNCTIONS` applied to arguments. The outermost reduction of a line is not a Call: see Statement."""

    function: str
    arguments: tuple[Expr, ...]
    mark: Mark


@dataclass(frozen=True)
class BinaryOp:
    """`left op right`; op is one of `+ - * /`."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Negate:
    inner: Expr


@dataclass(frozen=True)
class Compare:
    """Has the value 1 where `left op right` holds, else 0."""

    op: str
    left: Expr
    right: Expr


Expr = Number | Lowest | Access | Call | BinaryOp | Negate | Compare


@dataclass(frozen=True)
class Statement:
    """One line as parsed, before names are resolved.

    `reduction` and `over` are set when the line says `over`; `expr` is then the reduction's one argument.
    """

    target: Access
    expr: Expr
    reduction: Reduction | None
    over: tuple[str, ...]
    where: Predicate | None
    otherwise: Expr | None
    mark: Mark
