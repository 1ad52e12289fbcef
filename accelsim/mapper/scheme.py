"""A group but for its tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accelsim.mapper.assign import Assignment
from accelsim.mapper.nest import Nest


@dataclass(frozen=True)
class Scheme:
    """A group but for its tiles; `units` is what the tiles of a coordinate are multiples of."""

    nest: Nest
    picked: Mapping[str, Assignment]
    units: Mapping[str, int]
    seconds: float
    energy_pj: float
