"""The merge engine of the layer machine: generator, golden model and timing together, and sequences to run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from accelsim.golden.attention_formats import AttentionFormats
from accelsim.golden.horner import SOURCE
from accelsim.golden.merge import MERGED, MergeState, MergeUnit, blank, execute
from accelsim.hardware.attention import formats_of
from accelsim.hardware.plain import to_plain
from accelsim.program.instruction import FIELDS, HEAD, Instruction, encode
from accelsim.units.merge_engine import MergeEngineParams, MergeWords, timing
from accelsim.units.timing import Timing
from rtl.bench import pack
from rtl.layer.merge_bench import TARGETS, MergeBench, o_layout, step_layout
from rtl.layer.merge_form import MergeForm, MergeStages
from rtl.sim.case import Beats, Job, Streams

DONE = {"SCALE_ADD": "done0", "DIVIDE": "done1"}
PADS = ("m", "d", "pv")


@dataclass(frozen=True)
class MergeSetup:
    """Parameters of the unit, as `rtl.layer.merge_form.MergeForm` has them."""

    rows: int = 8
    lanes: int = 8
    slots: int = 4
    states: int = 2
    accumulators: int = 128
    pv_words: int = 256
    o_words: int = 128
    length: int = 4096
    shifted: int = SOURCE.fraction
    formats: AttentionFormats = MERGED
    stages: MergeStages = field(default_factory=MergeStages)

    @property
    def form(self) -> MergeForm:
        """The same for the generator."""
        return MergeForm(**{**vars(self), "formats": formats_of(self.formats)})

    @property
    def unit(self) -> MergeUnit:
        """The same for the golden model."""
        return MergeUnit(**{each.name: getattr(self, each.name) for each in fields(MergeUnit)})

    @property
    def params(self) -> MergeEngineParams:
        """The same for the timing function."""
        plain: dict[str, Any] = to_plain(self.stages)
        return MergeEngineParams(**plain, output_bits=self.formats.output.width)


def build(setup: MergeSetup) -> MergeBench:
    return MergeBench(setup.form)


def edges(setup: MergeSetup, job: MergeWords) -> Timing:
    return timing(setup.params, job)


@dataclass(frozen=True)
class Step:
    """An instruction, what is written before it, and whether all before it must have completed.

    `pads` are words, each the name of a pad, a number and what is written; `shift` that of the scores, if it changes.
    """

    instruction: Instruction
    waits: bool = False
    pads: tuple[tuple[str, int, Sequence[int]], ...] = ()
    shift: int | None = None

    @property
    def before(self) -> int:
        """Payloads before that of the instruction."""
        return len(self.pads) + (self.shift is not None)

    @property
    def shape(self) -> MergeWords:
        """The job that it is to the timing function."""
        return MergeWords(self.instruction.op, self.instruction.args["rows"])  # type: ignore[arg-type]


def jobs_of(setup: MergeSetup, steps: Sequence[Step]) -> tuple[Job, ...]:
    """A job for each step, from memories at 0, with edges as `timing` says for each instruction.

    A job's edges count from the first payload before its instruction; that is taken when the engine is ready again and,
    where it waits, at the last edge of all before it.
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
        # Sums stay inside: all that is seen of SCALE_ADD is that it completes.
        first = own.first if step.instruction.op == "DIVIDE" else own.last
        found.append(Job({"i": beats_of(setup, step)}, streams, lag + first, lag + own.last, end - begin))
    return tuple(found)


def schedule(setup: MergeSetup, steps: Sequence[Step]) -> list[tuple[int, int]]:
    """For each step the edge of the first payload before its instruction, and that of the start of the instruction."""
    found: list[tuple[int, int]] = []
    begin = ready = done = 0
    for step in steps:
        own = edges(setup, step.shape)
        start = max(begin + step.before, ready, done if step.waits else 0)
        found.append((begin if step.before else start, start))
        begin, ready, done = start + 1, start + own.busy, max(done, start + own.last)
    return found


def written(state: MergeState, step: Step) -> MergeState:
    """What is there when what comes before an instruction has been written."""
    found = {name: getattr(state, name).copy() for name in PADS}
    for name, place, values in step.pads:
        found[name][place] = values
    return replace(state, **found, shift=state.shift if step.shift is None else step.shift)


def beats_of(setup: MergeSetup, step: Step) -> Beats:
    """A step as the stream carries it."""
    none = [0] * setup.lanes
    loads = [*step.pads, *((("shift", step.shift, none),) if step.shift is not None else ())]
    targets = np.array([TARGETS.index(name) for name, _, _ in (*loads, ("engine", 0, none))])
    word = encode(step.instruction)
    instruction: dict[str, Any] = {}
    for name, width in {**HEAD, **FIELDS}.items():
        value, word = word & ((1 << width) - 1), word >> width
        instruction[name] = np.full(len(targets), value)
    instruction["dst"] = np.array([*(place for _, place, _ in loads), step.instruction.args.get("dst", 0)])
    values = {
        "instruction": instruction,
        "target": targets,
        "waits": (targets == 0) & step.waits,
        "data": np.array([*(list(data) for _, _, data in loads), none]),
    }
    return pack(step_layout(setup.form), values)


def outputs(setup: MergeSetup, before: MergeState, after: MergeState, instruction: Instruction) -> Streams:
    """What leaves the engine at an instruction."""
    found: dict[str, Beats] = {DONE[instruction.op]: (sum(1 << semaphore for semaphore in instruction.post),)}
    if instruction.op == "DIVIDE":
        target = instruction.args.get("dst", 0) + np.arange(instruction.args["rows"])
        empty = np.where(np.arange(len(target)) == 0, before.empty, after.empty)
        found["o"] = pack(o_layout(setup.form), {"word": target, "data": after.o[target], "empty": empty})
    return found
