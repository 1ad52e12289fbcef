"""Scratchpads: what is written is read, at any places and at the same edge, and outlives a reset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Elaboratable, EnableInserter, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from accelsim.errors import AccelsimError
from accelsim.units.timing import Timing
from rtl.bench import Case, Cut, Device, UnitUnderTest, device, devices_of, pack, simulate, sweep, unpack
from rtl.block import Block
from rtl.layer.pads import ColumnPad, PadForm, RowPad, column_read, pad_write, row_read
from rtl.mutation import run_variants
from rtl.pipeline import later
from rtl.sim.case import Job, Streams
from rtl.verilog import lint, verilog_text
from tests.rtl.rigid import SEED, wrong

pytestmark = pytest.mark.slow

Rng = np.random.Generator
OPERATIONS = 40  # of a job, at most, when all words have been written


@dataclass(frozen=True)
class Setup:
    """A pad; `parts` 0: read by columns."""

    form: PadForm
    parts: int = 0

    @property
    def inner(self) -> int:
        """Elements of a word, or parts of it, of which one is chosen."""
        return self.parts or self.form.lanes


SETUPS = (
    Setup(PadForm(8, 4, 8, 8)),
    Setup(PadForm(4, 5, 4, 16)),
    Setup(PadForm(1, 3, 2, 8)),
    Setup(PadForm(2, 1, 8, 8)),
    Setup(PadForm(8, 3, 8, 8), 4),
    Setup(PadForm(2, 4, 8, 8), 1),
    Setup(PadForm(1, 11, 4, 32), 1),
    Setup(PadForm(4, 1, 8, 8), 2),
)


def pad_of(setup: Setup) -> Block:
    return RowPad(setup.form, setup.parts) if setup.parts else ColumnPad(setup.form)


def operation(setup: Setup) -> data.StructLayout:
    """A word to write and a place to read, each if its flag says so."""
    form = setup.form
    place = {"bank": range(form.banks), "word": range(form.words)}
    write, read = (
        data.StructLayout({**place, "data": form.word}),
        data.StructLayout({**place, "at": range(setup.inner)}),
    )
    return data.StructLayout({"writes": 1, "reads": 1, "write": write, "read": read})


def answer(setup: Setup) -> data.ArrayLayout:
    read = row_read(setup.form, setup.parts) if setup.parts else column_read(setup.form)
    found: data.ArrayLayout = read.members["data"].shape
    return found


class PadBench(Block):
    """A pad between streams: `i` takes operations, `o` gives what was read. It stands still while `o` waits."""

    def __init__(self, setup: Setup, pad: Block | None = None) -> None:
        self.setup = setup
        self.pad: Any = pad or pad_of(setup)
        super().__init__(
            {"i": In(stream.Signature(operation(setup))), "o": Out(stream.Signature(answer(setup)))},
        )

    def elaborate(self, platform: None) -> Elaboratable:
        m = Module()
        m.submodules.pad = self.pad
        moves = Signal()
        wanted, write, read = self.i.payload, self.pad.write, self.pad.read
        place = (
            {"bank": "bank", "word": "word", "part": "at"} if self.setup.parts else {"word": "word", "element": "at"}
        )
        m.d.comb += [
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves),
            write.enable.eq(self.i.valid & wanted.writes),
            *(getattr(write, name).eq(wanted.write[name]) for name in ("bank", "word", "data")),
            *(getattr(read, name).eq(wanted.read[field]) for name, field in place.items()),
            self.o.valid.eq(later(m, "read", 1, present=self.i.valid & wanted.reads)[0]),
            self.o.payload.eq(read.data),
        ]
        return EnableInserter(moves)(m)


def shape(setup: Setup, rng: Rng) -> tuple[bool, ...]:
    """Which operations read, once each word has been written; one does."""
    reads = rng.random(int(rng.integers(1, OPERATIONS + 1))) < 0.8
    reads[rng.integers(len(reads))] = True
    return tuple(reads.tolist())


def inputs(setup: Setup, reads: tuple[bool, ...], rng: Rng) -> Streams:
    """All words are written; then some are written and some read, every second time at the same place."""
    form, more = setup.form, len(reads)
    every = np.indices((form.banks, form.words)).reshape(2, -1)
    bank = np.append(every[0], rng.integers(form.banks, size=more))
    word = np.append(every[1], rng.integers(form.words, size=more))
    total, same = len(bank), rng.random(len(bank)) < 0.5
    values = rng.integers(-(1 << form.bits - 1), 1 << form.bits - 1, (total, form.lanes))
    writes = np.append(np.ones(total - more, bool), rng.random(more) < 0.6)
    read = {
        "bank": np.where(same, bank, rng.integers(form.banks, size=total)),
        "word": np.where(same, word, rng.integers(form.words, size=total)),
        "at": rng.integers(setup.inner, size=total),
    }
    reading = np.append(np.zeros(total - more, bool), reads)
    write = {"bank": bank, "word": word, "data": values}
    return {"i": pack(operation(setup), {"writes": writes, "reads": reading, "write": write, "read": read})}


def golden(setup: Setup, reads: tuple[bool, ...], streams: Streams) -> Streams:
    return {"o": answers(setup, streams, np.zeros((setup.form.banks, setup.form.words, setup.form.lanes), np.int64))}


def answers(setup: Setup, streams: Streams, words: Any) -> tuple[int, ...]:
    """What the pad gives, one operation after the other, from these words on; they are changed."""
    given, found = unpack(operation(setup), streams["i"]), []
    write, read = given["write"], given["read"]
    for n in range(len(given["reads"])):
        bank, word, at = read["bank"][n], read["word"][n], read["at"][n]
        parts = words[bank, word].reshape(setup.parts, -1)[at] if setup.parts else words[:, word, at]
        found += [parts.copy()] if given["reads"][n] else []
        if given["writes"][n]:
            words[write["bank"][n], write["word"][n]] = write["data"][n]
    return pack(answer(setup), np.array(found))


def timing(setup: Setup, reads: tuple[bool, ...]) -> Timing:
    """Data comes an edge after the place was taken."""
    places, before = np.flatnonzero(reads), setup.form.banks * setup.form.words
    return Timing(before + int(places[0]) + 1, before + int(places[-1]) + 1, before + len(reads))


BENCH = UnitUnderTest("pad", PadBench, shape, inputs, golden, timing, rigid=True)


@cache
def all_devices() -> tuple[Device, ...]:
    """All pads, and all again for those tests in which what a pad holds matters from the beginning."""
    kept = (device(f"kept_{place}", PadBench(setup)) for place, setup in enumerate(SETUPS))
    return *devices_of(BENCH, SETUPS), *kept


def test_every_bit_and_edge() -> None:
    cases = sweep(BENCH, SETUPS, SEED)
    assert len(cases) >= 100
    assert wrong(simulate(all_devices(), cases, x_seeds=(1,))) == []


def reading_all(setup: Setup, words: Any) -> Job:
    """A job that reads every element of these words and writes nothing."""
    form = setup.form
    bank, word, at = np.indices((form.banks, form.words, setup.inner)).reshape(3, -1)
    nothing = {"bank": 0 * bank, "word": 0 * bank, "data": np.zeros((len(bank), form.lanes), np.int64)}
    flags = {"writes": 0 * bank, "reads": 1 + 0 * bank}
    beats = pack(operation(setup), {**flags, "write": nothing, "read": {"bank": bank, "word": word, "at": at}})
    return Job({"i": beats}, {"o": answers(setup, {"i": beats}, words)}, 1, len(bank), len(bank))


def kept_cases(place: int, setup: Setup) -> list[Case]:
    """Zeros at first; then, four times, words are written, a reset comes, and they are read."""
    rng, name = np.random.default_rng((SEED, place)), f"kept_{place}"
    words = np.zeros((setup.form.banks, setup.form.words, setup.form.lanes), np.int64)
    found = [Case(f"{name} at first", name, (reading_all(setup, words),))]
    for turn in range(4):
        job = BENCH.job(setup, shape(setup, rng), rng)
        answers(setup, job.inputs, words)
        cut = Cut((job,), job.busy + 1)
        found.append(Case(f"{name} reset {turn}", name, (reading_all(setup, words),), seed=turn, cut=cut))
    return found


def test_words_are_zero_at_first_and_outlive_resets() -> None:
    """While reset is high the input claims to be valid, with any operation: none of it is carried out."""
    cases = [case for place, setup in enumerate(SETUPS) for case in kept_cases(place, setup)]
    assert wrong(simulate(all_devices(), cases, x_seeds=(1,))) == []


@pytest.mark.parametrize("setup", SETUPS)
def test_verilog_is_clean(setup: Setup) -> None:
    lint(verilog_text(pad_of(setup), "accelsim_pad"), "accelsim_pad")


# Faults on purpose.


class Around(Block):
    """A pad of columns with something around it: `change` says what."""

    def __init__(self, form: PadForm) -> None:
        self.form = form
        self.pad = ColumnPad(form)
        super().__init__({"write": In(pad_write(form)), "read": In(column_read(form))})

    def elaborate(self, platform: None) -> Module:
        m = Module()
        m.submodules.whole = self.pad
        connect(m, flipped(self.write), self.pad.write)
        connect(m, flipped(self.read), self.pad.read)
        self.change(m)
        return m

    def change(self, m: Module) -> None:
        raise NotImplementedError


class Forwards(Around):
    """Gives the new word where it is written and read at the same edge."""

    def change(self, m: Module) -> None:
        column = Signal(len(self.read.element))
        meets = Signal()
        bank = Signal.like(self.write.bank)
        word = Signal(self.form.word)
        m.d.sync += [column.eq(self.read.element), bank.eq(self.write.bank), word.eq(self.write.data)]
        m.d.sync += meets.eq(self.write.enable & (self.write.word == self.read.word))
        for place in range(self.form.banks):
            with m.If(meets & (bank == place)):
                m.d.comb += self.read.data[place].eq(word[column])


class Restarts(Around):
    """Gives zeros of words that have not been written since the last reset."""

    def change(self, m: Module) -> None:
        known = Signal(self.form.banks * self.form.words)
        word = Signal.like(self.read.word)
        m.d.sync += word.eq(self.read.word)
        with m.If(self.write.enable):
            m.d.sync += known.bit_select(self.write.bank * self.form.words + self.write.word, 1).eq(1)
        for place in range(self.form.banks):
            seen = known.bit_select(place * self.form.words + word, 1)
            m.d.comb += self.read.data[place].eq(Mux(seen, self.pad.read.data[place], 0))


class Late(Around):
    """Gives all an edge later."""

    def change(self, m: Module) -> None:
        before = Signal(len(Value.cast(self.read.data)))
        m.d.sync += before.eq(Value.cast(self.pad.read.data))
        m.d.comb += Value.cast(self.read.data).eq(before)


class Hasty(Around):
    """Chooses the element when the word has come, not with it."""

    def change(self, m: Module) -> None:
        before = Signal.like(self.read.element)
        m.d.sync += before.eq(self.read.element)
        m.d.comb += self.pad.read.element.eq(before)


class Shared(Around):
    """Writes a word of every second bank into the one before it too."""

    def change(self, m: Module) -> None:
        m.d.comb += self.pad.write.bank.eq(self.write.bank & ~1)


def test_every_fault_made_by_hand_is_found() -> None:
    setup = SETUPS[1]
    kinds = (Forwards, Restarts, Late, Hasty, Shared)
    variants = {kind.__name__: PadBench(setup, kind(setup.form)) for kind in kinds}
    kept = [replace(case, name=f"{case.name} again") for case in kept_cases(1, setup)[1:]]
    report = run_variants(PadBench(setup), variants, [*sweep(BENCH, [setup], SEED), *kept])
    assert [mutant.name for mutant in report.survivors] == []
    found = {mutant.name: mutant.found for mutant in report.mutants}
    assert found["Restarts"].startswith("kept_1")


# What is refused.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 1, 1, 8), 'banks: must be an integer from 1 to 256, got "0"'),
        ((1, 65537, 1, 8), 'words: must be an integer from 1 to 65536, got "65537"'),
        ((1, 1, 0, 8), 'lanes: must be an integer from 1 to 256, got "0"'),
        ((1, 1, 1, True), 'bits: must be an integer from 1 to 64, got "True"'),
    ],
)
def test_pads_that_cannot_be_are_refused(values: tuple[int, int, int, int], message: str) -> None:
    with pytest.raises(AccelsimError) as caught:
        PadForm(*values)
    assert str(caught.value) == message


def test_a_word_has_parts_of_the_same_length() -> None:
    with pytest.raises(AccelsimError, match=r'^parts: must divide the 8 elements of a word, got "3"$'):
        RowPad(PadForm(1, 1, 8, 8), 3)
