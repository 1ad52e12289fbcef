"""Vector engines that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data

from accelsim.hardware.vector import build
from rtl.block import Block
from rtl.exp import ExpStages
from rtl.layer.vector_bench import TO_ENGINE, VectorBench
from rtl.layer.vector_issue import Issue
from rtl.layer.vector_softmax import Row, RowSoftmax
from rtl.layer.vector_sums import Divide, ScaleAdd
from tests.rtl.rigid import Around, Later
from tests.rtl.vector import setup_of

SMALL = setup_of(
    2,
    2,
    slots=2,
    length=100,
    scores="s9.4",
    p="s8.6",
    factors="u11.10",
    **dict.fromkeys(("denominator", "accumulator"), "s24.9"),
    output="s12.6",
    segments=4,
    division_bits=4,
)


class Pause(Around):
    """Takes nothing at the edge behind the start of an instruction."""

    def change(self, m: Module, outer: Any, inner: Any) -> None:
        wait = Signal()
        m.d.sync += wait.eq(outer.valid & outer.ready & (outer.payload.target == TO_ENGINE))
        m.d.comb += [inner.valid.eq(outer.valid & ~wait), outer.ready.eq(inner.ready & ~wait)]


class SlotOfDivide(Issue):
    """Moves the slot of SCALE_ADD on from fold to fold, as the place of DIVIDE in the O pad."""

    def _next_fold(self, held: data.View) -> list[Any]:
        *others, _ = super()._next_fold(held)
        return [*others, held.dst.eq(held.dst + 1)]


class OneFold(Issue):
    """Does not move on in the accumulators of SCALE_ADD."""

    def _next_fold(self, held: data.View) -> list[Any]:
        a, _, dst = super()._next_fold(held)
        return [a, dst]


class NoMask(Issue):
    """Every key that exists counts."""

    def _give(self, m: Module, held: data.View, row: Value, present: Value, last: Value) -> None:
        super()._give(m, held, row, present, last)
        m.d.comb += self.word.mask.eq(0)


class Staircase(Issue):
    """The diagonal of the mask moves on by two keys from row to row."""

    def _give(self, m: Module, held: data.View, row: Value, present: Value, last: Value) -> None:
        super()._give(m, held, row, present, last)
        m.d.comb += self.word.imm.eq(held.imm + row)


class AllKeys(Issue):
    """Keys past the last one count."""

    def _give(self, m: Module, held: data.View, row: Value, present: Value, last: Value) -> None:
        super()._give(m, held, row, present, last)
        m.d.comb += self.word.cols.eq(self.form.lanes)


class NeverFirst(Issue):
    """Goes on from what is there."""

    def _give(self, m: Module, held: data.View, row: Value, present: Value, last: Value) -> None:
        super()._give(m, held, row, present, last)
        m.d.comb += self.word.first.eq(0)


class OtherState(Issue):
    """Moves on in the states of DIVIDE from fold to fold."""

    def _next_fold(self, held: data.View) -> list[Any]:
        a, _, dst = super()._next_fold(held)
        return [a, held.b.eq(held.b + self.form.rows), dst]


class LostRow(RowSoftmax):
    """Keeps the maximum only of rows that have grown beyond none."""

    def _maximum(self, m: Module, row: Row, ranks: list[Value]) -> Any:
        return super()._maximum(m, replace(row, present=row.present & ~row.first), ranks)


class OtherFactor(RowSoftmax):
    """Keeps the factor of the sums as that of the tile."""

    def _weights(self, m: Module, row: Row, p: list[Value], factors: data.View) -> None:
        super()._weights(m, row, p, factors)
        m.d.comb += self.factors.data.grows.eq(~factors.grows)


class OneSlot(RowSoftmax):
    """Keeps factors of every tile in the first slot."""

    def _weights(self, m: Module, row: Row, p: list[Value], factors: data.View) -> None:
        super()._weights(m, row, p, factors)
        m.d.comb += self.factors.address.eq(row.place)


class FreshDenominator(RowSoftmax):
    """The denominator is that of the last tile."""

    def _denominator(self, m: Module, row: Row, p: list[Value], factors: data.View) -> None:
        super()._denominator(m, replace(row, first=Const(1)), p, factors)


class EarlyDone(RowSoftmax):
    """Completes with P, before the denominator is there."""

    def _weights(self, m: Module, row: Row, p: list[Value], factors: data.View) -> None:
        super()._weights(m, row, p, factors)
        self.early = row

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.comb += [self.done.valid.eq(self.early.present & self.early.last), self.done.post.eq(self.early.post)]
        return m


class Silent(Divide):
    """Never raises `empty`."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        m.d.sync += self.empty.eq(0)
        return m


class Forgets(ScaleAdd):
    """Accumulators are those of the last tile."""

    def elaborate(self, platform: None) -> Module:
        m = super().elaborate(platform)
        for lane in range(self.form.lanes):
            m.d.comb += getattr(m.submodules, f"lane_{lane}").so_far.eq(0)
        return m


def with_part(part: str, kind: Callable[..., Block]) -> VectorBench:
    """The bench with another part in the engine."""
    found = build(SMALL)
    setattr(found.engine, part, kind(found.form))
    return found


def with_stages(**changes: Any) -> Block:
    return build(replace(SMALL, stages=replace(SMALL.stages, **changes)))


TIMED = ("later scores", "sooner scores", "later sums", "sooner quotients", "pause", "later")


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong; those in TIMED in their edges only."""
    issues = (SlotOfDivide, OneFold, NoMask, Staircase, AllKeys, NeverFirst, OtherState)
    softmaxes = (LostRow, OtherFactor, OneSlot, FreshDenominator, EarlyDone)
    return {
        "later scores": with_stages(difference_stages=2),
        "sooner scores": with_stages(exp=ExpStages(shift_stages=0)),
        "later sums": with_stages(add_stages=2),
        "sooner quotients": with_stages(division_bits=5),
        "pause": Pause(build(SMALL)),
        "later": Later(build(SMALL)),
        **{kind.__name__: with_part("issue", kind) for kind in issues},
        **{kind.__name__: with_part("softmax", kind) for kind in softmaxes},
        "Silent": with_part("divide", Silent),
        "Forgets": with_part("scale_add", Forgets),
    }
