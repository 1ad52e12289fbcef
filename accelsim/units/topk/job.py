"""What every top-k engine takes, and how its three resources FILL, SELECT and FILTER hand jobs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Protocol, get_args

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Choice, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

MOST_SCORES, MOST_LANES, MOST_CYCLES, MOST_BITS = 2**22, 2**12, 2**16, 48
Overlap = Literal["none", "filter", "all"]
Scores = Literal["distinct", "uniform", "softmax"]
Switch = Literal["no", "yes"]
HELD: dict[Overlap, tuple[int, int]] = {"none": (1, 1), "filter": (1, 2), "all": (2, 3)}
"""Jobs that may be between the start of FILL and the end of SELECT, and up to the end of FILTER."""

Lanes = Annotated[int, Size("scores that SELECT takes in a cycle", high=MOST_LANES)]
InputLanes = Annotated[int, Size("scores that FILL and FILTER take in a cycle", high=MOST_LANES)]
ScoreBits = Annotated[int, Size("bits of a score", high=MOST_BITS)]
Overhead = Annotated[int, Size("cycles of a pass beyond those in which it reads scores", 0, MOST_CYCLES)]
Overlapping = Annotated[
    Overlap,
    Choice("what may run beside the job before: nothing, FILL beside its FILTER, or all three", get_args(Overlap)),
]
Stages = Annotated[int, Size("registers from a score of the copy to its place in the output", 0, MOST_CYCLES)]


@dataclass(frozen=True)
class Ranking(Checked):
    """The job: one vector of scores."""

    n: Annotated[int, Size("scores", high=MOST_SCORES)]
    k: Annotated[int, Size("scores that are kept; all where there are no more", 0, MOST_SCORES)]
    scores: Annotated[Scores, Choice("what scores are drawn from where jobs are sampled", get_args(Scores))] = (
        "distinct"
    )

    @property
    def bypasses(self) -> bool:
        """Whether there is nothing to choose, so that SELECT is left out."""
        return self.k == 0 or self.k >= self.n


class Hardware(Protocol):
    """What the parameters of all engines have."""

    @property
    def lanes(self) -> int: ...

    @property
    def input_lanes(self) -> int: ...

    @property
    def overlap(self) -> Overlap: ...

    @property
    def filter_stages(self) -> int: ...


class Spans(NamedTuple):
    """Cycles for which a job occupies each resource."""

    fill: int
    select: int
    filter: int


class Selected(NamedTuple):
    """What an engine makes of data: kept indices, ascending, and what SELECT took.

    `steps` are passes, or insertions into a queue; `compared` are comparisons of one score with another.
    """

    kept: tuple[int, ...]
    cycles: int
    steps: int
    compared: int


def everything(scores: Sequence[int], k: int) -> Selected | None:
    """The answer where there is nothing to choose, else none."""
    if 0 < k < len(scores):
        return None
    return Selected(tuple(range(len(scores) if k else 0)), 0, 0, 0)


def kept(scores: Sequence[int], threshold: int, equal: int) -> tuple[int, ...]:
    """FILTER: indices of the scores above the threshold and of the first `equal` ones that equal it.

    >>> kept([5, 9, 5, 7, 5], 5, 2)
    (0, 1, 2, 3)
    """
    left = [index for index, score in enumerate(scores) if score == threshold][:equal]
    return tuple(sorted([index for index, score in enumerate(scores) if score > threshold] + left))


def spans(hardware: Hardware, n: int, select: int) -> Spans:
    """FILL and FILTER read `input_lanes` scores in a cycle, of an empty job an empty row; SELECT as the engine says."""
    rows = max(1, ceil_div(n, hardware.input_lanes))
    return Spans(rows, select, rows)


def streamed_spans(hardware: Hardware, n: int, select: int) -> Spans:
    """Of an engine that selects while scores enter, `lanes` in a cycle: there is no FILL."""
    return Spans(0, max(ceil_div(n, hardware.lanes), select), ceil_div(n, hardware.input_lanes))


def worst_timing(hardware: Hardware, job: Ranking, taken: Spans) -> Timing:
    """Edges of a job that takes so long and whose kept scores are the last ones.

    Output is dense, `input_lanes` scores in a beat, so that its beats then leave at the last edges; a job that keeps
    nothing has one empty beat.
    """
    last = sum(taken) + hardware.filter_stages - 1
    beats = max(1, ceil_div(min(job.k, job.n), hardware.input_lanes))
    return Timing(last - beats + 1, last, steady(taken, hardware.overlap))


def steady(taken: Spans, overlap: Overlap) -> int:
    """Cycles between equal jobs back to back."""
    fill, select, last = taken
    return {"none": fill + select + last, "filter": max(fill + select, last), "all": max(taken)}[overlap]


def starts(jobs: Sequence[Spans], overlap: Overlap) -> list[int]:
    """Cycle at which each job enters, all being offered at once; AccelsimError for no jobs."""
    return [entered for entered, _ in placed(jobs, overlap)]


def placed(jobs: Sequence[Spans], overlap: Overlap) -> list[tuple[int, Spans]]:
    """For each job the cycle at which it enters, and those at which it has left each resource, all offered at once.

    Each resource serves one job at a time, in order. A job enters when FILL is free and when it finds room: `HELD` says
    how many jobs the memory of SELECT holds, and how many copies there are for FILTER.

    Raises:
        AccelsimError: no jobs.
    """
    if not jobs:
        raise AccelsimError("jobs: must be at least one")
    selecting, copies = HELD[overlap]
    found: list[tuple[int, Spans]] = []
    for index, job in enumerate(jobs):
        room = found[index - selecting][1].select if index >= selecting else 0
        copy = found[index - copies][1].filter if index >= copies else 0
        before = found[-1][1] if found else Spans(0, 0, 0)
        start = max(before.fill, room, copy)
        filled = start + job.fill
        selected = max(filled, before.select) + job.select
        found.append((start, Spans(filled, selected, max(selected, before.filter) + job.filter)))
    return found


def interval(jobs: Sequence[Spans], overlap: Overlap) -> float:
    """Mean cycles from the start of a job to that of the next, over at least two jobs."""
    entered = starts(jobs, overlap)
    if len(entered) < 2:
        raise AccelsimError(f'jobs: an interval needs two, got "{len(entered)}"')
    return (entered[-1] - entered[0]) / (len(entered) - 1)
