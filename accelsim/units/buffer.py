"""Timing of a buffer with ports and banks: how many edges a row of strided accesses takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

MOST = 2**16


@dataclass(frozen=True)
class BufferParams(Checked):
    """The buffer: word w lies in bank w mod `banks`, and a bank serves one access per edge."""

    ports: Annotated[int, Size("accesses that may be asked for at one edge", high=MOST)]
    banks: Annotated[int, Size("banks; a bank serves one access per edge", high=MOST)]
    latency: Annotated[int, Size("edges from an access to its word", 0, MOST)] = 1


@dataclass(frozen=True)
class Accesses(Checked):
    """The job: `words` accesses to words `stride` apart. Stride 1 never conflicts, stride `banks` always does."""

    words: Annotated[int, Size("accesses")]
    stride: Annotated[int, Size("words from one access to the next", 0)] = 1


def timing(params: BufferParams, shape: Accesses) -> Timing:
    """Accesses are asked for in groups of `ports`; a group is done before the next is asked for.

    Addresses a stride s apart visit d = banks / gcd(s, banks) different banks in turn. So among g accesses in a row the
    busiest bank has ceil(g / d), which is the edges that the group takes: 1 where d >= g (no conflict), g where d = 1
    (stride 0 or a multiple of the banks: the worst case). A read word appears `latency` edges after its access.

    Assumes consecutive words in consecutive banks, no reordering across groups. Source: structure.
    """
    visited = params.banks // gcd(shape.stride, params.banks)
    groups, rest = divmod(shape.words, params.ports)
    edges = groups * ceil_div(params.ports, visited) + ceil_div(rest, visited)
    return Timing(params.latency, edges - 1 + params.latency, edges)
