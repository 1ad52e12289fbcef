"""One mapping document for all steps that call a function: a case for each of their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from accelsim.arch import Arch
from accelsim.einsum.sizes import size_values
from accelsim.mapper.limits import Limits
from accelsim.mapper.offers import Offer
from accelsim.mapper.problem import Problem
from accelsim.mapper.search import Found
from accelsim.mapper.write import mapping_text, rendered
from accelsim.workload import Step

BODY: dict[str, Any] = {"split": {}, "groups": [], "spatial": {}, "bind": {}, "forward": []}
"""What differs between shapes, with what stands there where a document does not say it."""


def document_text(arch: Arch, offer: Offer, found: Sequence[Found], limits: Limits) -> str:
    """The YAML of a mapping of every shape of an offer.

    Args:
        found: what was found for each of `offer.different`.
    """
    return joined_text(shape_texts(arch, offer, found, limits), offer)


def shape_texts(arch: Arch, offer: Offer, found: Sequence[Found], limits: Limits) -> list[str]:
    """A document for each of `offer.different`."""
    name = document_name(arch, offer)
    return [
        mapping_text(Problem(arch, step), name, each.groups, limits)
        for step, each in zip(offer.different, found, strict=True)
    ]


def joined_text(texts: Sequence[str], offer: Offer) -> str:
    """One document of those of all shapes."""
    return texts[0] if len(texts) == 1 else _with_cases(texts, offer.different)


def document_name(arch: Arch, offer: Offer) -> str:
    """`attention-1pass-on-edge`; the cascade is left out where there is one only."""
    form = offer.function if offer.cascade == "default" else f"{offer.function}-{offer.cascade}"
    return f"{form}-on-{arch.name}"


def _with_cases(texts: Sequence[str], shapes: Sequence[Step]) -> str:
    documents: list[dict[str, Any]] = [yaml.safe_load(text) for text in texts]
    telling = _telling(shapes)
    cases = [
        {"when": {name: size_values(step.shapes)[name] for name in telling}, "set": _changes(documents[0], document)}
        for step, document in zip(shapes, documents, strict=True)
    ]
    return rendered({**documents[0], "cases": cases})


def _telling(shapes: Sequence[Step]) -> list[str]:
    """The sizes by which shapes differ; parts of the cascade's splits, which mappings set, are not among them."""
    tables = [size_values(step.shapes) for step in shapes]
    splits = shapes[0].shapes.cascade.splits
    ranks = [name.upper() for name in shapes[0].shapes.sizes if name not in splits]
    return [name for name in ranks if len({table[name] for table in tables}) > 1]


def _changes(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What is to be set so that the first document says what the other does."""
    keys = [key for key in BODY if key in first or key in other]
    return {key: other.get(key, BODY[key]) for key in keys if first.get(key) != other.get(key)}
