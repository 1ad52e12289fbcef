"""The vector engine: SOFTMAX, SCALE_ADD, DIVIDE and SETP, three pipelines behind one issue."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, memory
from amaranth.lib.wiring import Out, connect, flipped

from rtl.block import Block
from rtl.layer.instruction import engine_ports
from rtl.layer.pads import pad_write, row_read
from rtl.layer.vector_form import VectorForm, factor_word
from rtl.layer.vector_issue import Issue, word_layout
from rtl.layer.vector_softmax import RowSoftmax, scale_layout
from rtl.layer.vector_sums import Divide, ScaleAdd
from rtl.pipeline import later

READ = 1  # the edge at which pads and stores are read


class VectorEngine(Block):
    """Runs instructions on rows of a tile: one word per edge, in order; an instruction follows the one before at once.

    The word of an instruction is issued in the cycle before the edge at which pads, accumulators and factors are read,
    and enters one of three pipelines behind it, which are as deep as their stages say. Inside it keeps the maximum
    and the denominator of `states` rows, factors of `slots` tiles, `accumulators`, and the scale.

    SOFTMAX writes its rows of the P pad, their factors and states; SCALE_ADD accumulators; DIVIDE the O pad; SETP the
    scale, which the next instruction sees already, while those before keep theirs. Any other operation, such as NOP,
    only completes; it and SETP pass the pipeline of SCALE_ADD, so that no two complete at one edge on one port.

    What must have completed when an instruction starts (the edge of its start may be that of the last write):

    - SOFTMAX: the MATMUL that wrote its scores; the SOFTMAX before on the same states, unless it is `first`; and the
      MATMUL that read P from its slot before, at least up to its last read.
    - SCALE_ADD: the MATMUL that wrote its products; the SOFTMAX that wrote the factors of its slot; the SCALE_ADD
      before on the same accumulators, unless it is `first`.
    - DIVIDE: the last SCALE_ADD on its accumulators and the last SOFTMAX on its states; the STORE that read its place
      in the O pad before.

    Nothing else: what is read by an instruction may be written by any that starts after it, since words are read at
    the edge after their issue or, denominators for DIVIDE, one later, and written later than that. It is the MATMUL
    that overwrites scores or products that has to wait, until the last word has been read.

    No rows and no folds count as 1. Rows, keys and addresses must be there: the hardware does not check them.

    Ports:
        start: input stream of instructions; ready when none is held, or at the last word of the one that is.
        done0, done1, done2: outputs, completions of SOFTMAX, of SCALE_ADD and SETP, of DIVIDE.
        s: output, of `row_read`, the address in the S pad; `data` is valid from the edge on that takes it.
        pv: output, the same of the PV pad.
        p: output, of `pad_write`, to the P pad: its `bank` is the row of the tile, its `word` the slot.
        o: output, of `pad_write`, to the O pad.
        empty: output, whether a row without a valid key has been divided since the reset; always valid.

    After a reset no instruction is under way, `empty` is low and the scale is 0; stores keep what they hold, but for
    what was under way.
    """

    def __init__(self, form: VectorForm) -> None:
        self.form = form
        self.issue = Issue(form)
        self.softmax = RowSoftmax(form)
        self.scale_add = ScaleAdd(form)
        self.divide = Divide(form)
        ports = {
            **engine_ports(3),
            "s": Out(row_read(form.s_pad)),
            "pv": Out(row_read(form.pv_pad)),
            "p": Out(pad_write(form.p_pad)),
            "o": Out(pad_write(form.o_pad)),
            "empty": Out(1),
        }
        super().__init__(ports)

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.issue = issue = self.issue
        m.submodules.softmax = softmax = self.softmax
        m.submodules.scale_add = scale_add = self.scale_add
        m.submodules.divide = divide = self.divide
        connect(m, flipped(self.start), issue.start)
        connect(m, flipped(self.p), softmax.p)
        connect(m, flipped(self.o), divide.o)
        for done, pipeline in ((self.done0, softmax), (self.done1, scale_add), (self.done2, divide)):
            connect(m, flipped(done), pipeline.done)
        word = self._words(m)
        m.d.comb += [
            self.s.word.eq(issue.word.a),
            self.pv.word.eq(issue.word.a),
            softmax.scores.eq(self.s.data),
            scale_add.products.eq(self.pv.data),
            softmax.state.eq(word.b),
            divide.denominator.eq(softmax.denominator),
            self.empty.eq(divide.empty),
        ]
        self._scale(m)
        self._factors(m)
        self._accumulators(m)
        return m

    def _words(self, m: Module) -> data.View:
        """The word whose operands have been read, given to the pipeline that it is for."""
        given = self.issue.word
        present, bits = later(m, "read", READ, present=given.present, word=Value.cast(given))
        word = data.View(word_layout(self.form), bits)
        others = ~word.softmax & ~word.divide
        for pipeline, takes in ((self.softmax, word.softmax), (self.divide, word.divide), (self.scale_add, others)):
            m.d.comb += [pipeline.word.eq(word), pipeline.word.present.eq(present & takes)]
        return word

    def _scale(self, m: Module) -> None:
        """The scale of a word is the one that there is when it is issued."""
        given = self.issue.word
        scale = Signal(scale_layout())
        with m.If(given.setp):
            m.d.sync += [scale.multiplier.eq(given.a), scale.shift.eq(given.b)]
        m.d.comb += Value.cast(self.softmax.scale).eq(later(m, "scale", READ, scale=Value.cast(scale))[0])

    def _factors(self, m: Module) -> None:
        m.submodules.factors = store = memory.Memory(shape=factor_word(self.form), depth=self.form.factors, init=[])
        write, read, given = store.write_port(), store.read_port(), self.issue.word
        m.d.comb += [
            write.addr.eq(self.softmax.factors.address),
            write.data.eq(self.softmax.factors.data),
            write.en.eq(self.softmax.factors.enable),
            read.addr.eq(given.dst * self.form.rows + given.row),
            self.scale_add.factors.eq(read.data),
        ]

    def _accumulators(self, m: Module) -> None:
        """One word is issued at an edge, so one port for reading is enough for both."""
        kept = {"shape": self.form.sum_word, "depth": self.form.accumulators, "init": []}
        m.submodules.accumulators = store = memory.Memory(**kept)
        write, read, given = store.write_port(), store.read_port(), self.issue.word
        m.d.comb += [
            write.addr.eq(self.scale_add.write.address),
            write.data.eq(self.scale_add.write.data),
            write.en.eq(self.scale_add.write.enable),
            read.addr.eq(Mux(given.divide, given.a, given.b)),
            self.scale_add.sums.eq(read.data),
            self.divide.sums.eq(read.data),
        ]
