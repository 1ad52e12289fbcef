"""Timing of a vector unit: so many lanes, each operator with its depth and interval, and a reduction across lanes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from accelsim.errors import AccelsimError, nearest
from accelsim.units.fields import Checked, Choice, Size, Word
from accelsim.units.timing import Timing

Reduction = Literal["tree", "chain"]
Task = Literal["map", "reduce"]
OTHER = "other"
LONGEST = 2**16
REDUCTION = "how lanes are brought together: pair by pair, or each into its neighbour"
DEPTH = "edges from an input to its output, of operators that are not in `operators`"
INTERVAL = "edges from one beat to the next, of operators that are not in `operators`"


@dataclass(frozen=True)
class Operator(Checked):
    """One operator: `depth` edges from an input to its output, a new beat every `interval` edges."""

    name: Annotated[str, Word("the operator")]
    depth: Annotated[int, Size("edges from an input to its output", 0, LONGEST)] = 1
    interval: Annotated[int, Size("edges from one beat to the next", 1, LONGEST)] = 1


@dataclass(frozen=True)
class Operators:
    """The rule of a tuple of operators; as plain data `{exp: {depth: 6, interval: 6}, add: {depth: 3}}`."""

    says: str
    kind: str = "a mapping of operators to depth and interval"

    def holds(self, value: object) -> bool:
        return isinstance(value, tuple) and all(isinstance(item, Operator) for item in value)

    def read(self, plain: object) -> object:
        if not isinstance(plain, dict) or not all(isinstance(entry, dict) for entry in plain.values()):
            return plain
        return tuple(_read_operator(name, entry) for name, entry in plain.items())


def _read_operator(name: str, entry: Mapping[str, int]) -> Operator:
    for key in entry:
        if key not in ("depth", "interval"):
            raise AccelsimError(f"operators.{name}: has no {key}{nearest(key, ('depth', 'interval'))}")
    try:
        return Operator(name, **entry)
    except AccelsimError as error:
        raise AccelsimError(f"operators.{name}.{error.message}") from None


@dataclass(frozen=True)
class VectorParams(Checked):
    """The unit. `operators` are those that differ from `depth` and `interval`."""

    lanes: Annotated[int, Size("elements per beat")]
    depth: Annotated[int, Size(DEPTH, 0, LONGEST)] = 1
    interval: Annotated[int, Size(INTERVAL, 1, LONGEST)] = 1
    operators: Annotated[tuple[Operator, ...], Operators("operators with a depth and interval of their own")] = ()
    reduction: Annotated[Reduction, Choice(REDUCTION, get_args(Reduction))] = "tree"


@dataclass(frozen=True)
class Vector(Checked):
    """The job: one vector, every element mapped to an output, or all reduced to one."""

    elements: Annotated[int, Size("elements of the vector")]
    operator: Annotated[str, Word("the operator; `other` is any that is not in `operators`")] = OTHER
    task: Annotated[Task, Choice("an output per element, or one of all", get_args(Task))] = "map"


def timing(params: VectorParams, shape: Vector) -> Timing:
    """ceil(elements / lanes) beats enter one `interval` apart; a part-filled beat costs a whole one.

    Map: beat b enters at b * interval and leaves `depth` edges later.

    Reduce: a beat is brought to one value by levels of the operator, each `depth` edges: ceil(log2(lanes)) of them in
    a tree, lanes - 1 in a chain; unused lanes carry the neutral value. One more operator adds it to what the beats
    before gave. That one waits for its own result, so the beats of a job cannot follow each other faster than its
    depth: `spacing` is the larger of interval and depth. The next job need not wait for it. The one output leaves
    when the last beat has passed.

    Assumes no stall between beats. Source: structure; a chain of 256 lanes at depth 1 gives the 256 cycles of the
    column reduction of FuseMax (MICRO 2024).
    """
    operator = _operator(params, shape.operator)
    beats = ceil_div(shape.elements, params.lanes)
    if shape.task == "map":
        return Timing(operator.depth, (beats - 1) * operator.interval + operator.depth, beats * operator.interval)
    levels = (params.lanes - 1).bit_length() if params.reduction == "tree" else params.lanes - 1
    spacing = max(operator.interval, operator.depth)
    last = (beats - 1) * spacing + (levels + 1) * operator.depth
    return Timing(last, last, (beats - 1) * spacing + operator.interval)


def ceil_div(size: int, part: int) -> int:
    """Parts that cover a size."""
    return -(-size // part)


def _operator(params: VectorParams, name: str) -> Operator:
    known = {operator.name: operator for operator in params.operators}
    if name in known:
        return known[name]
    if name != OTHER:
        raise AccelsimError(f'operator: "{name}" is not in operators{nearest(name, [*known, OTHER])}')
    return Operator(OTHER, params.depth, params.interval)
