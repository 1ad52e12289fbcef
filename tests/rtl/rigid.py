"""Faults of any unit that stands still as a whole while its output `o` waits, and what its tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from rtl.bench import Case, Result, UnitUnderTest, sweep
from rtl.block import Block
from rtl.streams import SkidBuffer

SEED = 20
Build = Callable[[], Block]


def wrong(results: list[Result]) -> list[str]:
    return [f"{result.case.name}, seed {result.x_seed}: {result.failures[0]}" for result in results if result.failures]


def cases(unit: UnitUnderTest[Any, Any], params: Any) -> list[Case]:
    """What any one configuration has to pass."""
    return sweep(unit, [params], SEED)


class Around(Block):
    """A unit with something around it, at its input `port` and its output: `change` says what."""

    def __init__(self, unit: Block, port: str = "i", output: str = "o") -> None:
        self.unit = unit
        self.input = port
        self.output = output
        super().__init__(unit.signature)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.whole = unit = self.unit
        for name, member in unit.signature.members.items():
            outer, inner = flipped(getattr(self, name)), getattr(unit, name)
            if member.flow == wiring.In:
                connect(m, outer, inner)
            else:
                connect(m, inner, outer)
        self.change(m, getattr(self, self.input), getattr(unit, self.input))
        return m

    @property
    def outside(self) -> Any:
        """The output as neighbours see it."""
        return getattr(self, self.output)

    @property
    def inside(self) -> Any:
        """The output as the unit makes it."""
        return getattr(self.unit, self.output)

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        raise NotImplementedError


class Later(Around):
    """A register more at the input: only the edges are wrong."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        m.submodules.more = more = SkidBuffer(Value.cast(outer.payload).shape())
        m.d.comb += [
            more.i.valid.eq(outer.valid),
            more.i.payload.eq(outer.payload),
            outer.ready.eq(more.i.ready),
            inner.valid.eq(more.o.valid),
            Value.cast(inner.payload).eq(more.o.payload),
            more.o.ready.eq(inner.ready),
        ]


class Bubble(Around):
    """Takes nothing at one edge after every sixteen beats."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        count = Signal(4)
        wait = Signal()
        taken = outer.valid & outer.ready
        m.d.sync += [count.eq(count + taken), wait.eq((count == 15) & taken)]
        m.d.comb += [inner.valid.eq(outer.valid & ~wait), outer.ready.eq(inner.ready & ~wait)]


class Lossy(Around):
    """Loses an output that has waited for three edges."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        waited = Signal(2)
        waits = self.outside.valid & ~self.outside.ready
        m.d.sync += waited.eq(Mux(waits, waited + 1, 0))
        m.d.comb += self.inside.ready.eq(self.outside.ready | (waited == 3))


class Careless(Around):
    """Loses an output that waits at one edge in fifty."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        count = Signal(range(50))
        m.d.sync += count.eq(Mux(count == 49, 0, count + 1))
        m.d.comb += self.inside.ready.eq(self.outside.ready | (count == 49))


class Tired(Around):
    """Takes nothing at the edge behind a packet of one beat."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        begins = Signal(init=1)
        wait = Signal()
        taken = outer.valid & outer.ready
        with m.If(taken):
            m.d.sync += begins.eq(outer.payload.last)
        m.d.sync += wait.eq(taken & begins & outer.payload.last)
        m.d.comb += [inner.valid.eq(outer.valid & ~wait), outer.ready.eq(inner.ready & ~wait)]


class Greedy(Around):
    """Is ready also while the output waits."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        m.d.comb += outer.ready.eq(inner.ready | (self.outside.valid & ~self.outside.ready))


class Withdrawn(Around):
    """Takes valid back at the edge after one at which the output waited."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        waited = Signal()
        m.d.sync += waited.eq(self.outside.valid & ~self.outside.ready)
        m.d.comb += [
            self.outside.valid.eq(self.inside.valid & ~waited),
            self.inside.ready.eq(self.outside.ready & ~waited),
        ]


class Restless(Around):
    """Changes a bit of the output while it waits."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        waited = Signal()
        m.d.sync += waited.eq(self.outside.valid & ~self.outside.ready)
        m.d.comb += Value.cast(self.outside.payload)[0].eq(Value.cast(self.inside.payload)[0] ^ waited)


def common_variants(build: Build, port: str = "i", output: str = "o") -> dict[str, Block]:
    """The faults that any unit can have: two of timing, and five that show only where an output waits."""
    kinds = (Later, Bubble, Lossy, Careless, Greedy, Withdrawn, Restless)
    return {kind.__name__.lower(): kind(build(), port, output) for kind in kinds}


TIMING = ("later", "sooner", "bubble")
WAITING = ("lossy", "careless", "greedy", "withdrawn", "restless")
