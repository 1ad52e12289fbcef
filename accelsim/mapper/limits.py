"""What narrows the map space: said by the user, or what another tool assumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Overlap = Literal["pipeline", "sequential"]


@dataclass(frozen=True)
class Limits:
    """Bounds of a search.

    Attributes:
        overlap: whether units of a group work side by side or one Einsum after the other.
        slack: an Einsum may run on units that take it at most so many times as long as the whole group takes when each
            Einsum has its fastest unit and one runs after the other.
        units: Einsum to the only unit that it may run on.
        dims: unit to dimension to what may lie on it: `reduced` coordinates, or `shared` ones, which do not index the
            first operand, so that it is passed on along them.
        stationary: unit to what its PEs can hold while other things pass by: operands by their place on the right
            (0, 1, ..) and `result`; a unit that is not named can hold each of them.
        registers: whether a tensor that a group makes and uses may live in registers alone.
        most_fused: Einsums in a group, at most.
        perfect: whether tiles must divide what they are tiles of.
    """

    overlap: Overlap = "pipeline"
    slack: float = 1.0
    units: Mapping[str, str] = field(default_factory=dict)
    dims: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    stationary: Mapping[str, frozenset[int | str]] = field(default_factory=dict)
    registers: bool = True
    most_fused: int | None = None
    perfect: bool = False
