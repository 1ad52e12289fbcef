"""What the tests of the language share: texts in files, declarations, values without marks, random values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from hypothesis import strategies as st

from accelsim.einsum.ast import (
    FUNCTIONS,
    REDUCTIONS,
    Access,
    And,
    BinaryOp,
    Call,
    Compare,
    Coordinate,
    Expr,
    Index,
    IndexExpr,
    IndexOp,
    Int,
    Lookup,
    Lowest,
    MapCall,
    Negate,
    Not,
    Number,
    Or,
    Predicate,
    Size,
    Statement,
    Test,
)
from accelsim.einsum.cascade import Cascade
from accelsim.einsum.parse import parse_cascade
from accelsim.einsum.resolve import Declarations, resolve
from accelsim.errors import Mark
from accelsim.yamlfile import Node, load_text

NOWHERE = Mark("", 0, 0)
PARAMS = frozenset(("B", "H", "R", "E", "F", "M", "P", "M0", "W", "SINK", "G", "PG", "BS", "S", "KK", "N"))
RANKS = {"b": "B", "h": "H", "e": "E", "f": "F", "m": "M", "p": "P", "i": "N", "j": "like i"}
ATTENTION = {"Q": ("b", "h", "e", "p"), "K": ("b", "h", "e", "m"), "V": ("b", "h", "f", "m")}

THREE_PASS = """
QK[b,h,m,p] = Q[b,h,e,p] * K[b,h,e,m]
GM[b,h,p]   = max(QK[b,h,m,p]) over m
SN[b,h,m,p] = exp(QK[b,h,m,p] - GM[b,h,p])
SD[b,h,p]   = sum(SN[b,h,m,p]) over m
A[b,h,m,p]  = SN[b,h,m,p] / SD[b,h,p]
AV[b,h,f,p] = A[b,h,m,p] * V[b,h,f,m]
"""
TWO_PASS = """
QK[b,h,m1,m0,p]  = Q[b,h,e,p] * K[b,h,e,m1*M0+m0]
LM[b,h,m1,p]     = max(QK[b,h,m1,m0,p]) over m0
SLN[b,h,m1,m0,p] = exp(QK[b,h,m1,m0,p] - LM[b,h,m1,p])
SLD[b,h,m1,p]    = sum(SLN[b,h,m1,m0,p]) over m0
GM[b,h,p]        = max(LM[b,h,m1,p]) over m1
PLM[b,h,m1,p]    = exp(LM[b,h,m1,p] - GM[b,h,p])
SD[b,h,p]        = SLD[b,h,m1,p] * PLM[b,h,m1,p]
SN[b,h,m1,m0,p]  = SLN[b,h,m1,m0,p] * PLM[b,h,m1,p]
A[b,h,m1,m0,p]   = SN[b,h,m1,m0,p] / SD[b,h,p]
AV[b,h,f,p]      = A[b,h,m1,m0,p] * V[b,h,f,m1*M0+m0]
"""
ONE_PASS = """
RM[b,h,0,p]      = lowest
RD[b,h,0,p]      = 0
RNV[b,h,f,0,p]   = 0
QK[b,h,m1,m0,p]  = Q[b,h,e,p] * K[b,h,e,m1*M0+m0]
LM[b,h,m1,p]     = max(QK[b,h,m1,m0,p]) over m0
RM[b,h,m1+1,p]   = max(RM[b,h,m1,p], LM[b,h,m1,p])
SLN[b,h,m1,m0,p] = exp(QK[b,h,m1,m0,p] - RM[b,h,m1+1,p])
SLD[b,h,m1,p]    = sum(SLN[b,h,m1,m0,p]) over m0
SLNV[b,h,f,m1,p] = SLN[b,h,m1,m0,p] * V[b,h,f,m1*M0+m0]
PRM[b,h,m1,p]    = exp(RM[b,h,m1,p] - RM[b,h,m1+1,p])
SPD[b,h,m1,p]    = RD[b,h,m1,p] * PRM[b,h,m1,p]
RD[b,h,m1+1,p]   = SLD[b,h,m1,p] + SPD[b,h,m1,p]
SPNV[b,h,f,m1,p] = RNV[b,h,f,m1,p] * PRM[b,h,m1,p]
RNV[b,h,f,m1+1,p] = SLNV[b,h,f,m1,p] + SPNV[b,h,f,m1,p]
AV[b,h,f,p]      = RNV[b,h,f,M1,p] / RD[b,h,M1,p]
"""


def block(text: str, indent: int = 2) -> Node:
    """`text` as a literal block under the key `e`, which stands on line 1 of f.yaml."""
    return field(
        "e: |\n"
        + "".join(" " * indent + line + "\n" if line.strip() else "\n" for line in text.strip("\n").split("\n"))
    )


def field(text: str) -> Node:
    """The value of the key `e` of f.yaml."""
    return load_text(text, "f.yaml").mapping()["e"]


def parsed(text: str) -> tuple[Statement, ...]:
    return parse_cascade(block(text))


def declared(
    inputs: Mapping[str, tuple[str, ...]] | None = None,
    outputs: Mapping[str, tuple[str, ...]] | None = None,
    ranks: Mapping[str, str] | None = None,
    maps: Mapping[str, tuple[int, ...]] | None = None,
) -> Declarations:
    """Declarations with the shared ranks and parameters."""
    nodes = {
        name: Node(text, Mark("f.yaml", 90, 1), text, f"ranks.{name}")
        for name, text in {**RANKS, **(ranks or {})}.items()
    }
    return Declarations(
        ATTENTION if inputs is None else inputs, outputs or {}, nodes, PARAMS, maps or {}, Mark("f.yaml", 80, 1)
    )


def resolved(text: str, declarations: Declarations | None = None) -> Cascade:
    return resolve(parsed(text), declarations or declared())


def attention(text: str) -> Cascade:
    """One of the shipped forms of attention, with its output."""
    return resolved(text, declared(outputs={"AV": ("b", "h", "f", "p")}, ranks={"m1,m0": "m by M0"}))


def unmarked(value: Any) -> Any:
    """The same value with every mark replaced by the same one."""
    if isinstance(value, Mark):
        return NOWHERE
    if isinstance(value, tuple):
        return tuple(unmarked(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: unmarked(getattr(value, f.name)) for f in fields(value)})
    return value


COORDINATES = st.sampled_from(("b", "h2", "m1", "m0", "ks"))
SIZES = st.sampled_from(("M0", "W", "Bx"))
TENSORS = st.sampled_from(("A", "QK", "x_1", "softmax"))
EDGES = st.sampled_from((None, None, "clamp", "zero", "wrap"))
COMPARISONS = st.sampled_from(("<", "<=", "==", "!=", ">=", ">"))


def _indices(inner: st.SearchStrategy[IndexExpr]) -> st.SearchStrategy[tuple[Index, ...]]:
    index = st.builds(Index, inner, EDGES, st.just(NOWHERE))
    return st.lists(index, min_size=1, max_size=3).map(tuple)


def _grown(inner: st.SearchStrategy[IndexExpr]) -> st.SearchStrategy[IndexExpr]:
    return st.one_of(
        st.builds(IndexOp, st.sampled_from(("+", "-", "*", "//", "%")), inner, inner),
        st.builds(MapCall, st.just("gk"), inner, st.just(NOWHERE)),
        st.builds(Lookup, TENSORS, _indices(inner), st.just(NOWHERE)),
    )


def index_expressions(
    leaves: st.SearchStrategy[IndexExpr] | None = None, size: int = 6
) -> st.SearchStrategy[IndexExpr]:
    basic = st.one_of(
        st.builds(Int, st.integers(0, 10**18 - 1)), st.builds(Coordinate, COORDINATES), st.builds(Size, SIZES)
    )
    return st.recursive(leaves or basic, _grown, max_leaves=size)


def predicates() -> st.SearchStrategy[Predicate]:
    tests = st.builds(Test, COMPARISONS, index_expressions(size=3), index_expressions(size=3))

    def grown(inner: st.SearchStrategy[Predicate]) -> st.SearchStrategy[Predicate]:
        parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.one_of(st.builds(Not, inner), st.builds(And, parts), st.builds(Or, parts))

    return st.recursive(tests, grown, max_leaves=5)


def accesses() -> st.SearchStrategy[Access]:
    return st.builds(Access, TENSORS, st.one_of(st.just(()), _indices(index_expressions(size=3))), st.just(NOWHERE))


def expressions() -> st.SearchStrategy[Expr]:
    numbers = st.one_of(st.floats(0, allow_nan=False), st.integers(0, 1000).map(float))
    leaves = st.one_of(st.builds(Number, numbers.map(abs)), st.just(Lowest()), accesses())

    def grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        arguments = st.lists(inner, min_size=1, max_size=2).map(tuple)
        return st.one_of(
            st.builds(BinaryOp, st.sampled_from("+-*/"), inner, inner),
            st.builds(Negate, inner),
            st.builds(Compare, COMPARISONS, inner, inner),
            st.builds(Call, st.sampled_from(tuple(FUNCTIONS)), arguments, st.just(NOWHERE)),
        )

    return st.recursive(leaves, grown, max_leaves=6)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    over = draw(st.lists(COORDINATES, max_size=2, unique=True).map(tuple))
    reduction = draw(st.sampled_from(REDUCTIONS)) if over else None
    where = draw(st.one_of(st.none(), predicates()))
    otherwise = draw(st.one_of(st.none(), expressions())) if where else None
    return Statement(draw(accesses()), draw(expressions()), reduction, over, where, otherwise, NOWHERE)
