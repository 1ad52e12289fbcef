"""A DMA engine and a memory in one block, for the bench: words to begin with and commands in, what is written out.

Each channel between the two has a stream of permissions beside it, of which a transfer takes one, so that gaps in them
are gaps at valid and ready of the channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Elaboratable, EnableInserter, Module, Mux, Signal
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out

from accelsim.hardware.draw import few_or_many
from accelsim.program.instruction import BITS, SEMAPHORES, Instruction, encode
from accelsim.units.dma import EngineParams, Rows, load_timing, store_timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack
from rtl.block import Block
from rtl.layer.dma import LoadEngine, StoreEngine
from rtl.layer.memory import LATENCY, FixedLatencyMemory
from rtl.sim.case import Streams

Rng = np.random.Generator
WORDS = 1024  # of the memory: two pages
PLACES = 1 << 9  # words of the pad that STORE reads
PAGE_WORDS, LONGEST = 512, 256
MOST_BEATS = 12  # of a row that is drawn
CHANNEL = stream.Signature(0)


def load_input() -> data.StructLayout:
    """A word for the memory, or a command that starts."""
    return data.StructLayout({"starts": 1, "command": BITS, "word": range(WORDS), "data": 64})


def load_output(banks: int) -> data.StructLayout:
    """A write into a pad; `post` is that of a command which completes, else 0."""
    place = {"pad": 2, "bank": range(banks), "word": 13, "data": 64}
    return data.StructLayout({**place, "done": 1, "post": SEMAPHORES, "error": 1})


def store_input(cols: int) -> data.StructLayout:
    """A word for the pad, or a command that starts."""
    return data.StructLayout({"starts": 1, "command": BITS, "word": range(PLACES), "data": 32 * cols})


def store_output() -> data.StructLayout:
    """A write into the memory, or a command that completes; fields that mean nothing are 0."""
    return data.StructLayout({"writes": 1, "word": range(WORDS), "data": 64, "done": 1, "post": SEMAPHORES, "error": 1})


class Harness(Block):
    """Stands still as a whole while its output waits; `i` is ready when the engine is ready to start."""

    def __init__(self, engine: Any, shapes: tuple[data.StructLayout, data.StructLayout], channels: str) -> None:
        self.engine = engine
        self.memory = FixedLatencyMemory(WORDS)
        self.channels = channels.split()
        self.moves = Signal()
        ports = {"i": In(stream.Signature(shapes[0])), "o": Out(stream.Signature(shapes[1])), "latency": In(LATENCY)}
        super().__init__({**ports, **{f"{channel}_go": In(CHANNEL) for channel in self.channels}})

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        m.submodules.engine = engine = self.engine
        m.submodules.memory = self.memory
        starts = self.i.payload.starts
        m.d.comb += [
            self.moves.eq(~self.o.valid | self.o.ready),
            self.memory.latency.eq(self.latency),
            self.i.ready.eq(engine.start.ready & self.moves),
            engine.start.valid.eq(self.i.valid & starts),
            engine.start.payload.eq(self.i.payload.command),
        ]
        for channel in self.channels:
            ends = (engine, self.memory) if channel in ("ar", "aw", "w") else (self.memory, engine)
            self._pass(m, getattr(self, f"{channel}_go"), *(getattr(end, channel) for end in ends))
        self.observe(m, engine, self.i.valid & engine.start.ready & ~starts)
        return EnableInserter(self.moves)(m)

    def _pass(self, m: Module, go: Any, source: Any, sink: Any) -> None:
        m.d.comb += [
            sink.valid.eq(source.valid & go.valid),
            sink.payload.eq(source.payload),
            source.ready.eq(sink.ready & go.valid),
            go.ready.eq(source.valid & sink.ready & self.moves),
        ]

    def observe(self, m: Module, engine: Any, preloads: Any) -> None:
        """Keep what comes first, and give what the engine does."""
        raise NotImplementedError


class LoadHarness(Harness):
    """Words go into the memory; what is written into the pads comes out."""

    def __init__(self, engine: LoadEngine) -> None:
        super().__init__(engine, (load_input(), load_output(engine.banks)), "ar r")

    def observe(self, m: Module, engine: Any, preloads: Any) -> None:
        found, write, image = self.o.payload, engine.write, self.memory.image
        m.d.comb += [
            image.valid.eq(preloads),
            image.payload.word.eq(self.i.payload.word),
            image.payload.data.eq(self.i.payload.data),
            self.o.valid.eq(write.enable | engine.done0.valid),
            *(found[name].eq(getattr(write, name)) for name in ("pad", "bank", "word", "data")),
            found.done.eq(engine.done0.valid),
            found.post.eq(Mux(engine.done0.valid, engine.done0.post, 0)),
            found.error.eq(self.memory.error),
        ]


class StoreHarness(Harness):
    """Words go into the pad; what is written into the memory comes out."""

    def __init__(self, engine: StoreEngine) -> None:
        super().__init__(engine, (store_input(engine.cols), store_output()), "aw w b")

    def observe(self, m: Module, engine: Any, preloads: Any) -> None:
        found, wrote = self.o.payload, self.memory.wrote
        m.submodules.pad = pad = memory.Memory(shape=32 * engine.cols, depth=PLACES, init=[])
        read, write = pad.read_port(), pad.write_port()
        m.d.comb += [
            read.addr.eq(engine.read.address),
            engine.read.data.eq(read.data),
            write.en.eq(preloads),
            write.addr.eq(self.i.payload.word),
            write.data.eq(self.i.payload.data),
            self.o.valid.eq(wrote.enable | engine.done0.valid),
            found.writes.eq(wrote.enable),
            found.word.eq(Mux(wrote.enable, wrote.word, 0)),
            found.data.eq(Mux(wrote.enable, wrote.data, 0)),
            found.done.eq(engine.done0.valid),
            found.post.eq(Mux(engine.done0.valid, engine.done0.post, 0)),
            found.error.eq(self.memory.error),
        ]


@dataclass(frozen=True)
class Setup:
    """An engine for arrays of `rows` x `cols`, of which LOAD knows the number of banks, and a memory."""

    latency: int
    rows: int = 8
    cols: int = 8

    @property
    def banks(self) -> int:
        return max(self.rows, self.cols)


@dataclass(frozen=True)
class Move:
    """A command; `held` are the words at its source, by address, which `given` says are put there first."""

    instruction: Instruction
    held: Mapping[int, int]
    given: bool = True

    @property
    def rows(self) -> Rows:
        args = self.instruction.args
        return Rows(args["rows"], args["beats"], args["stride"])

    @property
    def starts(self) -> list[int]:
        """The address, in words of the memory, at which each row begins."""
        args = self.instruction.args
        return [(args["address"] + row * args["stride"]) // 8 for row in range(args["rows"])]

    @property
    def bursts(self) -> list[tuple[int, int]]:
        """Address in words and beats of each burst that should be requested."""
        beats, starts = self.rows.beats, self.starts
        if self.rows.stride == 8 * beats and len(starts) * beats <= LONGEST:
            return [(starts[0], len(starts) * beats)]
        return [(start, beats) for start in starts]

    @property
    def is_allowed(self) -> bool:
        """Whether no burst crosses a page or leaves the memory."""
        ends = [(start, start + beats - 1) for start, beats in self.bursts]
        return all(start // PAGE_WORDS == last // PAGE_WORDS and last < WORDS for start, last in ends)

    def timing(self, engine: Timing) -> Timing:
        """Of the job: the words that are put in first, one per edge, then the command."""
        words = len(self.held) if self.given else 0
        return Timing(engine.first + words, engine.last + words, engine.busy + words)

    def beats(self, layout: data.StructLayout) -> tuple[int, ...]:
        """What goes into `i`."""
        held = self.held if self.given else {}
        fields = {
            "starts": [*(0 for _ in held), 1],
            "command": [*(0 for _ in held), encode(self.instruction)],
            "word": [*held, 0],
            "data": np.array([*held.values(), 0], object),
        }
        return pack(layout, {name: np.array(values, object) for name, values in fields.items()})

    @property
    def posts(self) -> int:
        return sum(1 << semaphore for semaphore in self.instruction.post)


def words(number: int, bits: int, rng: Rng) -> list[int]:
    return [int.from_bytes(rng.bytes(bits // 8), "little") for _ in range(number)]


def command(op: str, rng: Rng, **args: int) -> Instruction:
    """With any masks and flags, of which an engine uses `post` alone."""
    some = [frozenset(np.flatnonzero(rng.random(SEMAPHORES) < 0.5).tolist()) for _ in range(2)]
    return Instruction(op, some[0], some[1], frozenset({"first", "mask"}), args)


def any_rows(most_rows: int, rng: Rng) -> tuple[int, int, int]:
    """Rows, beats, and a stride in words: rows that follow one another, lie apart, overlap or are all the same."""
    rows, beats = few_or_many(most_rows, rng), few_or_many(MOST_BEATS, rng)
    strides = (beats, beats + int(rng.integers(1, 30)), int(rng.integers(0, beats + 1)), 0)
    return rows, beats, strides[int(rng.choice(4, p=(0.4, 0.4, 0.15, 0.05)))]


def any_move(op: str, most_rows: int, rng: Rng) -> Instruction:
    """A command that keeps the rules of the port."""
    while True:
        rows, beats, stride = any_rows(most_rows, rng)
        address = 8 * int(rng.integers(WORDS))
        local = int(rng.integers(3 << 13)) if op == "LOAD" else int(rng.integers(PLACES - MOST_BEATS * most_rows))
        found = command(op, rng, address=address, local=local, rows=rows, beats=beats, stride=8 * stride)
        if Move(found, {}).is_allowed:
            return found


# LOAD


def load_shape(setup: Setup, rng: Rng) -> Move:
    return load_of(any_move("LOAD", setup.banks, rng), rng)


def load_of(instruction: Instruction, rng: Rng) -> Move:
    """The command with words of the memory for all that it reads."""
    move = Move(instruction, {})
    places = sorted({start + beat for start in move.starts for beat in range(move.rows.beats)})
    return Move(instruction, dict(zip(places, words(len(places), 64, rng), strict=True)))


def load_inputs(setup: Setup, move: Move, rng: Rng) -> Streams:
    requests, beats = len(move.bursts), move.rows.rows * move.rows.beats
    return {"i": move.beats(load_input()), "ar_go": (0,) * requests, "r_go": (0,) * beats}


def load_golden(setup: Setup, move: Move, streams: Streams) -> Streams:
    local, beats = move.instruction.args["local"], move.rows.beats
    places = [(row, beat) for row in range(move.rows.rows) for beat in range(beats)]
    done = [place == places[-1] for place in places]
    fields = {
        "pad": [local >> 13] * len(places),
        "bank": [row for row, _ in places],
        "word": [(local + beat) % (1 << 13) for _, beat in places],
        "data": np.array([move.held[move.starts[row] + beat] for row, beat in places], object),
        "done": done,
        "post": [move.posts * last for last in done],
        "error": [0] * len(places),
    }
    return {"o": pack(load_output(setup.banks), {name: np.array(values) for name, values in fields.items()})}


def load_edges(setup: Setup, move: Move) -> Timing:
    return move.timing(load_timing(EngineParams(setup.latency), move.rows))


def load_corners(setup: Setup, rng: Rng) -> Iterator[tuple[Move, Streams]]:
    """Back to back, from words that are there: bursts as long as can be and one beat longer, and bounds of pages."""
    held = dict(enumerate(words(2 * PAGE_WORDS, 64, rng)))
    for place, (rows, beats, stride, word) in enumerate(corner_rows(setup.banks)):
        local = ((place % 3) << 13) | (8191 - beats)
        args = {"address": 8 * word, "local": local, "rows": rows, "beats": beats, "stride": 8 * stride}
        move = Move(command("LOAD", rng, **args), held, place == 0)
        assert move.is_allowed
        yield move, load_inputs(setup, move, rng)


def corner_rows(most: int) -> list[tuple[int, int, int, int]]:
    """Rows, beats, stride in words and address in words."""
    return [
        (2, 128, 128, 256),
        (2, 129, 129, 0),
        (1, 255, 255, 257),
        (1, 255, 0, 512),
        (most, 1, 1, 511 - most),
        (most, 1, 2, 512),
        (most, 2, 2, 512),
        (most, 1, 0, 1023),
        (1, 1, 1, 511),
        (1, 1, 0, 0),
        (2, 128, 128, 512),
        (2, 9, 512, 503),
    ]


# STORE


def store_shape(setup: Setup, rng: Rng) -> Move:
    return store_of(setup, any_move("STORE", setup.rows, rng), rng)


def store_of(setup: Setup, instruction: Instruction, rng: Rng) -> Move:
    """The command with words of the pad for all that it reads."""
    move = Move(instruction, {})
    local, folds = instruction.args["local"], -(-2 * move.rows.beats // setup.cols)
    places = [local + fold * setup.rows + row for fold in range(folds) for row in range(move.rows.rows)]
    return Move(instruction, dict(zip(places, words(len(places), 32 * setup.cols, rng), strict=True)))


def store_inputs(setup: Setup, move: Move, rng: Rng) -> Streams:
    bursts, beats = len(move.bursts), move.rows.rows * move.rows.beats
    asked = {"aw_go": (0,) * bursts, "b_go": (0,) * bursts}
    return {"i": move.beats(store_input(setup.cols)), "w_go": (0,) * beats, **asked}


def store_golden(setup: Setup, move: Move, streams: Streams) -> Streams:
    """Rows of elements, brought together from the words of their folds, are cut into beats of two."""
    local, folds = move.instruction.args["local"], -(-2 * move.rows.beats // setup.cols)
    addresses, values = [], []
    for row, start in enumerate(move.starts):
        parts = [move.held[local + fold * setup.rows + row] << (32 * setup.cols * fold) for fold in range(folds)]
        for beat in range(move.rows.beats):
            addresses.append(start + beat)
            values.append(sum(parts) >> (64 * beat) & ((1 << 64) - 1))
    writes, ends = [1] * len(values), [0] * len(values)
    fields = {
        "writes": [*writes, 0],
        "word": [*addresses, 0],
        "data": np.array([*values, 0], object),
        "done": [*ends, 1],
        "post": [*ends, move.posts],
        "error": [*ends, 0],
    }
    return {"o": pack(store_output(), {name: np.array(found) for name, found in fields.items()})}


def store_edges(setup: Setup, move: Move) -> Timing:
    return move.timing(store_timing(EngineParams(setup.latency), move.rows))


def store_corners(setup: Setup, rng: Rng) -> Iterator[tuple[Move, Streams]]:
    """Back to back, from words that are there: as for LOAD, as far as the pad has room for the rows."""
    held = dict(enumerate(words(PLACES, 32 * setup.cols, rng)))
    sizes = [(setup.rows * -(-2 * each[1] // setup.cols), each) for each in corner_rows(setup.rows)]
    some = [(size, each) for size, each in sizes if size <= PLACES]
    for place, (size, (rows, beats, stride, word)) in enumerate(some):
        local = int(rng.integers(PLACES - size, endpoint=True))
        args = {"address": 8 * word, "local": local, "rows": rows, "beats": beats, "stride": 8 * stride}
        move = Move(command("STORE", rng, **args), held, place == 0)
        assert move.is_allowed
        yield move, store_inputs(setup, move, rng)


def pins(setup: Setup) -> Mapping[str, int]:
    return {"latency": setup.latency}


def build_load(setup: Setup) -> LoadHarness:
    return LoadHarness(LoadEngine(setup.banks))


def build_store(setup: Setup) -> StoreHarness:
    return StoreHarness(StoreEngine(setup.rows, setup.cols))


LOAD = UnitUnderTest(
    "load", build_load, load_shape, load_inputs, load_golden, load_edges, rigid=True, pins=pins, corners=load_corners
)
STORE = UnitUnderTest(
    "store",
    build_store,
    store_shape,
    store_inputs,
    store_golden,
    store_edges,
    rigid=True,
    pins=pins,
    corners=store_corners,
)
LOADS = (Setup(1), Setup(20), Setup(100), Setup(20, 2, 2), Setup(7, 4, 16))
STORES = (Setup(1), Setup(20), Setup(100), Setup(20, 2, 2), Setup(1, 4, 8), Setup(7, 8, 4))
