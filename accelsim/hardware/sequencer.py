"""The sequencer: random marked graphs through it and engines that only take time, against the program executor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from accelsim.einsum.ast import Int
from accelsim.errors import AccelsimError
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.program.instruction import QUEUES, Instruction, encode
from accelsim.program.marked import MarkedGraph, marked_graph
from accelsim.program.model import Body, Buffer, Edge, Hold, Loop, Program, Resource, Task, Tree
from accelsim.program.semaphores import tokens
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack
from rtl.block import check_size
from rtl.layer.stub import SequencerBench, record_layout
from rtl.sim.case import Streams

Rng = np.random.Generator
OPS = {"load": "LOAD", "array": "MATMUL", "vector": "SOFTMAX", "store": "STORE"}
FEWEST, MOST = 3, 40  # instructions of a graph
LONGEST_BUSY = 12
FEWEST_PLACES, MOST_PLACES = 12, 1024


@dataclass(frozen=True)
class SequencerSetup:
    """Parameters of the bench: instructions that a queue holds, and instructions of an engine under way at once."""

    depth: int = 64
    slots: int = 16

    def __post_init__(self) -> None:
        check_size("depth", self.depth, FEWEST_PLACES, MOST_PLACES)
        check_size("slots", self.slots, 2, MOST)


def build(setup: SequencerSetup) -> SequencerBench:
    return SequencerBench(setup.depth, setup.slots)


def shape(setup: SequencerSetup, rng: Rng) -> MarkedGraph:
    """A graph of 3 to 40 tasks that the sequencer's semaphores are enough for."""
    while True:
        program = straight(setup, rng) if rng.random() < 0.5 else looped(setup, rng)
        try:
            graph = marked_graph(program)
            tokens(graph)
        except AccelsimError:
            continue
        if FEWEST <= len(graph.nodes) <= min(MOST, setup.depth):
            return graph


def straight(setup: SequencerSetup, rng: Rng) -> Program:
    """Tasks without a loop, each with edges from some of those before it."""
    number, density = int(rng.integers(FEWEST, min(MOST, setup.depth) + 1)), rng.random() * 0.3
    tasks = []
    for place in range(number):
        near = [at for at in range(max(0, place - 8), place) if rng.random() < density]
        tasks.append(_task(setup, f"T{place}", str(rng.choice(QUEUES)), [Edge(f"T{at}") for at in near], rng))
    listed = {queue: tuple((t.name, 0) for t in tasks if t.claims[0][0] == queue) for queue in QUEUES}
    resources = tuple(Resource(queue, order="static", static=listed[queue]) for queue in QUEUES)
    return Program("straight", Fraction(1), resources, Body(tuple(tasks)))


def looped(setup: SequencerSetup, rng: Rng) -> Program:
    """A body in a loop or two: edges over distances, a window, and a buffer between some writer and its readers."""
    number, depth = int(rng.integers(2, 7)), int(rng.integers(1, 3))
    turns = [int(rng.integers(1, max(2, int((MOST / number) ** (1 / depth)) + 1))) for _ in range(depth)]
    ranks = tuple(f"r{level}" for level in range(depth))
    tasks: list[Task] = []
    for place in range(number):
        edges = [Edge(f"T{at}") for at in range(place) if rng.random() < 0.4]
        if rng.random() < 0.5:
            back = ((str(rng.choice(ranks)), int(rng.integers(1, 4))),)
            edges.append(Edge(f"T{int(rng.integers(0, number))}", back))
        tasks.append(_task(setup, f"T{place}", str(rng.choice(QUEUES)), edges, rng))
    writer, reader = sorted(int(at) for at in rng.choice(number, 2, replace=False))
    buffers: tuple[Buffer, ...] = ()
    if rng.random() < 0.6:
        hold = Hold("room", Int(1), ranks, (f"T{reader}",))
        old = tasks[writer]
        tasks[writer] = Task(old.name, old.claims, old.busy, old.latency, None, old.after, old.kind, (hold,))
        buffers = (Buffer("room", int(rng.integers(1, 4))),)
    tree: Tree = Body(tuple(tasks), int(rng.integers(1, 5)))
    for rank, bound in reversed(list(zip(ranks, turns, strict=True))):
        tree = Loop(rank, Int(bound), tree)
    return Program("looped", Fraction(1), tuple(Resource(queue) for queue in QUEUES), tree, buffers)


def _task(setup: SequencerSetup, name: str, queue: str, edges: list[Edge], rng: Rng) -> Task:
    """Busy 1 to 12 ticks, with a latency now and then; loads and stores stand outside the window as often as not."""
    busy = int(rng.integers(1, LONGEST_BUSY + 1))
    latency = min(int(rng.choice((0, 0, 1, 5, setup.slots))), setup.slots - 1)
    outside = "load" if queue == "load" else "store" if queue == "store" and rng.random() < 0.5 else "task"
    return Task(name, ((queue, 1),), Int(busy), Int(latency), None, tuple(edges), outside)  # type: ignore[arg-type]


def inputs(setup: SequencerSetup, graph: MarkedGraph, rng: Rng) -> Streams:
    return {"program": (*(encode(each) for each in instructions(graph)), encode(Instruction("HALT")))}


def instructions(graph: MarkedGraph) -> tuple[Instruction, ...]:
    """An instruction for each task, its ticks where stub engines look for them and its place as tag."""
    return tuple(
        Instruction(OPS[node.queue], each.wait, each.post, args=_args(node.queue, node.busy, node.latency, place))
        for place, (node, each) in enumerate(zip(graph.nodes, tokens(graph), strict=True))
    )


def _args(queue: str, busy: int, latency: int, tag: int) -> Mapping[str, int]:
    """Fields `a`, `b` and `dst`; in the form of transfers these bits are those of the address and of `local`."""
    if queue in ("load", "store"):
        return {"address": busy | latency << 16, "local": tag}
    return {"a": busy, "b": latency, "dst": tag}


def golden(setup: SequencerSetup, graph: MarkedGraph, streams: Streams) -> Streams:
    """Every task at the tick at which depth `cycle` starts it, queue by queue."""
    found = {}
    for queue in QUEUES:
        mine = [(place, node.start) for place, node in enumerate(graph.nodes) if node.queue == queue]
        tags, ticks = (np.array([pair[at] for pair in mine], np.int64) for at in range(2))
        found[f"started_{queue}"] = pack(record_layout(), {"tag": tags, "tick": ticks}) if mine else ()
    return {**found, "status": (0,)}


def timing(setup: SequencerSetup, graph: MarkedGraph) -> Timing:
    """n instructions and HALT enter, one per edge; tick 0 is the edge behind HALT.

    The first record leaves an edge behind tick 0. The last task has completed so that others could start at the tick at
    which the program ends; at that edge `status` leaves, and the next program enters at the one behind it.
    """
    begins = len(graph.nodes) + 1
    return Timing(begins + 1, begins + graph.ticks, begins + graph.ticks + 1)


UNIT = HardwareUnit(
    name="sequencer",
    under_test=UnitUnderTest("sequencer", build, shape, inputs, golden, timing),
    configurations={
        "default": SequencerSetup(),
        "short": SequencerSetup(depth=40, slots=9),
        "shorter": SequencerSetup(depth=16, slots=5),
        "few": SequencerSetup(depth=24, slots=2),
    },
    large={},
    read=lambda values: from_plain(SequencerSetup(), values),
    plain=to_plain,
)
