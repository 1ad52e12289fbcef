"""The vector engine of the layer machine: generator, golden model and timing together, and sequences to run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from accelsim.golden.attention_formats import TILED, AttentionFormats
from accelsim.golden.vector import VectorState, VectorUnit, blank, execute, places
from accelsim.hardware.attention import formats_of
from accelsim.hardware.plain import to_plain
from accelsim.program.instruction import FIELDS, HEAD, Instruction, encode
from accelsim.units.timing import Timing
from accelsim.units.vector_engine import VectorEngineParams, Words, timing
from rtl.bench import pack
from rtl.layer.vector_bench import TO_ENGINE, TO_PV, TO_S, VectorBench, o_layout, p_layout, step_layout
from rtl.layer.vector_form import VectorForm, VectorStages
from rtl.sim.case import Beats, Job, Streams

DONE = {"SOFTMAX": "done0", "SCALE_ADD": "done1", "SETP": "done1", "DIVIDE": "done2"}


@dataclass(frozen=True)
class VectorSetup:
    """Parameters of the unit, as `rtl.layer.vector_form.VectorForm` has them."""

    rows: int = 8
    lanes: int = 8
    slots: int = 2
    states: int = 16
    accumulators: int = 64
    s_words: int = 16
    pv_words: int = 32
    o_words: int = 64
    length: int = 4096
    formats: AttentionFormats = TILED
    stages: VectorStages = field(default_factory=VectorStages)

    @property
    def form(self) -> VectorForm:
        """The same for the generator."""
        return VectorForm(**{**vars(self), "formats": formats_of(self.formats)})

    @property
    def unit(self) -> VectorUnit:
        """The same for the golden model."""
        return VectorUnit(**{each.name: getattr(self, each.name) for each in fields(VectorUnit)})

    @property
    def params(self) -> VectorEngineParams:
        """The same for the timing function."""
        plain: dict[str, Any] = to_plain(self.stages)
        return VectorEngineParams(self.lanes, **plain, output_bits=self.formats.output.width)


def build(setup: VectorSetup) -> VectorBench:
    return VectorBench(setup.form)


def edges(setup: VectorSetup, job: Words) -> Timing:
    return timing(setup.params, job)


@dataclass(frozen=True)
class Step:
    """An instruction, the pad words that are written before it, and whether all before it must have completed.

    `s` and `pv` are pairs of a word's number and what is written to it.
    """

    instruction: Instruction
    waits: bool = False
    s: tuple[tuple[int, Sequence[int]], ...] = ()
    pv: tuple[tuple[int, Sequence[int]], ...] = ()

    @property
    def words(self) -> int:
        """Words that are written before it."""
        return len(self.s) + len(self.pv)

    @property
    def shape(self) -> Words:
        """The job that it is to the timing function."""
        args = self.instruction.args
        folds = args.get("cols", 0) if self.instruction.op in ("SCALE_ADD", "DIVIDE") else 0
        return Words(self.instruction.op, max(1, args.get("rows", 0)), max(1, folds))  # type: ignore[arg-type]


def jobs_of(setup: VectorSetup, steps: Sequence[Step]) -> tuple[Job, ...]:
    """A job for each step, from memories at 0, with edges as `timing` says for each instruction.

    A job's edges count from the first word that is written before its instruction; that is taken when the engine is
    ready again and, where it waits, at the last edge of all before it.
    """
    state = blank(setup.unit)
    results = []
    for step in steps:
        after = execute(setup.unit, written(state, step), step.instruction)
        results.append(outputs(setup, state, after, step.instruction))
        state = after
    edges_of = schedule(setup, steps)
    following = [*(begin for begin, _ in edges_of[1:]), 1 + edges_of[-1][1]]
    found = []
    for step, streams, (begin, start), end in zip(steps, results, edges_of, following, strict=True):
        own, lag = edges(setup, step.shape), start - begin
        # Accumulators and the scale stay inside: all that is seen of their instructions is that they complete.
        first = own.first if step.instruction.op in ("SOFTMAX", "DIVIDE") else own.last
        found.append(Job({"i": beats_of(setup, step)}, streams, lag + first, lag + own.last, end - begin))
    return tuple(found)


def schedule(setup: VectorSetup, steps: Sequence[Step]) -> list[tuple[int, int]]:
    """For each step the edge of the first word before its instruction, and that of the start of the instruction."""
    found: list[tuple[int, int]] = []
    begin = ready = done = 0
    for step in steps:
        own = edges(setup, step.shape)
        start = max(begin + step.words, ready, done if step.waits else 0)
        found.append((begin if step.words else start, start))
        begin, ready, done = start + 1, start + own.busy, max(done, start + own.last)
    return found


def written(state: VectorState, step: Step) -> VectorState:
    """What is there when the words before an instruction have been written."""
    s, pv = state.s.copy(), state.pv.copy()
    for pad, words in ((s, step.s), (pv, step.pv)):
        for place, values in words:
            pad[place] = values
    return replace(state, s=s, pv=pv)


def beats_of(setup: VectorSetup, step: Step) -> Beats:
    """A step as the stream carries it."""
    form, none = setup.form, [0] * setup.lanes
    loads = [(TO_S, *each) for each in step.s] + [(TO_PV, *each) for each in step.pv]
    targets = np.array([*(target for target, _, _ in loads), TO_ENGINE])
    word = encode(step.instruction)
    instruction: dict[str, Any] = {}
    for name, width in {**HEAD, **FIELDS}.items():
        value, word = word & ((1 << width) - 1), word >> width
        instruction[name] = np.full(len(targets), value)
    instruction["dst"] = np.array([*(place for _, place, _ in loads), step.instruction.args.get("dst", 0)])
    values = {
        "instruction": instruction,
        "target": targets,
        "waits": (targets == TO_ENGINE) & step.waits,
        "data": np.array([*(list(data) for _, _, data in loads), none]),
    }
    return pack(step_layout(form), values)


def outputs(setup: VectorSetup, before: VectorState, after: VectorState, instruction: Instruction) -> Streams:
    """What leaves the engine at an instruction."""
    form, rows = setup.form, instruction.args.get("rows", 0)
    found: dict[str, Beats] = {DONE[instruction.op]: (sum(1 << semaphore for semaphore in instruction.post),)}
    if instruction.op == "SOFTMAX":
        slot = instruction.args.get("dst", 0)
        written_rows = {"bank": np.arange(rows), "word": np.full(rows, slot), "data": after.p[slot, :rows]}
        found["p"] = pack(p_layout(form), written_rows)
    if instruction.op == "DIVIDE":
        target = places(setup.unit, instruction, "dst", setup.o_words)
        base = instruction.args.get("b", 0)
        none = np.tile(after.denominator[base : base + rows] == 0, len(target) // rows)
        empty = np.append(before.empty, before.empty | np.logical_or.accumulate(none)[:-1])
        found["o"] = pack(o_layout(form), {"word": target, "data": after.o[target], "empty": empty})
    return found
