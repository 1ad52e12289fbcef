"""Cascades for tests, from a text and a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.einsum.cascade import Shapes
from accelsim.einsum.parse import parse_cascade
from accelsim.einsum.resolve import Declarations, resolve
from accelsim.einsum.sizes import bind
from accelsim.errors import Mark
from accelsim.yamlfile import Node


def text(value: str) -> Node:
    return Node(value, Mark("test.yaml", 1, 1), value)


def shapes_of(
    lines: str,
    inputs: str,
    ranks: Mapping[str, str | int],
    params: Mapping[str, int] | None = None,
    outputs: str = "",
    maps: Mapping[str, tuple[int, ...]] | None = None,
) -> Shapes:
    """A cascade with sizes. `inputs` is `A[i,j] B[j]`; `ranks` may hold sizes, splits and `like`."""
    values = dict(params or {})
    declarations = Declarations(
        _tensors(inputs),
        _tensors(outputs),
        {name: text(str(size)) for name, size in ranks.items()},
        frozenset(values),
        dict(maps or {}),
        Mark("test.yaml", 1, 1),
    )
    return bind(resolve(parse_cascade(text(lines)), declarations), values)


def _tensors(declared: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for one in declared.split():
        name, _, rest = one.partition("[")
        found[name] = tuple(filter(None, rest.rstrip("]").split(",")))
    return found


def random_inputs(shapes: Shapes, seed: int = 0, scale: float = 1.0) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {name: scale * rng.standard_normal(shapes.shapes[name]) for name in shapes.cascade.inputs}
