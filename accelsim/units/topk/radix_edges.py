"""Edges of a radix engine that is built: its registers, and jobs of known scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.topk.digits import RadixParams, select
from accelsim.units.topk.edges import Ranked, edges

COUNTER = READ = PACK = OUTPUT = 1
MOST_STAGES = 8


@dataclass(frozen=True)
class RadixRegisters(Checked):
    """Registers behind the steps of a pass, and behind those of FILTER."""

    read_stages: Annotated[int, Size("registers behind a row that is read", 0, MOST_STAGES)] = 1
    match_stages: Annotated[int, Size("registers behind the digits of a row", 0, MOST_STAGES)] = 1
    sum_stages: Annotated[int, Size("registers behind each level of a sum over lanes", 0, MOST_STAGES)] = 0
    find_stages: Annotated[int, Size("registers behind the sums over counters", 0, MOST_STAGES)] = 1
    compare_stages: Annotated[int, Size("registers behind the comparison with the threshold", 0, MOST_STAGES)] = 1
    close_stages: Annotated[int, Size("registers behind a row whose gaps are closed", 0, MOST_STAGES)] = 1

    def of(self, params: RadixParams) -> RadixParams:
        """The engine with them: cycles of a pass beyond its rows, and registers of FILTER.

        Behind the last row of a pass come the registers of what was read and matched, ceil(log2(lanes)) levels of a sum
        over lanes, the counters, and the sums over them; the digit found is there at the edge at which the next pass
        begins to read. In FILTER a row is read, compared, closed and packed, and leaves in the register of the output.
        The next job enters beside FILTER.
        """
        summing = (params.lanes - 1).bit_length() * self.sum_stages
        overhead = self.read_stages + self.match_stages + summing + COUNTER + self.find_stages
        filter_stages = READ + self.compare_stages + self.close_stages + PACK + OUTPUT
        return replace(params, overhead=overhead, filter_stages=filter_stages, overlap="filter")


def radix_edges(params: RadixParams, jobs: Sequence[tuple[Sequence[int], int]]) -> list[Timing]:
    """Edges of jobs, each its scores and k, one behind another: `edges` with what SELECT takes of each."""
    return edges(params, [_ranked(params, scores, k) for scores, k in jobs])


def _ranked(params: RadixParams, scores: Sequence[int], k: int) -> Ranked:
    found = select(params, scores, k)
    return Ranked(len(scores), found.kept, found.cycles)
