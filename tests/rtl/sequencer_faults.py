"""Sequencers and stub engines that are wrong on purpose: for the bench, and for what is claimed of the sequencer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from amaranth.hdl import Cat, Const, Module, Signal, Value

from accelsim.hardware.sequencer import SequencerSetup, build
from accelsim.program.instruction import OPS, QUEUES
from rtl.block import Block
from rtl.layer.sequencer import Sequencer
from rtl.layer.stub import StubEngine

SMALL = SequencerSetup(depth=40, slots=7)


class Blind(Sequencer):
    """Takes tokens without looking whether there are any."""

    def _above(self, m: Module) -> Value:
        return Const(0xFFFF, 16)


class Lossy(Sequencer):
    """Loses what is posted when a token is taken at the same edge."""

    def _count(self, m: Module, fired: Mapping[str, Signal], posts: Iterable[Value]) -> None:
        masks = list(posts)
        super()._count(m, fired, masks)
        for s, count in enumerate(self.counts):
            wait = (fires & self.queues[queue].o.payload.wait[s] for queue, fires in fired.items())
            with m.If(Cat(wait).any() & Cat(mask[s] for mask in masks).any()):
                m.d.sync += count.eq(count - 1)


class Wrapping(Sequencer):
    """A semaphore that is too full begins again from 0, and nobody is told."""

    def _count(self, m: Module, fired: Mapping[str, Signal], posts: Iterable[Value]) -> None:
        masks = list(posts)
        super()._count(m, fired, masks)
        m.d.sync += self.overflowed.eq(0)
        for s, count in enumerate(self.counts):
            wait = (fires & self.queues[queue].o.payload.wait[s] for queue, fires in fired.items())
            more = sum((mask[s] for mask in masks), Const(0))
            m.d.sync += count.eq((count + more - Cat(wait).any())[: len(count)])


class Open(Sequencer):
    """Lets the next program in while this one runs."""

    def _open(self) -> Value:
        return ~self.refused.any() & ~self.overflowed


class Sharing(Sequencer):
    """Lets two queues wait for one semaphore."""

    def _clash(self, m: Module, given: Value, entered: Value) -> Value:
        super()._clash(m, given, entered)
        return Const(0)


class Early(Sequencer):
    """Says that the program has ended when everything has started."""

    def _over(self) -> Value:
        return self.whole & ~Cat(fifo.o.valid for fifo in self.queues.values()).any()


class Withdrawn(Sequencer):
    """Takes its status back when nobody takes it at once."""

    def _end(self, m: Module, started: list[Value]) -> None:
        super()._end(m, started)
        with m.If(self.status.valid):
            m.d.sync += [self.whole.eq(0), self.running.eq(0)]


class Impatient(Sequencer):
    """Drops an instruction when its engine is not ready."""

    def _issue(self, m: Module) -> tuple[dict[str, Signal], list[Value]]:
        fired, posts = super()._issue(m)
        for queue, fires in fired.items():
            m.d.comb += self.queues[queue].o.ready.eq(fires | getattr(self, f"start_{queue}").valid)
        return fired, posts


class Noisy(Sequencer):
    """Takes what looks like HALT while `program` is not valid."""

    def _take_in(self, m: Module) -> None:
        super()._take_in(m)
        with m.If(self.program.ready & (self.program.payload.op == OPS.index("HALT"))):
            m.d.sync += [self.whole.eq(1), self.running.eq(1)]


class Crowded(Sequencer):
    """Is ready also when the queue is full."""

    def _take_in(self, m: Module) -> None:
        super()._take_in(m)
        m.d.comb += self.program.ready.eq(self._open())


class Leaking(Sequencer):
    """Leaves tokens to the next program."""

    def _end(self, m: Module, started: list[Value]) -> None:
        super()._end(m, started)
        with m.If(self.status.valid & self.status.ready):
            m.d.sync += [count.eq(count) for count in self.counts]


class LateStart(Sequencer):
    """A register more in front of `running`: everything starts an edge later."""

    def _take_in(self, m: Module) -> None:
        super()._take_in(m)
        m.d.sync += self.running.eq(self.whole)


class LateLook(Sequencer):
    """What waited for a semaphore starts an edge later."""

    def _above(self, m: Module) -> Value:
        now, before = super()._above(m), Signal(16)
        m.d.sync += before.eq(now)
        return now & before


class LateCount(Sequencer):
    """Completions count an edge later."""

    def _completed(self, m: Module) -> list[Value]:
        now = super()._completed(m)
        late = [Signal(16, name=f"late_{place}") for place in range(len(now))]
        m.d.sync += [register.eq(mask) for register, mask in zip(late, now, strict=True)]
        return list[Value](late)


class Remembers(Sequencer):
    """Its semaphores and `whole` survive a reset."""

    def __init__(self, depth: int, completions: Mapping[str, int], count_bits: int = 8) -> None:
        super().__init__(depth, completions, count_bits)
        self.whole = Signal(reset_less=True)
        self.counts = [Signal(count_bits, name=f"semaphore_{s}", reset_less=True) for s in range(16)]


class Narrow(Sequencer):
    """Counts one token of each semaphore and no more."""

    def __init__(self, depth: int, completions: Mapping[str, int], count_bits: int = 1) -> None:
        super().__init__(depth, completions, count_bits)


class Sluggish(StubEngine):
    """Is ready an edge too late."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        wait, ready = Signal(), Signal()
        m.d.comb += [ready.eq(self.left == 0), self.start.ready.eq(ready & ~wait)]
        m.d.sync += wait.eq(~ready)
        return m


class LateDone(StubEngine):
    """Says an edge too late that an instruction has completed."""

    def _slot(self, m: Module, slot: int, begins: Signal, ticks: Signal) -> None:
        later = Signal.like(ticks, name=f"later_{slot}")
        m.d.comb += later.eq(ticks + 1)
        super()._slot(m, slot, begins, later)


class Forgetful(StubEngine):
    """Posts what the last instruction to start should post, whichever completes."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        last = Signal(16)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += last.eq(self.start.payload.post)
        m.d.comb += [getattr(self, f"done{slot}").post.eq(last) for slot in range(self.slots)]
        return m


class OneSlot(StubEngine):
    """Forgets an instruction under way when another starts."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.turn != 0):
            m.d.sync += self.turn.eq(0)
        return m


TIMING = (LateStart, LateLook, LateCount, Sluggish, LateDone)
SEQUENCERS = (Blind, Lossy, Open, Early, Withdrawn, Impatient, Noisy, LateStart, LateLook, LateCount, Remembers, Narrow)
ENGINES = (Sluggish, LateDone, Forgetful, OneSlot)


def variants() -> dict[str, Block]:
    """Benches with one part that is wrong, by its name."""
    found: dict[str, Block] = {}
    for kind in SEQUENCERS:
        found[kind.__name__] = bench = build(SMALL)
        bench.sequencer = kind(SMALL.depth, dict.fromkeys(QUEUES, SMALL.slots + 1))
    for stub in ENGINES:
        found[stub.__name__] = bench = build(SMALL)
        bench.engines = {queue: stub(SMALL.slots) for queue in QUEUES}
    return found
