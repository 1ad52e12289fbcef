"""The dump parses back into what each resource did."""

from __future__ import annotations

import doctest
import re
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.program.execute import execute
from accelsim.program.model import Program
from accelsim.program.read import read_program
from accelsim.report import vcd
from accelsim.report.timeline import timeline
from accelsim.report.vcd import code, vcd_text
from tests.program.examples import attention
from tests.report.test_timeline import ALL, ANY, RANDOM, STREAMS, executed

SECOND = {"1 ps": 10**12, "1 fs": 10**15}
CHANGE = re.compile(r"b([01]+) (\S+)|([01])(\S+)")


@dataclass
class Dump:
    """A parsed dump: values by the path of a variable, as (time, value)."""

    timescale: str = ""
    comments: list[str] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)
    values: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    end: int = 0

    def integral(self, path: str) -> int:
        """The sum of value x time."""
        steps = [*self.values[path], (self.end, 0)]
        return sum(value * (after - time) for (time, value), (after, _) in pairwise(steps))


def parsed(text: str) -> Dump:
    """A reader of the subset of the format that is written: one declaration and one change to a line."""
    dump, paths, scopes = Dump(), dict[str, str](), list[str]()
    lines = iter(text.splitlines())
    for line in lines:
        words = line.split()
        assert words[-1] == "$end"
        match words[0]:
            case "$comment":
                dump.comments.append(" ".join(words[1:-1]))
            case "$timescale":
                dump.timescale = " ".join(words[1:-1])
            case "$scope":
                scopes.append(words[2])
            case "$upscope":
                scopes.pop()
            case "$var":
                assert words[1] == "wire"
                assert words[3] not in paths
                paths[words[3]] = ".".join((*scopes[1:], words[4]))
                dump.widths[paths[words[3]]] = int(words[2])
            case "$enddefinitions":
                break
    assert not scopes
    for line in lines:
        if line.startswith("#"):
            assert int(line[1:]) > dump.end or line == "#0"
            dump.end = int(line[1:])
        elif line not in ("$dumpvars", "$end"):
            found = CHANGE.fullmatch(line)
            assert found, line
            bits, name = (found[1], found[2]) if found[1] else (found[3], found[4])
            assert len(bits) <= dump.widths[paths[name]]
            dump.values[paths[name]].append((dump.end, int(bits, 2)))
    return dump


@RANDOM
@given(ANY, st.booleans())
def test_activity_is_the_busy_ticks(program: Program, skip: bool) -> None:
    run = executed(program, skip=skip)
    found = timeline(program, run)
    dump = parsed(vcd_text(program, run))
    tick = SECOND[dump.timescale] / program.ticks_per_s
    for resource in program.resources:
        own = [span for span in found.spans if span.track.resource == resource.name]
        assert dump.integral(f"{resource.name}.claimed") == sum(span.ticks * span.amount for span in own) * tick
        assert skip or dump.integral(f"{resource.name}.claimed") == run.busy[resource.name] * tick
        assert max(value for _, value in dump.values[f"{resource.name}.claimed"]) <= resource.count
    assert dump.integral("skipped") == sum(gap.end - gap.start for gap in found.gaps) * tick
    assert dump.end == run.ticks * tick


@RANDOM
@given(ANY)
def test_each_lane_says_which_task_runs(program: Program) -> None:
    run = executed(program, skip=False)
    found, dump = timeline(program, run), parsed(vcd_text(program, run))
    tick = SECOND[dump.timescale] / program.ticks_per_s
    numbers = {name: int(number) for number, name in (e.split() for e in dump.comments[1].split(": ")[1].split(", "))}
    wanted = dict.fromkeys(found.tracks, 0)
    for span in found.spans:
        wanted[span.track] += span.ticks * numbers[span.name]
    assert [dump.integral(path) for path in task_wires(dump)] == [ticks * tick for ticks in wanted.values()]


def task_wires(dump: Dump) -> list[str]:
    return [path for path in dump.widths if path.rpartition(".")[2].startswith("task")]


def test_a_golden_dump() -> None:
    text = "program p.q at 1000000000 per s\nresource u 1 oldest\nresource v 2 oldest\nloop i < 2\n  body 2\n"
    program = read_program(text + "    task A on u busy 2\n    task B on v busy 3 after A\n")
    assert vcd_text(program, execute(program, trace=9)) == GOLDEN


def test_resources_are_scopes_and_lanes_have_a_wire_each() -> None:
    program = read_program(STREAMS)
    dump = parsed(vcd_text(program, execute(program, skip=False, trace=ALL)))
    assert list(dump.widths) == ["u.claimed", "u.task", "d.claimed", "d.task0", "d.task1", "skipped"]
    assert set(dump.widths.values()) == {8, 1}
    assert dump.comments == ["streams at 1000 ticks per s", "tasks: 0 none, 1 Q, 2 K, 3 A, 4 B, 5 S, 6 C"]


@pytest.mark.parametrize(
    ("ticks_per_s", "timescale", "times"),
    [
        (10**9, "1 ps", (64_000, 65_000)),
        (3_200_000_000, "1 fs", (64 * 312_500, 65 * 312_500)),
        (940_000_000, "1 ps", (68_085, 69_149)),
        (Fraction(1, 10), "1 ps", (640 * 10**12, 650 * 10**12)),
        (123 * 10**12, "1 fs", (520, 528)),
    ],
)
def test_times_are_exact_where_a_tick_is_whole(
    ticks_per_s: int | Fraction, timescale: str, times: tuple[int, int]
) -> None:
    base = attention(3, 1, in_flight=4, order="static")
    program = Program("x", Fraction(ticks_per_s), base.resources, base.root)
    dump = parsed(vcd_text(program, execute(program, trace=ALL)))
    assert dump.timescale == timescale
    assert tuple(time for time, _ in dump.values["pe2d.task"][1:3]) == times


def test_many_tokens_need_wide_wires() -> None:
    text = "program p at 1 per s\nresource power 70000 oldest\nbody 1\n  task A on power:69000 busy 1\n"
    program = read_program(text)
    dump = parsed(vcd_text(program, execute(program, trace=1)))
    assert dump.widths["power.claimed"] == 17
    assert dump.values["power.claimed"][0] == (0, 69_000)


def test_identifiers_are_short_and_differ() -> None:
    codes = [code(number) for number in range(94 * 94)]
    assert len(set(codes)) == len(codes)
    assert all(1 <= len(text) <= 2 and all("!" <= c <= "~" for c in text) for text in codes)
    assert doctest.testmod(vcd).failed == 0


GOLDEN = """\
$comment p_q at 1000000000 ticks per s $end
$comment tasks: 0 none, 1 A, 2 B $end
$timescale 1 ps $end
$scope module p_q $end
$scope module u $end
$var wire 8 ! claimed $end
$var wire 8 " task $end
$upscope $end
$scope module v $end
$var wire 8 # claimed $end
$var wire 8 $ task0 $end
$var wire 8 % task1 $end
$upscope $end
$var wire 1 & skipped $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
b1 !
b1 "
b0 #
b0 $
b0 %
0&
$end
#2000
b1 #
b10 $
#4000
b0 !
b0 "
b10 #
b10 %
#5000
b1 #
b0 $
#7000
b0 #
b0 %
"""
