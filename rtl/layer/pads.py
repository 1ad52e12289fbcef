"""Scratchpads: memories written by words, and read by columns of all their banks or by parts of words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value, signed
from amaranth.lib import data, memory
from amaranth.lib.wiring import In, Out, Signature, connect

from accelsim.errors import AccelsimError
from rtl.block import Block, check_size

MOST_BANKS = 256
MOST_WORDS = 1 << 16
MOST_LANES = 256
WIDEST_ELEMENT = 64


@dataclass(frozen=True)
class PadForm:
    """The size of a pad. A word is `lanes` signed elements of `bits` bits, element 0 in the lowest.

    Raises:
        AccelsimError: a size out of range.
    """

    banks: int
    words: int
    lanes: int
    bits: int

    def __post_init__(self) -> None:
        check_size("banks", self.banks, 1, MOST_BANKS)
        check_size("words", self.words, 1, MOST_WORDS)
        check_size("lanes", self.lanes, 1, MOST_LANES)
        check_size("bits", self.bits, 1, WIDEST_ELEMENT)

    @property
    def word(self) -> data.ArrayLayout:
        """The elements of a word."""
        return data.ArrayLayout(signed(self.bits), self.lanes)


def pad_write(form: PadForm) -> Signature:
    """What writes a pad: at an edge with `enable`, `data` becomes word `word` of bank `bank`."""
    place = {"bank": Out(range(form.banks)), "word": Out(range(form.words))}
    return Signature({"enable": Out(1), **place, "data": Out(form.word)})


def column_read(form: PadForm) -> Signature:
    """What reads columns: element `element` of word `word` of every bank comes in `data`, an edge later."""
    place = {"word": Out(range(form.words)), "element": Out(range(form.lanes))}
    return Signature({**place, "data": In(data.ArrayLayout(signed(form.bits), form.banks))})


def row_read(form: PadForm, parts: int = 1) -> Signature:
    """What reads rows: part `part` of word `word` of bank `bank` comes in `data`, an edge later.

    A word has `parts` parts of as many elements each, part 0 in the lowest.
    """
    place = {"bank": Out(range(form.banks)), "word": Out(range(form.words)), "part": Out(range(parts))}
    return Signature({**place, "data": In(data.ArrayLayout(signed(form.bits), form.lanes // parts))})


def load_layout(pads: Mapping[str, PadForm]) -> data.StructLayout:
    """A word for a pad: the pad's number among these, bank and word, its bits, and whether all is loaded with it."""
    banks, words = (max(getattr(pad, name) for pad in pads.values()) for name in ("banks", "words"))
    place = {"pad": range(len(pads)), "bank": range(banks), "word": range(words)}
    return data.StructLayout({**place, "data": max(pad.word.size for pad in pads.values()), "last": 1})


class ColumnPad(Block):
    """A pad that is read by columns: one element of every bank at once. Each bank is a memory of its own.

    One word is written and one column read per edge, at any places. A read of a word that is written at the same edge
    gives the old word. All words are 0 at power-up; a reset leaves them as they are, and at its edges nothing is
    written. A word that is not there must be neither written nor, where its elements matter, read.

    Ports:
        write: input, of `pad_write`; taken at every edge with `enable`.
        read: input, of `column_read`; taken at every edge, `data` is valid from that edge to the next.
    """

    def __init__(self, form: PadForm) -> None:
        self.form = form
        super().__init__({"write": In(pad_write(form)), "read": In(column_read(form))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        element = Signal.like(self.read.element, reset_less=True)
        m.d.sync += element.eq(self.read.element)
        for bank in range(self.form.banks):
            store = memory.Memory(shape=self.form.word, depth=self.form.words, init=[])
            m.submodules[f"bank_{bank}"] = store
            write, read = store.write_port(), store.read_port()
            m.d.comb += [
                write.addr.eq(self.write.word),
                write.data.eq(self.write.data),
                write.en.eq(self.write.enable & (self.write.bank == bank) & ~ResetSignal()),
                read.addr.eq(self.read.word),
                self.read.data[bank].eq(read.data[element]),
            ]
        return m


class RowPad(Block):
    """A pad that is read by rows: a word of one bank, or one of its parts. All banks lie in one memory.

    Words are written, read and kept as in a `ColumnPad`.

    Ports:
        write: input, of `pad_write`; taken at every edge with `enable`.
        read: input, of `row_read`; taken at every edge, `data` is valid from that edge to the next.

    Raises:
        AccelsimError: parts into which a word cannot be cut.
    """

    def __init__(self, form: PadForm, parts: int = 1) -> None:
        check_size("parts", parts, 1, form.lanes)
        if form.lanes % parts:
            raise AccelsimError(f'parts: must divide the {form.lanes} elements of a word, got "{parts}"')
        self.form = form
        super().__init__({"write": In(pad_write(form)), "read": In(row_read(form, parts))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        part = Signal.like(self.read.part, reset_less=True)
        m.d.sync += part.eq(self.read.part)
        depth = self.form.banks << len(self.write.word)
        m.submodules.words = store = memory.Memory(shape=self.form.word, depth=depth, init=[])
        write, read, row = store.write_port(), store.read_port(), Value.cast(self.read.data)
        m.d.comb += [
            write.addr.eq(_place(self.write)),
            write.data.eq(self.write.data),
            write.en.eq(self.write.enable & ~ResetSignal()),
            read.addr.eq(_place(self.read)),
            row.eq(Value.cast(read.data).word_select(part, len(row))),
        ]
        return m


def _place(port: Any) -> Value:
    """Where a word lies in the memory of all banks: they follow one another, each as long as its numbers reach."""
    return Cat(port.word, port.bank)


def place_pads(m: Module, load: Any, pads: Mapping[str, ColumnPad | RowPad], engine: Any) -> Signal:
    """Pads between `load`, a stream of `load_layout`, and the engine whose ports of their names read them.

    The stream is always ready. Returns a register that is 1 once a word with `last` has come.
    """
    loaded = Signal()
    word = load.payload
    m.d.comb += load.ready.eq(1)
    with m.If(load.valid & word.last):
        m.d.sync += loaded.eq(1)
    for number, (name, pad) in enumerate(pads.items()):
        m.submodules[f"{name}_pad"] = pad
        connect(m, getattr(engine, name), pad.read)
        m.d.comb += [
            pad.write.enable.eq(load.valid & (word.pad == number)),
            pad.write.bank.eq(word.bank),
            pad.write.word.eq(word.word),
            pad.write.data.eq(word.data),
        ]
    return loaded
