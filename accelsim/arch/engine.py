"""A unit whose selections a top-k engine makes: `argtopk: {engine: {unit: quickselect, ...}, uses: {compare: 1}}`."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, get_args

from accelsim.arch.model import Op
from accelsim.einsum.ast import SELECTIONS
from accelsim.errors import AccelsimError, nearest
from accelsim.units.fields import parameters
from accelsim.units.topk.engines import ENGINES
from accelsim.units.topk.job import Scores
from accelsim.units.topk.selector import Selector
from accelsim.yamlfile import Node


def engine_op(pattern: str, node: Node, dims: Mapping[str, int], uses: Mapping[str, Fraction]) -> Op:
    """A selection by an engine with the lanes of its unit.

    Raises:
        AccelsimError: another operator, an unknown engine, or a parameter that is missing, unknown or out of range.
    """
    if pattern not in SELECTIONS:
        raise node.error(f"an engine selects: it runs {', '.join(SELECTIONS)}, not {pattern}")
    if tuple(dims) != ("lanes",):
        raise node.error("the unit of an engine has lanes, not rows and cols")
    entries = dict(node.mapping())
    for key in ("unit", "scores", "seed"):
        if key not in entries:
            raise node.error(f'needs "{key}"')
    engine, drawn, seed = (entries.pop(key) for key in ("unit", "scores", "seed"))
    if engine.string() not in ENGINES:
        raise engine.error(f'no engine named "{engine.text}"{nearest(engine.text, ENGINES)}')
    scores = next((word for word in get_args(Scores) if word == drawn.string()), None)
    if scores is None:
        raise drawn.expected(f"one of {', '.join(get_args(Scores))}")
    if seed.integer() < 0:
        raise seed.expected("not negative")
    params = _params(engine.text, node, entries, dims)
    return Op(Fraction(0), uses, Selector(engine.text, params, scores, seed.integer()))


def _params(name: str, node: Node, entries: Mapping[str, Node], dims: Mapping[str, int]) -> Any:
    kind = ENGINES[name].params
    known = [parameter.name for parameter in parameters(kind) if parameter.name != "lanes"]
    for key, value in entries.items():
        if key not in known:
            raise value.error(f"is no parameter of {name}{nearest(key, known)}")
    for key in known:
        if key not in entries:
            raise node.error(f'needs "{key}", a parameter of {name}')
    try:
        return kind(**dims, **{key: value.plain() for key, value in entries.items()})
    except AccelsimError as error:
        wrong = entries.get(error.message.partition(":")[0])
        raise (wrong or node).error(error.message) from None
