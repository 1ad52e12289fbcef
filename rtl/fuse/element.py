"""The processing element: a 16 x 16 multiplier, an adder, a comparison, and what it keeps of one key and one query."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, EnableInserter, Fragment, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from accelsim.formats import FixedFormat
from rtl.block import Block
from rtl.exp import log2_e
from rtl.fixed import round_by, round_half_up, saturate
from rtl.fuse.form import ACCUMULATOR, OP_BITS, OPERAND, SHIFT_BITS, Op, P, slot_field
from rtl.fuse.polynomial import DEGREE, coefficients
from rtl.pipeline import later, wire

SUM = signed(ACCUMULATOR.width)
LOG2_E_BITS = 14  # behind the point of log2(e) = 1.44 as a 16-bit operand
MINUS_LOG2_E = -log2_e(LOG2_E_BITS)
FARTHEST = ACCUMULATOR.width - P.fraction  # octaves by which any accumulator is shifted to 0
EXP_OPS = (Op.SUB, Op.RANGE, *([Op.HORNER] * (DEGREE - 1)), Op.HORNER_LAST)
LEFT_CONSTANTS = (0, MINUS_LOG2_E, *coefficients()[DEGREE - 1 : 0 : -1], 0)  # beside each of them; SUB has its shift
TOP_CONSTANT = coefficients()[DEGREE]  # above RANGE


def token_layout(tiles: int) -> data.StructLayout:
    """A step and its operand from the left, on an array that holds so many tiles."""
    flags = dict.fromkeys(("valid", "first", "last"), 1)
    return data.StructLayout({"value": signed(OPERAND), "op": OP_BITS, "down": 1, **flags, **slot_field(tiles)})


def per_tile(name: str, shape: ShapeLike, tiles: int) -> list[Signal]:
    """A register for each tile, that no reset changes."""
    names = [name] if tiles == 1 else [f"{name}_{slot}" for slot in range(tiles)]
    return [Signal(shape, name=each, reset_less=True) for each in names]


def of_tile(registers: list[Signal], step: Any) -> Value:
    """That of the tile which a step, or a token, is of."""
    return registers[0] if len(registers) == 1 else Array(registers)[step.slot]


class FusePe(Block):
    """One step per edge on the operands that come from the left and from above; both go on after one edge.

    Of each of `tiles` tiles it keeps the sum `kept` (32 bits) and `value` (16 bits: x of exp, Horner's value, at last
    P), and a step takes those of its tile. Of the range reduction it keeps `part` and `octave`, once, since no step
    comes between those of exp. What comes from above goes on below as it is, unless the step says otherwise:

    - MAC: a product of left and above is added to `kept`, which begins anew with `first`. `down`: a product of left
      and `value` is added to what is above, and the sum goes below.
    - MAX: the larger of `kept` and above goes below; above where left is 0, which is a row without a key.
    - SUB: `value` becomes `kept` less above, shifted by left, rounded and saturated.
    - RANGE: left x `value` (left is -log2 e) is split into octave and part; `value` becomes above, the coefficient c5.
    - HORNER: `value` becomes left + `value` x part, rounded.
    - HORNER_LAST: `value` becomes 1 + `value` x part, shifted by the octave, rounded once; 1 saturates.

    Ports:
        goes: input, whether registers move at this edge.
        left: input, a token; its step is done at this edge when it is valid.
        right: output, the same token one edge later.
        above: input, what the step takes from above.
        below: output, what goes on, one edge later.
    """

    def __init__(self, source: FixedFormat, tiles: int = 1) -> None:
        self.source = source
        self.tiles = tiles
        token = token_layout(tiles)
        super().__init__(
            {"goes": In(1), "left": In(token), "right": Out(token), "above": In(SUM), "below": Out(SUM)},
        )

    def elaborate(self, platform: None) -> Fragment:
        m = Module()
        self._pass_on(m)
        self._work(m)
        return EnableInserter(self.goes)(m)

    def _pass_on(self, m: Module) -> None:
        fields = [name for name, _ in token_layout(self.tiles) if name != "valid"]
        values = {name: self.left[name] for name in fields}
        present, *moved = later(m, "passed", 1, present=self.left.valid, **values)
        m.d.comb += self.right.valid.eq(present)
        m.d.comb += [self.right[name].eq(value) for name, value in zip(fields, moved, strict=True)]

    def _work(self, m: Module) -> None:
        kept = of_tile(per_tile("kept", SUM, self.tiles), self.left)
        value = of_tile(per_tile("value", signed(OPERAND), self.tiles), self.left)
        part = Signal(P.fraction, reset_less=True)
        octave = Signal(range(FARTHEST + 1), reset_less=True)
        token, onto = self.left, self._onto(m, kept)
        product = self._product(m, value, part)
        total = Signal(SUM)
        rest = Signal(signed(ACCUMULATOR.width + 1))
        m.d.comb += [total.eq(onto + product), rest.eq(kept - self.above)]
        phase = wire(m, "phase", round_half_up(product, self.source.fraction + LOG2_E_BITS - P.fraction))
        whole = phase[P.fraction :]
        power = wire(m, "power", ((total[P.fraction - 1 :] >> octave) + 1).shift_right(1))
        shifted = wire(m, "shifted", round_by(rest, token.value[:SHIFT_BITS]))
        m.d.sync += self.below.eq(self.above)
        with m.If(token.valid), m.Switch(token.op):
            with m.Case(Op.MAC):
                with m.If(token.down):
                    m.d.sync += self.below.eq(total)
                with m.Else():
                    m.d.sync += kept.eq(total)
            with m.Case(Op.MAX), m.If(token.value[0] & (rest > 0)):
                m.d.sync += self.below.eq(kept)
            with m.Case(Op.SUB):
                m.d.sync += value.eq(saturate(shifted, self.source))
            with m.Case(Op.RANGE):
                m.d.sync += [part.eq(phase[: P.fraction]), octave.eq(Mux(whole > FARTHEST, FARTHEST, whole))]
                m.d.sync += value.eq(self.above)
            with m.Case(Op.HORNER):
                m.d.sync += value.eq(round_half_up(total, P.fraction))
            with m.Case(Op.HORNER_LAST):
                m.d.sync += value.eq(Mux(power > P.highest, P.highest, power))

    def _onto(self, m: Module, kept: Value) -> Signal:
        """What the product is added to."""
        token = self.left
        found = Signal(SUM)
        with m.Switch(token.op):
            with m.Case(Op.MAC):
                m.d.comb += found.eq(Mux(token.down, self.above, Mux(token.first, 0, kept)))
            with m.Case(Op.HORNER):
                m.d.comb += found.eq(token.value << P.fraction)
            with m.Case(Op.HORNER_LAST):
                m.d.comb += found.eq(1 << 2 * P.fraction)
        return found

    def _product(self, m: Module, value: Value, part: Value) -> Signal:
        """The one multiplier: left or part, times what is above or `value`."""
        token = self.left
        one = Signal(signed(OPERAND))
        other = Signal(signed(OPERAND))
        product = Signal(SUM)
        horner = (token.op == Op.HORNER) | (token.op == Op.HORNER_LAST)
        in_place = (token.op == Op.MAC) & ~token.down
        m.d.comb += [
            one.eq(Mux(horner, Cat(part, Const(0, 1)).as_signed(), token.value)),
            other.eq(Mux(in_place, self.above[:OPERAND].as_signed(), value)),
            product.eq(one * other),
        ]
        return product
