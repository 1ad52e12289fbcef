"""What ran where and when, from the starts that a run kept: spans on tracks, arrows between them, skipped stretches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from accelsim.einsum.ast import Int
from accelsim.einsum.walk import coordinates
from accelsim.errors import AccelsimError, nearest
from accelsim.program.execute import Run
from accelsim.program.machine import Start
from accelsim.program.model import Edge, Loop, Program, Task, bodies

At = tuple[tuple[str, int], ...]  # the coordinates of an iteration by rank, outer first
Instance = tuple[str, At]
SKIPPED = "skipped: repeats"


@dataclass(frozen=True)
class Track:
    """A row of the picture: a resource, or one of the lanes of a resource that does several things at once."""

    name: str
    resource: str
    channel: bool


@dataclass(frozen=True)
class Span:
    """A task, or one chunk of a transfer, that claims `amount` of a resource from tick `start` to tick `end`."""

    track: Track
    name: str
    start: int
    end: int
    coordinates: At
    amount: int = 1

    @property
    def ticks(self) -> int:
        """How long the claim lasts."""
        return self.end - self.start

    @property
    def place(self) -> str:
        """The iteration as a text, `m1=3 p1=0`."""
        return " ".join(f"{rank}={c}" for rank, c in self.coordinates)


@dataclass(frozen=True)
class Arrow:
    """`target` waited for the result of `source`; several resources of one task: the first that it names."""

    source: Span
    target: Span


@dataclass(frozen=True)
class Gap:
    """Between these two starts periods were skipped: others like them took place, and none is kept."""

    start: int
    end: int


@dataclass(frozen=True)
class Timeline:
    """A run to look at.

    Attributes:
        tracks: in the order of the program's resources; no two spans of a track overlap.
        spans: by start; a start that takes no tick (a chunk within what another had left of one) has none.
        until: the tick up to which every start is kept, gaps excepted.
    """

    tracks: tuple[Track, ...]
    spans: tuple[Span, ...]
    arrows: tuple[Arrow, ...]
    gaps: tuple[Gap, ...]
    until: int


def timeline(program: Program, run: Run) -> Timeline:
    """The timeline of a run that was executed with `trace`.

    Raises:
        AccelsimError: the run kept no starts, or is one of another program.
    """
    tasks = tasks_of(program)
    _check(run, tasks)
    lanes = _Lanes(program)
    spans = tuple(span for start in run.trace for span in lanes.spans(start, tasks[start.task]))
    ends: dict[Instance, tuple[Span, Span]] = {}
    for span in spans:
        if span.track.resource == tasks[span.name].claims[0][0]:
            key = span.name, span.coordinates
            ends[key] = ends.get(key, (span, span))[0], span
    arrows = dict.fromkeys((*_edges(tasks, ends), *_tiles(program, ends)))
    until = run.ticks if _is_whole(run) else run.trace[-1].start
    return Timeline(lanes.tracks, spans, tuple(arrows), _gaps(program, run), until)


def tasks_of(program: Program) -> dict[str, Task]:
    """Every task by its name, in the order of the program."""
    return {task.name: task for _, _, body in bodies(program.root) for task in body.tasks}


def joined(spans: Iterable[Span]) -> list[Span]:
    """The spans with chunks of a transfer that follow one another at once made one."""
    found: dict[tuple[Track, str, At, int], Span] = {}
    for span in spans:
        before = found.pop((span.track, span.name, span.coordinates, span.start), span)
        found[span.track, span.name, span.coordinates, span.end] = replace(span, start=before.start)
    return sorted(found.values(), key=lambda span: span.start)


def _check(run: Run, tasks: Mapping[str, Task]) -> None:
    if not run.trace:
        raise AccelsimError("nothing to draw: the run kept no starts; execute the program with trace=1000")
    for start in run.trace:
        if start.task not in tasks:
            raise AccelsimError(f'the run is one of another program: task "{start.task}"{nearest(start.task, tasks)}')


def _is_whole(run: Run) -> bool:
    """Whether the trace has every start that was executed."""
    return len({(start.task, start.coordinates) for start in run.trace}) >= run.executed


class _Lanes:
    """Puts spans on the first lane of their resource that is free; `ends` are the last ends on each."""

    def __init__(self, program: Program) -> None:
        self.resources = {resource.name: resource for resource in program.resources}
        self.ends: dict[str, list[int]] = {resource.name: [0] for resource in program.resources}

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(self.track(name, lane) for name, ends in self.ends.items() for lane in range(len(ends)))

    def track(self, name: str, lane: int) -> Track:
        resource = self.resources[name]
        return Track(name if resource.count == 1 else f"{name}[{lane}]", name, resource.is_channel)

    def spans(self, start: Start, task: Task) -> Iterator[Span]:
        """One for each resource that the task claims."""
        if start.end > start.start:
            for name, amount in task.claims:
                track = self.track(name, self.taken(name, start))
                yield Span(track, start.task, start.start, start.end, start.coordinates, amount)

    def taken(self, name: str, start: Start) -> int:
        """The lane that a start takes; a new one where all are busy."""
        ends = self.ends[name]
        lane = next((lane for lane, end in enumerate(ends) if end <= start.start), len(ends))
        ends[lane:] = [start.end, *ends[lane + 1 :]]
        return lane


# arrows


def _edges(tasks: Mapping[str, Task], ends: Mapping[Instance, tuple[Span, Span]]) -> Iterator[Arrow]:
    """From the last chunk of what a task waits for to its own first one; edges by number of iterations have none."""
    for (name, at), (first, _) in ends.items():
        for edge in tasks[name].after:
            found = ends.get((edge.source, _source(edge, at)))
            if found and not edge.back:
                yield Arrow(found[1], first)


def _source(edge: Edge, at: At) -> At:
    """The coordinates of the other end of an edge."""
    back = dict(edge.distance)
    return tuple((rank, 0 if rank in edge.first else c - back.get(rank, 0)) for rank, c in at)


def _tiles(program: Program, ends: Mapping[Instance, tuple[Span, Span]]) -> Iterator[Arrow]:
    """From the writer of a tile to each of its readers."""
    holds = [
        (task.name, reader, {*(loop.rank for loop in outer), *hold.by})
        for outer, _, body in bodies(program.root)
        for task in body.tasks
        for hold in task.holds
        for reader in hold.readers
    ]
    of: dict[str, list[tuple[At, Span, Span]]] = defaultdict(list)
    for (name, at), (first, last) in ends.items():
        of[name].append((at, first, last))
    for writer, reader, ranks in holds:
        written = {_shared(at, ranks): last for at, _, last in of[writer]}
        for at, first, _ in of[reader]:
            if _shared(at, ranks) in written:
                yield Arrow(written[_shared(at, ranks)], first)


def _shared(at: At, ranks: set[str]) -> At:
    return tuple((rank, c) for rank, c in at if rank in ranks)


# skipped stretches


def _gaps(program: Program, run: Run) -> tuple[Gap, ...]:
    """Where starts are missing from the trace although later ones are there.

    A program starts something when a claim ends or a result comes to exist, or it starts nothing any more. So periods
    were skipped wherever nothing starts for longer than any claim and any latency. Shorter gaps are those around which
    a task without condition leaps over iterations, in a trace that goes on to the end: the longest stretch between.
    """
    if sum(run.starts.values()) <= run.executed:
        return ()
    times = sorted({start.start for start in run.trace})
    longest = _longest_wait(program, run)
    found = {(a, b) for a, b in pairwise(times) if longest is not None and b - a > longest}
    for low, high in _leaps(program, run) if _is_whole(run) else ():
        between = pairwise(times[bisect_left(times, low) : bisect_right(times, high)])
        found.add(max(between, key=lambda pair: pair[1] - pair[0]))
    return tuple(Gap(*pair) for pair in sorted(found))


def _longest_wait(program: Program, run: Run) -> int | None:
    """No claim and its latency take longer; None where a latency is not a constant."""
    latencies = [task.latency for task in tasks_of(program).values()]
    constant = [latency.value for latency in latencies if isinstance(latency, Int)]
    if len(constant) < len(latencies):
        return None
    return max(start.end - start.start for start in run.trace) + max(constant)


def _leaps(program: Program, run: Run) -> Iterator[tuple[int, int]]:
    """The ticks of two starts of a task between which there are iterations that it has left out."""
    begun: dict[str, dict[tuple[int, ...], int]] = defaultdict(dict)
    for start in run.trace:
        begun[start.task].setdefault(tuple(c for _, c in start.coordinates), start.start)
    for outer, nest, body in bodies(program.root):
        for task in body.tasks:
            if task.when is None:
                for (one, low), (other, high) in pairwise(sorted(begun[task.name].items())):
                    if low < high and _is_leap((*outer, *nest), one, other):
                        yield low, high


def _is_leap(loops: tuple[Loop, ...], one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether iterations lie between two; where bounds inside depend on the loop, those in between may be empty."""
    level = next(level for level, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    depends = any(loops[level].rank in coordinates(loop.bound) for loop in loops[level + 1 :])
    return other[level] - one[level] > 1 and not depends
