"""The merge engine: SCALE_ADD and DIVIDE, where a word has a number for each query of a tile."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.program.instruction import FIELDS, FLAGS, SEMAPHORES
from rtl.block import Block
from rtl.divide import Division
from rtl.exp import ExpLane
from rtl.fixed import round_by, saturate
from rtl.fuse.form import SHIFT_BITS
from rtl.layer.instruction import engine_ports, instruction_layout
from rtl.layer.merge_form import MergeForm
from rtl.layer.pads import pad_write, row_read
from rtl.layer.vector_form import factor_word
from rtl.layer.vector_issue import is_op
from rtl.layer.vector_sums import Merge, merge_edges
from rtl.pipeline import later, wire

READ = 1  # the edge at which pads and stores are read
PLACE = FIELDS["rows"] + 1  # bits of the number of a word: there is one more than `rows` says


def word_layout(form: MergeForm) -> data.StructLayout:
    """One word of an instruction.

    `scale_add`, `divide`: what it is for; neither: nothing, it only completes. `heads`: the first of SCALE_ADD, which
    is for maxima and denominators. `first`, `b`, `post` as in the instruction; `dst`: the slot, or the word of the O
    pad; `pv`, `sum`: the words of the PV pad and of the accumulators; `last`: ends the instruction.
    """
    flags = dict.fromkeys(("present", "scale_add", "divide", "heads", "first", "last"), 1)
    sizes = {"dst": max(form.slots, form.o_words), "pv": form.pv_words, "sum": form.accumulators, "b": form.states}
    places = {name: range(words) for name, words in sizes.items()}
    return data.StructLayout({**flags, **places, "post": SEMAPHORES})


class MergeIssue(Block):
    """Holds an instruction in a register, and gives its words at the edges after the one at which it was taken.

    As many words as `rows`, and of SCALE_ADD one more before them; if that makes none, one.

    Ports:
        start: input stream of instructions; ready when none is held, or the last word of it is given.
        word: output of `word_layout`, before the edge at which maxima are read.

    After a reset no instruction is held.
    """

    def __init__(self, form: MergeForm) -> None:
        self.form = form
        super().__init__({"start": In(stream.Signature(instruction_layout())), "word": Out(word_layout(form))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        held = Signal(instruction_layout(), reset_less=True)
        present = Signal()
        place = Signal(PLACE, reset_less=True)
        adds, divides = is_op(held.op, "SCALE_ADD"), is_op(held.op, "DIVIDE")
        last = wire(m, "ends", place + 1 >= held.rows + adds)
        m.d.comb += self.start.ready.eq(~present | last)
        with m.If(self.start.ready):
            m.d.sync += [present.eq(self.start.valid), held.eq(self.start.payload), place.eq(0)]
        with m.Else():
            m.d.sync += place.eq(place + 1)
        number = wire(m, "number", place - adds)
        m.d.comb += [
            self.word.present.eq(present),
            self.word.scale_add.eq(adds),
            self.word.divide.eq(divides),
            self.word.heads.eq(adds & (place == 0)),
            self.word.first.eq(held.flags[FLAGS.index("first")]),
            self.word.last.eq(last),
            self.word.dst.eq(held.dst + Mux(divides, number, 0)),
            self.word.pv.eq(held.a + number),
            self.word.sum.eq(Mux(divides, held.a, held.imm) + number),
            self.word.b.eq(held.b),
            self.word.post.eq(held.post),
        ]
        return m


class MergeEngine(Block):
    """Runs instructions on tiles of C queries: a word per edge, in order, each instruction at once behind the other.

    All words pass one pipeline. The word of an instruction is issued in the cycle before the edge at which maxima are
    read, and passes the `factor_edges` of the distance of two maxima, its shift and exp; sums are read at the edge
    behind these, and so are D and PV pads. The first word of SCALE_ADD is that of maxima and denominators, and its
    factors stay for the words of accumulators behind it, so that one multiplier for each lane is enough for both.
    DIVIDE passes the same registers, since accumulators have one port for reading. Inside, it keeps maxima and
    denominators of `states` tiles of queries, and `accumulators`.

    The source of exp is `formats.below`, u25.20 for factors u25.24. It has 9 bits more behind the point than a shifted
    maximum (`shifted`, 11): up to a shift of 9 a distance is exact, and with a longer one it is off by 2^-21, so that
    what many small growths of a maximum lose does not add up. It ends at 32, and from 17.4 on exp rounds to 0: where a
    distance saturates, no bit of a factor changes.

    What must have completed when an instruction starts (the edge of its start may be that of the last write):

    - SCALE_ADD: what wrote its words of the M, D and PV pads; the SCALE_ADD before on the same state, unless it is
      `first`.
    - DIVIDE: the last SCALE_ADD on its state; the STORE that read its place in the O pad before.

    A SCALE_ADD before with the same bases need not have completed where it has more than `merge_edges` words beside the
    first, or for DIVIDE more than that by one: what the one reads last is then written before the other reads it. Nor
    has anything in order that something may be overwritten here; but what overwrites words of the pads has to wait
    until the SCALE_ADD that reads them has completed.

    `shift` is taken at the edge after the start of SCALE_ADD, when maxima are read. Any other operation, such as NOP,
    only completes, on done0, after as many words as SCALE_ADD would have of accumulators. Addresses beyond a memory
    wrap around.

    Ports:
        start: input stream of instructions; ready when none is held, or at the last word of the one that is.
        done0, done1: outputs, completions of SCALE_ADD, and of DIVIDE.
        m, d, pv: outputs, of `row_read`, addresses in the M, D and PV pads; `data` is valid from the edge on that takes
            them.
        o: output, of `pad_write`, to the O pad.
        shift: input, by how many bits scores are shifted.
        empty: output, whether a query whose denominator is 0 has been divided since the reset; always valid.

    After a reset no instruction is under way and `empty` is low; stores keep what they hold, but for what was under
    way.
    """

    def __init__(self, form: MergeForm) -> None:
        self.form = form
        self.issue = MergeIssue(form)
        ports = {
            **engine_ports(2),
            "m": Out(row_read(form.m_pad)),
            "d": Out(row_read(form.d_pad)),
            "pv": Out(row_read(form.pv_pad)),
            "o": Out(pad_write(form.o_pad)),
            "shift": In(SHIFT_BITS),
            "empty": Out(1),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.issue = issue = self.issue
        connect(m, flipped(self.start), issue.start)
        asked = _later(m, "asked", self.form.stages.factor_edges, issue.word)
        word = _later(m, "read", READ, asked)
        factors = self._factors(m, issue.word, word)
        m.d.comb += [self.d.word.eq(asked.dst), self.pv.word.eq(asked.pv)]
        sums, denominators = self._sums(m, asked, word, factors)
        self._divide(m, word, sums, denominators)
        return m

    def _factors(self, m: Module, given: data.View, word: data.View) -> list[Value]:
        """The factors of each lane: of the word that heads its instruction, which stay for those behind it."""
        own, before, first = self._maxima(m, given)
        (shift,) = later(m, "shift", READ, shift=self.shift)
        found = []
        for lane in range(self.form.lanes):
            earlier = wire(m, f"earlier_{lane}", Mux(first, own[lane], before[lane]))
            fresh = self._factor(m, lane, own[lane], earlier, shift)
            kept = Signal(len(fresh), name=f"kept_{lane}", reset_less=True)
            factors = wire(m, f"factors_{lane}", Mux(word.heads, fresh, kept))
            m.d.sync += kept.eq(factors)
            found.append(factors)
        return found

    def _maxima(self, m: Module, given: data.View) -> tuple[data.View, data.View, Value]:
        """Maxima of the tile and those before it, of which the larger are kept, and whether there are none before."""
        form = self.form
        kept = {"shape": form.word_of(form.formats.array), "depth": form.states, "init": []}
        m.submodules.maxima = store = memory.Memory(**kept)
        read, write, word = store.read_port(), store.write_port(), _later(m, "maximum", READ, given)
        m.d.comb += [
            self.m.word.eq(given.dst),
            read.addr.eq(given.b),
            write.addr.eq(word.b),
            write.en.eq(word.present & word.heads),
        ]
        for lane in range(form.lanes):
            own, before = self.m.data[lane], read.data[lane]
            m.d.comb += write.data[lane].eq(Mux(word.first | (own > before), own, before))
        return self.m.data, read.data, word.first

    def _factor(self, m: Module, lane: int, own: Value, earlier: Value, shift: Value) -> Value:
        """The bits of a `factor_word`: exp of minus the distance of two maxima, and whether the maximum grows."""
        formats, stages = self.form.formats, self.form.stages
        grows = wire(m, f"grows_{lane}", own > earlier)
        apart = Mux(grows, own - earlier, earlier - own)[: formats.array.width].as_unsigned()
        apart, shift = later(m, f"difference_{lane}", stages.difference_stages, apart=apart, shift=shift)
        moved = saturate(round_by(apart.shift_left(self.form.finer), shift), formats.below)
        m.submodules[f"exp_{lane}"] = unit = ExpLane(formats.below, formats.factors, formats.segments, stages.exp)
        m.d.comb += unit.x.eq(later(m, f"round_{lane}", stages.round_stages, x=moved)[0])
        factors = Signal(factor_word(self.form.merge), name=f"fresh_{lane}")
        m.d.comb += [
            factors.grows.eq(later(m, f"exp_{lane}", stages.factor_edges, grows=grows)[0]),
            factors.factor.eq(unit.y),
        ]
        return Value.cast(factors)

    def _sums(self, m: Module, asked: data.View, word: data.View, factors: list[Value]) -> tuple[data.View, data.View]:
        """Adds those of the tile to denominators and accumulators; gives the words of them that were asked for."""
        form = self.form
        states = {"shape": form.word_of(form.formats.denominator), "depth": form.states, "init": []}
        sums = {"shape": form.word_of(form.formats.accumulator), "depth": form.accumulators, "init": []}
        m.submodules.denominators = below = memory.Memory(**states)
        m.submodules.accumulators = above = memory.Memory(**sums)
        read_below, write_below, read_above, write_above = (
            port for store in (below, above) for port in (store.read_port(), store.write_port())
        )
        added = _later(m, "added", merge_edges(form.merge.stages), word)
        adds = added.present & added.scale_add
        m.d.comb += [
            read_below.addr.eq(asked.b),
            read_above.addr.eq(asked.sum),
            write_below.addr.eq(added.b),
            write_below.en.eq(adds & added.heads),
            write_above.addr.eq(added.sum),
            write_above.en.eq(adds & ~added.heads),
            self.done0.valid.eq(added.present & added.last & ~added.divide),
            self.done0.post.eq(added.post),
        ]
        for lane in range(form.lanes):
            m.submodules[f"merge_{lane}"] = merge = Merge(form.merge, form.formats.accumulator)
            so_far = Mux(word.heads, read_below.data[lane], read_above.data[lane])
            tile = Mux(word.heads, self.d.data[lane], self.pv.data[lane])
            m.d.comb += [
                merge.so_far.eq(Mux(word.first, 0, so_far)),
                merge.added.eq(tile.shift_left(form.formats.guard)),
                Value.cast(merge.factors).eq(factors[lane]),
                write_below.data[lane].eq(merge.total),
                write_above.data[lane].eq(merge.total),
            ]
        return read_above.data, read_below.data

    def _divide(self, m: Module, word: data.View, sums: data.View, denominators: data.View) -> None:
        form, formats = self.form, self.form.formats
        widths = (formats.accumulator.width, formats.denominator.highest.bit_length())
        divided = _later(m, "divided", form.division_stages, word)
        for lane in range(form.lanes):
            division = Division(widths, formats.output, 1, form.stages.division_bits)
            m.submodules[f"division_{lane}"] = division
            m.d.comb += [
                division.numerator[0].eq(sums[lane]),
                division.denominator.eq(denominators[lane]),
                self.o.data[lane].eq(division.quotient[0]),
            ]
        none = Cat(denominators[lane] == 0 for lane in range(form.lanes)).any()
        (empty,) = later(m, "none", form.division_stages, none=none)
        divides = divided.present & divided.divide
        m.d.comb += [
            self.o.enable.eq(divides),
            self.o.word.eq(divided.dst),
            self.done1.valid.eq(divides & divided.last),
            self.done1.post.eq(divided.post),
        ]
        with m.If(divides & empty):
            m.d.sync += self.empty.eq(1)


def _later(m: Module, name: str, stages: int, word: data.View) -> data.View:
    """A word so many registers later; a reset clears whether it is present."""
    present, bits = later(m, name, stages, present=word.present, word=Value.cast(word))
    found = Signal(word.shape(), name=f"{name}_later")
    m.d.comb += [found.eq(bits), found.present.eq(present)]
    return found
