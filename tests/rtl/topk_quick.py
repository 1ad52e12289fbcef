"""Quick-select engines that are wrong on purpose, and the small one that stands for all."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Mux, Signal, Value

from accelsim.hardware.topk_quick import UNIT, QuickSetup, build
from rtl.block import Block
from rtl.topk import TopkForm
from rtl.topk.filter import Copies, Filter, Intake
from rtl.topk.parts import Packer
from rtl.topk.quick import DECIDE, PICK, TAKE, QuickSelect
from rtl.topk.quick_parts import Side
from tests.rtl.rigid import common_variants

SMALL: QuickSetup = UNIT.read(
    {
        **{"score_bits": 5, "index_bits": 3, "input_lanes": 2, "lanes": 4, "most": 13, "tag_bits": 1},
        **{"close_stages": 0, "pivots": "stream"},
    }
)

TINY: QuickSetup = replace(
    SMALL,
    form=replace(SMALL.form, score_bits=2, index_bits=2, lanes=2, most=4),
    stages=replace(SMALL.stages, compare_stages=0),
)
"""For proofs."""


class Engine(QuickSelect):
    """The engine as it should be, of these sizes."""

    def __init__(self, setup: QuickSetup = SMALL) -> None:
        super().__init__(setup.form, setup.stages, setup.pivots)


class OneShort(Engine):
    """Keeps one of the equal ones less than are missing, as the algorithm is printed."""

    def _decide(self, m: Module) -> None:
        super()._decide(m)
        with m.If(self.step == DECIDE):
            m.d.comb += self.verdicts.i.payload.equal.eq(self.sought - self.sides["larger"].size - 1)


class WrongSide(Engine):
    """Goes on with the smaller ones when the one sought is the smallest of the larger ones."""

    def _decide(self, m: Module) -> None:
        super()._decide(m)
        smaller, larger = self.sides.values()
        with m.If(smaller.o_last & (self.sought == larger.size) & (smaller.size != 0)):
            m.d.sync += [self.size.eq(smaller.size), self.from_larger.eq(0), self.sought.eq(1)]


class Absolute(Engine):
    """Does not take off those that are above the smaller ones."""

    def _decide(self, m: Module) -> None:
        super()._decide(m)
        with m.If(self.sides["smaller"].o_last):
            m.d.sync += self.sought.eq(self.sought)


class Unmasked(Engine):
    """Splits also what lies beyond the last candidate."""

    def _split(self, m: Module, row: Value) -> None:
        size, self.size = self.size, Const(0, len(self.size))
        whole = Signal.like(size)
        m.d.comb += whole.eq(size + (self.form.lanes - 1))
        self.size = whole & ~(self.form.lanes - 1)
        super()._split(m, row)
        self.size = size


class Hesitant(Engine):
    """Waits for an edge before it picks."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        waited = Signal()
        m.d.sync += waited.eq((self.step == PICK) & ~waited)
        with m.If((self.step == PICK) & ~waited):
            m.d.comb += self.pivot.ready.eq(0)
            m.d.sync += self.step.eq(PICK)
        return m


class Alone(Engine):
    """Lets no job in while FILTER is at work."""

    def _take(self, m: Module) -> None:
        super()._take(m)
        m.d.comb += self.intake.open.eq((self.step == TAKE) & ~self.verdicts.o.valid)


class Crowded(Engine):
    """Lets a job in where there is no copy for it."""

    def _take(self, m: Module) -> None:
        super()._take(m)
        m.d.comb += self.intake.open.eq(self.step == TAKE)


class Through(Engine):
    """Sends also what has nothing to choose through SELECT, where a score is sought."""

    def _take(self, m: Module) -> None:
        super()._take(m)
        with m.If(self.intake.ends & (self.intake.k == self.intake.n) & (self.intake.k != 0)):
            m.d.comb += self.verdicts.i.valid.eq(0)
            m.d.sync += self.step.eq(PICK)


class Dropped(Engine):
    """Keeps those that are as large as can be where none is wanted."""

    def _take(self, m: Module) -> None:
        super()._take(m)
        with m.If(self.intake.ends & (self.intake.k == 0)):
            m.d.comb += self.verdicts.i.payload.equal.eq(1)


class RemembersJob(Intake):
    """A job that came in part before a reset is gone on with after it."""

    def __init__(self, form: TopkForm) -> None:
        super().__init__(form)
        self.begun = Signal(reset_less=True)


class Sticky(Engine):
    """Puts what equals the pivot among the smaller ones."""

    def _compare(self, row: Value) -> tuple[Value, Value]:
        _, above = super()._compare(row)
        return ~above, above


class OneCopy(Copies):
    """Puts every job where the one before is."""

    def _address(self, copy: Value, place: Value) -> Value:
        return super()._address(Const(0), place)


class Forgets(Filter):
    """Counts equal ones on from one job to the next."""

    def _close(self, m: Module, present: Value, ends: Value, *rest: Value) -> list[Value]:
        return super()._close(m, present, ends & ~rest[1].any(), *rest)


class Hasty(Packer):
    """Sends a row as soon as it is full, although it may turn out to be the last."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        full = self.present & (Mux(self.ended, 0, self.level) + self.count == self.lanes) & ~self.ended
        with m.If(full & ~self.ends):
            m.d.comb += self.o_present.eq(1)
            m.d.sync += [Value.cast(self.held).eq(0), self.level.eq(0)]
        return m


class Uncounted(Side):
    """Begins the next pass with the count of the one before."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        with m.If(self.packer.o_last):
            m.d.sync += self.size.eq(self.size)
        return m


def with_part(name: str, part: Block, setup: QuickSetup = SMALL) -> QuickSelect:
    """The engine with another part."""
    engine = Engine(setup)
    setattr(engine, name, part)
    return engine


def with_packer(setup: QuickSetup = SMALL) -> QuickSelect:
    engine = Engine(setup)
    packer = engine.filter.packer
    engine.filter.packer = Hasty(packer.held.shape().elem_shape, packer.lanes)
    return engine


def with_side() -> QuickSelect:
    engine = Engine()
    engine.sides["larger"] = Uncounted(SMALL.form, SMALL.stages.close_stages)
    return engine


def with_stages(**stages: int) -> Block:
    """Other registers than those that the timing function is told of."""
    return build(replace(SMALL, stages=replace(SMALL.stages, **stages)))


def variants() -> dict[str, Block]:
    """All faults made by hand, with the ports of the original."""
    form, stages = SMALL.form, SMALL.stages
    kinds = (OneShort, WrongSide, Absolute, Unmasked, Hesitant, Alone, Crowded, Through, Dropped)
    return {
        **common_variants(lambda: build(SMALL), "scores", "kept"),
        **{kind.__name__: kind() for kind in kinds},
        "RemembersJob": with_part("intake", RemembersJob(form)),
        "OneCopy": with_part("copies", OneCopy(form)),
        "Forgets": with_part("filter", Forgets(form, stages)),
        "Hasty": with_packer(),
        "Uncounted": with_side(),
        "sooner": with_stages(compare_stages=0),
        "slower": with_stages(close_stages=1),
    }


TIMING = ("later", "bubble", "Hesitant", "Alone", "sooner", "slower")
"""Those whose bits are right."""
