"""A run of a machine in the Chrome trace format: instructions as depth `cycle` starts them and as Verilog did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest

from accelsim.program.instruction import OPS, Instruction, decode
from accelsim.program.marked import MarkedGraph
from accelsim.report.perfetto import COLOURS, microseconds
from rtl.bench import unpack
from rtl.layer.machine_bench import start_layout
from rtl.sim.case import Job, Transfers

Event = dict[str, object]
CYCLE, VERILOG = 1, 2
PROCESSES = {CYCLE: "depth cycle", VERILOG: "Verilog"}
FIRST_THREAD = 10  # above the numbers of the processes
STARTED = "started_"
SETUP_TICKS = 1  # an instruction that is no task, such as SETP


@dataclass(frozen=True)
class Slice:
    """An instruction on its engine: busy for `ticks` from its start, completed `latency` ticks behind that."""

    name: str
    start: int
    ticks: int
    latency: int
    args: Mapping[str, object]


def trace_document(
    name: str, ticks_per_s: Fraction, graph: MarkedGraph, job: Job, seen: Transfers
) -> dict[str, object]:
    """Two processes with a thread for each queue, on the axis of time of the simulator's own trace.

    Starts below "Verilog" are those that the bench has seen. Ticks and completion of an instruction are those of its
    task in both: what is seen of an engine is its starts. Equal runs lie exactly below each other.

    Args:
        graph: the tasks; the last instructions before HALT are theirs, in their order.
        job, seen: a run of the machine's bench; every transfer of its streams.
    """
    wanted = expected_slices(graph, job)
    found = {CYCLE: wanted, VERILOG: observed_slices(wanted, seen)}
    events = [event for pid, slices in found.items() for event in _process(pid, slices, ticks_per_s)]
    told = {"program": name, "ticks_per_s": str(ticks_per_s), "ticks": graph.ticks}
    return {"traceEvents": events, "otherData": told}


def expected_slices(graph: MarkedGraph, job: Job) -> dict[str, list[Slice]]:
    """The instructions of each queue as depth `cycle` starts them."""
    program, queue_of = [decode(word) for word in job.inputs["program"]][:-1], _queue_of(job)
    found: dict[str, list[Slice]] = {name: [] for name in _queues(job)}
    before = len(program) - len(graph.nodes)
    for each in program[:before]:
        found[queue_of[each.op]].append(Slice(each.op, 0, SETUP_TICKS, 0, _args(each)))
    for node, each in zip(graph.nodes, program[before:], strict=True):
        where = " ".join(f"{loop}={place}" for loop, place in node.at)
        args = {"task": node.of, "iteration": dict(node.at), **_args(each)}
        slices = found[queue_of[each.op]]
        slices.append(Slice(f"{each.op} {where}".strip(), node.start, node.busy, node.latency, args))
    return found


def _queues(job: Job) -> list[str]:
    return [name.removeprefix(STARTED) for name in job.outputs if name.startswith(STARTED)]


def _queue_of(job: Job) -> dict[str, str]:
    """The queue of each operation: machines differ in what runs some of them."""
    ops = {queue: unpack(start_layout(), job.outputs[STARTED + queue])["op"] for queue in _queues(job)}
    return {OPS[int(number)]: queue for queue, numbers in ops.items() for number in numbers}


def observed_slices(wanted: Mapping[str, Sequence[Slice]], seen: Transfers) -> dict[str, list[Slice]]:
    """The same with the starts that were seen; an instruction that is another by its operation, or is one too many."""
    return {queue: list(_observed(slices, seen.get(STARTED + queue, ()))) for queue, slices in wanted.items()}


def _observed(wanted: Sequence[Slice], beats: Sequence[tuple[int, int]]) -> Iterator[Slice]:
    fields = unpack(start_layout(), [payload for _, payload in beats]) if beats else {"op": (), "tick": ()}
    for meant, number, tick in zip_longest(wanted, fields["op"], fields["tick"]):
        if number is None:
            return
        op = OPS[int(number)] if int(number) < len(OPS) else f"operation {int(number)}"
        if meant is not None and meant.name.split()[0] == op:
            yield replace(meant, start=int(tick))
        else:
            yield Slice(op, int(tick), SETUP_TICKS, 0, {"unexpected": True})


def _args(each: Instruction) -> dict[str, object]:
    return {"wait": [f"s{s}" for s in sorted(each.wait)], "post": [f"s{s}" for s in sorted(each.post)]}


def _process(pid: int, slices: Mapping[str, Sequence[Slice]], ticks_per_s: Fraction) -> Iterator[Event]:
    """The names of a process and its threads, and its slices."""
    yield {"ph": "M", "name": "process_name", "pid": pid, "tid": pid, "args": {"name": PROCESSES[pid]}}
    yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": pid, "args": {"sort_index": pid}}
    for place, (queue, some) in enumerate(slices.items()):
        where: Event = {"pid": pid, "tid": pid * FIRST_THREAD + place}
        yield {"ph": "M", "name": "thread_name", **where, "args": {"name": queue}}
        yield {"ph": "M", "name": "thread_sort_index", **where, "args": {"sort_index": place}}
        for each in some:
            yield {**_event(each, ticks_per_s), **where}


def _event(each: Slice, ticks_per_s: Fraction) -> Event:
    end, op = each.start + each.ticks, each.name.split()[0]
    ticks = {"start_tick": each.start, "end_tick": end, "ticks": each.ticks, "completed_tick": end + each.latency}
    return {
        **{
            "ph": "X",
            "name": each.name,
            "cat": op,
            "cname": COLOURS[(OPS.index(op) if op in OPS else 0) % len(COLOURS)],
        },
        **{"ts": microseconds(each.start, ticks_per_s), "dur": microseconds(each.ticks, ticks_per_s)},
        "args": {**each.args, **ticks},
    }
