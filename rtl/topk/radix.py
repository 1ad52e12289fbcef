"""The radix engine: the k-th largest score found digit by digit, from the top, by counting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.block import Block, check_choice
from rtl.pipeline import levels, wire
from rtl.topk.digits import DigitCount, Digits, RadixStages, ScoreRows
from rtl.topk.filter import Copies, Filter, Intake, verdict_layout
from rtl.topk.form import TopkForm, TopkStages, command_layout, kept_layout, scores_layout


@dataclass(frozen=True)
class RadixForm:
    """How the radix engine finds digits.

    Attributes:
        digit_bits: bits of a digit; there is a counter for each of its values.
        first_digit: where the first one is counted, in a pass (`select`) or as scores come in (`fill`).
        early_exit: whether passes end when all scores that agree in the digits found are kept.
    """

    digit_bits: int = 4
    first_digit: Literal["select", "fill"] = "select"
    early_exit: Literal["no", "yes"] = "no"

    def __post_init__(self) -> None:
        check_choice("first_digit", self.first_digit, ("select", "fill"))
        check_choice("early_exit", self.early_exit, ("no", "yes"))


@dataclass(frozen=True)
class RadixSetup:
    """All parameters of the engine."""

    form: TopkForm = field(default_factory=TopkForm)
    radix: RadixForm = field(default_factory=RadixForm)
    stages: RadixStages = field(default_factory=RadixStages)
    filter: TopkStages = field(default_factory=TopkStages)

    def __post_init__(self) -> None:
        Digits(self.form.score_bits, self.radix.digit_bits)

    @property
    def digits(self) -> Digits:
        """How a score is cut."""
        return Digits(self.form.score_bits, self.radix.digit_bits)


class RadixSelect(Block):
    """Keeps the k largest scores of a job, in the order in which they came; of equal ones the first.

    FILL takes a beat per edge. SELECT reads all scores, `lanes` per edge, once for each digit from the highest on, and
    counts among those that agree in the digits found so far the values of the next one. FILTER reads them again and
    sends what is kept, while the next job comes in.

    Latency: FILL and FILTER take as many edges as a job has beats, a pass of SELECT those of its rows and the latency
    of `DigitCount`; behind FILTER lie the registers that `Filter` has. With nothing to choose there is no SELECT; with
    `first_digit` "fill" the first pass takes only the latency; with `early_exit` passes end as soon as all scores that
    agree are kept.

    Ports:
        cmd: input stream of `command_layout(form)`; ready when a job may begin and its first beat is there.
        scores: input stream of `scores_layout(form)`; ready within a job, or when one may begin and its command is
            there.
        kept: output stream of `kept_layout(form)`, dense; a job that keeps nothing gives one beat with `count` 0.

    After a reset no job is held.
    """

    def __init__(self, setup: RadixSetup) -> None:
        self.setup = setup
        self.form = form = setup.form
        self.intake = Intake(form)
        self.copies = Copies(form)
        self.filter = Filter(form, setup.filter)
        self.scores_of_job = ScoreRows(form.score_bits, form.input_lanes, form.lanes, form.rows)
        self.count = DigitCount(setup.digits, form.lanes, form.most, setup.stages)
        self.selecting = Signal()
        self.reading = Signal()
        self.done = Signal()
        self.end = Signal(range(form.most), reset_less=True)
        self.row = Signal(range(form.rows))
        self.place = Signal(range(setup.digits.passes))
        self.known = Signal(form.score_bits, reset_less=True)
        self.sought = Signal(range(form.most + 1), reset_less=True)
        self.verdict = Signal(verdict_layout(form), reset_less=True)
        self.filtering = Signal()
        ports = {
            "cmd": In(stream.Signature(command_layout(form))),
            "scores": In(stream.Signature(scores_layout(form))),
            "kept": Out(stream.Signature(kept_layout(form))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        hands_on = wire(m, "hands_on", self.done & ~self.filtering)
        self._fill(m, hands_on)
        self._read(m)
        self._decide(m, hands_on)
        self._filter(m, hands_on)
        return m

    def _fill(self, m: Module, hands_on: Value) -> None:
        """Take beats of a job while no other is in SELECT."""
        intake, copies, rows = self.intake, self.copies, self.scores_of_job
        m.submodules.intake, m.submodules.copies, m.submodules.job = intake, copies, rows
        connect(m, flipped(self.cmd), intake.cmd)
        connect(m, flipped(self.scores), intake.scores)
        beat = self.scores.payload
        m.d.comb += [
            intake.open.eq(~self.selecting & (~self.done | hands_on)),
            copies.taken.eq(intake.taken),
            copies.beat.eq(beat),
            rows.taken.eq(intake.taken),
            rows.beat.eq(beat.score),
            rows.last.eq(beat.last),
        ]

    def _read(self, m: Module) -> None:
        """Count rows of the job, or its beats as they come in."""
        form, count, rows = self.setup.form, self.count, self.scores_of_job
        m.submodules.count = count
        bits = levels(form.lanes)
        final = wire(m, "final_row", self.row == self.end[bits:])
        tail = self.end[:bits]
        m.d.comb += [
            rows.place.eq(self.row),
            count.present.eq(self.reading),
            count.first.eq(self.row == 0),
            count.last.eq(final),
            count.scores.eq(rows.row),
            count.used.eq(Cat(1, *(~final | (tail >= lane) for lane in range(1, form.lanes)))),
            count.place.eq(self.place),
            count.known.eq(self.known),
            count.sought.eq(self.sought),
        ]
        with m.If(self.reading):
            m.d.sync += self.row.eq(Mux(final, 0, self.row + 1))
            with m.If(final):
                m.d.sync += self.reading.eq(0)
        if self.setup.radix.first_digit == "fill":
            self._count_beats(m)

    def _count_beats(self, m: Module) -> None:
        """The first digit from what comes in."""
        form, count, intake, beat = self.setup.form, self.count, self.intake, self.scores.payload
        with m.If(intake.taken):
            m.d.comb += [
                count.present.eq(1),
                count.first.eq(~intake.begun),
                count.last.eq(intake.ends & ~intake.everything),
                count.used.eq(Cat(beat.count > lane for lane in range(form.input_lanes))),
            ]
            for lane in range(form.lanes):
                score = beat.score[lane] if lane < form.input_lanes else 0
                m.d.comb += count.scores[lane].eq(score)

    def _decide(self, m: Module, hands_on: Value) -> None:
        """The digits of the score sought, one after the other, and which one of those that have them all it is."""
        intake, count, radix = self.intake, self.count, self.setup.radix
        with m.If(hands_on):
            m.d.sync += self.done.eq(0)
        with m.If(intake.ends):
            m.d.sync += [
                self.end.eq(intake.n - 1),
                self.sought.eq(intake.k),
                self.known.eq(Mux(intake.k == 0, Const(-1, len(self.known)), 0)),
                self.done.eq(intake.everything),
                self.selecting.eq(~intake.everything),
                self.reading.eq(~intake.everything if radix.first_digit == "select" else 0),
            ]
        with m.Elif(count.found):
            left = wire(m, "left", (self.sought - count.above)[: len(self.sought)])
            final = self.place == self.setup.digits.passes - 1
            ends = wire(m, "select_ends", final | (left == count.equal) if radix.early_exit == "yes" else final)
            m.d.sync += [
                self.sought.eq(left),
                self.known.eq(self.known | self._placed(count.digit)),
                self.place.eq(Mux(ends, 0, self.place + 1)),
                self.reading.eq(~ends),
                self.selecting.eq(~ends),
                self.done.eq(ends),
            ]

    def _placed(self, digit: Value) -> Value:
        """A digit in its place of a score."""
        digits = self.setup.digits
        choices = [digit[: digits.width(place)].shift_left(digits.low(place)) for place in range(digits.passes)]
        return Array(choices)[self.place] if len(choices) > 1 else choices[0]

    def _filter(self, m: Module, hands_on: Value) -> None:
        """Keep what SELECT found while FILTER needs it; in its first edge FILTER has it straight from there."""
        copies, unit = self.copies, self.filter
        m.submodules.filter = unit
        found = Signal.like(self.verdict)
        ready, valid = unit.verdict.ready, self.filtering | self.done
        m.d.comb += [
            found.threshold.eq(self.known),
            found.equal.eq(self.sought),
            found.tag.eq(self.intake.command.tag),
            unit.verdict.valid.eq(valid),
            unit.verdict.payload.eq(Mux(self.filtering, Value.cast(self.verdict), Value.cast(found))),
            copies.place.eq(unit.place),
            copies.done.eq(valid & ready),
            unit.row.eq(copies.row),
            unit.last.eq(copies.last),
            unit.count.eq(copies.count),
        ]
        with m.If(hands_on):
            m.d.sync += self.verdict.eq(found)
        m.d.sync += self.filtering.eq(valid & ~ready)
        connect(m, unit.kept, flipped(self.kept))
