"""Shipped systems and models, read once; what tests change of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from accelsim.cluster import Model, System, load_model, load_system
from accelsim.cluster.model import Link, Near
from accelsim.cluster.part import Part
from accelsim.shipped import shipped_names

SYSTEMS, MODELS = shipped_names("clusters"), shipped_names("clusters/models")
FREE = Link(bytes_per_s=1e30, latency_s=0.0, rounds=2, energy=None)


@cache
def system(name: str, *overrides: str) -> System:
    return load_system(name, overrides)


@cache
def model(name: str) -> Model:
    return load_model(name)


def part(of: System, name: str, step: str = "attention", layer: int = 0) -> Part:
    """A function of a layer of a shipped model."""
    return Part(of, model(name), next(one for one in model(name).layers[layer].steps if one.name == step))


def with_policy(of: System, **changed: Any) -> System:
    return replace(of, policy=replace(of.policy, **changed))


def placed(of: System, **places: str) -> System:
    return with_policy(of, place=places)


def near_of(of: System) -> Near:
    assert of.near is not None
    return of.near
