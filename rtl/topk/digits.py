"""The counting part of the radix engine: how many scores have each value of a digit, and which digit is sought."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add as plus

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out

from accelsim.errors import AccelsimError
from rtl.block import Block, check_size
from rtl.pipeline import check_stages, later, levels, tree, wire

MOST_DIGIT_BITS = 8
COUNTER = 1  # the register of a counter


@dataclass(frozen=True)
class RadixStages:
    """Registers behind each step of a pass: reading a row, matching its digits, each level of a sum, finding the digit.

    With `find_stages`, the sums over counters that lead to the digit have registers of their own.
    """

    read_stages: int = 1
    match_stages: int = 1
    sum_stages: int = 0
    find_stages: int = 1

    def __post_init__(self) -> None:
        check_stages(self)


@dataclass(frozen=True)
class Digits:
    """How scores of so many bits are cut into digits, the highest first; the lowest may be the narrower one."""

    score_bits: int
    digit_bits: int

    def __post_init__(self) -> None:
        check_size("digit_bits", self.digit_bits, 1, MOST_DIGIT_BITS)
        if self.digit_bits > self.score_bits:
            raise AccelsimError(
                f'digit_bits: must be at most the {self.score_bits} of a score, got "{self.digit_bits}"'
            )

    @property
    def passes(self) -> int:
        return -(-self.score_bits // self.digit_bits)

    def low(self, place: int) -> int:
        """The lowest bit of a digit."""
        return max(0, self.score_bits - (place + 1) * self.digit_bits)

    def width(self, place: int) -> int:
        """The bits of a digit."""
        return self.score_bits - place * self.digit_bits - self.low(place)


class DigitCount(Block):
    """Counts, row by row, the scores that agree in the digits found so far, by the value of their next digit.

    From the counts follows the digit of the `sought`-th largest of them: the largest value for which those of it and
    above it are as many. Behind the last row of a pass come `found`, and all that follows from the counts, at one edge.

    Latency from the last row to `found`: read_stages + match_stages + ceil(log2(lanes)) x sum_stages + 1 + find_stages.

    Ports:
        present, first, last: input, whether a row comes in, and whether it is the first and the last one of its pass.
        scores, used: input, the row, and which of its lanes mean anything.
        place: input, which digit is counted; `known`: input, the digits found, zeros below. The same for a whole pass.
        sought: input, which of those that agree is sought, the largest being 1; the same up to `found`.
        found: output, whether the counts are complete, for one edge.
        digit: output, the digit of the one sought; valid with `found`, as all that follow are.
        above: output, how many of those that agree have a larger digit.
        equal: output, how many have this one.

    After a reset no row is held.
    """

    def __init__(self, digits: Digits, lanes: int, most: int, stages: RadixStages) -> None:
        check_size("lanes of a row", lanes)
        check_size("most scores of a job", most)
        self.digits, self.lanes, self.stages = digits, lanes, stages
        count = range(most + 1)
        self.counters = [Signal(count, name=f"counter_{value}") for value in range(1 << digits.digit_bits)]
        given = {
            **{"present": In(1), "first": In(1), "last": In(1)},
            **{"scores": In(data.ArrayLayout(digits.score_bits, lanes)), "used": In(lanes)},
            **{"place": In(range(digits.passes)), "known": In(digits.score_bits), "sought": In(count)},
        }
        shown = {"found": Out(1), "digit": Out(digits.digit_bits), "above": Out(count), "equal": Out(count)}
        super().__init__({**given, **shown})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        stages = self.stages
        present, first, final, scores, used = later(
            m,
            "read",
            stages.read_stages,
            present=self.present,
            first=self.first,
            final=self.last,
            scores=Value.cast(self.scores),
            used=self.used,
        )
        lanes = [self._lane(m, lane, scores, used) for lane in range(self.lanes)]
        edges = stages.match_stages
        named = {f"lane_{lane}": value for lane, value in enumerate(lanes)}
        present, first, final, *lanes = later(m, "match", edges, present=present, first=first, final=final, **named)
        sums = [
            tree(m, f"sum_{value}", stages.sum_stages, [self._has(lane, value) for lane in lanes], plus)
            for value in range(len(self.counters))
        ]
        edges = levels(self.lanes) * stages.sum_stages
        present, first, final = later(m, "sum", edges, present=present, first=first, final=final)
        for counter, total in zip(self.counters, sums, strict=True):
            with m.If(present):
                m.d.sync += counter.eq(Mux(first, 0, counter) + total)
        (complete,) = later(m, "count", COUNTER, present=present & final)
        self._find(m, complete)
        return m

    def _lane(self, m: Module, lane: int, scores: Value, used: Value) -> Value:
        """The digit of a score, and above it whether the score agrees in those before."""
        bits = self.digits.score_bits
        score = scores.word_select(lane, bits)
        choices = [self._digit(place, score, used[lane]) for place in range(self.digits.passes)]
        return wire(m, f"digit_{lane}", Array(choices)[self.place] if len(choices) > 1 else choices[0])

    def _digit(self, place: int, score: Value, used: Value) -> Value:
        low, width = self.digits.low(place), self.digits.width(place)
        agrees = score[low + width :] == self.known[low + width :]
        spare = self.digits.digit_bits - width
        return Cat(score[low : low + width], [0] * spare, used & agrees)

    def _has(self, lane: Value, value: int) -> Value:
        return lane == (1 << self.digits.digit_bits | value)

    def _find(self, m: Module, complete: Value) -> None:
        """Sums of the counters from the top; the digit sought is the largest whose sum is large enough."""
        from_top = [
            wire(m, f"from_{value}", reduce(plus, self.counters[value:])[: len(self.sought)])
            for value in range(len(self.counters))
        ]
        named = {f"from_{value}": total for value, total in enumerate(from_top)}
        found, *from_top = later(m, "find", self.stages.find_stages, present=complete, **named)
        enough = [wire(m, f"enough_{value}", total >= self.sought) for value, total in enumerate(from_top)]
        digit, above, own = Value.cast(0), Value.cast(0), Value.cast(0)
        for value, is_enough in enumerate(enough):
            beyond = from_top[value + 1] if value + 1 < len(from_top) else Value.cast(0)
            digit, above, own = (
                Mux(is_enough, new, old) for new, old in ((value, digit), (beyond, above), (from_top[value], own))
            )
        m.d.comb += [self.found.eq(found), self.digit.eq(digit), self.above.eq(above), self.equal.eq(own - self.above)]


class ScoreRows(Block):
    """Holds the scores of a job as they come in, and shows them in rows of `lanes`, each read without delay.

    Ports:
        taken: input, whether a beat comes in.
        beat: input, its scores; `last`: input, whether it ends the job, so that the next one begins with row 0.
        place: input, which row is read.
        row: output, that row; always valid.
    """

    def __init__(self, score_bits: int, input_lanes: int, lanes: int, rows: int) -> None:
        self.parts = lanes // input_lanes
        self.rows = rows
        self.part_in = Signal(range(self.parts * rows))
        beat = data.ArrayLayout(score_bits, input_lanes)
        parts = data.ArrayLayout(score_bits * input_lanes, self.parts)
        self.words = memory.Memory(shape=parts, depth=rows, init=[])
        row = data.ArrayLayout(score_bits, lanes)
        super().__init__({"taken": In(1), "beat": In(beat), "last": In(1), "place": In(range(rows)), "row": Out(row)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.words = self.words
        write, read = self.words.write_port(granularity=1), self.words.read_port(domain="comb")
        bits = levels(self.parts)
        part, place = self.part_in[:bits], self.part_in[bits:]
        m.d.comb += [
            write.addr.eq(place),
            write.en.eq(Mux(self.taken, 1 << part, 0)),
            read.addr.eq(self.place),
            Value.cast(self.row).eq(Value.cast(read.data)),
        ]
        for each in range(self.parts):
            m.d.comb += write.data[each].eq(Value.cast(self.beat))
        with m.If(self.taken):
            m.d.sync += self.part_in.eq(Mux(self.last, 0, self.part_in + 1))
        return m
