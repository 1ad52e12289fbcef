"""The array engine: MATMUL, from operands in pads to rows of sums in pads, one behind the other without a gap."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import Out

from accelsim.errors import AccelsimError
from accelsim.program.instruction import DMA_FIELDS, FIELDS, FLAGS, SEMAPHORES
from rtl.block import Block, check_size
from rtl.layer.instruction import engine_ports
from rtl.layer.pads import PadForm, column_read, pad_write, row_read
from rtl.pipeline import MOST_STAGES, later, wire
from rtl.streams import Fifo
from rtl.systolic import ArrayForm, SystolicArray

SIDES = (2, 4, 8)
WORD_LANES = 8  # elements of Q, K and V in a word of memory
NARROW, WIDE, SUM = 8, 16, 32  # bits of an element of Q, K and V, of P, and of a sum
LONGEST = (1 << FIELDS["imm"]) - 1  # beats of a product that carry operands
MOST_WORDS = 1 << DMA_FIELDS["local"] - 3  # of a bank that a LOAD can name, beside 3 bits for the pad
MOST_RESULTS = 1 << FIELDS["dst"]


@dataclass(frozen=True)
class ArrayEngineForm:
    """What engine it is, and how large the pads are that it reads and writes.

    Attributes:
        rows: queries of a tile: rows of the array, banks of the Q and of the P pad.
        cols: keys of a tile: columns of the array, banks of the K and of the V pad.
        q_words: words of 8 elements in a bank of the Q pad.
        k_words: the same of the K pad.
        v_words: the same of the V pad.
        p_words: words of `cols` elements in a bank of the P pad: tiles of weights that it holds.
        s_words: words of `cols` sums in the S pad.
        pv_words: words of `cols` sums in the PV pad.
        input_registers: registers between the pads and the array.
        mac_registers: registers between multiplier and adder.
        output_registers: registers between the array and the pads.

    Raises:
        AccelsimError: a parameter out of range.
    """

    rows: int = 8
    cols: int = 8
    q_words: int = 16
    k_words: int = 16
    v_words: int = 16
    p_words: int = 4
    s_words: int = 32
    pv_words: int = 64
    input_registers: int = 1
    mac_registers: int = 1
    output_registers: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            if (side := getattr(self, name)) not in SIDES or isinstance(side, bool):
                raise AccelsimError(f'{name}: must be one of {", ".join(map(str, SIDES))}, got "{side}"')
        for name, low, high in (
            ("q_words", 1, MOST_WORDS),
            ("k_words", 1, MOST_WORDS),
            ("v_words", 1, MOST_WORDS),
            ("p_words", 1, MOST_RESULTS),
            ("s_words", self.rows, MOST_RESULTS),
            ("pv_words", self.rows, MOST_RESULTS),
            ("input_registers", 0, MOST_STAGES),
            ("mac_registers", 0, MOST_STAGES),
            ("output_registers", 0, MOST_STAGES),
        ):
            check_size(name, getattr(self, name), low, high)

    @property
    def array(self) -> ArrayForm:
        """The systolic array. A sum of the narrow operands takes as many more products as their bits are fewer."""
        length = max(self.cols, -(-LONGEST >> WIDE - NARROW))
        registers = self.input_registers, self.mac_registers, self.output_registers
        return ArrayForm(self.rows, self.cols, "os", WIDE, NARROW, SUM, length, 1, *registers)

    @property
    def parts(self) -> int:
        """Rows of V for one fold that a word of the V pad holds."""
        return WORD_LANES // self.cols

    @property
    def drain(self) -> int:
        """Edges from the earliest start of the next instruction to the last row of an instruction.

        The last beat leaves the pads with the edge of that start, enters the array at the next, and meets the last
        element cols - 1 + rows - 1 edges later, and all registers.
        """
        return 1 + self.cols - 1 + self.rows - 1 + self.input_registers + self.mac_registers + self.output_registers

    @property
    def under_way(self) -> int:
        """Instructions that have started and not yet completed, at most, when another starts, and that one.

        Those are not yet complete whose last beat was put to the pads at that edge or one of `drain` before it; and
        between two such edges are at least `rows`.
        """
        return self.drain // self.rows + 1 + 1

    @property
    def q(self) -> PadForm:
        """The Q pad, a `ColumnPad`."""
        return PadForm(self.rows, self.q_words, WORD_LANES, NARROW)

    @property
    def k(self) -> PadForm:
        """The K pad, a `ColumnPad`."""
        return PadForm(self.cols, self.k_words, WORD_LANES, NARROW)

    @property
    def v(self) -> PadForm:
        """The V pad, a `RowPad` with `parts` parts of a word."""
        return PadForm(self.cols, self.v_words, WORD_LANES, NARROW)

    @property
    def p(self) -> PadForm:
        """The P pad, a `ColumnPad`."""
        return PadForm(self.rows, self.p_words, self.cols, WIDE)

    @property
    def s(self) -> PadForm:
        """The S pad, a `RowPad`."""
        return PadForm(1, self.s_words, self.cols, SUM)

    @property
    def pv(self) -> PadForm:
        """The PV pad, a `RowPad`."""
        return PadForm(1, self.pv_words, self.cols, SUM)


TRANSPOSE = FLAGS.index("transpose")
COUNT = FIELDS["imm"]  # bits of a number of beats or folds
COUNTS = dict.fromkeys(("carried", "last_beat", "last_fold"), COUNT)
ISSUED = data.StructLayout({"transpose": 1, "a": FIELDS["a"], "b": FIELDS["b"], **COUNTS})
"""Of an instruction whose beats are being read: beats that carry operands, and the numbers of the last ones."""
ORDER = data.StructLayout({"transpose": 1, "dst": FIELDS["dst"], "last_fold": COUNT, "post": SEMAPHORES})
"""Of an instruction whose rows have not all left: where they go, and what its completion posts."""


class ArrayEngine(Block):
    """MATMUL on an output-stationary `SystolicArray`: operands from pads, beat after beat, and rows of sums into pads.

    A product of `imm` beats, those that carry operands (0 to 4095), is streamed once for each of `cols` folds (0 counts
    as 1); a fold takes as many beats as the larger of `imm` and `rows`, those past `imm` being zeros. Where a word has
    n elements, element e of word w is that of number e % n in word w + e // n, for any e.

    - With flag `transpose`, Q x K: beat e has element e of word `a` of all banks of the Q pad on the left, and of word
      `b` of all banks of the K pad on the right; row r of fold f goes to word dst + f * rows + r of the S pad. All
      folds are alike, so one is enough.
    - Without it, P x V: beat m has element m of word `a` of all banks of the P pad on the left, and on the right
      of bank m of the V pad elements f * cols to f * cols + cols - 1 of word `b`; row r of fold f goes to word
      dst + f * rows + r of the PV pad. `imm` is at most `cols`.

    Other fields of the instruction, its operation too, mean nothing here. A place beyond the end of a pad is not found
    out, and beats past `imm` may read there.

    With edge 0 that of the transfer of `start`, beat 0 enters the array at edge 2: at 1 the pads have taken its place.
    Results leave as the array gives them. The next instruction starts as soon as all places of all folds have been put
    to the pads, folds * max(imm, rows) edges later. The array never lets a beat wait, because no fold is shorter than
    `rows`; several instructions may be under way.

    Ports:
        start: input stream of instructions; ready when none is being read, or the last of its beats is.
        done0: output; valid before the edge at which the last row of an instruction is written.
        q, k, p: output, of `column_read`.
        v: output, of `row_read`.
        s, pv: output, of `pad_write`.

    After a reset no instruction is under way.
    """

    def __init__(self, form: ArrayEngineForm) -> None:
        self.form = form
        self.array = SystolicArray(form.array)
        self.orders = Fifo(ORDER, form.under_way)
        self.running = Signal()
        self.issued = Signal(ISSUED, reset_less=True)
        self.beat = Signal(COUNT, reset_less=True)
        self.fold = Signal(COUNT, reset_less=True)
        reads = {"q": column_read(form.q), "k": column_read(form.k), "p": column_read(form.p)}
        others = {"v": row_read(form.v, form.parts), "s": pad_write(form.s), "pv": pad_write(form.pv)}
        ports = {name: Out(signature) for name, signature in {**reads, **others}.items()}
        super().__init__({**engine_ports(), **ports})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.array = self.array
        m.submodules.orders = self.orders
        fold_ends = wire(m, "fold_ends", self.beat == self.issued.last_beat)
        self._begin(m, fold_ends)
        self._address(m)
        beside = {"transpose": self.issued.transpose, "carries": self.beat < self.issued.carried, "last": fold_ends}
        self._feed(m, *later(m, "fetched", 1, present=self.running, **beside))
        self._give(m)
        return m

    def _begin(self, m: Module, fold_ends: Value) -> None:
        """Count beats and folds; take an instruction when none is left."""
        given = self.start.payload
        with m.If(self.running):
            m.d.sync += [self.beat.eq(Mux(fold_ends, 0, self.beat + 1)), self.fold.eq(self.fold + fold_ends)]
        m.d.comb += self.start.ready.eq(~self.running | fold_ends & (self.fold == self.issued.last_fold))
        with m.If(self.start.ready):
            m.d.sync += [
                self.running.eq(self.start.valid),
                self.beat.eq(0),
                self.fold.eq(0),
                self.issued.transpose.eq(given.flags[TRANSPOSE]),
                self.issued.a.eq(given.a),
                self.issued.b.eq(given.b),
                self.issued.carried.eq(given.imm),
                self.issued.last_beat.eq(Mux(given.imm < self.form.rows, self.form.rows, given.imm) - 1),
                self.issued.last_fold.eq(last_fold(given.cols)),
            ]
        m.d.comb += [
            self.orders.i.valid.eq(self.start.valid & self.start.ready),
            self.orders.i.payload.transpose.eq(given.flags[TRANSPOSE]),
            self.orders.i.payload.dst.eq(given.dst),
            self.orders.i.payload.last_fold.eq(last_fold(given.cols)),
            self.orders.i.payload.post.eq(given.post),
        ]

    def _address(self, m: Module) -> None:
        """The place of this beat's operands in each pad."""
        for port, base in ((self.q, self.issued.a), (self.k, self.issued.b), (self.p, self.issued.a)):
            inner = len(port.element)
            m.d.comb += [port.word.eq(base + (self.beat >> inner)), port.element.eq(self.beat[:inner])]
        inner = len(self.v.part)
        m.d.comb += [
            self.v.bank.eq(self.beat[: len(self.v.bank)]),
            self.v.word.eq(self.issued.b + (self.fold >> inner)),
            self.v.part.eq(self.fold[:inner]),
        ]

    def _feed(self, m: Module, present: Value, transpose: Value, carries: Value, last: Value) -> None:
        """What the pads have given, or zeros, into the array."""
        left, right = self.array.left, self.array.right
        m.d.comb += [left.valid.eq(present), right.valid.eq(present), left.payload.last.eq(last)]
        for row in range(self.form.rows):
            operand = Mux(transpose, self.q.data[row], self.p.data[row])
            m.d.comb += left.payload.data[row].eq(Mux(carries, operand, 0))
        for col in range(self.form.cols):
            operand = Mux(transpose, self.k.data[col], self.v.data[col])
            m.d.comb += right.payload.data[col].eq(Mux(carries, operand, 0))

    def _give(self, m: Module) -> None:
        """Rows of sums to their places, and the end of their instruction."""
        result, order = self.array.result, self.orders.o
        row = Signal(range(self.form.rows))
        fold = Signal(COUNT)
        row_ends = wire(m, "row_ends", row == self.form.rows - 1)
        ends = wire(m, "ends", result.valid & row_ends & (fold == order.payload.last_fold))
        with m.If(result.valid):
            m.d.sync += [row.eq(Mux(row_ends, 0, row + 1)), fold.eq(Mux(ends, 0, fold + row_ends))]
        m.d.comb += [
            result.ready.eq(1),
            order.ready.eq(ends),
            self.done0.valid.eq(ends),
            self.done0.post.eq(order.payload.post),
            self.s.enable.eq(result.valid & order.payload.transpose),
            self.pv.enable.eq(result.valid & ~order.payload.transpose),
        ]
        for port in (self.s, self.pv):
            m.d.comb += port.word.eq(order.payload.dst + Cat(row, fold))
            m.d.comb += port.data.eq(result.payload.data)


def last_fold(folds: Value) -> Value:
    """The number of the last of so many folds, 0 counting as 1."""
    return Mux(folds == 0, 0, folds - 1)
