"""The document opens in viewers of the Chrome trace format: what they check while they read it, checked here."""

from __future__ import annotations

import doctest
import json
from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim.program.execute import Run, execute
from accelsim.program.model import Program
from accelsim.program.read import read_program
from accelsim.report import perfetto
from accelsim.report.perfetto import COLOURS, microseconds, perfetto_document
from accelsim.report.timeline import SKIPPED, timeline
from tests.program.examples import attention
from tests.report.test_timeline import ALL, ANY, RANDOM, STREAMS, executed
from tests.tries import tries

Event = dict[str, Any]
KEYS = {
    "M": {"ph", "name", "pid", "tid", "args"},
    "X": {"ph", "name", "cat", "cname", "ts", "dur", "pid", "tid", "args"},
    "s": {"ph", "name", "cat", "id", "ts", "pid", "tid"},
    "f": {"ph", "name", "cat", "id", "ts", "pid", "tid", "bp"},
}
SKIPPING = attention(1000, 1, in_flight=4, order="static")


def events(program: Program, run: Run) -> dict[str, list[Event]]:
    """What a viewer finds in the file, by phase."""
    document = perfetto_document(program, run)
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    found = defaultdict(list)
    for event in json.loads(text)["traceEvents"]:
        found[event["ph"]].append(event)
    return found


def nanoseconds(us: float) -> int:
    """As viewers read a time."""
    return int(us * 1000)


def test_every_event_has_what_its_phase_needs() -> None:
    found = events(SKIPPING, execute(SKIPPING, trace=ALL))
    assert set(found) == set(KEYS)
    assert all(set(event) == KEYS[phase] for phase, some in found.items() for event in some)
    assert {event["cname"] for event in found["X"]} <= {*COLOURS, "grey"}


@RANDOM
@given(ANY, st.booleans(), st.sampled_from((9, ALL)))
def test_slices_of_a_thread_do_not_overlap(program: Program, skip: bool, trace: int) -> None:
    threads = defaultdict(list)
    for event in events(program, executed(program, skip=skip, trace=trace))["X"]:
        threads[event["pid"], event["tid"]].append((nanoseconds(event["ts"]), nanoseconds(event["dur"])))
    for slices in threads.values():
        assert all(start + length <= after for (start, length), (after, _) in pairwise(sorted(slices)))


@pytest.mark.slow
@pytest.mark.parametrize("ticks_per_s", [10**9, 940_000_000, Fraction(2_500_000_000, 3), 3_200_000_000, 1])
def test_slices_do_not_overlap_at_any_clock(ticks_per_s: int | Fraction) -> None:
    program = Program("x", Fraction(ticks_per_s), SKIPPING.resources, SKIPPING.root)
    slices = [e for e in events(program, execute(program, skip=False, trace=4000))["X"] if e["tid"] == 10]
    times = [(nanoseconds(event["ts"]), nanoseconds(event["dur"])) for event in slices]
    assert all(start + length <= after for (start, length), (after, _) in pairwise(times))


@RANDOM
@given(ANY, st.booleans())
def test_both_ends_of_a_flow_lie_in_slices(program: Program, skip: bool) -> None:
    found = events(program, executed(program, skip=skip))
    slices = defaultdict(list)
    for event in found["X"]:
        slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    starts, ends = ({event["id"]: event for event in found[phase]} for phase in "sf")
    assert len(starts) == len(found["s"]) == len(found["f"])
    assert starts.keys() == ends.keys()
    for one in (*starts.values(), *ends.values()):
        assert any(start <= one["ts"] < end for start, end in slices[one["pid"], one["tid"]])
    for number, one in starts.items():
        assert one["ts"] < ends[number]["ts"]
        assert (one["name"], one["cat"]) == (ends[number]["name"], ends[number]["cat"])
        assert ends[number]["ts"] in [start for start, _ in slices[ends[number]["pid"], ends[number]["tid"]]]


@pytest.mark.slow
@RANDOM
@given(ANY)
def test_the_slices_of_a_resource_are_its_busy_ticks(program: Program) -> None:
    run = executed(program, skip=False)
    threads = names(events(program, run))
    busy, seconds = dict.fromkeys(run.busy, 0), dict.fromkeys(run.busy, 0.0)
    for event in events(program, run)["X"]:
        resource = threads[event["pid"], event["tid"]].partition("[")[0]
        busy[resource] += event["args"]["ticks"] * event["args"]["amount"]
        seconds[resource] += event["dur"] * event["args"]["amount"] / 1e6
        assert event["args"]["end_tick"] - event["args"]["start_tick"] == event["args"]["ticks"]
    assert busy == run.busy
    for name, ticks in run.busy.items():
        assert seconds[name] == pytest.approx(float(ticks / program.ticks_per_s))


def names(found: dict[str, list[Event]]) -> dict[tuple[int, int], str]:
    """The names of threads."""
    return {(e["pid"], e["tid"]): e["args"]["name"] for e in found["M"] if e["name"] == "thread_name"}


def test_units_and_channels_are_processes_and_their_tracks_threads_in_order() -> None:
    program = read_program(STREAMS)
    found = events(program, execute(program, skip=False, trace=ALL))
    processes = {event["pid"]: event["args"]["name"] for event in found["M"] if event["name"] == "process_name"}
    assert processes == {1: "units", 2: "channels"}
    threads = {(processes[pid], name): tid for (pid, tid), name in names(found).items()}
    assert list(threads) == [("units", "u"), ("channels", "d[0]"), ("channels", "d[1]")]
    order = {event["tid"]: event["args"]["sort_index"] for event in found["M"] if event["name"] == "thread_sort_index"}
    assert sorted(order, key=lambda tid: order[tid]) == list(threads.values())
    assert not processes.keys() & threads.values()


def test_what_was_skipped_is_a_slice_on_a_thread_of_its_own() -> None:
    run = execute(SKIPPING, trace=ALL)
    found = events(SKIPPING, run)
    (skipped,) = [event for event in found["X"] if event["name"] == SKIPPED]
    assert skipped["args"] == {"start_tick": 734, "end_tick": 137_631, "ticks": 136_897}
    assert names(found)[skipped["pid"], skipped["tid"]] == SKIPPED
    assert [e["tid"] for e in found["X"]].count(skipped["tid"]) == len(timeline(SKIPPING, run).gaps)


def test_a_slice_says_its_iteration_and_its_exact_ticks() -> None:
    program = attention(2, 2)
    last = events(program, execute(program, trace=ALL))["X"][-1]
    assert (last["name"], last["cat"]) == ("RNV", "RNV")
    assert last["args"]["iteration"] == {"m1": 1, "p1": 1}
    assert last["args"]["end_tick"] == 4 * 459
    assert last["ts"] == pytest.approx((4 * 459 - 64) / 940)


def test_the_document_says_what_a_tick_is() -> None:
    other = perfetto_document(SKIPPING, execute(SKIPPING, trace=9))["otherData"]
    assert other == {"program": "attention", "ticks_per_s": "940000000", "ticks": 138_321}


@settings(max_examples=tries(300))
@given(st.integers(0, 10**10), st.sampled_from((10**9, 940_000_000, 10**6, 3_200_000_000, Fraction(10**12, 7))))
def test_no_nanosecond_is_lost(ticks: int, ticks_per_s: int | Fraction) -> None:
    exact = ticks * 10**9 / Fraction(ticks_per_s)
    found = microseconds(ticks, Fraction(ticks_per_s))
    assert nanoseconds(found) == floor(exact)
    assert found == pytest.approx(float(exact / 1000))


def test_long_times_are_as_close_as_floats_are() -> None:
    assert microseconds(1 << 62, Fraction(1)) == float((1 << 62) * 10**6)


def test_examples_hold() -> None:
    assert doctest.testmod(perfetto).failed == 0
