"""The engine around the array that does softmax itself, between its pads: generator, golden model and timing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from accelsim.golden.fuse_array import MOST_SHIFT, FuseUnit
from accelsim.golden.fuse_engine import FusePads, FuseState, Written, execute
from accelsim.hardware.pads import pad_elements, pad_words
from accelsim.hardware.plain import from_plain, to_plain
from accelsim.hardware.unit import HardwareUnit
from accelsim.program.instruction import SEMAPHORES, Instruction, decode, encode
from accelsim.units.fuse_engine import FuseEngineParams, TileStep, timing
from accelsim.units.timing import Timing
from rtl.bench import UnitUnderTest, pack
from rtl.layer.fuse_array_form import FuseEngineForm
from rtl.layer.fuse_array_unit import WRITTEN, FuseEngineUnit, pad_forms, row_layout
from rtl.layer.pads import PadForm
from rtl.sim.case import Beats, Job, Streams

Rng = np.random.Generator
Program = tuple[Instruction, ...]
MORE = 20  # elements of most queries and values
MOST_STEPS = 10  # of a program, behind the first two
USUAL_SHIFTS = (4, 16)  # with which exp is mostly not 0


@dataclass(frozen=True)
class FuseEngineUnderTest(UnitUnderTest[FuseEngineForm, Program]):
    """Programs on the same pads, a job for each instruction: all that is loaded is among the inputs of the first."""

    def jobs(self, params: FuseEngineForm, rng: Rng, number: int, *, equal: bool = False) -> tuple[Job, ...]:
        """The jobs of so many programs, all the same or each of its own."""
        drawn = [self.shape(params, rng)] * number if equal else [self.shape(params, rng) for _ in range(number)]
        return self.on_pads(params, drawn, load(params, rng))

    def on_pads(self, params: FuseEngineForm, programs: Sequence[Program], words: Beats) -> tuple[Job, ...]:
        """A job for each instruction; the words are loaded one per edge, and then the first one starts."""
        whole = tuple(each for program in programs for each in program)
        starts = schedule(params, whole)
        busy = [after - before for before, after in pairwise(starts)] + [own(params, whole[-1]).busy]
        jobs = [
            Job({"start": (encode(each),)}, {"o": rows}, own(params, each).first, own(params, each).last, edges)
            for each, rows, edges in zip(whole, results(params, loaded(params, words), whole), busy, strict=True)
        ]
        first, before = jobs[0], len(words)
        edges_of = {name: getattr(first, name) + before for name in ("first", "last", "busy")}
        return replace(first, inputs={"load": words, **first.inputs}, **edges_of), *jobs[1:]


def shape(form: FuseEngineForm, rng: Rng) -> Program:
    """A shift, scores of a tile, and then whatever may follow, of tiles in any order, for a while."""
    found = [_setup(rng), _scores(form, rng)]
    for _ in range(int(rng.integers(MOST_STEPS + 1))):
        found.append(_next(form, found, rng))
    return tuple(found)


def _next(form: FuseEngineForm, before: Sequence[Instruction], rng: Rng) -> Instruction:
    """An instruction that may follow these."""
    keys = {each.args["dst"]: each.args["rows"] for each in before if "transpose" in each.flags}
    weighed = sorted({each.args["dst"] for each in before if each.op == "SOFTMAX"})
    kind = rng.choice(4, p=(0.3, 0.35, 0.3, 0.05))
    if kind == 1:
        slot = int(rng.choice(list(keys)))
        return _instruction("SOFTMAX", rng, {"dst": slot, "rows": keys[slot]})
    if kind == 2 and weighed:
        return _values(form, int(rng.choice(weighed)), rng)
    return _setup(rng) if kind == 3 else _scores(form, rng)


def _instruction(op: str, rng: Rng, args: Mapping[str, int], *flags: str) -> Instruction:
    """With any semaphores."""
    post, wait = (frozenset(np.flatnonzero(rng.random(SEMAPHORES) < 0.3).tolist()) for _ in range(2))
    return Instruction(op, wait, post, frozenset(flags), args)


def _setup(rng: Rng) -> Instruction:
    shift = rng.integers(*USUAL_SHIFTS) if rng.random() < 0.8 else rng.integers(MOST_SHIFT + 1)
    return _instruction("SETP", rng, {"b": int(shift)})


def _scores(form: FuseEngineForm, rng: Rng) -> Instruction:
    longest = min(form.length, *(pad.words * pad.lanes for pad in (form.q, form.k)))
    elements = _elements_of(longest, rng)
    keys = form.rows if rng.random() < 0.5 else int(rng.integers(1, form.rows + 1))
    bases = {"a": _base(form.q, elements, rng), "b": _base(form.k, elements, rng)}
    args = {"imm": elements, **bases, "dst": int(rng.integers(form.tiles)), "rows": keys}
    return _instruction("MATMUL", rng, args, "transpose")


def _values(form: FuseEngineForm, slot: int, rng: Rng) -> Instruction:
    elements = _elements_of(min(form.v.words * form.v.lanes, form.pv_words), rng)
    dst = int(rng.integers(form.pv_words - elements + 1))
    return _instruction("MATMUL", rng, {"imm": elements, "a": slot, "b": _base(form.v, elements, rng), "dst": dst})


def _elements_of(longest: int, rng: Rng) -> int:
    """A few, now and then `longest`, and often one."""
    kind = rng.random()
    return longest if kind < 0.05 else 1 if kind < 0.25 else int(rng.integers(1, min(longest, MORE) + 1))


def _base(pad: PadForm, elements: int, rng: Rng) -> int:
    """A word from which on a bank has so many elements."""
    return int(rng.integers(pad.words - -(-elements // pad.lanes) + 1))


def load(form: FuseEngineForm, rng: Rng) -> Beats:
    """Words for all places of all pads."""
    return pad_words(pad_forms(form), rng, 0.7)


@lru_cache(maxsize=8)
def loaded(form: FuseEngineForm, words: Beats) -> FusePads:
    """The pads that these words fill."""
    return FusePads(**pad_elements(pad_forms(form), words))


def inputs(form: FuseEngineForm, program: Program, rng: Rng) -> Streams:
    return {"load": load(form, rng), "start": tuple(encode(each) for each in program)}


def golden(form: FuseEngineForm, program: Program, streams: Streams) -> Streams:
    """Words as they are written, by instructions that are read from their own bits."""
    given = [decode(word) for word in streams["start"]]
    rows = results(form, loaded(form, tuple(streams["load"])), given)
    return {"o": tuple(beat for each in rows for beat in each)}


def results(form: FuseEngineForm, pads: FusePads, program: Sequence[Instruction]) -> list[Beats]:
    """What leaves at each instruction; the last word of it completes it."""
    unit = FuseUnit(form.rows, length=form.length)
    state, found = FuseState(), []
    for instruction in program:
        state, written = execute(unit, pads, state, instruction)
        found.append(_beats(form, instruction, written, state.shift))
    return found


def _beats(form: FuseEngineForm, instruction: Instruction, written: Written, shift: int) -> Beats:
    done = np.arange(len(written.words)) == len(written.words) - 1
    pads = np.full(len(done), WRITTEN.index(written.pad))
    post = done * sum(1 << semaphore for semaphore in instruction.post)
    fields = {"pad": pads, "word": written.words, "sums": written.sums, "done": done, "post": post}
    return pack(row_layout(form), {**fields, "shift": (pads == 0) * shift})


def schedule(form: FuseEngineForm, program: Sequence[Instruction]) -> list[int]:
    """The edge at which each instruction starts: weights behind the last one of the tile's scores."""
    found: list[int] = []
    ready, scored = 0, dict.fromkeys(range(form.tiles), 0)
    for instruction in program:
        edges_of, weighs = own(form, instruction), instruction.op == "SOFTMAX"
        start = max(ready, scored[instruction.args["dst"]] if weighs else 0)
        if "transpose" in instruction.flags:
            scored[instruction.args["dst"]] = start + edges_of.last + 1
        found.append(start)
        ready = start + edges_of.busy
    return found


def own(form: FuseEngineForm, instruction: Instruction) -> Timing:
    """The edges of an instruction, from its start."""
    params = FuseEngineParams(form.rows, form.cols, form.input_registers, form.output_registers)
    if instruction.op == "MATMUL":
        kind = "scores" if "transpose" in instruction.flags else "values"
        return timing(params, TileStep(kind, instruction.args["imm"]))  # type: ignore[arg-type]
    return timing(params, TileStep("weights" if instruction.op == "SOFTMAX" else "setup"))


def edges(form: FuseEngineForm, program: Program) -> Timing:
    """From the edge at which the first instruction is taken, the pads being loaded."""
    starts = schedule(form, program)
    last = own(form, program[-1])
    return Timing(own(form, program[0]).first, starts[-1] + last.last, starts[-1] + last.busy)


def read(values: Mapping[str, object]) -> FuseEngineForm:
    """Parameters by name, those of `FuseEngineForm`. AccelsimError for what cannot be."""
    return from_plain(FuseEngineForm(), values)


BARE = {"input_registers": 0, "output_registers": 0}
CONFIGURATIONS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "small": {"rows": 2, "cols": 2, "tiles": 2, "length": 9, "q_words": 3, "k_words": 2, "v_words": 2, "pv_words": 9}
    | BARE,
    "wide": {"rows": 2, "cols": 8, "tiles": 3, "q_words": 4, "pv_words": 20, "output_registers": 0},
    "tall": {"rows": 8, "cols": 2, "tiles": 5, "k_words": 3, "v_words": 1, "pv_words": 8, "input_registers": 0},
    "lone": {"rows": 4, "cols": 4, "tiles": 1, "q_words": 40, "k_words": 20, "length": 160, "output_registers": 2},
}

UNIT = HardwareUnit(
    name="fuse-engine",
    under_test=FuseEngineUnderTest("fuse_engine", FuseEngineUnit, shape, inputs, golden, edges),
    configurations={name: read(values) for name, values in CONFIGURATIONS.items()},
    large={},
    read=read,
    plain=to_plain,
)
