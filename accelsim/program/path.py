"""Paths: all the ticks before a start, by what they were spent on; and how paths grow when periods are skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

Path = dict[tuple[str, str], int]


@dataclass(eq=False, slots=True)
class Leg:
    """One start: an instance, or one chunk of a transfer, between what let it start and what it lets start.

    Attributes:
        path: (cause, what) to ticks, `since` altogether; replaced, never changed in place.
        what: the resource that the ticks of the leg are spent on.
        since: the tick of the start.
        busy: ticks from the start to the end of the claims; 0 before that end.
        moved: ticks from the start until what a DRAM was asked for has passed; 0 for anything else, and before that.
        whole: ticks from the start to the result; 0 before it exists.
        root: the leg of the latest mark that the path leads through, as its place there.
    """

    path: Path
    what: str
    since: int
    root: int = 0
    busy: int = 0
    moved: int = 0
    whole: int = 0

    def until(self, cause: str, now: int) -> Path:
        """The path of what this leg lets start at `now`: claims, then latency; none at its own instant."""
        ticks = now - self.since
        if not ticks:
            return self.path
        path, work = self.path.copy(), max(self.busy, self.moved)
        if work:
            key = cause, self.what
            path[key] = path.get(key, 0) + work
        if ticks > work:
            key = cause, "latency"
            path[key] = path.get(key, 0) + ticks - work
        return path


@dataclass(frozen=True)
class Mark:
    """The legs that what comes next may follow from, at one instant.

    Attributes:
        number: how many marks were made before.
        key: all about the legs that decides which of them later starts follow from, in relative ticks.
        legs: in an order that is the same for equal keys.
        paths: theirs at that instant.
    """

    number: int
    now: int
    key: Hashable
    legs: tuple[Leg, ...]
    paths: tuple[Path, ...]


def total(parts: Iterable[tuple[int, Path]]) -> Path:
    """The sum of multiples of paths."""
    found: Counter[tuple[str, str]] = Counter()
    for times, path in parts:
        for key, ticks in path.items():
            found[key] += times * ticks
    return {key: ticks for key, ticks in found.items() if ticks}


def repeated(before: Sequence[Path], now: Sequence[Path], came: Sequence[int], times: int) -> list[tuple[Path, int]]:
    """The paths after `times` more periods, each with the place of the path of `now` that it leads through.

    A period leads path `came[i]` of its beginning on to path `i` of its end, by what this has gained. So it does in
    every further one: path `i` at the end is path `came[i]` one period earlier and the same gain. These steps back come
    to a circle, whose gains count as often as it is gone round.
    """
    gains = [total(((1, path), (-1, before[source]))) for path, source in zip(now, came, strict=True)]
    found = []
    for place in range(len(now)):
        passed, at = _passed(place, came, times)
        found.append((total([(1, now[at]), *((n, gains[i]) for i, n in passed.items())]), at))
    return found


def _passed(place: int, came: Sequence[int], times: int) -> tuple[Counter[int], int]:
    """How often `times` steps back from `place` leave each place, and where they end."""
    steps: list[int] = []
    while len(steps) < times and place not in steps:
        steps.append(place)
        place = came[place]
    passed, left = Counter(steps), times - len(steps)
    if left:
        circle = steps[steps.index(place) :]
        rounds, rest = divmod(left, len(circle))
        passed.update(dict.fromkeys(circle, rounds))
        passed.update(circle[:rest])
        place = circle[rest]
    return passed, place
