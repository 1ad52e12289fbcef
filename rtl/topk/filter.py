"""What every top-k engine has before and behind SELECT: the intake, two copies of the scores, and FILTER."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out

from rtl.block import Block
from rtl.pipeline import later, wire
from rtl.topk.form import TopkForm, TopkStages, command_layout, kept_layout, scores_layout
from rtl.topk.parts import Packer, ZeroEliminator, counts_up_to

COPIES = 2


def element_layout(form: TopkForm) -> data.StructLayout:
    """A score and what names it."""
    return data.StructLayout({"score": form.score_bits, "index": form.index_bits})


def verdict_layout(form: TopkForm) -> data.StructLayout:
    """What SELECT finds of a job: scores above `threshold` are kept and the first `equal` that equal it; its `tag`."""
    return data.StructLayout({"threshold": form.score_bits, "equal": range(form.most + 1), "tag": form.tag_bits})


class Intake(Block):
    """Takes jobs: a command together with the first beat, then beats up to the last one.

    Ports:
        cmd: input stream of `command_layout(form)`; ready at the edge at which a job's first beat is taken.
        scores: input stream of `scores_layout(form)`; ready while a job comes in, or when one may begin and its command
            is there.
        open: input, whether a job may begin.
        taken, ends: output, whether a beat is taken at this edge, and whether it is its job's last.
        n: output, how many scores the job has with the beat at the port; afterwards how many it had.
        k, tag: output, of the job that comes in or was the last to do so.
        everything: output, with `ends`: whether there is nothing to choose.

    After a reset no job has begun.
    """

    def __init__(self, form: TopkForm) -> None:
        self.begun = Signal()
        self.counted = Signal(range(form.most + 1))
        self.command = Signal(command_layout(form))
        number = range(form.most + 1)
        ports = {
            "cmd": In(stream.Signature(command_layout(form))),
            "scores": In(stream.Signature(scores_layout(form))),
        }
        shown = {"taken": Out(1), "ends": Out(1), "n": Out(number), "k": Out(number), "tag": Out(form.tag_bits)}
        super().__init__({**ports, "open": In(1), **shown, "everything": Out(1)})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        begins = wire(m, "may_begin", self.open & ~self.begun)
        command = Signal.like(self.command)
        m.d.comb += [
            self.cmd.ready.eq(begins & self.scores.valid),
            self.scores.ready.eq(self.begun | (begins & self.cmd.valid)),
            self.taken.eq(self.scores.valid & self.scores.ready),
            self.ends.eq(self.taken & self.scores.payload.last),
            command.eq(Mux(begins, Value.cast(self.cmd.payload), Value.cast(self.command))),
            self.k.eq(command.k),
            self.tag.eq(command.tag),
            self.n.eq(Mux(self.begun, self.counted, 0) + Mux(self.taken, self.scores.payload.count, 0)),
            self.everything.eq((self.k == 0) | (self.k >= self.n)),
        ]
        with m.If(self.taken):
            m.d.sync += [self.begun.eq(~self.ends), self.counted.eq(self.n), self.command.eq(command)]
        return m


class Copies(Block):
    """Holds the scores of two jobs, each until FILTER has read it: the one that comes in and the one before.

    A row is what a beat brings. What is read is there without delay.

    Ports:
        taken: input, whether a beat comes in.
        beat: input, of `scores_layout(form)`.
        place: input, which row is read, of the copy that is read.
        done: input, whether that copy is given up at this edge; the next one is read from then on.
        row: output, elements of that row; always valid.
        last: output, whether it is the last of its job.
        count: output, how many of its lanes are elements.
    """

    def __init__(self, form: TopkForm) -> None:
        self.form = form
        self.fills = Signal()
        self.reads = Signal()
        self.place_in = Signal(range(form.input_rows))
        places = range(form.input_rows)
        row = data.ArrayLayout(element_layout(form), form.input_lanes)
        self.rows = memory.Memory(shape=row, depth=COPIES * form.input_rows, init=[])
        given = {"taken": In(1), "beat": In(scores_layout(form)), "place": In(places), "done": In(1)}
        super().__init__({**given, "row": Out(row), "last": Out(1), "count": Out(range(form.input_lanes + 1))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        ends = self.taken & self.beat.last
        m.d.sync += [self.fills.eq(self.fills ^ ends), self.reads.eq(self.reads ^ self.done)]
        with m.If(self.taken):
            m.d.sync += self.place_in.eq(Mux(self.beat.last, 0, self.place_in + 1))
        self._keep(m)
        self._know_ends(m, ends)
        return m

    def _keep(self, m: Module) -> None:
        form, beat = self.form, self.beat
        m.submodules.rows = self.rows
        write, read = self.rows.write_port(), self.rows.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self._address(self.fills, self.place_in)),
            write.en.eq(self.taken),
            read.addr.eq(self._address(self.reads, self.place)),
            self.row.eq(read.data),
        ]
        for lane in range(form.input_lanes):
            element = write.data[lane]
            m.d.comb += [element.score.eq(beat.score[lane]), element.index.eq(beat.index[lane])]

    def _address(self, copy: Value, place: Value) -> Value:
        return Mux(copy, place + self.form.input_rows, place)

    def _know_ends(self, m: Module, ends: Value) -> None:
        """Of each copy the place of its last row, and how many elements that has."""
        finals, counts = [], []
        for copy in range(COPIES):
            final = Signal.like(self.place_in, name=f"final_{copy}", reset_less=True)
            count = Signal.like(self.count, name=f"count_{copy}", reset_less=True)
            with m.If(ends & (self.fills == copy)):
                m.d.sync += [final.eq(self.place_in), count.eq(self.beat.count)]
            finals.append(final)
            counts.append(count)
        m.d.comb += self.last.eq(Array(finals)[self.reads] == self.place)
        m.d.comb += self.count.eq(Mux(self.last, Array(counts)[self.reads], self.form.input_lanes))


class Filter(Block):
    """Passes over a copy once more and sends what is kept, in dense beats. A row per edge; jobs follow at once.

    Latency from a row to the beat that its elements end, if it is its job's last: compare_stages + close_stages + 3
    edges: it is read, its gaps are closed and it is packed, and the beat is taken by the register of the output. While
    the output waits FILTER stands still.

    Ports:
        verdict: input stream of `verdict_layout(form)`; ready at the edge at which the last row of its copy is read.
        place: output, which row is read.
        row, last, count: input, that row, whether it is the last of its copy, and how many elements it has.
        kept: output stream of `kept_layout(form)`.

    After a reset nothing is on its way.
    """

    def __init__(self, form: TopkForm, stages: TopkStages) -> None:
        self.form = form
        self.stages = stages
        self.moves = Signal()
        self.packer = Packer(element_layout(form), form.input_lanes)
        row = data.ArrayLayout(element_layout(form), form.input_lanes)
        ports = {
            "verdict": In(stream.Signature(verdict_layout(form))),
            "place": Out(range(form.input_rows)),
            "row": In(row),
            "last": In(1),
            "count": In(range(form.input_lanes + 1)),
            "kept": Out(stream.Signature(kept_layout(form))),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Elaboratable:
        return EnableInserter(self.moves)(self.pipeline())

    def pipeline(self) -> Module:
        """FILTER as it is while nothing waits."""
        m = Module()
        m.d.comb += self.moves.eq(~self.kept.valid | self.kept.ready)
        m.d.comb += self.verdict.ready.eq(self.moves & self.last)
        with m.If(self.verdict.valid):
            m.d.sync += self.place.eq(Mux(self.last, 0, self.place + 1))
        self._pack(m, *self._close(m, *self._compare(m)))
        return m

    def _compare(self, m: Module) -> tuple[Value, ...]:
        """Which elements of a row are above the threshold, and which equal it; with what goes beside."""
        form = self.form
        there = Cat(self.count > lane for lane in range(form.input_lanes))
        present, ends, real, row, verdict = later(
            m,
            "read",
            1,
            present=self.verdict.valid,
            ends=self.last,
            real=there,
            row=Value.cast(self.row),
            verdict=Value.cast(self.verdict.payload),
        )
        found = data.View(self.row.shape(), row)
        rule = data.View(verdict_layout(form), verdict)
        above = Cat(found[lane].score > rule.threshold for lane in range(form.input_lanes)) & real
        equal = Cat(found[lane].score == rule.threshold for lane in range(form.input_lanes)) & real
        return tuple(
            later(
                m,
                "compared",
                self.stages.compare_stages,
                present=present,
                ends=ends,
                above=above,
                equal=equal,
                row=row,
                most=rule.equal,
                tag=rule.tag,
            )
        )

    def _close(self, m: Module, present: Value, ends: Value, above: Value, equal: Value, *rest: Value) -> list[Value]:
        """The row without what is dropped: of equal ones the first are kept, as many as are missing."""
        row, most, tag = rest
        m.submodules.gaps = gaps = ZeroEliminator(element_layout(self.form), self.form.input_lanes)
        seen = Signal(range(self.form.most + 1))
        counts = counts_up_to(m, "equal_up_to", list(equal))
        kept = [above[lane] | (equal[lane] & (seen + count <= most)) for lane, count in enumerate(counts)]
        m.d.comb += [gaps.kept.eq(Cat(kept)), Value.cast(gaps.values).eq(row)]
        with m.If(present):
            m.d.sync += seen.eq(Mux(ends, 0, seen + counts[-1]))
        return later(
            m,
            "closed",
            self.stages.close_stages,
            present=present,
            ends=ends,
            row=Value.cast(gaps.row),
            count=gaps.count,
            tag=tag,
        )

    def _pack(self, m: Module, present: Value, ends: Value, row: Value, count: Value, tag: Value) -> None:
        """Dense beats, and the register of the output."""
        m.submodules.packer = packer = self.packer
        m.d.comb += [
            packer.present.eq(present),
            packer.ends.eq(ends),
            Value.cast(packer.row).eq(row),
            packer.count.eq(count),
        ]
        (tag_before,) = later(m, "packed", 1, tag=tag)
        out = self.kept.payload
        m.d.sync += [
            self.kept.valid.eq(packer.o_present),
            out.count.eq(packer.o_count),
            out.last.eq(packer.o_last),
            out.tag.eq(Mux(packer.o_last, tag_before, tag)),
        ]
        for lane in range(self.form.input_lanes):
            element = packer.o_row[lane]
            m.d.sync += [out.score[lane].eq(element.score), out.index[lane].eq(element.index)]
