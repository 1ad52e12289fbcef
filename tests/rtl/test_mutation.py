"""Faults on purpose in the stream library: the bench finds those made by hand, and nine of ten that are drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import connect, flipped

from accelsim.errors import AccelsimError
from rtl.bench import Case, sweep
from rtl.block import Block
from rtl.mutation import Mutant, Mutants, MutationReport, mutants, run_mutants, run_variants
from rtl.streams import Fifo, SkidBuffer
from tests.rtl.blocks import ADDRESS, FIFO, NARROW, SEED, SKID, WIDEN

BITS = 8


class Later(SkidBuffer):
    """A register more than it should have: only the edges are wrong."""

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.first = first = SkidBuffer(self.shape)
        m.submodules.second = second = SkidBuffer(self.shape)
        connect(m, flipped(self.i), first.i)
        connect(m, first.o, second.i)
        connect(m, second.o, flipped(self.o))
        return m


class Sooner(SkidBuffer):
    """A register less: payloads pass through while nothing waits."""

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.d.comb += [
            self.i.ready.eq(~self.full),
            self.o.valid.eq(self.full | self.i.valid),
            self.o.payload.eq(Mux(self.full, self.spare, self.i.payload)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.full.eq(0)
        with m.Elif(~self.full):
            m.d.sync += [self.full.eq(self.i.valid), self.spare.eq(self.i.payload)]
        return m


class Bubble(SkidBuffer):
    """Takes nothing at one edge after every sixteen payloads."""

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.whole = whole = SkidBuffer(self.shape)
        connect(m, whole.o, flipped(self.o))
        count = Signal(4)
        wait = Signal()
        moves = self.i.valid & self.i.ready
        m.d.sync += [count.eq(count + moves), wait.eq((count == 15) & moves)]
        m.d.comb += [
            whole.i.payload.eq(self.i.payload),
            whole.i.valid.eq(self.i.valid & ~wait),
            self.i.ready.eq(whole.i.ready & ~wait),
        ]
        return m


class Changed(SkidBuffer):
    """A skid buffer with something more in it: `change` says what."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        self.change(m)
        return m

    def change(self, m: Module) -> None:
        raise NotImplementedError

    def counted(self, m: Module, moves: Value) -> Signal:
        count = Signal(4)
        m.d.sync += count.eq(count + moves)
        return count


class Lossy(Changed):
    """Loses what is on its way when the output stalls."""

    def change(self, m: Module) -> None:
        m.d.sync += self.full.eq(0)


class Stale(Changed):
    """Keeps an old payload in its second register when that is filled again."""

    def change(self, m: Module) -> None:
        used = Signal()
        with m.If(self.full):
            m.d.sync += [used.eq(1), self.spare.eq(self.spare)]
        with m.If(used):
            m.d.sync += self.spare.eq(self.spare)


class Withdrawn(Changed):
    """Takes valid back after a stall."""

    def change(self, m: Module) -> None:
        with m.If(self.o.valid & ~self.o.ready & self.full):
            m.d.sync += self.o.valid.eq(0)


class Doubled(Changed):
    """Sends a payload a second time after it has moved, once in sixteen."""

    def change(self, m: Module) -> None:
        count = self.counted(m, self.o.valid & self.o.ready)
        with m.If((count == 9) & ~self.i.valid):
            m.d.sync += self.o.valid.eq(1)


class Weak(Changed):
    """The top bit sticks to 0."""

    def change(self, m: Module) -> None:
        with m.If(~(self.o.valid & ~self.o.ready)):
            m.d.sync += self.o.payload[-1].eq(0)


class Greedy(Changed):
    """Is ready also when it has no place."""

    def change(self, m: Module) -> None:
        m.d.comb += self.i.ready.eq(1)


class Remembers(SkidBuffer):
    """Its second register survives a reset."""

    def __init__(self, shape: int) -> None:
        super().__init__(shape)
        self.full = Signal(reset_less=True)


VARIANTS: dict[str, type[Block]] = {
    kind.__name__.lower(): kind
    for kind in (Later, Sooner, Bubble, Lossy, Stale, Withdrawn, Greedy, Doubled, Weak, Remembers)
}


def cases(unit: Any, params: Any) -> list[Case]:
    return sweep(unit, [params], SEED)


def resets(unit: Any, params: Any, number: int) -> list[Case]:
    """The cases with a reset of several sweeps: as many as a unit of several configurations has."""
    found = [(seed, case) for seed in range(number) for case in sweep(unit, [params], seed) if case.cut]
    return [replace(case, name=f"{case.name}, seed {seed}") for seed, case in found]


@pytest.mark.slow
def test_every_fault_made_by_hand_is_found() -> None:
    tried = [*cases(SKID, BITS), *resets(SKID, BITS, 8)]
    variants = {name: kind(BITS) for name, kind in VARIANTS.items()}
    report = run_variants(SkidBuffer(BITS), variants, tried)
    assert [mutant.name for mutant in report.survivors] == []
    assert report.share == 1
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert all("output at edge" in found[name] or "begins" in found[name] for name in ("later", "sooner", "bubble"))
    assert all("gaps" in found[name] or "reset" in found[name] for name in ("lossy", "stale", "withdrawn", "greedy"))


DRAWN: list[tuple[Any, Any]] = [(FIFO, (8, 5)), (SKID, 8), (WIDEN, (8, 3)), (NARROW, (8, 3)), (ADDRESS, (2, 8, 2))]
RESET_ONLY = "a value at reset, and valid is 0 until the lane has been written or cleared"
SURVIVORS = {
    "widen": {"const1, at port B bit 3 of $procmux$28": RESET_ONLY, "inv, at port B bit 4 of $procmux$26": RESET_ONLY}
}
"""Faults that change nothing which a run could show, each with the reason."""


@cache
def drawn() -> tuple[Mutants, ...]:
    """All blocks with thirty faults each, for one model."""
    return tuple(mutants(unit.build(params), 30, SEED, f"mutants_{unit.name}") for unit, params in DRAWN)


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(DRAWN)), ids=[unit.name for unit, _ in DRAWN])
def test_nine_of_ten_drawn_faults_are_found(place: int) -> None:
    unit, params = DRAWN[place]
    report = run_mutants(drawn()[place], cases(unit, params), beside=[found.device for found in drawn()])
    assert len(report.mutants) == 30
    assert report.share >= 0.9
    assert {mutant.name for mutant in report.survivors} == set(SURVIVORS.get(unit.name, ()))


def test_faults_are_the_same_for_the_same_seed() -> None:
    first = mutants(Fifo(BITS, 5), 5, 1)
    assert mutants(Fifo(BITS, 5), 5, 1) == first
    assert mutants(Fifo(BITS, 5), 5, 2).changes != first.changes
    assert first.device.interface.pins[-1].name == "mutant"


@pytest.mark.slow
def test_an_original_that_fails_is_no_measure() -> None:
    wrong = [
        replace(case, jobs=tuple(replace(job, last=job.last + 1) for job in case.jobs))
        for case in cases(FIFO, (BITS, 5))
    ]
    with pytest.raises(
        AccelsimError, match=r"^mutation: the original fails: fifo_0 lone 1 mutant 0: job 0: last output"
    ):
        run_mutants(mutants(Fifo(BITS, 5), 2, 1), wrong[:2])


def test_a_report_counts() -> None:
    report = MutationReport((Mutant("a", "bits"), Mutant("b", ""), Mutant("c", "edges"), Mutant("d", "x")))
    assert (report.share, [mutant.name for mutant in report.survivors]) == (0.75, ["b"])


@pytest.mark.parametrize(
    ("number", "seed", "message"),
    [
        (0, 1, 'number of mutants: must be an integer from 1 to 1000, got "0"'),
        (3, -1, 'seed of mutants: must be an integer from 0 to 2147483647, got "-1"'),
    ],
)
def test_bad_numbers_are_refused(number: int, seed: int, message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        mutants(Fifo(BITS, 5), number, seed)
    assert str(caught.value) == message


def test_a_variant_must_have_the_same_ports() -> None:
    with pytest.raises(AccelsimError, match=r'^variant "wider": must have the ports of the original$'):
        run_variants(SkidBuffer(8), {"wider": SkidBuffer(9)}, [])
