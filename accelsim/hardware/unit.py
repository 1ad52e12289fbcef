"""A hardware unit as the command line knows it: how to build and check it, its configurations, plain parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rtl.bench import UnitUnderTest


@dataclass(frozen=True)
class HardwareUnit:
    """One unit, brought together from its generator, its golden model and its timing function.

    Attributes:
        name: what the command line and `rtl:` entries call it.
        under_test: the same parts as the bench takes them.
        configurations: named parameters that `verify` runs by default, of different kinds.
        large: named parameters that it runs as well when asked for all.
        read: parameters from plain values by key, what is left out at its default; AccelsimError that names the key,
            the value and the nearest valid one.
        plain: the inverse of `read`: all parameters as plain values.
    """

    name: str
    under_test: UnitUnderTest[Any, Any]
    configurations: Mapping[str, Any]
    large: Mapping[str, Any]
    read: Callable[[Mapping[str, object]], Any]
    plain: Callable[[Any], Mapping[str, object]]
