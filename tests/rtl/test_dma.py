"""The DMA engines in hardware: every bit and edge with memories of several latencies, proofs, faults on purpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from amaranth.hdl import Const, Module, Mux, Signal, Value

from accelsim.errors import AccelsimError
from rtl.bench import Device, UnitUnderTest, devices_of, simulate, sweep
from rtl.bench.plan import CASES
from rtl.block import Block
from rtl.formal import Claims, check_ready_paths, prove, stream_rules, together
from rtl.layer.dma import LoadEngine, StoreEngine
from rtl.layer.memory import FixedLatencyMemory
from rtl.layer.memory_port import MOST_READS
from rtl.mutation import MutationReport, run_variants
from rtl.sim.case import Case
from rtl.verilog import lint, verilog_text
from tests.rtl.dma import LOAD, LOADS, STORE, STORES, LoadHarness, Setup, StoreHarness
from tests.rtl.rigid import SEED, wrong

pytestmark = pytest.mark.slow

UNITS = {"load": (LOAD, LOADS), "store": (STORE, STORES)}
EACH = pytest.mark.parametrize("name", UNITS)
ENGINES: dict[str, Callable[[], Block]] = {
    "load": lambda: LoadEngine(8),
    "load to two banks": lambda: LoadEngine(2),
    "store": lambda: StoreEngine(8, 8),
    "store of pairs": lambda: StoreEngine(2, 2),
    "memory": lambda: FixedLatencyMemory(256),
}


@cache
def devices(name: str) -> list[Device]:
    return devices_of(*UNITS[name])


# In simulation.


def test_the_configurations_are_of_every_kind() -> None:
    for _, setups in UNITS.values():
        assert {1, 20, 100} <= {setup.latency for setup in setups}
    assert {setup.banks for setup in LOADS} == {2, 8, 16}
    assert {(setup.rows > setup.cols) - (setup.rows < setup.cols) for setup in STORES} == {-1, 0, 1}


@EACH
def test_every_bit_and_edge(name: str) -> None:
    unit, setups = UNITS[name]
    tried = sweep(unit, setups, SEED)
    assert len(tried) == (CASES + 1) * len(setups) >= 100
    assert wrong(simulate(devices(name), tried)) == []


@pytest.mark.parametrize("name", ENGINES)
def test_verilog_is_clean(name: str) -> None:
    lint(verilog_text(ENGINES[name](), "accelsim_dma"), "accelsim_dma")


@pytest.mark.parametrize("name", ENGINES)
def test_no_path_from_ready_to_valid(name: str) -> None:
    check_ready_paths(ENGINES[name]())


# Proofs. The other side of the port is assumed to keep its rules.


def commands_are_whole(claims: Claims, engine: LoadEngine | StoreEngine) -> None:
    command = engine.bursts.command
    claims.given("some_rows_and_beats", ~engine.start.valid | ((command.rows != 0) & (command.beats != 0)))


def counter(claims: Claims, name: str, bits: int, up: Value, down: Value) -> Signal:
    count = Signal(bits, name=name)
    claims.m.d.sync += count.eq(count + up - down)
    return count


def load_claims(claims: Claims, engine: Any) -> None:
    """At most MOST_READS bursts are outstanding, counted outside the engine, if only what is requested comes.

    A burst has the beats that were requested; where it has those of all rows, that these are so many is assumed.
    """
    commands_are_whole(claims, engine)
    bursts, walk, running = engine.bursts, engine.walk, engine.running
    asks, moves = engine.ar.valid & engine.ar.ready, engine.r.valid & engine.r.ready
    ends = moves & engine.r.payload.last
    count = counter(claims, "count", 4, asks, ends)
    claims.given("only_what_was_requested", ~engine.r.valid | (count != 0))
    ends_burst = Mux(bursts.together, walk.ends, walk.beat == bursts.o.payload.beats)
    claims.given("beats_as_requested", ~engine.r.valid | (engine.r.payload.last == ends_burst))
    claims.always("at_most_four", count <= MOST_READS)
    claims.always("count_agrees", count == engine.outstanding)
    rows = Mux(bursts.together, 1, walk.last_row - walk.row + 1)
    claims.always("rows_agree", bursts.left + count == Mux(running, rows, 0))
    claims.always("row_fits", ~running | ((walk.row <= walk.last_row) & (walk.beat <= walk.last_beat)))
    claims.always("burst_is_row", ~running | bursts.together | (bursts.o.payload.beats == walk.last_beat))
    claims.reached("four_are_outstanding", count == MOST_READS)
    claims.reached("completes", engine.done0.valid & (walk.row != 0))


def store_claims(claims: Claims, engine: Any) -> None:
    """No answer is missed and none waited for in vain, if each burst is answered once, requested and whole."""
    commands_are_whole(claims, engine)
    bursts, walk, running = engine.bursts, engine.walk, engine.running
    asks, answers = engine.aw.valid & engine.aw.ready, engine.b.valid & engine.b.ready
    moves = engine.w.valid & engine.w.ready
    asked = counter(claims, "asked", 13, asks, answers)
    whole = counter(claims, "whole", 13, moves & engine.w.payload.last, answers)
    claims.given("only_what_was_requested", ~engine.b.valid | ((asked != 0) & (whole != 0)))
    rows = Mux(bursts.together, 1, walk.last_row - walk.row + 1)
    left = Mux(running, engine.unanswered, 0)
    claims.always("requests_agree", asked + bursts.left == left)
    claims.always("bursts_agree", whole + Mux(engine.sending, rows, 0) == left)
    claims.always("idle_sends_nothing", (running | ~engine.sending) & (engine.sending | ~engine.w.valid))
    claims.always("some_are_left", ~running | (engine.unanswered != 0))
    claims.always("row_fits", ~engine.sending | ((walk.row <= walk.last_row) & (walk.beat <= walk.last_beat)))
    _pad_claims(claims, engine)
    claims.reached("completes", engine.done0.valid & (walk.row != 0))


def _pad_claims(claims: Claims, engine: Any) -> None:
    """A pad that is not written gives the same word again where its address was the same."""
    address, data = engine.read.address, engine.read.data
    before = claims.past(address)
    twice = claims.past(claims.past(Const(1, 1)))
    claims.given("pad_is_steady", ~twice | (before != claims.past(before)) | (data == claims.past(data)))
    claims.always("shows_the_word", ~engine.w.valid | (twice & (before == engine.word)))


def memory_claims(claims: Claims, memory: Any) -> None:
    """Each burst that is requested is answered once: it is under way or owed."""
    for name, queue in (("reads", memory.reads), ("times", memory.read_answers.times)):
        end = (queue.head + queue.level)[:2]
        claims.always(f"{name}_lie_behind_each_other", (queue.level <= queue.depth) & (queue.tail == end))
    reads, writes = memory.read_answers, memory.write_answers
    most = writes.times.depth
    claims.always("reads_agree", memory.reads.level == reads.times.level + reads.owed)
    claims.always(
        "writes_are_counted", (writes.times.level <= most) & (writes.owed + writes.times.level <= 4096 + most)
    )
    claims.reached("answers", memory.b.valid & memory.b.ready)
    claims.reached("waits_for_four", (memory.reads.level == MOST_READS) & memory.waited)


CLAIMS: dict[str, tuple[Callable[[], Block], Callable[[Claims, Any], None], int]] = {
    "load": (lambda: LoadEngine(8), load_claims, 10),
    "load to two banks": (lambda: LoadEngine(2), load_claims, 10),
    "store": (lambda: StoreEngine(8, 8), store_claims, 8),
    "store of pairs": (lambda: StoreEngine(2, 2), store_claims, 8),
    "memory": (lambda: FixedLatencyMemory(8, 2), memory_claims, 10),
}
PROVEN = pytest.mark.parametrize("name", CLAIMS)


@PROVEN
def test_streams_keep_their_rules_in_all_runs(name: str) -> None:
    build, claims, _ = CLAIMS[name]
    assert prove(build(), together(stream_rules, claims), 3).holds


@PROVEN
def test_proofs_speak_of_runs_that_exist(name: str) -> None:
    build, claims, depth = CLAIMS[name]
    assert prove(build(), together(stream_rules, claims), depth, "cover").holds


class FiveReads(LoadEngine):
    """Has five bursts outstanding."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.bursts.may.eq(self.outstanding != MOST_READS + 1)
        return m


class Wandering(StoreEngine):
    """Reads another word at every second edge."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        turn = Signal()
        m.d.sync += turn.eq(~turn)
        with m.If(turn):
            m.d.comb += self.read.address.eq(self.word + 1)
        return m


class Unsteady(FixedLatencyMemory):
    """Gives what it holds now, also while a beat waits."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.sync += self.waited.eq(0)
        return m


@pytest.mark.parametrize(
    ("build", "claims", "depth", "broken"),
    [
        (lambda: FiveReads(8), load_claims, 8, "at_most_four"),
        (lambda: Wandering(2, 2), store_claims, 5, "w_keeps"),
        (lambda: Unsteady(8, 2), memory_claims, 6, "r_keeps"),
    ],
    ids=["five reads", "wandering", "unsteady"],
)
def test_a_broken_variant_is_refuted(
    build: Callable[[], Block], claims: Callable[[Claims, Any], None], depth: int, broken: str
) -> None:
    proof = prove(build(), together(stream_rules, claims), depth, "bounded")
    assert proof.verdict == "refuted"
    assert broken in proof.broken


# Faults on purpose.


class ThreeReads(LoadEngine):
    """Has at most three bursts outstanding."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.bursts.may.eq(self.outstanding < MOST_READS - 1)
        return m


class Waits(LoadEngine):
    """Requests the next burst only when all before it have come."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.bursts.may.eq(self.outstanding == 0)
        return m


class Eager(LoadEngine):
    """Requests at the very edge at which a burst completes."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        completes = self.r.valid & self.r.ready & self.r.payload.last
        m.d.comb += self.bursts.may.eq((self.outstanding != MOST_READS) | completes)
        return m


class Apart(LoadEngine):
    """Never makes one burst of all rows."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.bursts.command.stride.eq(self.start.payload.as_value()[-16:] | (self.bursts.command.rows != 1))
        return m


class Rests(LoadEngine):
    """Is not ready at the edge after a command."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        ran = Signal()
        m.d.sync += ran.eq(self.running)
        m.d.comb += self.start.ready.eq(~self.running & ~ran)
        return m


class SoonDone(LoadEngine):
    """Says that it has completed when the first row has come."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.done0.valid.eq(self.walk.moves & self.walk.ends_row)
        return m


class OtherPost(LoadEngine):
    """Posts what stands on the wires when it completes."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.done0.post.eq(self.start.payload.post)
        return m


class Dense(StoreEngine):
    """Takes the next word of the pad for the next fold."""

    def __init__(self, rows: int, cols: int) -> None:
        super().__init__(rows, cols)
        self.rows = 1


class Pauses(StoreEngine):
    """Lets an edge pass after each burst."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.w.valid & self.w.ready & self.w.payload.last):
            m.d.sync += self.w.valid.eq(0)
        return m


class LastOfRows(StoreEngine):
    """Marks the end of each row, also where all are one burst."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.w.payload.last.eq(self.walk.ends_row)
        return m


class Hasty(StoreEngine):
    """Has completed with the first answer."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.b.valid & self.b.ready):
            m.d.sync += self.running.eq(0)
            m.d.comb += self.done0.valid.eq(1)
        return m


class Requested(StoreEngine):
    """Sends only when all is requested, for which a memory need not have room."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.sync += self.w.valid.eq(self.sending & ~(self.walk.moves & self.walk.ends) & (self.bursts.left == 0))
        return m


class Straight(StoreEngine):
    """Reads only the word that moves now, so that the next is late."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.read.address.eq(self.word)
        return m


TIMING = ("ThreeReads", "Waits", "Rests", "Pauses")
FEW = ("mixed", "equal", "gaps 0.4 0.0", "corners")
TRIED = Setup(5, 8, 4)


def few(unit: UnitUnderTest[Any, Any]) -> list[Case]:
    return [case for case in sweep(unit, [TRIED], SEED) if any(kind in case.name for kind in FEW)]


def names(found: MutationReport, *, detected: bool) -> list[str]:
    return [mutant.name for mutant in found.mutants if mutant.detected == detected]


def test_every_fault_made_by_hand_is_found() -> None:
    loads = (FiveReads, ThreeReads, Waits, Eager, Apart, Rests, SoonDone, OtherPost)
    stores = (Dense, Pauses, LastOfRows, Hasty, Requested, Straight, Wandering)
    reports = (
        run_variants(LoadHarness(LoadEngine(8)), {kind.__name__: LoadHarness(kind(8)) for kind in loads}, few(LOAD)),
        run_variants(
            StoreHarness(StoreEngine(8, 4)), {kind.__name__: StoreHarness(kind(8, 4)) for kind in stores}, few(STORE)
        ),
    )
    assert [mutant.name for report in reports for mutant in report.survivors] == []
    how = {mutant.name: mutant.found for report in reports for mutant in report.mutants}
    assert all("output at edge" in how[name] or "begins" in how[name] for name in TIMING), how


# What is refused.


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LoadEngine(1), 'banks: must be an integer from 2 to 4096, got "1"'),
        (lambda: StoreEngine(0, 8), 'rows: must be an integer from 1 to 4095, got "0"'),
        (lambda: StoreEngine(8, 1), 'cols: must be an integer from 2 to 256, got "1"'),
        (lambda: StoreEngine(8, 6), 'cols: must be a power of two, got "6"'),
        (lambda: FixedLatencyMemory(1), 'words of a memory: must be an integer from 2 to 16777216, got "1"'),
        (lambda: FixedLatencyMemory(100), 'words of a memory: must be a power of two, got "100"'),
        (lambda: FixedLatencyMemory(64, 11), 'bits of a latency: must be an integer from 1 to 10, got "11"'),
    ],
)
def test_engines_that_cannot_be_are_refused(build: Callable[[], Block], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        build()
    assert str(caught.value) == message
