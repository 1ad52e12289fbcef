"""Division by restoring steps: quotients of several numerators by one denominator, rounded half up and saturated."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Elaboratable, EnableInserter, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from rtl.block import Block, check_size
from rtl.fixed import check_format, round_half_up
from rtl.pipeline import later, wire

WIDEST = 128
MOST_LANES = 256


def division_stages(output: FixedFormat, bits: int) -> int:
    """Stages of `bits` steps that give every bit of a quotient and one more, by which it is rounded."""
    return -(-(output.width + 1) // bits)


class Division(Block):
    """Quotients at every edge, without streams. Latency `division_stages(output, bits)` edges.

    With k whole bits in the output, the denominator times 2^k is added to each numerator, so that what can be
    represented is from 0 to below 2^(k+1) denominators; anything else is saturated. Each step gives one bit of that
    quotient, the highest first. Rounded, and with its top bit inverted, it is the code. A denominator of 0 gives 0.

    Ports:
        numerator: input, one signed number for each lane.
        denominator: input, unsigned, with as many bits behind its point as the numerators.
        quotient: output, codes of `output`; belong to the inputs of so many edges before.
    """

    def __init__(self, widths: tuple[int, int], output: FixedFormat, lanes: int = 1, bits: int = 1) -> None:
        check_format("output", output)
        if not output.signed or output.fraction >= output.width:
            raise AccelsimError(
                f'output: must be signed and hold -1, as s{output.fraction + 1}.{output.fraction} does, got "{output}"'
            )
        for name, width in zip(("numerator", "denominator"), widths, strict=True):
            check_size(name, width, 1, WIDEST)
        check_size("lanes", lanes, 1, MOST_LANES)
        check_size("division_bits", bits, 1, output.width + 1)
        self.widths = widths
        self.output = output
        self.lanes = lanes
        self.bits = bits
        self.whole = output.width - 1 - output.fraction
        self.stages = division_stages(output, bits)
        ports = {
            "numerator": In(data.ArrayLayout(signed(widths[0]), lanes)),
            "denominator": In(unsigned(widths[1])),
            "quotient": Out(data.ArrayLayout(signed(output.width), lanes)),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        divisors = [self.denominator]
        for stage in range(self.stages):
            divisors += later(m, f"stage{stage}", 1, divisor=divisors[-1])
        for lane in range(self.lanes):
            code = self._lane(m, lane, divisors)
            m.d.comb += self.quotient[lane].eq(Mux(divisors[-1] == 0, 0, code))
        return m

    def _lane(self, m: Module, lane: int, divisors: list[Value]) -> Value:
        """The code of one lane, in a register."""
        name = f"lane{lane}"
        shifted = Cat(Const(0, self.whole), divisors[0])
        moved = wire(m, f"{name}_moved", self.numerator[lane] + shifted)
        low, high = moved < 0, moved >= Cat(Const(0, 1), shifted)
        rest, quotient = moved[: self.widths[1] + self.whole + 1], Const(0, 0)
        for stage, divisor in enumerate(divisors[:-1]):
            for step in range(self.bits):
                top = wire(m, f"{name}_top{stage}_{step}", rest[self.whole :])
                bit = wire(m, f"{name}_bit{stage}_{step}", top >= divisor)
                less = wire(m, f"{name}_less{stage}_{step}", Mux(bit, top - divisor, top)[: len(top) - 1])
                rest, quotient = Cat(Const(0, 1), rest[: self.whole], less), Cat(bit, quotient)
            if stage < self.stages - 1:
                beside = {"low": low, "high": high, "rest": rest, "quotient": quotient}
                low, high, rest, quotient = later(m, f"{name}_stage{stage}", 1, **beside)
        return later(m, name, 1, code=self._code(low, high, quotient))[0]

    def _code(self, low: Value, high: Value, quotient: Value) -> Value:
        """The quotient rounded and saturated, its top bit inverted."""
        width, most = self.output.width, (1 << self.output.width) - 1
        rounded = round_half_up(quotient, len(quotient) - width)
        code = Mux(low, 0, Mux(high | (rounded > most), most, rounded))[:width]
        return (code ^ (1 << (width - 1)))[:width].as_signed()


def division_input(widths: tuple[int, int], lanes: int) -> data.StructLayout:
    """A beat: a `numerator` for each lane, and the `denominator` of all."""
    return data.StructLayout({"numerator": data.ArrayLayout(signed(widths[0]), lanes), "denominator": widths[1]})


class Divider(Block):
    """Division of beats. Latency `division_stages(output, bits)` edges, one beat of `lanes` quotients per edge.

    While the output waits the whole unit stands still.

    Ports:
        i: input stream of `division_input(widths, lanes)`; ready unless the output waits.
        o: output stream of `lanes` codes of `output`; valid when a beat has passed all stages.

    After a reset no beat is held.
    """

    def __init__(self, widths: tuple[int, int], output: FixedFormat, lanes: int = 1, bits: int = 1) -> None:
        self.division = Division(widths, output, lanes, bits)
        self.moves = Signal()
        quotients = data.ArrayLayout(signed(output.width), lanes)
        ports = {"i": In(stream.Signature(division_input(widths, lanes))), "o": Out(stream.Signature(quotients))}
        super().__init__(ports)

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        m.submodules.division = division = self.division
        m.d.comb += [
            self.moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(self.moves),
            division.numerator.eq(self.i.payload.numerator),
            division.denominator.eq(self.i.payload.denominator),
            self.o.valid.eq(later(m, "beat", division.stages, present=self.i.valid)[0]),
            self.o.payload.eq(division.quotient),
        ]
        return EnableInserter(self.moves)(m)
