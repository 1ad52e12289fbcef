"""Edges of a quick-select engine that is built: its registers, the places that it draws, and jobs of known pivots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.topk.edges import Ranked, edges
from accelsim.units.topk.quick import Choose, QuickParams, select

READ = PICK = PACK = DECIDE = OUTPUT = 1
MOST_STAGES = 8
DRAW_BITS, FIRST_DRAW = 16, 0x2A6D
Behind = Annotated[int, Size("registers", 0, MOST_STAGES)]


@dataclass(frozen=True)
class Registers(Checked):
    """Registers behind the comparisons of a row with a threshold, and behind the network that closes its gaps."""

    compare_stages: Behind = 1
    close_stages: Behind = 1

    def of(self, params: QuickParams) -> QuickParams:
        """The engine with them: cycles of a pass beyond its rows, and registers of FILTER.

        A pass picks its pivot at one edge and reads its rows; behind the last one come the registers, the edge at
        which its row is packed, and the one at which the pass is decided. In FILTER a row is read, compared, closed and
        packed, and leaves in the register of the output. The next job enters beside FILTER.
        """
        between = self.compare_stages + self.close_stages
        overhead, filter_stages = PICK + between + PACK + DECIDE, READ + between + PACK + OUTPUT
        return replace(params, overhead=overhead, filter_stages=filter_stages, overlap="filter")


@dataclass(frozen=True)
class QuickJob:
    """Scores in the order in which they come, how many to keep, and what picks the pivots."""

    scores: Sequence[int]
    k: int
    choose: Choose


def quick_edges(params: QuickParams, jobs: Sequence[QuickJob]) -> list[Timing]:
    """Edges of jobs offered one behind another: `accelsim.units.topk.edges.edges` with what SELECT takes of each."""
    selected = [select(params, job.scores, job.k, job.choose) for job in jobs]
    return edges(
        params, [Ranked(len(job.scores), found.kept, found.cycles) for job, found in zip(jobs, selected, strict=True)]
    )


def draws() -> Iterator[float]:
    """Where the engine draws pivots, from 0 to 1: 16 bits, each number but 0 once before the first comes again.

    Source: G. Marsaglia, Xorshift RNGs, 2003, with shifts 7, 9, 8.
    """
    number = FIRST_DRAW
    while True:
        yield number / (1 << DRAW_BITS)
        number ^= (number << 7) % (1 << DRAW_BITS)
        number ^= number >> 9
        number ^= (number << 8) % (1 << DRAW_BITS)
