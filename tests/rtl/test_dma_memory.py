"""The memory of the benches: edge by edge against one of a few lines, and the rules of the port that it watches."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.sim import Simulator

from rtl.layer.memory import MOST_WRITES, FixedLatencyMemory
from rtl.layer.memory_port import MOST_READS

pytestmark = pytest.mark.slow

WORDS, EDGES, MOST_BEATS = 64, 1500, 5
Request = tuple[int, int]  # word and beats


@dataclass
class Model:
    """What the memory holds, and the bursts that it knows: when their first beat or their answer is due."""

    latency: int
    words: list[int] = field(default_factory=lambda: [0] * WORDS)
    reads: deque[tuple[int, int, int]] = field(default_factory=deque)  # edge, word, beats
    writes: deque[Request] = field(default_factory=deque)
    answers: deque[int] = field(default_factory=deque)
    waits: int | None = None  # the word of a beat that was not taken
    place: int = 0
    written: int = 0

    def beat(self, edge: int) -> tuple[int, bool] | None:
        """The word that is there before an edge, and whether it ends its burst."""
        if not self.reads or edge < self.reads[0][0]:
            return None
        _, word, beats = self.reads[0]
        held = self.words[word + self.place] if self.waits is None else self.waits
        return held, self.place == beats - 1

    def take(self, taken: bool, found: tuple[int, bool] | None) -> None:
        """The edge as the reader sees it."""
        self.waits = None if found is None or taken else found[0]
        if found is not None and taken:
            self.place = 0 if found[1] else self.place + 1
            if found[1]:
                self.reads.popleft()

    def write(self, edge: int, word: int) -> None:
        start, beats = self.writes[0]
        self.words[start + self.written] = word
        self.written += 1
        if self.written == beats:
            self.written = 0
            self.writes.popleft()
            self.answers.append(edge + self.latency)


@dataclass
class Traffic:
    """What the neighbours do before an edge; what they offer they offer until it is taken."""

    rng: Random
    busy: float
    asks: dict[str, Request | None] = field(default_factory=lambda: {"ar": None, "aw": None})
    word: int | None = None
    image: Request | None = None  # a place and its word
    takes: bool = False
    hears: bool = False

    def draw(self, full: bool) -> None:
        """A fifth read is not offered."""
        for name, request in self.asks.items():
            if request is None and self.willing() and not (full and name == "ar"):
                beats = self.rng.randint(1, MOST_BEATS)
                self.asks[name] = self.rng.randint(0, WORDS - beats), beats
        if self.word is None and self.willing():
            self.word = self.rng.getrandbits(64)
        self.image = (self.rng.randrange(WORDS), self.rng.getrandbits(64)) if self.rng.random() < 0.05 else None
        self.takes, self.hears = self.willing(), self.willing()

    def willing(self) -> bool:
        return self.rng.random() < self.busy

    def put(self, ctx: Any, memory: FixedLatencyMemory, ends: bool) -> None:
        """All that on the wires."""
        for name, request in self.asks.items():
            start, beats = request or (0, 1)
            ctx.set(getattr(memory, name).valid, request is not None)
            ctx.set(getattr(memory, name).payload, {"addr": 8 * start, "beats": beats - 1})
        place, held = self.image or (0, 0)
        ctx.set(memory.image.valid, self.image is not None)
        ctx.set(memory.image.payload, {"word": place, "data": held})
        ctx.set(memory.w.valid, self.word is not None)
        ctx.set(memory.w.payload, {"data": self.word or 0, "last": ends})
        ctx.set(memory.r.ready, self.takes)
        ctx.set(memory.b.ready, self.hears)


def step(model: Model, traffic: Traffic, edge: int) -> None:
    """The edge: all that moves at it."""
    room = len(model.writes) < MOST_WRITES
    writes, word = bool(model.writes) and traffic.image is None, traffic.word
    model.take(traffic.takes, model.beat(edge))
    if traffic.hears and model.answers and model.answers[0] <= edge:
        model.answers.popleft()
    if writes and word is not None:
        model.write(edge, word)
        traffic.word = None
    if traffic.image:
        model.words[traffic.image[0]] = traffic.image[1]
    if read := traffic.asks["ar"]:
        model.reads.append((edge + model.latency, *read))
        traffic.asks["ar"] = None
    if (request := traffic.asks["aw"]) and room:
        model.writes.append(request)
        traffic.asks["aw"] = None


@pytest.mark.parametrize(("latency", "busy"), [(1, 1.0), (1, 0.5), (2, 0.7), (7, 1.0), (7, 0.6), (31, 0.9)])
def test_it_does_what_a_model_does_at_every_edge(latency: int, busy: float) -> None:
    """Reads and writes at once, and neighbours that are willing at so many of the edges: also what is ready when."""
    memory, model, traffic = FixedLatencyMemory(WORDS, 5), Model(latency), Traffic(Random(latency), busy)
    seen: Counter[str] = Counter()

    async def bench(ctx: Any) -> None:
        ctx.set(memory.latency, latency)
        for edge in range(EDGES):
            traffic.draw(len(model.reads) == MOST_READS)
            traffic.put(ctx, memory, bool(model.writes) and model.written == model.writes[0][1] - 1)
            found, answered = model.beat(edge), bool(model.answers) and model.answers[0] <= edge
            assert ctx.get(memory.r.valid) == (found is not None), edge
            if found:
                assert (ctx.get(memory.r.payload.data), ctx.get(memory.r.payload.last)) == found, edge
            assert ctx.get(memory.b.valid) == answered, edge
            assert ctx.get(memory.ar.ready) == (len(model.reads) < MOST_READS), edge
            assert ctx.get(memory.aw.ready) == (len(model.writes) < MOST_WRITES), edge
            assert ctx.get(memory.w.ready) == (bool(model.writes) and traffic.image is None), edge
            assert ctx.get(memory.error) == 0, edge
            seen.update(beats=found is not None and traffic.takes, answers=answered and traffic.hears)
            seen.update(full=len(model.reads) == MOST_READS)
            step(model, traffic, edge)
            await ctx.tick()

    run(memory, bench)
    assert all(seen[kind] > EDGES // 50 for kind in ("beats", "answers", "full")), seen


def run(memory: Elaboratable, bench: Any) -> None:
    simulator = Simulator(memory)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    ("channel", "address", "beats", "wrong"),
    [
        ("ar", 0, 256, False),
        ("aw", 4096 - 8, 1, False),
        ("ar", 4096 - 8, 2, True),
        ("aw", 4096 - 16, 3, True),
        ("ar", 4096 - 64, 8, False),
        ("aw", 2 * 4096 - 8, 1, False),
        ("ar", 2 * 4096, 1, True),
        ("aw", 1 << 31, 1, True),
        ("ar", 4, 1, True),
        ("aw", 17, 1, True),
    ],
)
def test_bursts_that_break_a_rule_are_reported(channel: str, address: int, beats: int, wrong: bool) -> None:
    memory = FixedLatencyMemory(1024)

    async def bench(ctx: Any) -> None:
        port = getattr(memory, channel)
        ctx.set(memory.latency, 3)
        ctx.set(port.payload, {"addr": address, "beats": beats - 1})
        await ctx.tick().repeat(3)
        assert not ctx.get(memory.error), "nothing was requested"
        ctx.set(port.valid, 1)
        await ctx.tick()
        ctx.set(port.valid, 0)
        await ctx.tick().repeat(3)
        assert ctx.get(memory.error) == wrong

    run(memory, bench)


@pytest.mark.parametrize(("number", "wrong"), [(MOST_READS, False), (MOST_READS + 1, True)])
def test_a_fifth_read_is_reported(number: int, wrong: bool) -> None:
    memory = FixedLatencyMemory(64)

    async def bench(ctx: Any) -> None:
        ctx.set(memory.latency, 100)
        ctx.set(memory.ar.valid, 1)
        await ctx.tick().repeat(number)
        ctx.set(memory.ar.valid, 0)
        assert ctx.get(memory.error) == wrong

    run(memory, bench)


@pytest.mark.parametrize(("lasts", "wrong"), [((0, 1), False), ((1, 1), True), ((0, 0), True)])
def test_a_last_beat_that_is_none_is_reported(lasts: tuple[int, int], wrong: bool) -> None:
    memory = FixedLatencyMemory(64)

    async def bench(ctx: Any) -> None:
        ctx.set(memory.latency, 1)
        ctx.set(memory.aw.payload.beats, 1)
        ctx.set(memory.aw.valid, 1)
        await ctx.tick()
        ctx.set(memory.aw.valid, 0)
        ctx.set(memory.w.valid, 1)
        for last in lasts:
            ctx.set(memory.w.payload.last, last)
            await ctx.tick()
        assert ctx.get(memory.error) == wrong

    run(memory, bench)


def test_the_longest_latency() -> None:
    """The first beat comes at exactly that edge, and the answer to a burst too."""
    memory, latency = FixedLatencyMemory(64), 1023

    async def bench(ctx: Any) -> None:
        ctx.set(memory.latency, latency)
        await ctx.tick().repeat(700)  # so that the edge that is due is counted round
        for valid in (memory.ar.valid, memory.aw.valid):
            ctx.set(valid, 1)
        await ctx.tick()
        ctx.set(memory.ar.valid, 0)
        ctx.set(memory.aw.valid, 0)
        ctx.set(memory.w.valid, 1)
        ctx.set(memory.w.payload.last, 1)
        await ctx.tick()
        ctx.set(memory.w.valid, 0)
        due = []
        for _ in range(latency + 8):
            due.append((ctx.get(memory.r.valid), ctx.get(memory.b.valid)))
            await ctx.tick()
        assert [reads for reads, _ in due].index(1) + 2 == latency
        assert [writes for _, writes in due].index(1) + 2 == latency + 1
        assert not ctx.get(memory.error)

    run(memory, bench)


def test_contents_survive_a_reset() -> None:
    """At its edge nothing is written, and what was requested before is forgotten."""
    m = Module()
    m.domains.sync = domain = ClockDomain("sync")
    m.submodules.memory = memory = FixedLatencyMemory(64)

    async def bench(ctx: Any) -> None:
        ctx.set(memory.latency, 4)
        ctx.set(memory.image.valid, 1)
        ctx.set(memory.image.payload, {"word": 9, "data": 77})
        await ctx.tick()
        ctx.set(memory.image.payload.data, 88)
        ctx.set(memory.ar.payload.addr, 72)
        ctx.set(memory.ar.valid, 1)
        ctx.set(domain.rst, 1)
        await ctx.tick()
        ctx.set(domain.rst, 0)
        ctx.set(memory.image.valid, 0)
        await ctx.tick()
        ctx.set(memory.ar.valid, 0)
        for _ in range(3):
            assert not ctx.get(memory.r.valid)
            await ctx.tick()
        assert ctx.get(memory.r.valid)
        assert ctx.get(memory.r.payload.data) == 77

    run(m, bench)
