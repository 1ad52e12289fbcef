"""Sequences of instructions for the vector engine, and what a bench must know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from accelsim.golden.fixed import Codes, Scale, scale_of
from accelsim.golden.vector import DIAGONAL, VectorUnit, places
from accelsim.hardware.draw import codes, scores
from accelsim.hardware.plain import from_plain
from accelsim.hardware.vector import Step, VectorSetup, build, edges, jobs_of
from accelsim.program.instruction import Instruction
from accelsim.units.vector_engine import Words
from rtl.bench import UnitUnderTest
from rtl.sim.case import Job, Streams

Rng = np.random.Generator
OPERATIONS = ("SOFTMAX", "SCALE_ADD", "DIVIDE", "SETP")
TOUR = (0, 0, 1, 0, 2, 0, 3, 1, 1, 2, 1, 3, 2, 2, 3, 3, 0)  # all pairs of four
MOST_FOLDS = 4
TRIES = 8  # of places, until nothing has to be waited for


def setup_of(rows: int, lanes: int, **more: object) -> VectorSetup:
    """A setup whose memories are of some size."""
    words = {name: times * rows for name, times in (("states", 2), ("accumulators", 5), ("o_words", 4))}
    sizes: dict[str, object] = {"rows": rows, "lanes": lanes, "s_words": 3 * rows, "pv_words": 4 * rows, **words}
    return from_plain(VectorSetup(), {**sizes, **more})


EXP = ("range_stages", "lookup_stages", "horner_stages", "shift_stages")
STAGES = ("scale_stages", "round_stages", "maximum_stages", "difference_stages", "sum_stages", "rescale_stages")
SETUPS = {
    "default": setup_of(8, 8),
    "short": setup_of(2, 2, slots=1, states=5, accumulators=7, s_words=5, pv_words=9, o_words=6),
    "bare": setup_of(4, 8, division_bits=25, **dict.fromkeys((*STAGES, *EXP, "add_stages"), 0)),
    "deep": setup_of(8, 4, slots=3, division_bits=3, **dict.fromkeys((*STAGES, "horner_stages", "add_stages"), 2)),
    "other": setup_of(
        4,
        2,
        slots=4,
        length=100,
        scores="s12.6",
        p="s9.8",
        factors="u13.12",
        **dict.fromkeys(("denominator", "accumulator"), "s28.12"),
        output="s16.9",
        segments=4,
        division_bits=2,
        add_stages=0,
    ),
    "odd": setup_of(3, 5, slots=3, states=7, rescale_stages=0, round_stages=0),
}


def any_scale(rng: Rng) -> Scale:
    """Scores a hundredth to a few times as large as the sums of the array."""
    return scale_of(Fraction(float(2.0 ** rng.uniform(-14, 2))))


def score_words(setup: VectorSetup, scale: Scale, rng: Rng) -> Codes:
    """Words for the whole S pad that become scores of every kind; some are any number."""
    number, form = setup.formats.array, setup.formats.scores
    rows = np.array([scores(form, setup.lanes, rng) for _ in range(setup.s_words)])
    exact = (rows << scale.shift) // scale.multiplier + rng.integers(-1, 2, rows.shape)
    anything = rng.random((setup.s_words, 1)) < 0.1
    found: Codes = np.where(anything, codes(number, rows.shape, rng), np.clip(exact, number.lowest, number.highest))
    return found


def product_words(setup: VectorSetup, rng: Rng) -> Codes:
    """Words for the whole PV pad, as large as P x V of a tile can be."""
    most = setup.lanes * setup.formats.largest_p
    size = setup.pv_words, setup.lanes
    low, high = most * setup.formats.v.lowest, most * setup.formats.v.highest
    kind = rng.random(size)
    some = rng.integers(low, high, size, endpoint=True) >> rng.integers(0, int(high).bit_length(), (setup.pv_words, 1))
    found: Codes = np.where(kind < 0.05, low, np.where(kind < 0.1, high, some))
    return found


def shape(setup: VectorSetup, rng: Rng) -> Words:
    """Any instruction."""
    return shape_of(setup, str(rng.choice(OPERATIONS, p=(0.4, 0.3, 0.2, 0.1))), rng)


def tour(setup: VectorSetup, rng: Rng) -> tuple[Job, ...]:
    """Every operation behind every other."""
    return jobs_of(setup, sequence(setup, [shape_of(setup, OPERATIONS[place], rng) for place in TOUR], rng))


def fullest(setup: VectorSetup) -> tuple[Job, ...]:
    """The longest row, its keys all alike, its values all the lowest: sums become as large as they can."""
    form, lanes = setup.formats, setup.lanes
    words = ((0, [setup.formats.largest_p * form.v.lowest * lanes] * lanes),)
    steps = [Step(set_scale(Scale(1, 0)), s=((0, [0] * lanes),), pv=words)]
    for tile in range(setup.length // lanes):
        flags = frozenset({"first"} if tile == 0 else ())
        steps.append(Step(Instruction("SOFTMAX", flags=flags, args={"rows": 1, "cols": lanes})))
        steps.append(Step(Instruction("SCALE_ADD", flags=flags, args={"rows": 1})))
    return jobs_of(setup, in_order(setup.unit, [*steps, Step(Instruction("DIVIDE", args={"rows": 1}))]))


def shape_of(setup: VectorSetup, operation: str, rng: Rng) -> Words:
    """An instruction of any size."""
    rows = setup.rows if rng.random() < 0.5 else int(rng.integers(1, setup.rows + 1))
    most = min(setup.accumulators, setup.pv_words, setup.o_words) // setup.rows
    folds = int(rng.integers(1, min(most, MOST_FOLDS) + 1))
    if operation == "SETP":
        return Words("SETP")
    return Words(operation, rows, 1 if operation == "SOFTMAX" else folds)  # type: ignore[arg-type]


def instruction(setup: VectorSetup, job: Words, rng: Rng) -> Instruction:
    """An instruction of that shape, anywhere, with any flags."""
    post = frozenset(int(each) for each in np.flatnonzero(rng.random(16) < 0.3))
    if job.operation == "SETP":
        return set_scale(any_scale(rng), post)
    span = (job.folds - 1) * setup.rows + job.rows

    def base(words: int, most: int) -> int:
        return int(rng.integers(0, most - words + 1))

    flags = {flag for flag in ("first", "mask", "last", "accumulate") if rng.random() < 0.3}
    args = {"rows": job.rows, "cols": job.folds if job.folds > 1 else int(rng.integers(0, 2))}
    if job.operation == "SOFTMAX":
        args |= {"a": base(job.rows, setup.s_words), "b": base(job.rows, setup.states), "dst": base(1, setup.slots)}
        args |= {"cols": int(rng.integers(1, setup.lanes + 1)), "imm": DIAGONAL + int(rng.integers(-9, 10))}
    elif job.operation == "SCALE_ADD":
        args |= {"a": base(span, setup.pv_words), "b": base(span, setup.accumulators), "dst": base(1, setup.slots)}
    else:
        args |= {"a": base(span, setup.accumulators), "b": base(job.rows, setup.states)}
        args |= {"dst": base(span, setup.o_words)}
    return Instruction(job.operation, frozenset(), post, frozenset(flags), args)


def set_scale(scale: Scale, post: frozenset[int] = frozenset()) -> Instruction:
    return Instruction("SETP", frozenset(), post, frozenset(), {"a": scale.multiplier, "b": scale.shift})


Places = set[tuple[str, int]]


def touched(unit: VectorUnit, one: Instruction) -> tuple[Places, Places]:
    """The words of the engine's own memories that an instruction reads, and those that it writes."""
    args = one.args
    if one.op == "SETP":
        return set(), set()
    rows = range(args["rows"])
    factors = {("factor", args.get("dst", 0) * unit.rows + row) for row in rows}
    states = {("state", args.get("b", 0) + row) for row in rows}
    fresh = "first" in one.flags
    if one.op == "SOFTMAX":
        return (set() if fresh else states), states | factors
    name = "b" if one.op == "SCALE_ADD" else "a"
    sums = {("sum", int(place)) for place in places(unit, one, name, unit.accumulators)}
    if one.op == "SCALE_ADD":
        return factors | (set() if fresh else sums), sums
    return states | sums, set()


def sequence(setup: VectorSetup, jobs: Sequence[Words], rng: Rng) -> list[Step]:
    """An opening; when it has completed an instruction for each job; and a closing."""
    found = [*opening(setup, rng)]
    pending: Places = set()
    for place, job in enumerate(jobs):
        tries = [instruction(setup, job, rng) for _ in range(TRIES)]
        easy = [each for each in tries if not touched(setup.unit, each)[0] & pending]
        found.append(Step((easy or tries)[0], waits=place == 0 or rng.random() < 0.1))
        pending |= touched(setup.unit, found[-1].instruction)[1]
    return in_order(setup.unit, [*found, *closing(setup)])


def in_order(unit: VectorUnit, steps: Iterable[Step]) -> list[Step]:
    """The same steps, of which those wait as well that read what one under way is to write."""
    found: list[Step] = []
    pending: Places = set()
    for step in steps:
        reads, writes = touched(unit, step.instruction)
        waits = step.waits or bool(reads & pending)
        pending = writes if waits else pending | writes
        found.append(replace(step, waits=waits))
    return found


def opening(setup: VectorSetup, rng: Rng) -> Iterator[Step]:
    """Words for both pads, a scale, and instructions that are `first` on every word that the engine keeps."""
    scale = any_scale(rng)
    s, pv = score_words(setup, scale, rng), product_words(setup, rng)
    yield Step(set_scale(scale), s=tuple(enumerate(s.tolist())), pv=tuple(enumerate(pv.tolist())))
    first = frozenset({"first"})
    for args in tiles(setup):
        yield Step(Instruction("SOFTMAX", flags=first, args=args))
    none = {**args, "imm": DIAGONAL - int(rng.integers(1, setup.rows + 1))}  # of some rows every key is masked
    yield Step(Instruction("SOFTMAX", flags=first | {"mask"}, args=none))
    for base in bases(setup.rows, setup.accumulators):
        yield Step(Instruction("SCALE_ADD", flags=first, args={"b": base, "rows": setup.rows}))


def closing(setup: VectorSetup) -> Iterator[Step]:
    """Instructions by which each word that the engine keeps has to do with an output."""
    for args in tiles(setup):
        yield Step(Instruction("SOFTMAX", args=args))
    sums, states = bases(setup.rows, setup.accumulators), bases(setup.rows, setup.states)
    for slot in range(setup.slots):
        args = {"b": sums[slot % len(sums)], "dst": slot, "rows": setup.rows}
        yield Step(Instruction("SCALE_ADD", args=args))
    for turn in range(max(len(sums), len(states))):
        args = {"a": sums[turn % len(sums)], "b": states[turn % len(states)], "rows": setup.rows}
        yield Step(Instruction("DIVIDE", args=args))


def tiles(setup: VectorSetup) -> Iterator[dict[str, int]]:
    """Fields of SOFTMAX instructions that together have to do with all states and all slots."""
    states, scores = bases(setup.rows, setup.states), bases(setup.rows, setup.s_words)
    for turn in range(max(setup.slots, len(states))):
        places = {"a": scores[turn % len(scores)], "b": states[turn % len(states)], "dst": turn % setup.slots}
        yield {**places, "rows": setup.rows, "cols": setup.lanes}


def bases(rows: int, words: int) -> list[int]:
    """Where parts of so many rows begin that together are all of a memory; the last may overlap the one before."""
    return [min(base, words - rows) for base in range(0, words, rows)]


@dataclass(frozen=True)
class VectorUnderTest(UnitUnderTest[VectorSetup, Words]):
    """Jobs in a sequence, since each goes on from what those before it have left."""

    def jobs(self, params: VectorSetup, rng: Rng, number: int, *, equal: bool = False) -> tuple[Job, ...]:
        """So many instructions, of one shape or each of its own, behind an opening."""
        shapes = [self.shape(params, rng)] * number if equal else [self.shape(params, rng) for _ in range(number)]
        return jobs_of(params, sequence(params, shapes, rng))


def alone(*what: object) -> Streams:
    """Inputs and outputs of an instruction come from the sequence that it stands in."""
    raise NotImplementedError


BENCH = VectorUnderTest("vector", build, shape, alone, alone, edges, rigid=True)
