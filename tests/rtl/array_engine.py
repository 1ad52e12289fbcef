"""Array engines that are wrong on purpose, and what is claimed of right ones."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring

from rtl.formal import Claims
from rtl.layer.array import ORDER, ArrayEngine, ArrayEngineForm
from rtl.layer.array_unit import ArrayUnit
from rtl.streams import Fifo

TINY = ArrayEngineForm(2, 2, 1, 1, 1, 1, 2, 2, 0, 0, 0)
"""For proofs."""


def beats_enter(claims: Claims, engine: wiring.Component) -> None:
    """The array takes every beat at once, because no fold is shorter than it has rows."""
    assert isinstance(engine, ArrayEngine)
    issued, running = engine.issued, engine.running
    claims.always("fold_is_long", ~running | (issued.last_beat >= engine.form.rows - 1))
    claims.always("beat_is_of_the_fold", ~running | (engine.beat <= issued.last_beat))
    claims.always("fold_is_of_the_product", ~running | (engine.fold <= issued.last_fold))
    left, right = engine.array.left, engine.array.right
    claims.always("beats_enter", ~left.valid | (left.ready & right.ready))
    claims.reached("folds_meet", left.valid & left.payload.last & claims.past(left.valid & ~left.payload.last))


def orders_fit(claims: Claims, engine: wiring.Component) -> None:
    """Each instruction finds a place in the queue, which it fills, and each row finds its own.

    Of instructions with up to 3 beats and 2 folds, so that many begin within the depth of a proof, and of zeros, of
    which no claim speaks.
    """
    assert isinstance(engine, ArrayEngine)
    starts = engine.start.valid & engine.start.ready
    claims.always("orders_fit", ~starts | engine.orders.i.ready)
    claims.always("rows_have_orders", ~engine.array.result.valid | engine.orders.o.valid)
    claims.reached("orders_are_full", starts & (engine.orders.level == engine.form.under_way - 1))
    claims.reached("completes", engine.done0.valid)
    given = engine.start.payload
    claims.given("few_beats", given.imm <= 3)
    claims.given("few_folds", given.cols <= 2)
    claims.given("all_else_is_zero", (given.a | given.b | given.dst | given.post | given.wait) == 0)
    for name in ("q", "k", "v", "p"):
        claims.given(f"{name}_is_zero", Value.cast(getattr(engine, name).data) == 0)


class Shallow(ArrayEngine):
    """Its queue of orders has a place less."""

    def __init__(self, form: ArrayEngineForm) -> None:
        super().__init__(form)
        self.orders = Fifo(ORDER, form.under_way - 1)


class Unpadded(ArrayEngine):
    """Folds have as many beats as carry operands, at least one."""

    def _begin(self, m: Module, fold_ends: Value) -> None:
        super()._begin(m, fold_ends)
        beats = self.start.payload.imm
        with m.If(self.start.ready):
            m.d.sync += self.issued.last_beat.eq(Mux(beats == 0, 0, beats - 1))


class Bubble(ArrayEngine):
    """Is not ready for the edge at which an instruction ends."""

    def _begin(self, m: Module, fold_ends: Value) -> None:
        super()._begin(m, fold_ends)
        ended = Signal()
        m.d.sync += ended.eq(self.running & ~self.start.valid)
        with m.If(self.running):
            m.d.comb += [self.start.ready.eq(0), self.orders.i.valid.eq(0)]
            with m.If(fold_ends & (self.fold == self.issued.last_fold)):
                m.d.sync += self.running.eq(0)


class Unmasked(ArrayEngine):
    """Multiplies also what stands behind the operands."""

    def _feed(self, m: Module, present: Value, transpose: Value, carries: Value, last: Value) -> None:
        super()._feed(m, present, transpose, Const(1), last)


class OneMore(ArrayEngine):
    """Multiplies one beat too many where there are zeros behind the operands."""

    def _feed(self, m: Module, present: Value, transpose: Value, carries: Value, last: Value) -> None:
        before = Signal()
        m.d.sync += before.eq(carries & present)
        super()._feed(m, present, transpose, carries | before, last)


class SameFold(ArrayEngine):
    """Reads the first fold's V for every fold."""

    def _address(self, m: Module) -> None:
        super()._address(m)
        m.d.comb += [self.v.part.eq(0), self.v.word.eq(self.issued.b)]


class FirstWord(ArrayEngine):
    """Wraps around in the first word of K."""

    def _address(self, m: Module) -> None:
        super()._address(m)
        m.d.comb += self.k.word.eq(self.issued.b)


class NextBase(ArrayEngine):
    """Writes where the instruction that is being read says, not where that of the row did."""

    def _give(self, m: Module) -> None:
        super()._give(m)
        base = Signal.like(self.start.payload.dst)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += base.eq(self.start.payload.dst)
        for port in (self.s, self.pv):
            m.d.comb += port.word.eq(base)


class OtherPad(ArrayEngine):
    """Writes to the pad of the instruction that is being read."""

    def _give(self, m: Module) -> None:
        super()._give(m)
        present = self.array.result.valid
        m.d.comb += self.s.enable.eq(present & self.issued.transpose)
        m.d.comb += self.pv.enable.eq(present & ~self.issued.transpose)


class DoneEarly(ArrayEngine):
    """Completes with the last row of its first fold."""

    def _give(self, m: Module) -> None:
        super()._give(m)
        rows = Signal(range(self.form.rows))
        with m.If(self.array.result.valid):
            m.d.sync += rows.eq(rows + 1)
        m.d.comb += self.done0.valid.eq(self.array.result.valid & (rows == self.form.rows - 1))


class Remembers(ArrayEngine):
    """Does not forget in a reset that an instruction is being read."""

    def __init__(self, form: ArrayEngineForm) -> None:
        super().__init__(form)
        self.running = Signal(reset_less=True)


KINDS = (Bubble, Unpadded, Unmasked, OneMore, SameFold, FirstWord, NextBase, OtherPad, DoneEarly, Remembers, Shallow)


def unit_with(engine: ArrayEngine) -> ArrayUnit:
    found = ArrayUnit(engine.form)
    found.engine = engine
    return found


def variants(form: ArrayEngineForm) -> dict[str, ArrayUnit]:
    """Same ports, one thing wrong; of the first three only edges are."""
    later = replace(form, output_registers=form.output_registers + 1)
    sooner = replace(form, mac_registers=form.mac_registers - 1)
    kinds = {kind.__name__: unit_with(kind(form)) for kind in KINDS}
    return {"later": unit_with(ArrayEngine(later)), "sooner": unit_with(ArrayEngine(sooner)), **kinds}
