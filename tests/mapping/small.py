"""A small mapping of two products, and what happens to it when one text in it is replaced."""

from __future__ import annotations

import pytest

from accelsim.errors import AccelsimError
from tests.cost.machines import Case, case, sample

SIZES = {"M": 6, "K": 4, "N": 5, "J": 3}
BASE = """\
split: {m: {m1: rest, m0: 2}}
groups:
  - {name: one, loops: [m1, n], einsums: [Y]}
  - {name: two, loops: [m1], einsums: [Z]}
spatial: {grid: {rows: m0, cols: n}, line: {lanes: [j, m0]}}
bind: {grid: [Y], line: [Z]}
keep: {l1: {limit: 100 B, tensors: {A: {at: m1}, B: {at: outside, copies: 1}}}}
"""


def changed(*texts: str) -> Case:
    """The mapping with texts replaced: old, new, old, new, .."""
    text = BASE
    for old, new in zip(texts[::2], texts[1::2], strict=True):
        assert old in text
        text = text.replace(old, new, 1)
    return case(sample("chain"), SIZES, text)


def refusal(*texts: str) -> str:
    """The error of the changed mapping, without the path of its file."""
    with pytest.raises(AccelsimError) as caught:
        changed(*texts).result  # noqa: B018
    return str(caught.value).rpartition("drawn.yaml:")[2]
