"""The array engine between its pads: generator, golden model and timing together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from accelsim.golden.array_engine import Pads, matmul
from accelsim.hardware.pads import pad_elements, pad_words
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.program.instruction import SEMAPHORES, Instruction, decode, encode
from accelsim.units.array_engine import ArrayEngineParams, Products, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack
from rtl.layer.array import WORD_LANES, ArrayEngineForm
from rtl.layer.array_unit import ArrayUnit, pad_forms, row_layout
from rtl.layer.pads import PadForm
from rtl.sim.case import Beats, Job, Streams

Rng = np.random.Generator
MORE = 12  # beats of most products, beyond the rows of the array
MOST_FOLDS = 5


@dataclass(frozen=True)
class ArrayEngineUnderTest(UnitUnderTest[ArrayEngineForm, Instruction]):
    """Jobs on the same pads: all that is loaded is among the inputs of the first, before its instruction."""

    def jobs(self, params: ArrayEngineForm, rng: Rng, number: int, *, equal: bool = False) -> tuple[Job, ...]:
        """So many jobs, of one shape or each of its own."""
        shapes = [self.shape(params, rng)] * number if equal else [self.shape(params, rng) for _ in range(number)]
        return self.on_pads(params, shapes, load(params, rng))

    def on_pads(self, params: ArrayEngineForm, shapes: Sequence[Instruction], words: Beats) -> tuple[Job, ...]:
        """A job for each instruction; the words are loaded one per edge, and then the first one starts."""
        jobs = [self.job_of(params, each, {"load": words, "start": (encode(each),)}) for each in shapes]
        first, before = jobs[0], len(words)
        edges = {name: getattr(first, name) + before for name in ("first", "last", "busy")}
        others = (replace(job, inputs={"start": job.inputs["start"]}) for job in jobs[1:])
        return replace(first, **edges), *others


def shape(form: ArrayEngineForm, rng: Rng) -> Instruction:
    """Q x K or P x V, of operands and results anywhere in the pads, now and then as long as they are, or of none."""
    post, wait = (frozenset(np.flatnonzero(rng.random(SEMAPHORES) < 0.3).tolist()) for _ in range(2))
    if rng.random() < 0.5:
        return Instruction("MATMUL", wait, post, frozenset({"transpose"}), _scores(form, rng))
    return Instruction("MATMUL", wait, post, frozenset(), _weighed(form, rng))


def _scores(form: ArrayEngineForm, rng: Rng) -> dict[str, int]:
    longest = min(form.q_words, form.k_words) * WORD_LANES
    beats = _beats(min(longest, form.rows + MORE), longest, rng)
    folds = int(rng.integers(form.s_words // form.rows + 1)) if rng.random() < 0.1 else int(rng.integers(2))
    bases = {"a": _base(form.q, beats, rng), "b": _base(form.k, beats, rng)}
    return {"imm": beats, "cols": folds, **bases, "dst": _result(form.s, folds, form.rows, rng)}


def _weighed(form: ArrayEngineForm, rng: Rng) -> dict[str, int]:
    beats = _beats(form.cols, form.cols, rng)
    most = min(form.pv_words // form.rows, form.v_words * form.parts, MOST_FOLDS)
    folds = int(rng.integers(most + 1))
    bases = {"a": _base(form.p, beats, rng), "b": _base(form.v, max(folds, 1) * form.cols, rng)}
    return {"imm": beats, "cols": folds, **bases, "dst": _result(form.pv, folds, form.rows, rng)}


def _beats(usual: int, longest: int, rng: Rng) -> int:
    """Up to `usual`, now and then none or `longest`."""
    kind = rng.random()
    return 0 if kind < 0.1 else longest if kind < 0.2 else int(rng.integers(1, usual + 1))


def _base(pad: PadForm, elements: int, rng: Rng) -> int:
    """A word from which on a bank has so many elements."""
    return int(rng.integers(pad.words - max(-(-elements // pad.lanes), 1) + 1))


def _result(pad: PadForm, folds: int, rows: int, rng: Rng) -> int:
    """A word from which on there are places for all rows."""
    return int(rng.integers(pad.words - max(folds, 1) * rows + 1))


def load(form: ArrayEngineForm, rng: Rng) -> Beats:
    """Words for all places of all pads."""
    return pad_words(pad_forms(form), rng, 0.5)


@lru_cache(maxsize=8)
def loaded(form: ArrayEngineForm, words: Beats) -> Pads:
    """The pads that these words fill."""
    return Pads(**pad_elements(pad_forms(form), words))


def inputs(form: ArrayEngineForm, instruction: Instruction, rng: Rng) -> Streams:
    return {"load": load(form, rng), "start": (encode(instruction),)}


def golden(form: ArrayEngineForm, instruction: Instruction, streams: Streams) -> Streams:
    """Rows as they are written; the last one completes the instruction, which is read from its own bits."""
    given = decode(streams["start"][0])
    rows = matmul(loaded(form, tuple(streams["load"])), given)
    done = np.arange(len(rows.words)) == len(rows.words) - 1
    post = sum(1 << semaphore for semaphore in given.post)
    fields = {"pv": np.full(len(done), rows.pad == "pv"), "word": rows.words, "sums": rows.sums}
    return {"o": pack(row_layout(form), {**fields, "done": done, "post": done * post})}


def edges(form: ArrayEngineForm, instruction: Instruction) -> Timing:
    """From the edge at which the instruction is taken, the pads being loaded."""
    names = ("rows", "cols", "input_registers", "mac_registers", "output_registers")
    params = ArrayEngineParams(**{name: getattr(form, name) for name in names})
    return timing(params, Products(instruction.args["imm"], max(instruction.args["cols"], 1)))


def read(values: Mapping[str, object]) -> ArrayEngineForm:
    """Parameters by name, those of `ArrayEngineForm`. AccelsimError for what cannot be."""
    return from_plain(ArrayEngineForm(), values)


BARE = dict.fromkeys(("input_registers", "mac_registers", "output_registers"), 0)
CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "bare": {**BARE, "q_words": 3, "k_words": 5, "v_words": 2, "p_words": 1, "s_words": 8, "pv_words": 20},
    "small": {"rows": 2, "cols": 2, **BARE, "q_words": 4, "k_words": 3, "v_words": 3, "p_words": 2, "s_words": 7},
    "wide": {"rows": 2, "cols": 8, "p_words": 3, "mac_registers": 0},
    "tall": {"rows": 8, "cols": 2, "v_words": 1, "p_words": 9, "output_registers": 0},
    "square": {"rows": 4, "cols": 4, "q_words": 1, "k_words": 1, "s_words": 4, "pv_words": 4, "input_registers": 0},
    "deep": {
        "rows": 2,
        "cols": 4,
        "mac_registers": 2,
        "output_registers": 2,
        **dict.fromkeys(("q_words", "k_words", "v_words"), 4),
    },
}

UNIT = HardwareUnit(
    name="array-engine",
    under_test=ArrayEngineUnderTest("array_engine", ArrayUnit, shape, inputs, golden, edges),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={},
    read=read,
    plain=to_plain,
)
