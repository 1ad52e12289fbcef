"""The trace and the waves of a machine's run: equal runs lie below each other, on the axis of the simulator's trace."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelsim.hardware.layer.run import Layer
from accelsim.hardware.layer.trace import CYCLE, VERILOG, expected_slices, trace_document
from accelsim.hardware.layer.verify import WORDS, Setting, layer_at, verify_layer
from accelsim.program.execute import execute
from accelsim.report.perfetto import perfetto_document
from rtl.bench import Job, pack, unpack
from rtl.layer.machine_bench import start_layout
from rtl.sim.case import Transfers
from tests.rtl.blocks import SEED
from tests.rtl.fst import changes_of

SIZES = ("M=20", "P=9", "E=8", "F=8")
QUEUES = ("load", "array", "vector", "store")


@pytest.fixture(scope="module")
def layer() -> Layer:
    found = layer_at("layer", Setting("head-1pass", SIZES))
    assert isinstance(found, Layer)
    return found


@pytest.fixture(scope="module")
def job(layer: Layer) -> Job:
    return layer.job(np.random.default_rng(SEED), WORDS)


def seen(job: Job) -> Transfers:
    """What the bench would see of a run that is as it should be; the edges do not matter."""
    return {name: tuple((0, payload) for payload in beats) for name, beats in job.outputs.items()}


def trace(layer: Layer, job: Job, transfers: Transfers) -> dict[int, list[dict[str, Any]]]:
    """The slices of each process without its number and those of its threads."""
    document = trace_document("a head", layer.program.ticks_per_s, layer.graph, job, transfers)
    events = json.loads(json.dumps(document))["traceEvents"]
    threads = {each["tid"]: each["args"]["name"] for each in events if each["name"] == "thread_name"}
    return {
        pid: [
            {**{key: value for key, value in each.items() if key not in ("pid", "tid")}, "queue": threads[each["tid"]]}
            for each in events
            if each["ph"] == "X" and each["pid"] == pid
        ]
        for pid in (CYCLE, VERILOG)
    }


def test_equal_runs_lie_exactly_below_each_other(layer: Layer, job: Job) -> None:
    found = trace(layer, job, seen(job))
    assert found[CYCLE] == found[VERILOG]
    assert len(found[CYCLE]) == len(job.inputs["program"]) - 1
    assert {each["queue"] for each in found[CYCLE]} == set(QUEUES)


def test_slices_are_those_of_the_simulators_own_trace(layer: Layer, job: Job) -> None:
    run = execute(layer.program, skip=False, trace=len(layer.graph.nodes) + 1)
    document: Any = perfetto_document(layer.program, run)
    own = [each for each in document["traceEvents"] if each["ph"] == "X"]
    mine = [each for each in trace(layer, job, seen(job))[CYCLE] if "task" in each["args"]]
    spans = [(each["name"], each["ts"], each["dur"]) for each in own]
    assert sorted(spans) == sorted((each["args"]["task"], each["ts"], each["dur"]) for each in mine)


def test_slices_of_a_queue_do_not_overlap_and_name_what_they_are(layer: Layer, job: Job) -> None:
    for queue, slices in expected_slices(layer.graph, job).items():
        assert all(one.start + one.ticks <= other.start for one, other in pairwise(slices)), queue
    (first,) = [each for each in expected_slices(layer.graph, job)["array"] if each.start == layer.graph.nodes[3].start]
    assert (first.name, first.args["task"], first.ticks) == ("MATMUL p1=0 m1=0", "QK", layer.graph.nodes[3].busy)
    last = max(each.start + each.ticks + each.latency for each in expected_slices(layer.graph, job)["store"])
    assert last == layer.graph.ticks


def test_a_late_start_shows_at_its_own_tick(layer: Layer, job: Job) -> None:
    fields = {name: np.array(values) for name, values in unpack(start_layout(), job.outputs["started_array"]).items()}
    fields["tick"][1] += 3
    late = pack(start_layout(), fields)
    found = trace(layer, job, {**seen(job), "started_array": tuple((0, payload) for payload in late)})
    differing = [pair for pair in zip(found[CYCLE], found[VERILOG], strict=True) if pair[0] != pair[1]]
    ((wanted, other),) = differing
    assert other["args"]["start_tick"] == wanted["args"]["start_tick"] + 3
    assert other["ts"] == pytest.approx(wanted["ts"] + 3 * 0.005)  # 200 MHz


def test_what_is_missing_is_left_out_and_what_is_wrong_is_named(layer: Layer, job: Job) -> None:
    transfers = dict(seen(job))
    store = transfers["started_store"]
    transfers |= {"started_store": (), "started_load": (*transfers["started_load"], *store)}
    found = trace(layer, job, transfers)
    assert len(found[VERILOG]) == len(found[CYCLE])
    assert not [each for each in found[VERILOG] if each["queue"] == "store"]
    surplus = [each for each in found[VERILOG] if each["args"].get("unexpected")]
    assert [each["name"] for each in surplus] == ["STORE"] * len(store)


def test_other_clocks_only_stretch_the_axis(layer: Layer, job: Job) -> None:
    slow: Any = trace_document("a head", Fraction(10**6), layer.graph, job, seen(job))
    starts = [each["ts"] for each in slow["traceEvents"] if each["ph"] == "X" and each["pid"] == VERILOG]
    assert starts == [each["args"]["start_tick"] for each in trace(layer, job, seen(job))[VERILOG]]


@pytest.mark.slow
def test_a_run_leaves_waves_and_trace_on_one_axis(tmp_path: Path) -> None:
    """A start is seen in the waves, up to the tick that the trace says."""
    found = verify_layer("layer", SIZES, "verilator", SEED, waves=tmp_path, cases=1)
    assert found.passed
    assert [path.name for path in found.traced] == ["verilator-1.fst", "layer.perfetto.json"]
    events = json.loads(found.traced[1].read_text(encoding="utf-8"))["traceEvents"]
    ends = [
        sorted((each["name"], each["ts"], each["dur"]) for each in events if each["ph"] == "X" and each["pid"] == pid)
        for pid in (CYCLE, VERILOG)
    ]
    assert ends[0] == ends[1]
    ticks = [
        each["args"]["start_tick"] for each in events if each["name"].startswith("MATMUL") and each["pid"] == CYCLE
    ]
    assert falling_edges(found.traced[0], "started_array") == [tick * 5000 for tick in ticks]  # picoseconds


def falling_edges(path: Path, name: str) -> list[int]:
    """Times at which a wire of one bit goes from 1 to 0."""
    seen = changes_of(path.read_bytes(), f"machine.{name}")
    return [time for (_, before), (time, after) in pairwise(seen) if before == "1" and after == "0"]
