"""The issue of the vector engine: an instruction becomes words, one per edge, with their addresses."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from accelsim.program.instruction import FIELDS, FLAGS, OPS, SEMAPHORES
from rtl.block import Block
from rtl.layer.instruction import instruction_layout
from rtl.layer.vector_form import VectorForm

KINDS = ("softmax", "scale_add", "divide", "setp")


def word_layout(form: VectorForm) -> data.StructLayout:
    """One word of an instruction.

    `softmax`, `scale_add`, `divide`, `setp`: what it is for; none of them: nothing, it only completes. `row` of the
    tile; `a`, `b`: as in the instruction, moved on to this word; `dst`: the same for DIVIDE, otherwise the slot;
    `cols`, `imm`, `first`, `mask`, `post` as in the instruction; `last`: ends it.
    """
    kinds = dict.fromkeys(KINDS, 1)
    places = {name: FIELDS[name] for name in ("a", "b", "dst", "cols", "imm")}
    flags = dict.fromkeys(("first", "mask", "last"), 1)
    return data.StructLayout({"present": 1, **kinds, "row": range(form.rows), **places, **flags, "post": SEMAPHORES})


class Issue(Block):
    """Holds an instruction in a register, and gives its words at the edges after the one at which it was taken.

    As many words as rows for SOFTMAX, as rows times folds (`cols`) for all others, rows inside; each 0 counts as 1,
    and more rows than there are as all. From fold to fold a, and b of SCALE_ADD, and dst of DIVIDE, move on by the
    rows of a tile.

    Ports:
        start: input stream of instructions; ready when none is held, or the last word of it is given.
        word: output of `word_layout`, before the edge at which pads are read.

    After a reset no instruction is held.
    """

    def __init__(self, form: VectorForm) -> None:
        self.form = form
        super().__init__({"start": In(stream.Signature(instruction_layout())), "word": Out(word_layout(form))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        held = Signal(instruction_layout(), reset_less=True)
        present = Signal()
        row = Signal(range(self.form.rows), reset_less=True)
        fold = Signal(FIELDS["cols"], reset_less=True)
        last_row = Signal()
        last = Signal()
        folds = Mux(is_op(held.op, "SOFTMAX"), 1, held.cols)
        m.d.comb += [
            last_row.eq((row + 1 >= held.rows) | (row == self.form.rows - 1)),
            last.eq(last_row & (fold + 1 >= folds)),
            self.start.ready.eq(~present | last),
        ]
        with m.If(self.start.ready):
            m.d.sync += [present.eq(self.start.valid), held.eq(self.start.payload), row.eq(0), fold.eq(0)]
        with m.Else():
            m.d.sync += row.eq(Mux(last_row, 0, row + 1))
            with m.If(last_row):
                m.d.sync += [fold.eq(fold + 1), *self._next_fold(held)]
        self._give(m, held, row, present, last)
        return m

    def _next_fold(self, held: data.View) -> list[object]:
        rows = self.form.rows
        return [
            held.a.eq(held.a + rows),
            held.b.eq(held.b + Mux(is_op(held.op, "SCALE_ADD"), rows, 0)),
            held.dst.eq(held.dst + Mux(is_op(held.op, "DIVIDE"), rows, 0)),
        ]

    def _give(self, m: Module, held: data.View, row: Value, present: Value, last: Value) -> None:
        word = self.word
        for kind in KINDS:
            m.d.comb += word[kind].eq(present & is_op(held.op, kind.upper()))
        m.d.comb += [
            word.present.eq(present),
            word.row.eq(row),
            word.a.eq(Mux(word.setp, held.a, held.a + row)),
            word.b.eq(Mux(word.setp, held.b, held.b + row)),
            word.dst.eq(Mux(word.divide, held.dst + row, held.dst)),
            word.cols.eq(held.cols),
            word.imm.eq(held.imm),
            word.first.eq(held.flags[FLAGS.index("first")]),
            word.mask.eq(held.flags[FLAGS.index("mask")]),
            word.last.eq(last),
            word.post.eq(held.post),
        ]


def is_op(number: Value, name: str) -> Value:
    """Whether the number of an operation is that of this name."""
    return number == OPS.index(name)
