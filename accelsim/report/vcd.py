"""A run as a Value Change Dump (IEEE 1364-2005, clause 18): GTKWave and other wave viewers open it.

For each resource `claimed`, how much of it is claimed, and for each of its lanes `task`, the number of the task that
runs there; 0 is none, a comment at the head lists the others. `skipped` is 1 where periods were skipped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby

from accelsim.program.execute import Run
from accelsim.program.model import Program
from accelsim.report.timeline import Span, Timeline, Track, tasks_of, timeline

PICO, FEMTO = 10**12, 10**15
UNITS = {PICO: "1 ps", FEMTO: "1 fs"}
NARROWEST = 8  # bits
FIRST_CODE, CODES = 33, 94  # the printable characters of which identifiers consist
UNSAFE = re.compile(r"[^A-Za-z0-9_]")


@dataclass(frozen=True)
class Wire:
    """A variable of the dump: its value from each tick on, 0 before the first."""

    scope: str
    name: str
    width: int
    values: Mapping[int, int]


def vcd_text(program: Program, run: Run) -> str:
    """The starts that a run kept as the text of a `.vcd` file.

    Times are picoseconds; femtoseconds where a tick is a whole number only of those, or shorter than a picosecond.
    They are rounded where a tick is a whole number of neither.

    Raises:
        AccelsimError: the run kept no starts, or is one of another program.
    """
    found = timeline(program, run)
    wires = [*_wires(program, found), _skipped(found)]
    per_s = _unit(program.ticks_per_s)
    lines = [*_head(program, wires, per_s), *_changes(wires, per_s / program.ticks_per_s, found.until)]
    return "\n".join(lines) + "\n"


def _unit(ticks_per_s: Fraction) -> int:
    """The units of time in a second: the largest of which a tick is a whole number, or that is at most a tick."""
    exact = [unit for unit in UNITS if (unit / ticks_per_s).denominator == 1]
    return next(iter(exact), PICO if ticks_per_s <= PICO else FEMTO)


def _wires(program: Program, found: Timeline) -> Iterator[Wire]:
    """The variables of every resource, in the order of the program."""
    numbers = {name: number for number, name in enumerate(tasks_of(program), start=1)}
    counts = {resource.name: resource.count for resource in program.resources}
    spans: dict[Track, list[Span]] = {track: [] for track in found.tracks}
    for span in found.spans:
        spans[span.track].append(span)
    for resource, some in groupby(found.tracks, key=lambda track: track.resource):
        lanes = {track: spans[track] for track in some}
        yield Wire(resource, "claimed", _width(counts[resource]), _claimed(chain(*lanes.values())))
        for track, own in lanes.items():
            name = "task" + track.name.removeprefix(resource).strip("[]")
            yield Wire(resource, name, _width(len(numbers)), _running(own, numbers))


def _width(largest: int) -> int:
    return max(NARROWEST, largest.bit_length())


def _claimed(spans: Iterable[Span]) -> dict[int, int]:
    """How much is claimed from each tick on at which that may change."""
    steps: dict[int, int] = defaultdict(int)
    for span in spans:
        steps[span.start] += span.amount
        steps[span.end] -= span.amount
    values, level = {}, 0
    for tick in sorted(steps):
        level += steps[tick]
        values[tick] = level
    return values


def _running(spans: Iterable[Span], numbers: Mapping[str, int]) -> dict[int, int]:
    """Which task runs from each tick on at which that may change; a span that begins where one ends comes after it."""
    values: dict[int, int] = {}
    for span in spans:
        values |= {span.start: numbers[span.name], span.end: 0}
    return values


def _skipped(found: Timeline) -> Wire:
    return Wire("", "skipped", 1, {tick: v for gap in found.gaps for tick, v in ((gap.start, 1), (gap.end, 0))})


def _head(program: Program, wires: list[Wire], per_s: int) -> Iterator[str]:
    legend = ", ".join(f"{number} {_safe(name)}" for number, name in enumerate(tasks_of(program), start=1))
    yield f"$comment {_safe(program.name)} at {program.ticks_per_s} ticks per s $end"
    yield f"$comment tasks: 0 none, {legend} $end"
    yield f"$timescale {UNITS[per_s]} $end"
    yield f"$scope module {_safe(program.name)} $end"
    codes = {id(wire): code(number) for number, wire in enumerate(wires)}
    for scope, some in groupby(wires, key=lambda wire: wire.scope):
        names = [f"$var wire {wire.width} {codes[id(wire)]} {wire.name} $end" for wire in some]
        yield from [f"$scope module {_safe(scope)} $end", *names, "$upscope $end"] if scope else names
    yield from ("$upscope $end", "$enddefinitions $end")


def _changes(wires: list[Wire], unit: Fraction, end: int) -> Iterator[str]:
    """Every variable at time 0, then each change, then the time of the end; `unit` is the length of a tick."""
    at: dict[int, dict[str, str]] = defaultdict(dict)
    for number, wire in enumerate(wires):
        level = 0
        for tick in sorted({0, *wire.values}):
            before, level = level, wire.values.get(tick, level)
            if level != before or not tick:
                at[round(tick * unit)][code(number)] = _value(wire, level, code(number))
    for time in sorted({*at, round(end * unit)}):
        yield f"#{time}"
        yield from at[time].values() if time else ("$dumpvars", *at[time].values(), "$end")


def _value(wire: Wire, level: int, name: str) -> str:
    return f"{level}{name}" if wire.width == 1 else f"b{level:b} {name}"


def code(number: int) -> str:
    """The identifier of a variable: a number in base 94, written with printable characters.

    >>> code(0), code(93), code(94)
    ('!', '~', '"!')
    """
    text = ""
    while True:
        number, digit = divmod(number, CODES)
        text = chr(FIRST_CODE + digit) + text
        if not number:
            return text


def _safe(name: str) -> str:
    """A name of letters, digits and underscores: all else may mean something here."""
    return UNSAFE.sub("_", name)
