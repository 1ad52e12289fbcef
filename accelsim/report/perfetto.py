"""A run as a document in the Chrome trace format: ui.perfetto.dev and chrome://tracing open it as a file.

Format: "Trace Event Format", a public document of the Chromium project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import floor, inf, nextafter

from accelsim.program.execute import Run
from accelsim.program.model import Program
from accelsim.report.timeline import SKIPPED, Arrow, Gap, Span, Timeline, Track, tasks_of, timeline

Event = dict[str, object]
UNITS, CHANNELS, LEFT_OUT = 1, 2, 3
PROCESSES = {UNITS: "units", CHANNELS: "channels", LEFT_OUT: "skipped"}
FIRST_THREAD = 10  # above the numbers of all processes: a thread with the number of its process would be its main one
GAPS = FIRST_THREAD - 1
COLOURS = (
    "thread_state_running",
    "thread_state_iowait",
    "rail_response",
    "rail_animation",
    "thread_state_runnable",
    "background_memory_dump",
    "olive",
    "detailed_memory_dump",
    "rail_load",
    "thread_state_unknown",
    "light_memory_dump",
)


def perfetto_document(program: Program, run: Run) -> dict[str, object]:
    """The starts that a run kept as a document that `json.dumps` writes.

    A slice for each claim on a thread per track, the threads of units and of channels in a process each; an arrow for
    each result that was waited for; what was skipped on a thread of its own. Times are microseconds, `args` has ticks.

    Raises:
        AccelsimError: the run kept no starts, or is one of another program.
    """
    found = timeline(program, run)
    threads = {track: FIRST_THREAD + number for number, track in enumerate(found.tracks)}
    writer = _Writer(program, threads)
    return {
        "traceEvents": [*writer.names(found), *writer.slices(found), *writer.flows(found)],
        "otherData": {"program": program.name, "ticks_per_s": str(program.ticks_per_s), "ticks": run.ticks},
    }


def microseconds(ticks: int, ticks_per_s: Fraction) -> float:
    """Ticks as microseconds; the closest float of which viewers, who cut off, keep as many whole nanoseconds.

    >>> microseconds(1001, Fraction(10**9)), int(1.001 * 1000), int(microseconds(1001, Fraction(10**9)) * 1000)
    (1.0010000000000001, 1000, 1001)
    """
    exact = ticks * 10**6 / ticks_per_s
    value, whole = float(exact), floor(exact * 1000)
    below = nextafter(value, -inf)
    near = (value, nextafter(value, inf), below, nextafter(below, -inf))
    return next((found for found in near if int(found * 1000) == whole), value)


class _Writer:
    """Turns what is on a timeline into events."""

    def __init__(self, program: Program, threads: Mapping[Track, int]) -> None:
        self.program, self.threads = program, threads
        self.colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(tasks_of(program))}

    def time(self, ticks: int) -> float:
        return microseconds(ticks, self.program.ticks_per_s)

    def where(self, track: Track) -> Event:
        """The process and thread of a track."""
        return {"pid": CHANNELS if track.channel else UNITS, "tid": self.threads[track]}

    def names(self, found: Timeline) -> Iterator[Event]:
        """The names and the order of all processes and threads."""
        used = {CHANNELS if track.channel else UNITS for track in self.threads} | ({LEFT_OUT} if found.gaps else set())
        for pid in sorted(used):
            yield from _named("process", {"pid": pid, "tid": pid}, PROCESSES[pid], pid)
        for track, tid in self.threads.items():
            yield from _named("thread", self.where(track), track.name, tid)
        if found.gaps:
            yield from _named("thread", {"pid": LEFT_OUT, "tid": GAPS}, SKIPPED, GAPS)

    def slices(self, found: Timeline) -> Iterator[Event]:
        yield from (self.span(span) for span in found.spans)
        yield from (self.gap(gap) for gap in found.gaps)

    def span(self, span: Span) -> Event:
        ticks = {"start_tick": span.start, "end_tick": span.end, "ticks": span.ticks, "amount": span.amount}
        return {
            **{"ph": "X", "name": span.name, "cat": span.name, "cname": self.colours[span.name]},
            **{"ts": self.time(span.start), "dur": self.time(span.ticks), **self.where(span.track)},
            "args": {"iteration": dict(span.coordinates), **ticks},
        }

    def gap(self, gap: Gap) -> Event:
        return {
            **{"ph": "X", "name": SKIPPED, "cat": "skipped", "cname": "grey", "pid": LEFT_OUT, "tid": GAPS},
            **{"ts": self.time(gap.start), "dur": self.time(gap.end - gap.start)},
            "args": {"start_tick": gap.start, "end_tick": gap.end, "ticks": gap.end - gap.start},
        }

    def flows(self, found: Timeline) -> Iterator[Event]:
        for number, arrow in enumerate(found.arrows, start=1):
            yield from self.flow(number, arrow)

    def flow(self, number: int, arrow: Arrow) -> Iterator[Event]:
        """From the last tick of the source, where its slice is still open, to the first of the target."""
        same: Event = {"name": "result", "cat": "result", "id": number}
        yield {"ph": "s", **same, "ts": self.time(arrow.source.end - 1), **self.where(arrow.source.track)}
        yield {"ph": "f", "bp": "e", **same, "ts": self.time(arrow.target.start), **self.where(arrow.target.track)}


def _named(what: str, where: Event, name: str, index: int) -> Iterator[Event]:
    yield {"ph": "M", "name": f"{what}_name", **where, "args": {"name": name}}
    yield {"ph": "M", "name": f"{what}_sort_index", **where, "args": {"sort_index": index}}
