"""`Timing`: when a unit's outputs leave and when it takes the next job, in edges of its clock."""

from __future__ import annotations

from dataclasses import dataclass

from accelsim.errors import AccelsimError


@dataclass(frozen=True)
class Timing:
    """Edges of one job, counted from the edge of its first input transfer, which is edge 0.

    It holds when inputs are offered whenever the unit is ready and outputs are always taken.

    Attributes:
        first: edge of the first output transfer.
        last: edge of the last output transfer.
        busy: edge at which the first input of the next job is taken, jobs being offered back to back.

    >>> Timing(first=3, last=9, busy=8).cycles_of(2)
    18
    """

    first: int
    last: int
    busy: int

    def __post_init__(self) -> None:
        if not (0 <= self.first <= self.last and self.busy >= 1):
            raise AccelsimError(f"a timing must have 0 <= first <= last and busy >= 1, got {self}")

    @property
    def cycles(self) -> int:
        """Cycles of a lone job: edges are numbered from 0, so one more than the last."""
        return self.last + 1

    def cycles_of(self, jobs: int) -> int:
        """Cycles of so many equal jobs back to back, at least one."""
        if jobs < 1:
            raise AccelsimError(f'jobs: must be a positive integer, got "{jobs}"')
        return (jobs - 1) * self.busy + self.last + 1
