"""Attention tiles that are wrong on purpose."""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Module, Signal, Value

from accelsim.formats import FixedFormat
from accelsim.hardware.attention import UNIT, AttentionSetup, build, formats_of
from rtl.attention import Attention, Key
from rtl.block import Block
from rtl.fixed import shape_of
from tests.rtl.rigid import Later, common_variants

SMALL: AttentionSetup = UNIT.configurations["small"]


class KeepsMaximum(Attention):
    """The running maximum survives the end of a row."""

    def _maximum(self, m: Module, key: Key) -> tuple[Value, Value]:
        return super()._maximum(m, replace(key, last=Const(0)))


class SeesMasked(Attention):
    """A masked key may raise the maximum."""

    def _maximum(self, m: Module, key: Key) -> tuple[Value, Value]:
        return super()._maximum(m, replace(key, valid=Const(1)))


class NeverEmpty(Attention):
    """Does not tell of a row without a valid key."""

    def _divide(self, m: Module, sums: list[Value], present: Value, empty: Value) -> None:
        super()._divide(m, sums, present, Const(0))


class Unscaled(Attention):
    """Does not multiply the sums when the maximum grows."""

    def _sums(self, m: Module, p: Value, factor: Value, key: Key) -> None:
        super()._sums(m, p, Const(self.formats.one, shape_of(self.formats.factors)), key)


class Remembers(Attention):
    """The query of a row that was begun before a reset is still held after it."""

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)  # type: ignore[arg-type]
        self.held = Signal(reset_less=True)


def variants() -> dict[str, Block]:
    """Same ports, one thing wrong."""
    parts = (formats_of(SMALL.formats), SMALL.depth, SMALL.columns, SMALL.length, SMALL.stages)
    kinds = (KeepsMaximum, SeesMasked, NeverEmpty, Unscaled, Remembers)
    return {
        **common_variants(lambda: build(SMALL), "kv"),
        **{kind.__name__: kind(*parts) for kind in kinds},
        "later": Later(build(SMALL), "q"),
        "sooner": build(replace(SMALL, stages=replace(SMALL.stages, weigh_stages=0))),
        "later division": build(replace(SMALL, stages=replace(SMALL.stages, division_bits=2))),
        "other output": build(replace(SMALL, formats=replace(SMALL.formats, output=FixedFormat(9, 4)))),
    }
