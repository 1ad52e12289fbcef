"""Sums and products of floating point behind streams, many side by side, and sums that are wrong on purpose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Const, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.formats import FloatFormat
from rtl.block import Block
from rtl.floating import AdderStages, Float, FloatProduct, FloatSum, Larger
from rtl.once import once
from rtl.pipeline import later


@dataclass(frozen=True)
class Lanes:
    """Operations side by side: products of `operand` in `result` where `stages` is None, else sums of `result`."""

    operand: FloatFormat
    result: FloatFormat
    stages: AdderStages | None = None
    lanes: int = 4

    @property
    def latency(self) -> int:
        return 1 if self.stages is None else self.stages.depth

    @property
    def pairs(self) -> data.StructLayout:
        side = data.ArrayLayout(self.operand.width, self.lanes)
        return data.StructLayout({"a": side, "b": side})

    @property
    def results(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.result.width, self.lanes)


class Operations(Block):
    """One beat of pairs per edge; while the output waits everything stands still."""

    def __init__(self, form: Lanes, kind: type[FloatSum] = FloatSum) -> None:
        self.form = form
        self.kind = kind
        self.moves = Signal()
        super().__init__({"i": In(stream.Signature(form.pairs)), "o": Out(stream.Signature(form.results))})

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        m.d.comb += [self.moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(self.moves)]
        (present,) = later(m, "beat", self.form.latency, present=self.i.valid)
        m.d.comb += self.o.valid.eq(present)
        for lane in range(self.form.lanes):
            m.d.comb += self.o.payload[lane].eq(self._operation(m, lane))
        return EnableInserter(self.moves)(m)

    def _operation(self, m: Module, lane: int) -> Value:
        a, b, stages = self.i.payload.a[lane], self.i.payload.b[lane], self.form.stages
        if stages is None:
            product = FloatProduct(self.form.operand, self.form.result)
            m.submodules[f"product_{lane}"] = once("product", product)
            m.d.comb += [product.a.eq(a), product.b.eq(b)]
            return later(m, f"product_{lane}", 1, code=product.product)[0]
        unit = self.kind(self.form.result, stages)
        m.submodules[f"sum_{lane}"] = once("sum", unit)
        m.d.comb += [unit.goes.eq(self.moves), unit.a.eq(a), unit.b.eq(b)]
        return unit.sum


def every_pair(width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """All pairs of codes [2, pairs]."""
    return np.array(np.meshgrid(np.arange(1 << width), np.arange(1 << width))).reshape(2, -1)


# Wrong on purpose.


class TiesAway(FloatSum):
    """Rounds a tie up whatever is beside it."""

    def _code(self, m: Module, normal: Value, zeros: Value, large: Larger) -> Value:
        return super()._code(m, Cat(normal[0] | normal[3], normal[1:]), zeros, large)


class NoSticky(FloatSum):
    """Forgets what is moved out on the right."""

    def _aligned(self, m: Module, large: Float, small: Float) -> Value:
        return Cat(Const(0, 1), super()._aligned(m, large, small)[1:])


class SignOfLarger(FloatSum):
    """x and -x give a zero with the sign of one of them."""

    def _code(self, m: Module, normal: Value, zeros: Value, large: Larger) -> Value:
        code = super()._code(m, normal, zeros, large)
        return Mux(code[:-1] == 0, Cat(code[:-1], large.sign), code)


class NoNan(FloatSum):
    """Infinities of both signs give infinity."""

    def _code(self, m: Module, normal: Value, zeros: Value, large: Larger) -> Value:
        code = super()._code(m, normal, zeros, large)
        infinity = self.form.special << self.form.fraction
        return Mux(code == self.form.nan, infinity, code)


WRONG_SUMS = (TiesAway, NoSticky, SignOfLarger, NoNan)
