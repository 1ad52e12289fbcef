"""Engines around the array that does softmax itself, wrong on purpose, and what is claimed of right ones."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Array, Module, Signal, Value
from amaranth.lib import wiring

from accelsim.program.instruction import OPS
from rtl.formal import Claims
from rtl.fuse import FuseArray
from rtl.fuse.element import EXP_OPS
from rtl.fuse.grid import FuseGrid
from rtl.layer.fuse_array import TRANSPOSE, FuseEngine, Work
from rtl.layer.fuse_array_form import FuseEngineForm
from rtl.layer.fuse_array_unit import FuseEngineUnit
from rtl.streams import Fifo

TINY = FuseEngineForm(2, 2, 2, 8, 2, 1, 1, 2, 0, 0)
"""For proofs."""


def beats_enter(claims: Claims, engine: wiring.Component) -> None:
    """The array takes every beat at once, where no SOFTMAX starts before the scores of its tile are complete."""
    assert isinstance(engine, FuseEngine)
    few_and_known(claims, engine)
    scores_first(claims, engine)
    left, top = engine.array.left, engine.array.top
    claims.always("beats_enter", ~left.valid | left.ready)
    claims.always("queries_enter", ~top.valid | top.ready)
    weighs = engine.done0.valid & (engine.orders.o.payload.work == Work.WEIGHTS)
    claims.reached("weights_complete", weighs)
    claims.reached("tiles_meet", weighs & engine.running & (engine.issued.work == Work.WEIGHTS))


def anything_enters(claims: Claims, engine: wiring.Component) -> None:
    """The same where SOFTMAX may start at any time, which is wrong."""
    assert isinstance(engine, FuseEngine)
    few_and_known(claims, engine)
    claims.always("beats_enter", ~engine.array.left.valid | engine.array.left.ready)
    claims.reached("completes", engine.done0.valid)


def scores_first(claims: Claims, engine: FuseEngine) -> None:
    """What a sequencer sees to."""
    given, starts = engine.start.payload, engine.start.valid & engine.start.ready
    transposes = given.flags[TRANSPOSE] & (given.op == OPS.index("MATMUL"))
    weighs = given.op == OPS.index("SOFTMAX")
    counts = []
    for slot in range(engine.form.tiles):
        count = Signal(range(engine.form.under_way + 1), name=f"scores_under_way_{slot}")
        ends = engine.m.enable & (engine.m.word == slot)
        claims.m.d.sync += count.eq(count + (starts & transposes & (given.dst == slot)) - ends)
        counts.append(count)
    claims.given("scores_first", ~engine.start.valid | ~weighs | (Array(counts)[given.dst] == 0))


def few_and_known(claims: Claims, engine: FuseEngine) -> None:
    """Of scores and values with one element, and of zeros, of which no claim speaks."""
    given = engine.start.payload
    claims.given("slots_are_there", given.dst < engine.form.tiles)
    claims.given("few_elements", given.imm == 1)
    known = [OPS.index(op) for op in ("MATMUL", "SOFTMAX", "SETP")]
    claims.given("known_operations", given.op.matches(*known))
    claims.given("all_else_is_zero", (given.a | given.b | given.post | given.wait) == 0)
    for name in ("q", "k", "v"):
        claims.given(f"{name}_is_zero", Value.cast(getattr(engine, name).data) == 0)


def orders_fit(claims: Claims, engine: wiring.Component) -> None:
    """Each instruction finds a place in the queue, which they fill, and each result finds its own."""
    assert isinstance(engine, FuseEngine)
    few_and_known(claims, engine)
    scores_first(claims, engine)
    starts = engine.start.valid & engine.start.ready
    claims.always("orders_fit", ~starts | engine.orders.i.ready)
    claims.always("results_have_orders", ~engine.array.result.valid | engine.orders.o.valid)
    claims.reached("orders_are_full", starts & (engine.orders.level == engine.form.under_way - 1))


class Shallow(FuseEngine):
    """Its queue of orders has a place less."""

    def __init__(self, form: FuseEngineForm) -> None:
        super().__init__(form)
        self.orders = Fifo(self.orders.shape, form.under_way - 1)


class Bubble(FuseEngine):
    """Is not ready for the edge at which an instruction ends."""

    def _begin(self, m: Module, ends: Value) -> None:
        super()._begin(m, ends)
        with m.If(self.running):
            m.d.comb += [self.start.ready.eq(0), self.orders.i.valid.eq(0)]
            with m.If(ends):
                m.d.sync += self.running.eq(0)


class Crowded(FuseEngine):
    """Tiles have all keys."""

    def _take(self, m: Module, work: Value) -> None:
        super()._take(m, work)
        with m.If(work != Work.NOTHING):
            m.d.sync += self.issued.keys.eq(self.form.rows)


class OwnKeys(FuseEngine):
    """Values have all keys, not those of their tile."""

    def _take(self, m: Module, work: Value) -> None:
        super()._take(m, work)
        with m.If(work == Work.VALUES):
            m.d.sync += self.issued.keys.eq(self.form.rows)


class OtherTile(FuseEngine):
    """Takes P of the tile that `dst` would be, not `a`."""

    def _take(self, m: Module, work: Value) -> None:
        super()._take(m, work)
        m.d.sync += self.issued.slot.eq(self.start.payload.dst)


class LateShift(FuseEngine):
    """Scores are shifted anew from the edge on at which SETP completes."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        old = Signal.like(self.shift)
        with m.If(self.done0.valid & (self.orders.o.payload.work == Work.NOTHING)):
            m.d.sync += old.eq(self.shift)
        m.d.comb += self.array.left.payload.shift.eq(old)
        return m


class FirstWord(FuseEngine):
    """Wraps around in the first word of V."""

    def _address(self, m: Module) -> None:
        super()._address(m)
        m.d.comb += self.v.word.eq(self.issued.b)


class NextBase(FuseEngine):
    """Writes where the instruction that is being read says, not where that of the result did."""

    def _give(self, m: Module) -> None:
        super()._give(m)
        base = Signal.like(self.start.payload.dst)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += base.eq(self.start.payload.dst)
        for port in (self.m, self.d):
            m.d.comb += port.word.eq(base)


class DoneEarly(FuseEngine):
    """Values complete with their first word."""

    def _give(self, m: Module) -> None:
        super()._give(m)
        begins = Signal(init=1)
        result = self.array.result
        with m.If(result.valid):
            m.d.sync += begins.eq(result.payload.last)
        m.d.comb += self.done0.valid.eq(result.valid & begins)


class Sticky(FuseEngine):
    """Adds to the scores that were there."""

    def _feed(self, m: Module, ends: Value) -> None:
        super()._feed(m, ends)
        with m.If(self.array.top.valid):
            m.d.comb += self.array.left.payload.last.eq(0)


class Remembers(FuseEngine):
    """Does not forget in a reset that an instruction is being read."""

    def __init__(self, form: FuseEngineForm) -> None:
        super().__init__(form)
        self.running = Signal(reset_less=True)


class Forgetful(FuseArray):
    """Does not hold the slot of SLN while its turns last."""

    def _drive(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        super()._drive(m, grid, turn)
        m.d.comb += grid.step.slot.eq(self.left.payload.slot)


class LastTurn(FuseArray):
    """The last turn of SLN is of slot 0."""

    def _drive(self, m: Module, grid: FuseGrid, turn: Signal) -> None:
        super()._drive(m, grid, turn)
        with m.If(turn == len(EXP_OPS) - 1):
            m.d.comb += grid.step.slot.eq(0)


KINDS = (
    *(Bubble, Crowded, OwnKeys, OtherTile, LateShift, FirstWord),
    *(NextBase, DoneEarly, Sticky, Remembers, Shallow),
)
TIMING = ("later", "sooner", "Bubble")
ARRAYS = (LastTurn,)


def unit_with(engine: FuseEngine) -> FuseEngineUnit:
    found = FuseEngineUnit(engine.form)
    found.engine = engine
    return found


def engine_with(form: FuseEngineForm, kind: type[FuseArray]) -> FuseEngine:
    found = FuseEngine(form)
    found.array = kind(form.array)
    return found


def variants(form: FuseEngineForm) -> dict[str, FuseEngineUnit]:
    """Same ports, one thing wrong; of those in TIMING only edges are."""
    later = replace(form, output_registers=form.output_registers + 1)
    sooner = replace(form, input_registers=form.input_registers - 1)
    kinds = {kind.__name__: unit_with(kind(form)) for kind in KINDS}
    arrays = {kind.__name__: unit_with(engine_with(form, kind)) for kind in ARRAYS}
    return {"later": unit_with(FuseEngine(later)), "sooner": unit_with(FuseEngine(sooner)), **kinds, **arrays}
