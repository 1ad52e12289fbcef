"""The quick-select engine: scores are split around a pivot until the pivot is the k-th largest."""

from __future__ import annotations

from typing import Literal, get_args

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl.block import Block, check_choice
from rtl.pipeline import later, levels, wire
from rtl.streams import Fifo
from rtl.topk.filter import COPIES, Copies, Filter, Intake, verdict_layout
from rtl.topk.form import TopkForm, TopkStages, command_layout, kept_layout, scores_layout
from rtl.topk.quick_parts import Draws, Side

Pivots = Literal["sampled", "stream"]
PIVOTS: tuple[Pivots, ...] = get_args(Pivots)
TAKE, PICK, SPLIT, DECIDE = range(4)
READ = 1  # the register of a row that is read


class QuickSelect(Block):
    """Keeps the k largest scores of a job, in the order in which they came; of equal ones the first.

    While scores come in they go to a copy, and to the memory of the smaller side, as its candidates. A pass then picks
    a pivot, reads the candidates row by row and packs those below it into the memory of the smaller side and those
    above it into that of the larger; equal ones fall away. Both are written from row 0 on: of the candidates' own
    memory no row is written before it has been read, since no more go in than have come out. Then the side that holds
    the k-th largest has the next candidates, or the pivot is that one, and FILTER passes over the copy. The next job
    comes in when SELECT has ended, beside FILTER, if the copy of the one before that has been read.

    A pass over m candidates takes ceil(m / lanes) + 3 + compare_stages + close_stages edges: the pivot, the rows, the
    registers of a row, packing it, and the decision. Latency of FILTER: see `Filter`.

    `pivots`: `sampled`, each drawn from the candidates; `stream`, they come from outside, for verification.

    Ports:
        cmd: input stream of `command_layout(form)`; ready at the edge at which a job's first beat is taken.
        scores: input stream of `scores_layout(form)`, at most `most` scores per job, all beats full but the last;
            ready when SELECT has ended and a copy is free, until the last beat is taken.
        pivot: input stream of scores, only with `pivots` from a stream: one of the candidates for each pass; ready when
            a pass begins.
        kept: output stream of `kept_layout(form)`.

    After a reset no job has begun.

    Source: SpAtten (HPCA 2021), its top-k engine, with the target of the last pass corrected.
    """

    def __init__(self, form: TopkForm, stages: TopkStages, pivots: Pivots = "sampled") -> None:
        check_choice("pivots", pivots, PIVOTS)
        self.form = form
        self.stages = stages
        self.pivots = pivots
        self.intake = Intake(form)
        self.copies = Copies(form)
        self.filter = Filter(form, stages)
        self.verdicts = Fifo(verdict_layout(form), COPIES)
        self.sides = {name: Side(form, stages.close_stages) for name in ("smaller", "larger")}
        self.step = Signal(range(4))
        self.from_larger = Signal()
        self.size = Signal(range(form.most + 1))
        self.sought = Signal(range(form.most + 1))
        self.place = Signal(range(form.rows))
        self.threshold = Signal(form.score_bits)
        self.lane_bits = levels(form.lanes)
        row = data.ArrayLayout(form.score_bits, form.lanes)
        self.stores = {name: memory.Memory(shape=row, depth=form.rows, init=[]) for name in self.sides}
        ports = {
            "cmd": In(stream.Signature(command_layout(form))),
            "scores": In(stream.Signature(scores_layout(form))),
            "kept": Out(stream.Signature(kept_layout(form))),
        }
        from_outside = {"pivot": In(stream.Signature(form.score_bits))} if pivots == "stream" else {}
        super().__init__({**ports, **from_outside})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.intake, m.submodules.copies, m.submodules.filter = self.intake, self.copies, self.filter
        m.submodules.verdicts = self.verdicts
        self._filter(m)
        self._take(m)
        picks, place, lane = self._pick(m)
        row = self._read(m, place)
        self._know_pivot(m, picks, row, lane)
        self._split(m, row)
        self._decide(m)
        return m

    def _filter(self, m: Module) -> None:
        """What has been found of a job goes to FILTER, which reads its copy."""
        copies, last, verdicts = self.copies, self.filter, self.verdicts
        connect(m, verdicts.o, last.verdict)
        connect(m, last.kept, flipped(self.kept))
        m.d.comb += [
            copies.place.eq(last.place),
            copies.done.eq(verdicts.o.valid & verdicts.o.ready),
            last.row.eq(copies.row),
            last.last.eq(copies.last),
            last.count.eq(copies.count),
        ]

    def _take(self, m: Module) -> None:
        """A job comes in; where there is nothing to choose, FILTER has it at once."""
        intake, copies, verdict = self.intake, self.copies, self.verdicts.i
        connect(m, flipped(self.cmd), intake.cmd)
        connect(m, flipped(self.scores), intake.scores)
        m.d.comb += [
            intake.open.eq((self.step == TAKE) & verdict.ready),
            copies.taken.eq(intake.taken),
            copies.beat.eq(self.scores.payload),
            verdict.payload.tag.eq(intake.tag),
        ]
        with m.If(intake.ends):
            m.d.comb += verdict.valid.eq(intake.everything)
            m.d.comb += verdict.payload.threshold.eq(Mux(intake.k == 0, -1, 0))
            m.d.comb += verdict.payload.equal.eq(Mux(intake.k == 0, 0, intake.n))
            m.d.sync += [self.size.eq(intake.n), self.sought.eq(intake.k), self.from_larger.eq(0)]
            m.d.sync += self.step.eq(Mux(intake.everything, TAKE, PICK))

    def _pick(self, m: Module) -> tuple[Value, Value, Value]:
        """Whether a pass begins at this edge, and, where pivots are drawn, the row and the lane of its pivot."""
        begins = self.step == PICK
        if self.pivots == "stream":
            m.d.comb += self.pivot.ready.eq(begins)
            picks, place, lane = begins & self.pivot.valid, Const(0), Const(0)
        else:
            m.submodules.draws = draws = Draws(self.form)
            m.d.comb += [draws.size.eq(self.size), draws.drawn.eq(begins)]
            picks, place, lane = begins, draws.place >> self.lane_bits, draws.place[: self.lane_bits]
        with m.If(picks):
            m.d.sync += self.step.eq(SPLIT)
        return wire(m, "picks", picks), place, lane

    def _know_pivot(self, m: Module, picks: Value, row: Value, lane: Value) -> None:
        """The pivot is there when the first row of its pass has been read; one that is drawn has come before it."""
        if self.pivots == "stream":
            with m.If(picks):
                m.d.sync += self.threshold.eq(self.pivot.payload)
            return
        picked, lane = later(m, "picked", 1, present=picks, lane=lane)
        with m.If(picked):
            m.d.sync += self.threshold.eq(row.word_select(lane, self.form.score_bits))

    def _read(self, m: Module, picked: Value) -> Value:
        """A row of the candidates, in a register; what is beyond the last of them is there too."""
        rows = []
        address = wire(m, "address", Mux(self.step == PICK, picked, self.place))
        for name in self.sides:
            store = self.stores[name]
            m.submodules[f"{name}_rows"] = store
            read = store.read_port(domain="comb")
            m.d.comb += read.addr.eq(address)
            rows.append(Value.cast(read.data))
        (row,) = later(m, "read", READ, row=Mux(self.from_larger, rows[1], rows[0]))
        return row

    def _split(self, m: Module, row: Value) -> None:
        """Rows are compared with the pivot, and each side is packed and written."""
        form = self.form
        present = wire(m, "reads", self.step == SPLIT)
        rest = wire(m, "last_candidate", self.size - 1)[: len(self.size)]
        final = wire(m, "at_end", self.place == rest >> self.lane_bits)
        with m.If(present):
            m.d.sync += self.place.eq(Mux(final, 0, self.place + 1))
            m.d.sync += self.step.eq(Mux(final, DECIDE, SPLIT))
        present, ends = later(m, "taken", READ, present=present, ends=final)
        filled = Cat(rest[: self.lane_bits] >= lane for lane in range(1, form.lanes))
        there = wire(m, "there", Cat(1, filled | (~ends).replicate(form.lanes - 1)))
        below, above = self._compare(row)
        stages = self.stages.compare_stages
        present, ends, below, above, row = later(
            m, "compared", stages, present=present, ends=ends, below=below & there, above=above & there, row=row
        )
        for side, chosen in zip(self.sides.values(), (below, above), strict=True):
            m.d.comb += [side.present.eq(present), side.ends.eq(ends), side.chosen.eq(chosen)]
            m.d.comb += Value.cast(side.row).eq(row)
        self._write(m)

    def _compare(self, row: Value) -> tuple[Value, Value]:
        """Which lanes are below the pivot, and which above it."""
        lanes = [row.word_select(lane, self.form.score_bits) for lane in range(self.form.lanes)]
        return Cat(lane < self.threshold for lane in lanes), Cat(lane > self.threshold for lane in lanes)

    def _write(self, m: Module) -> None:
        """Rows of both sides; beats that come in are parts of rows of the smaller side's memory."""
        form = self.form
        parts = form.lanes // form.input_lanes
        for name, side in self.sides.items():
            m.submodules[name] = side
            write = self.stores[name].write_port(granularity=form.input_lanes)
            m.d.comb += [
                write.addr.eq(side.o_place),
                write.data.eq(side.o_row),
                write.en.eq(side.o_present.replicate(parts)),
            ]
            if name == "smaller":
                place, beat = self.copies.place_in, Value.cast(self.scores.payload.score)
                with m.If(self.intake.taken):
                    m.d.comb += [
                        write.addr.eq(place // parts),
                        Value.cast(write.data).eq(beat.replicate(parts)),
                        write.en.eq(1 << (place % parts)),
                    ]

    def _decide(self, m: Module) -> None:
        """At the end of a pass: the larger ones go on, or the smaller ones, or the pivot is the k-th largest."""
        smaller, larger = (side.size for side in self.sides.values())
        verdict = self.verdicts.i
        at_least = wire(m, "at_least", self.size - smaller)
        with m.If(self.sides["smaller"].o_last):
            m.d.sync += self.step.eq(PICK)
            with m.If(self.sought <= larger):
                m.d.sync += [self.size.eq(larger), self.from_larger.eq(1)]
            with m.Elif(self.sought > at_least):
                m.d.sync += [self.size.eq(smaller), self.from_larger.eq(0), self.sought.eq(self.sought - at_least)]
            with m.Else():
                m.d.comb += [
                    verdict.valid.eq(1),
                    verdict.payload.threshold.eq(self.threshold),
                    verdict.payload.equal.eq(self.sought - larger),
                ]
                m.d.sync += self.step.eq(TAKE)
