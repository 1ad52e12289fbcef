"""Floating point: exact products, and sums that are rounded to nearest even; subnormal numbers are zeros."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Elaboratable, EnableInserter, Module, Mux, Value
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from accelsim.formats import FloatFormat
from rtl.block import Block
from rtl.pipeline import check_stages, later, wire

GUARD = 3  # bits below the fraction while two numbers are added: two, and one that says whether there is more


@dataclass(frozen=True)
class AdderStages:
    """Registers behind each step of an addition: order and align, add significands, normalise, round."""

    align_stages: int = 1
    sum_stages: int = 1
    normal_stages: int = 1
    round_stages: int = 1

    def __post_init__(self) -> None:
        check_stages(self)

    @property
    def depth(self) -> int:
        """Edges from the operands to their sum."""
        return self.align_stages + self.sum_stages + self.normal_stages + self.round_stages


@dataclass(frozen=True)
class Float:
    """The parts of a code, and its significand with the leading 1; that of a zero, or what would be subnormal, is 0."""

    form: FloatFormat
    code: Value

    @property
    def sign(self) -> Value:
        return self.code[-1]

    @property
    def exponent(self) -> Value:
        return self.code[self.form.fraction : -1]

    @property
    def fraction(self) -> Value:
        return self.code[: self.form.fraction]

    @property
    def present(self) -> Value:
        """Whether it is not zero."""
        return self.exponent != 0

    @property
    def special(self) -> Value:
        """Whether it is infinity or NaN."""
        return self.exponent == self.form.special

    @property
    def nan(self) -> Value:
        return self.special & (self.fraction != 0)

    @property
    def significand(self) -> Value:
        return Mux(self.present, Cat(self.fraction, 1), 0)


def neutral(form: FloatFormat) -> Value:
    """-0, which added to a number gives that number."""
    return Const(1 << (form.width - 1), form.width)


def float_code(form: FloatFormat, sign: Value, exponent: Value, fraction: Value, up: Value | int = 0) -> Value:
    """A code of a number whose exponent, a signed value, may be out of range: infinity above, zero below.

    `up` is added to the fraction, from where it may carry into the exponent and up to infinity.
    """
    inside = (Cat(fraction, exponent[: form.exponent]) + up)[: form.width - 1]
    bounded = Mux(exponent >= form.special, form.infinity, Mux(exponent <= 0, 0, inside))
    return Cat(bounded[: form.width - 1], sign)


class FloatProduct(Block):
    """The product of two numbers in a format whose fraction is long enough for it, without registers.

    Ports:
        a, b: input, codes of `operand`.
        product: output, a code of `result`, exact but for what is infinity or zero there.
    """

    def __init__(self, operand: FloatFormat, result: FloatFormat) -> None:
        enough = 2 * operand.fraction + 1
        if result.fraction < enough:
            raise AccelsimError(f'fraction of a product: must be at least {enough} bits, got "{result.fraction}"')
        self.operand = operand
        self.result = result
        super().__init__({"a": In(operand.width), "b": In(operand.width), "product": Out(result.width)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        a, b, result = Float(self.operand, self.a), Float(self.operand, self.b), self.result
        sign = a.sign ^ b.sign
        significand = wire(m, "significand", a.significand * b.significand)
        high = significand[-1]
        fraction = Mux(high, significand[:-1], significand[:-2] << 1)[: len(significand) - 1]
        aligned = Cat(Const(0, result.fraction - len(fraction)), fraction)
        bias = Const(result.bias - 2 * self.operand.bias)
        exponent = wire(m, "exponent", Mux(significand == 0, 0, a.exponent + b.exponent + high + bias))
        code = float_code(result, sign, exponent, aligned)
        infinite = Cat(Const(result.infinity, result.width - 1), sign)
        void = a.special & ~b.present | b.special & ~a.present
        special = Mux(a.nan | b.nan | void, result.nan, infinite)
        m.d.comb += self.product.eq(Mux(a.special | b.special, special, code))
        return m


@dataclass(frozen=True)
class Larger:
    """What a sum takes from the operand with the larger magnitude, and its sign where it is 0; whether it is NaN."""

    sign: Value
    zero_sign: Value
    exponent: Value
    nan: Value

    def later(self, m: Module, name: str, stages: int) -> Larger:
        """The same so many registers later."""
        return Larger(*later(m, name, stages, **vars(self)))


class FloatSum(Block):
    """The sum of two numbers at every edge, without streams. Latency `stages.depth` edges.

    Exact, then rounded once to nearest, ties to even. A sum that would be subnormal is exact before it becomes zero; x
    and -x give 0, and -0 added to a number gives that number.

    Ports:
        goes: input, whether its registers move.
        a, b: input, codes of `form`.
        sum: output, a code of `form`; belongs to the inputs of `stages.depth` edges before.
    """

    def __init__(self, form: FloatFormat, stages: AdderStages) -> None:
        self.form = form
        self.stages = stages
        super().__init__({"goes": In(1), "a": In(form.width), "b": In(form.width), "sum": Out(form.width)})

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        stages = self.stages
        swaps = wire(m, "swaps", self.b[:-1] > self.a[:-1])
        large = Float(self.form, wire(m, "large", Mux(swaps, self.b, self.a)))
        small = Float(self.form, wire(m, "small", Mux(swaps, self.a, self.b)))
        differs = large.sign ^ small.sign
        nan = large.nan | (large.special & small.special & differs)
        beside = Larger(large.sign, large.sign & small.sign, large.exponent, nan).later(m, "align", stages.align_stages)
        upper, lower = Cat(Const(0, GUARD), large.significand), self._aligned(m, large, small)
        upper, lower, differs = later(m, "align", stages.align_stages, upper=upper, lower=lower, differs=differs)
        total = Mux(differs, upper - lower, upper + lower)[: self.form.fraction + GUARD + 2]
        (total,) = later(m, "sum", stages.sum_stages, total=total)
        normal, zeros = leading(m, total)
        normal, zeros = later(m, "normal", stages.normal_stages, normal=normal, zeros=zeros)
        beside = beside.later(m, "sum", stages.sum_stages).later(m, "normal", stages.normal_stages)
        m.d.comb += self.sum.eq(later(m, "round", stages.round_stages, code=self._code(m, normal, zeros, beside))[0])
        return EnableInserter(self.goes)(m)

    def _aligned(self, m: Module, large: Float, small: Float) -> Value:
        """The smaller significand, moved right by the difference of exponents; its last bit says whether more was 1."""
        width = self.form.fraction + 1 + GUARD
        distance = wire(m, "distance", (large.exponent - small.exponent)[: self.form.exponent])
        places = Mux(distance > width, width, distance)
        moved = wire(m, "moved", Cat(Const(0, width + GUARD), small.significand) >> places)
        return Cat(moved[:width].any() | moved[width], moved[width + 1 :])

    def _code(self, m: Module, normal: Value, zeros: Value, large: Larger) -> Value:
        """A sum whose leading 1 is the highest bit, rounded; `zeros` were in front of it before."""
        fraction, rest = normal[GUARD + 1 : -1], normal[: GUARD + 1]
        up = rest[-1] & (rest[:-1].any() | fraction[0])
        exponent = wire(m, "exponent", large.exponent + 1 - zeros)
        code = float_code(self.form, large.sign, exponent, fraction, up)
        infinite = Cat(Const(self.form.infinity, self.form.width - 1), large.sign)
        zero = Cat(Const(0, self.form.width - 1), large.zero_sign)
        finite = Mux(normal[-1], code, zero)
        return Mux(large.nan, self.form.nan, Mux(large.exponent == self.form.special, infinite, finite))


def leading(m: Module, value: Value) -> tuple[Value, Value]:
    """A value moved left until its highest bit is 1, and by how many places; halving steps. 0 stays 0."""
    counted = []
    for step in reversed(range((len(value) - 1).bit_length())):
        places = 1 << step
        empty = wire(m, f"empty_{step}", value[-places:] == 0)
        value = wire(m, f"moved_{step}", Mux(empty, value << places, value)[: len(value)])
        counted.append(empty)
    return value, Cat(reversed(counted))
