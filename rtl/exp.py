"""The exp unit: exp(-x) for x >= 0 by range reduction and a piecewise linear 2^-f."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import isqrt

from amaranth.hdl import Array, Const, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from accelsim.formats import FixedFormat
from rtl.block import Block, check_size
from rtl.fixed import check_format, round_half_up, saturate, shape_of
from rtl.pipeline import check_stages, later

GUARD_BITS = 2
SEGMENTS = (4, 8, 16, 32, 64, 128)
MOST_LANES = 256
WIDEST_SOURCE = 32
FINEST_TARGET = 32
SERIES_BITS = 64  # of ln 2 beyond those that are wanted


@dataclass(frozen=True)
class ExpStages:
    """Registers behind each step: range reduction, look-up, the one Horner step, the shift."""

    range_stages: int = 1
    lookup_stages: int = 1
    horner_stages: int = 1
    shift_stages: int = 1

    def __post_init__(self) -> None:
        check_stages(self)

    @property
    def depth(self) -> int:
        """Edges from x to exp(-x)."""
        return self.range_stages + self.lookup_stages + self.horner_stages + self.shift_stages


ONE_EACH = ExpStages()


def check_exp(source: FixedFormat, target: FixedFormat, segments: int) -> None:
    """Raise AccelsimError for formats or segments of which no exp unit can be made."""
    check_format("source", source)
    check_format("target", target)
    if source.signed or source.width > WIDEST_SOURCE:
        raise AccelsimError(f'source: must be unsigned, of at most {WIDEST_SOURCE} bits, got "{source}"')
    if target.fraction > FINEST_TARGET:
        raise AccelsimError(f'target: must have a fraction of at most {FINEST_TARGET} bits, got "{target}"')
    if target.highest < (1 << target.fraction) - 1:
        enough = FixedFormat(target.fraction + target.signed, target.fraction, target.signed)
        raise AccelsimError(f'target: must reach 1 - 2^-{target.fraction}, as {enough} does, got "{target}"')
    known = [number for number in SEGMENTS if number <= 1 << (target.fraction + GUARD_BITS)]
    if isinstance(segments, bool) or segments not in known:
        raise AccelsimError(
            f'segments: must be one of {", ".join(map(str, known))} for a target of {target}, got "{segments}"'
        )


@cache
def powers(segments: int, bits: int) -> tuple[int, ...]:
    """2^(-i/segments) with `bits` bits behind the point, rounded half up, for i from 0 to segments.

    Twice the value is a root of a power of two; one of order 2^n is n square roots, and the floor of a root is the
    root of the floor.
    """
    found = []
    for i in range(segments + 1):
        twice = 1 << (segments * (bits + 1) - i)
        for _ in range(segments.bit_length() - 1):
            twice = isqrt(twice)
        found.append((twice + 1) >> 1)
    return tuple(found)


@cache
def log2_e(bits: int) -> int:
    """log2(e) = 1 / ln 2 with `bits` bits behind the point, rounded half up; ln 2 is the sum of 1 / (k 2^k)."""
    fine = bits + SERIES_BITS
    ln2 = sum((1 << fine) // (k << k) for k in range(1, fine))
    return ((1 << (fine + bits + 1)) // ln2 + 1) >> 1


class ExpLane(Block):
    """exp(-x) of one number at every edge, without streams. Latency `stages.depth` edges.

    Ports:
        x: input, a code of the unsigned format `source`.
        y: output, a code of `target`; belongs to the x of `stages.depth` edges before.
    """

    def __init__(self, source: FixedFormat, target: FixedFormat, segments: int, stages: ExpStages) -> None:
        check_exp(source, target, segments)
        self.source = source
        self.target = target
        self.segments = segments
        self.stages = stages
        super().__init__({"x": In(shape_of(source)), "y": Out(shape_of(target))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        stages, working = self.stages, self.target.fraction + GUARD_BITS
        phase = round_half_up(self.x * log2_e(working), self.source.fraction)
        octave, part = later(m, "range", stages.range_stages, octave=phase[working:], part=phase[:working])
        start, fall, rest = self._look_up(part)
        octave, start, fall, rest = later(
            m, "lookup", stages.lookup_stages, octave=octave, start=start, fall=fall, rest=rest
        )
        drop = round_half_up(fall * rest, len(rest)) if len(rest) else 0
        mantissa = (start - drop)[: working + 1]
        octave, mantissa = later(m, "horner", stages.horner_stages, octave=octave, mantissa=mantissa)
        result = Signal(shape_of(self.target))
        m.d.comb += result.eq(saturate(round_half_up(mantissa >> octave, GUARD_BITS), self.target))
        m.d.comb += self.y.eq(later(m, "shift", stages.shift_stages, y=result)[0])
        return m

    def _look_up(self, part: Value) -> tuple[Value, Value, Value]:
        """Value at the start of the segment, how far it falls up to its end, and the place within it."""
        working = self.target.fraction + GUARD_BITS
        place = working - (self.segments.bit_length() - 1)
        table = powers(self.segments, working)
        falls = [here - there for here, there in pairwise(table)]
        widest = max(falls).bit_length()
        start = Array(Const(code, working + 1) for code in table[:-1])[part[place:]]
        fall = Array(Const(code, widest) for code in falls)[part[place:]]
        return Value.cast(start), Value.cast(fall), part[:place]


def exp_input(source: FixedFormat, lanes: int) -> data.StructLayout:
    """A beat: `x` of each lane, `valid`: which lanes count, `last` of the vector."""
    return data.StructLayout({"x": data.ArrayLayout(shape_of(source), lanes), "valid": lanes, "last": 1})


def exp_output(target: FixedFormat, lanes: int) -> data.StructLayout:
    """A beat: `y` of each lane, 0 where it does not count, `valid` and `last` as they came in."""
    return data.StructLayout({"y": data.ArrayLayout(shape_of(target), lanes), "valid": lanes, "last": 1})


class Exp(Block):
    """exp(-x) of vectors. Latency `stages.depth` edges, one beat of `lanes` elements per edge.

    W is the target's fraction and 2 guard bits. x log2(e), rounded to W bits behind the point, is split into octave
    and fraction f; 2^-f comes from a chord of one of `segments` segments; shifted by the octave it is rounded half up
    to the target and saturated. While the output waits the whole unit stands still.

    Ports:
        i: input stream of `exp_input(source, lanes)`; ready unless the output waits.
        o: output stream of `exp_output(target, lanes)`; valid when a beat has passed all stages.

    After a reset no beat is held.
    """

    def __init__(
        self,
        source: FixedFormat,
        target: FixedFormat,
        segments: int = 64,
        lanes: int = 1,
        stages: ExpStages = ONE_EACH,
    ) -> None:
        check_exp(source, target, segments)
        check_size("lanes", lanes, 1, MOST_LANES)
        if not stages.depth:
            raise AccelsimError('range_stages: must be 1 at least where all other stages are 0, got "0"')
        self.lanes = lanes
        self.lane = (source, target, segments, stages)
        self.depth = stages.depth
        self.moves = Signal()
        ports = {
            "i": In(stream.Signature(exp_input(source, lanes))),
            "o": Out(stream.Signature(exp_output(target, lanes))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Elaboratable:
        return EnableInserter(self.moves)(self.pipeline())

    def pipeline(self) -> Module:
        """The unit as it is while nothing waits."""
        m = Module()
        beat, out = self.i.payload, self.o.payload
        present, valid, last = later(m, "beat", self.depth, present=self.i.valid, valid=beat.valid, last=beat.last)
        m.d.comb += [
            self.moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(self.moves),
            self.o.valid.eq(present),
            out.valid.eq(valid),
            out.last.eq(last),
        ]
        for place in range(self.lanes):
            m.submodules[f"lane_{place}"] = lane = ExpLane(*self.lane)
            m.d.comb += [lane.x.eq(beat.x[place]), out.y[place].eq(Mux(valid[place], lane.y, 0))]
        return m
