"""A head on the machine whose array does softmax itself: what it runs, its instructions, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.golden.fixed import Codes
from accelsim.golden.fuse_array import FuseUnit, Operands, folded, key_tile
from accelsim.golden.merge import MergeUnit, blank, execute
from accelsim.hardware.layer.emit import Emitted, Slots, tile_of
from accelsim.hardware.layer.head import OUTPUT, Hardwired, Head, K, Q, V, head_of
from accelsim.hardware.layer.job import bench_job
from accelsim.hardware.layer.places import (
    OUTPUT_BYTES,
    SUMS,
    WORD_BYTES,
    Places,
    check_counts,
    check_queues,
    check_words,
    places_of,
)
from accelsim.mapping.bind import Placement
from accelsim.program.instruction import Instruction
from accelsim.program.lower.program import program_of
from accelsim.program.marked import MarkedGraph, Node, marked_graph
from accelsim.program.semaphores import tokens
from accelsim.units.engines import FUSE, MERGE
from rtl.layer.fuse_machine import QUEUES, FuseMachineForm
from rtl.sim.case import Job

Rng = np.random.Generator
QUERY_BYTES = 2  # of an element of Q
FUSED = Hardwired(
    (("tiled-head", False),),
    MappingProxyType(
        {
            "SCORES": ("QK", "LM"),
            "WEIGHTS": ("SLN", "SLD"),
            "VALUES": ("SLNV",),
            "SCALE_ADD": ("RM", "PRM", "PLM", "SPD", "CLD", "RD", "SPNV", "CLNV", "RNV"),
            "DIVIDE": ("AV",),
        }
    ),
    ("QK", "LM", "SLN", "SLD", "SLNV"),
    FUSE,
    MERGE,
    MappingProxyType({"p": "cols", "m": "rows"}),
)
SPREADS = (0.5, 2.0, 8.0)


@dataclass(frozen=True)
class FuseTensors:
    """Codes: q [queries, depth] with the scale folded in, k [keys, depth], v [keys, columns]; the shift of scores."""

    q: Codes
    k: Codes
    v: Codes
    shift: int


@dataclass(frozen=True)
class FuseLayer:
    """A head on the machine: the program that depth `cycle` runs, and the instructions that it becomes."""

    head: Head
    form: FuseMachineForm
    graph: MarkedGraph
    places: Places

    @property
    def cycles(self) -> int:
        """Cycles of the program at depth `cycle`."""
        return self.graph.ticks

    def job(self, rng: Rng, words: int) -> Job:
        """A run on random tensors."""
        tensors = fuse_tensors(self, rng)
        found = self.instructions(tensors.shift)
        return bench_job(_image(self, tensors), found, _written(self, tensors, found), self.cycles, words, QUEUES)

    @property
    def own_program(self) -> tuple[Instruction, ...]:
        """The instructions with a shift of 8, and HALT."""
        return (*self.instructions(8).instructions, Instruction("HALT"))

    def instructions(self, shift: int) -> Emitted:
        """SETP and an instruction for each task."""
        emitter = _Emitter(self.head, self.places)
        found, ticks = [Instruction("SETP", args={"b": shift} if shift else {})], [0]
        for node, each in zip(self.graph.nodes, tokens(self.graph), strict=True):
            op, flags, args = emitter.fields(node)
            found.append(Instruction(op, each.wait, each.post, frozenset(flags), args))
            ticks.append(node.start)
        return Emitted(tuple(found), tuple(ticks))


def fuse_layer_of(placement: Placement, form: FuseMachineForm) -> FuseLayer:
    """A placed head of attention on the machine.

    Raises:
        AccelsimError: what the machine does not do, or has no room for.
    """
    head = head_of(placement, FUSED)
    if head.queries % head.tile_queries:
        raise AccelsimError(
            f"{placement.step.name}: P is {head.queries}; queries must fill tiles of {head.tile_queries}"
        )
    program = program_of((placement,), placement.mapping.name)
    places = places_of(program, _tiles(head))
    _check_room(head, places, form)
    graph = marked_graph(program)
    check_queues(graph, form.queue)
    return FuseLayer(head, form, graph, places)


def _tiles(head: Head) -> dict[str, tuple[int, int]]:
    return {
        Q: (head.tile_queries * head.depth * QUERY_BYTES, head.query_tiles),
        K: (head.tile_keys * head.depth, head.key_tiles),
        V: (head.tile_keys * head.columns, head.key_tiles),
        OUTPUT: (head.tile_queries * head.columns * OUTPUT_BYTES, head.query_tiles),
    }


def _check_room(head: Head, places: Places, form: FuseMachineForm) -> None:
    depth, columns = head.depth // WORD_BYTES, head.columns // WORD_BYTES
    check_words(places, {Q: (QUERY_BYTES * depth, form.q_words), K: (depth, form.k_words), V: (columns, form.v_words)})
    check_counts(
        [
            ("tiles in flight", places.in_flight, form.tiles),
            ("columns of V", head.columns, form.columns),
            *((f"copies of {name}", places.slots[name], form.copies) for name in (*SUMS, OUTPUT)),
            ("keys", head.keys, form.length),
        ]
    )


class _Emitter:
    """What goes into the fields."""

    def __init__(self, head: Head, places: Places) -> None:
        self.head, self.places = head, places
        self.slots = Slots(places)
        self.begun: set[int] = set()

    def fields(self, node: Node) -> tuple[str, set[str], Mapping[str, int]]:
        """Operation, flags and fields of a task."""
        p1, m1 = tile_of(node)
        name, _, what = node.of.partition(".")
        if what == "load":
            return "LOAD", set(), self._load(name, p1, m1)
        if what == "store":
            return "STORE", set(), self._store(p1)
        turn = (p1 * self.head.key_tiles + m1) % self.places.in_flight
        if name in ("SCORES", "WEIGHTS", "VALUES"):
            return self._array(name, p1, m1, turn)
        return self._vector(name, p1, turn)

    def _keys(self, m1: int) -> int:
        return min(self.head.tile_keys, self.head.keys - m1 * self.head.tile_keys)

    def _load(self, tensor: str, p1: int, m1: int) -> Mapping[str, int]:
        head = self.head
        width = head.columns if tensor == V else head.depth * (QUERY_BYTES if tensor == Q else 1)
        rows = head.tile_queries if tensor == Q else self._keys(m1)
        return {**self.slots.load(tensor, p1, m1, width), "rows": rows}

    def _store(self, p1: int) -> Mapping[str, int]:
        width = self.head.tile_queries * OUTPUT_BYTES
        return {
            "address": self.places.address(OUTPUT, p1),
            "local": self._output(p1),
            "rows": self.head.columns,
            "beats": width // WORD_BYTES,
            "stride": width,
        }

    def _output(self, p1: int) -> int:
        return p1 % self.places.slots[OUTPUT] * self.head.columns

    def _array(self, name: str, p1: int, m1: int, turn: int) -> tuple[str, set[str], Mapping[str, int]]:
        head = self.head
        if name == "WEIGHTS":
            return "SOFTMAX", set(), {"dst": turn, "rows": self._keys(m1)}
        if name == "VALUES":
            v = self.slots.base(V, p1, m1, head.columns)
            return "MATMUL", set(), {"a": turn, "b": v, "imm": head.columns, "dst": turn * head.columns}
        q = self.slots.base(Q, p1, m1, head.depth * QUERY_BYTES)
        k = self.slots.base(K, p1, m1, head.depth)
        return "MATMUL", {"transpose"}, {"a": q, "b": k, "imm": head.depth, "dst": turn, "rows": self._keys(m1)}

    def _vector(self, name: str, p1: int, turn: int) -> tuple[str, set[str], Mapping[str, int]]:
        head, sums = self.head, p1 % self.places.slots["RNV"] * self.head.columns
        state = p1 % self.places.slots["RD"]
        if name == "DIVIDE":
            return name, set(), {"a": sums, "b": state, "dst": self._output(p1), "rows": head.columns}
        flags = set() if p1 in self.begun else {"first"}
        self.begun.add(p1)
        args = {"dst": turn, "a": turn * head.columns, "b": state, "imm": sums, "rows": head.columns}
        return name, flags, args


def fuse_tensors(layer: FuseLayer, rng: Rng) -> FuseTensors:
    """Random bytes, and a scale that spreads scores over a few units, now and then far, folded into Q."""
    head = layer.head
    q = rng.integers(-128, 128, (head.queries, head.depth))
    k = rng.integers(-128, 128, (head.keys, head.depth))
    v = rng.integers(-128, 128, (head.keys, head.columns))
    scale = float(rng.choice(SPREADS)) / (float(np.abs(q @ k.T).mean()) + 1)
    codes, shift = folded(_unit(layer), q, scale)
    return FuseTensors(codes, k, v, shift)


def fuse_result(layer: FuseLayer, tensors: FuseTensors) -> Codes:
    """What the machine must compute: codes of the output [queries, columns]."""
    head, unit = layer.head, _unit(layer)
    merge = MergeUnit(head.tile_queries, 1, 1, head.columns, head.columns, head.columns)
    found = []
    for begin in range(0, head.queries, head.tile_queries):
        state = replace(blank(merge), shift=tensors.shift)
        queries = tensors.q[begin : begin + head.tile_queries]
        for key in range(0, head.keys, head.tile_keys):
            keys = slice(key, key + head.tile_keys)
            tile = key_tile(unit, Operands(queries, tensors.k[keys], tensors.v[keys], tensors.shift))
            state = replace(state, m=tile.maximum[None], d=tile.total[None], pv=tile.pv.T)
            flags = frozenset({"first"} if key == 0 else ())
            state = execute(merge, state, Instruction("SCALE_ADD", flags=flags, args={"rows": head.columns}))
        found.append(execute(merge, state, Instruction("DIVIDE", args={"rows": head.columns})).o.T)
    return np.vstack(found)


def _unit(layer: FuseLayer) -> FuseUnit:
    return FuseUnit(layer.head.tile_keys, length=layer.form.array.length)


def _image(layer: FuseLayer, tensors: FuseTensors) -> Mapping[int, int]:
    """Words of memory that a run reads, by their place."""
    found: dict[int, int] = {}
    head = layer.head
    for name, codes, tile in (
        (Q, tensors.q.astype(np.int16), head.tile_queries),
        (K, tensors.k.astype(np.int8), head.tile_keys),
        (V, tensors.v.astype(np.int8), head.tile_keys),
    ):
        for row, line in enumerate(codes):
            at = layer.places.address(name, row // tile) + row % tile * line.nbytes
            for place, word in enumerate(np.ascontiguousarray(line).view("<u8").tolist()):
                found[at // WORD_BYTES + place] = word
    return found


def _written(layer: FuseLayer, tensors: FuseTensors, found: Emitted) -> list[tuple[int, int]]:
    """The words that STOREs write: a tile's columns of V one after the other, two queries in each word."""
    output, written = fuse_result(layer, tensors), list[tuple[int, int]]()
    for each in found.instructions:
        if each.op == "STORE":
            address = each.args["address"]
            tile = (address - layer.places.base[OUTPUT]) // layer.places.step[OUTPUT]
            codes = output[tile * layer.head.tile_queries :][: layer.head.tile_queries].T.astype(np.int32)
            line = np.ascontiguousarray(codes).reshape(-1).view("<u8").tolist()
            written += [(address // WORD_BYTES + at, word) for at, word in enumerate(line)]
    return written
