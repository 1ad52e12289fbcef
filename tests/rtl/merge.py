"""Sequences of instructions for the merge engine, and what a bench must know of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accelsim.golden.fixed import Codes
from accelsim.golden.merge import MOST_SHIFT
from accelsim.hardware.draw import codes, ends, few_or_many
from accelsim.hardware.merge import MergeSetup, Step, build, edges, jobs_of
from accelsim.hardware.plain import from_plain
from accelsim.program.instruction import Instruction
from accelsim.units.merge_engine import MergeWords
from rtl.bench import UnitUnderTest
from rtl.sim.case import Job
from tests.rtl.vector import EXP, alone, bases

Rng = np.random.Generator
OPERATIONS = ("SCALE_ADD", "DIVIDE")
TOUR = (0, 0, 1, 1, 0)  # all pairs of two
FIRST = frozenset({"first"})
TRIES = 8  # of places, until nothing has to be waited for
CHAIN = 8  # tiles
TYPICAL = 6.0  # of a distance of two maxima, in units of 1
STAGES = ("difference_stages", "round_stages", "rescale_stages", "add_stages", *EXP)


def setup_of(rows: int, lanes: int, **more: object) -> MergeSetup:
    """A setup whose memories are of some size."""
    sizes: dict[str, object] = {"accumulators": 24, "pv_words": 30, "o_words": 20, "slots": 3}
    return from_plain(MergeSetup(), {**sizes, "rows": rows, "lanes": lanes, **more})


OTHER: dict[str, object] = {
    "length": 200,
    "array": "s24",
    "scores": "s12.8",
    "shifted": 3,
    "p": "s9.8",
    "factors": "u13.12",
    **dict.fromkeys(("denominator", "accumulator"), "s28.12"),
    "output": "s16.9",
    "segments": 4,
}
SETUPS = {
    "default": setup_of(8, 8),
    "short": setup_of(2, 2, slots=1, states=1, accumulators=5, pv_words=7, o_words=6),
    "bare": setup_of(4, 8, division_bits=25, **dict.fromkeys(STAGES, 0)),
    "deep": setup_of(8, 4, states=3, division_bits=3, **dict.fromkeys(STAGES, 2)),
    "other": setup_of(2, 4, slots=5, states=3, division_bits=2, add_stages=0, **OTHER),
}


def maxima(setup: MergeSetup, shift: int, rng: Rng) -> Codes:
    """Words for the whole M pad: alike, as in practice, equal, close to where they round, any, or the ends."""
    number, size = setup.formats.array, (setup.slots, setup.lanes)
    unit = 2.0 ** (setup.shifted + shift)
    base = codes(number, (1, setup.lanes), rng) >> 2
    near = base + np.floor(rng.normal(0, TYPICAL, size) * unit).astype(np.int64)
    half = base + rng.integers(-9, 10, size) * ((1 << shift) >> 1) + rng.integers(-1, 2, size)
    kinds = (near, base + np.zeros(size, np.int64), half, codes(number, size, rng), ends(number, size, rng))
    drawn = rng.choice(len(kinds), size, p=(0.5, 0.15, 0.2, 0.1, 0.05))
    return np.clip(np.choose(drawn, kinds), number.lowest, number.highest)


def words(setup: MergeSetup, shift: int, rng: Rng) -> tuple[tuple[str, int, Sequence[int]], ...]:
    """Words for all of the three pads; now and then a query has no P at all in the first slot."""
    most, size = setup.rows * setup.formats.largest_p, (setup.slots, setup.lanes)
    d = np.where(rng.random(size) < 0.1, most, rng.integers(1, most, size, endpoint=True))
    if rng.random() < 0.4:
        d[0, rng.integers(setup.lanes)] = 0
    low, high = most * setup.formats.v.lowest, most * setup.formats.v.highest
    size = setup.pv_words, setup.lanes
    some = rng.integers(low, high, size, endpoint=True) >> rng.integers(0, int(high).bit_length(), (setup.pv_words, 1))
    kind = rng.random(size)
    pv = np.where(kind < 0.05, low, np.where(kind < 0.1, high, some))
    pads = (("m", maxima(setup, shift, rng)), ("d", d), ("pv", pv))
    return tuple((name, place, word) for name, pad in pads for place, word in enumerate(pad.tolist()))


def any_shift(setup: MergeSetup, rng: Rng) -> int:
    """With which distances of two maxima are of any size; now and then any shift that there is."""
    most = min(MOST_SHIFT, setup.formats.array.width - setup.shifted - 5)
    return int(rng.integers(0, MOST_SHIFT + 1)) if rng.random() < 0.2 else int(rng.integers(0, most + 1))


def shape(setup: MergeSetup, rng: Rng) -> MergeWords:
    """Any instruction."""
    return shape_of(setup, str(rng.choice(OPERATIONS, p=(0.65, 0.35))), rng)


def shape_of(setup: MergeSetup, operation: str, rng: Rng) -> MergeWords:
    """An instruction of any size."""
    most = min(setup.accumulators, setup.pv_words if operation == "SCALE_ADD" else setup.o_words)
    return MergeWords(operation, few_or_many(most, rng))  # type: ignore[arg-type]


def instruction(setup: MergeSetup, job: MergeWords, rng: Rng) -> Instruction:
    """An instruction of that shape, anywhere, with any flags."""
    post = frozenset(int(each) for each in np.flatnonzero(rng.random(16) < 0.3))
    flags = frozenset(flag for flag in ("first", "mask", "last", "accumulate") if rng.random() < 0.3)

    def base(most: int, number: int = job.words) -> int:
        return int(rng.integers(0, most - number + 1))

    args = {"rows": job.words, "b": base(setup.states, 1)}
    if job.operation == "SCALE_ADD":
        args |= {"a": base(setup.pv_words), "imm": base(setup.accumulators), "dst": base(setup.slots, 1)}
    else:
        args |= {"a": base(setup.accumulators), "dst": base(setup.o_words)}
    return Instruction(job.operation, frozenset(), post, flags, args)


Places = dict[tuple[str, int], int]


def touched(setup: MergeSetup, one: Instruction) -> tuple[Places, Places]:
    """What an instruction reads of what the engine keeps, and what it writes, by the number of the word that does.

    Those that it writes with the edges by which the word of another must be issued later, to read them: written at the
    edge behind the registers of the merge, and read at an edge after that.
    """
    args, stages = one.args, setup.stages
    adds = one.op == "SCALE_ADD"
    base = args.get("imm" if adds else "a", 0)
    places = {("sum", base + number): number + adds for number in range(args["rows"])} | {
        ("state", args.get("b", 0)): 0
    }
    lag = stages.rescale_stages + stages.add_stages + 2
    writes = {place: number + lag for place, number in places.items()} if adds else {}
    return ({} if adds and "first" in one.flags else places), writes


@dataclass
class Queue:
    """What instructions under way have still to write, by the edge from which on a word that is issued reads it."""

    setup: MergeSetup
    edge: int = 0

    def __post_init__(self) -> None:
        self.pending: Places = {}

    def early(self, one: Instruction) -> bool:
        """Whether the next instruction would read too early."""
        reads, _ = touched(self.setup, one)
        return any(self.edge + word < self.pending.get(place, 0) for place, word in reads.items())

    def add(self, step: Step) -> Step:
        """The step, which waits where it has to."""
        waits = step.waits or self.early(step.instruction)
        if waits:
            self.pending = {}
        _, writes = touched(self.setup, step.instruction)
        self.pending |= {place: self.edge + edge for place, edge in writes.items()}
        self.edge += edges(self.setup, step.shape).busy
        return replace(step, waits=waits)


def in_order(setup: MergeSetup, steps: Iterable[Step]) -> list[Step]:
    """The same steps, of which those wait as well that would read what is not yet written."""
    queue = Queue(setup)
    return [queue.add(step) for step in steps]


def sequence(setup: MergeSetup, jobs: Sequence[MergeWords], rng: Rng) -> list[Step]:
    """An opening; when it has completed an instruction for each job; and a closing."""
    queue = Queue(setup)
    found = [queue.add(step) for step in opening(setup, rng)]
    for place, job in enumerate(jobs):
        tries = [instruction(setup, job, rng) for _ in range(TRIES)]
        easy = [each for each in tries if not queue.early(each)]
        shift = any_shift(setup, rng) if rng.random() < 0.2 else None
        waits = place == 0 or rng.random() < 0.1
        found.append(queue.add(Step((easy or tries)[0], waits=waits, shift=shift)))
    return [*found, *(queue.add(step) for step in closing(setup))]


def opening(setup: MergeSetup, rng: Rng) -> Iterator[Step]:
    """Words for all pads, a shift, and instructions that are `first` on every word that the engine keeps."""
    shift = any_shift(setup, rng)
    before = {"pads": words(setup, shift, rng), "shift": shift}
    number = min(setup.pv_words, setup.accumulators)
    sums = bases(number, setup.accumulators)
    for turn in range(max(len(sums), setup.states)):
        args = {"imm": sums[turn % len(sums)], "b": turn % setup.states, "dst": turn % setup.slots, "rows": number}
        yield Step(Instruction("SCALE_ADD", flags=FIRST, args=args), **(before if turn == 0 else {}))  # type: ignore[arg-type]


def closing(setup: MergeSetup) -> Iterator[Step]:
    """Instructions by which each word that the engine keeps has to do with an output."""
    for state in range(setup.states):
        yield Step(Instruction("SCALE_ADD", args={"b": state, "dst": state % setup.slots, "rows": 1}))
    number = min(setup.o_words, setup.accumulators)
    sums = bases(number, setup.accumulators)
    for turn in range(max(len(sums), setup.states)):
        args = {"a": sums[turn % len(sums)], "b": turn % setup.states, "rows": number}
        yield Step(Instruction("DIVIDE", args=args))


def tour(setup: MergeSetup, rng: Rng) -> tuple[Job, ...]:
    """Every operation behind every other."""
    return jobs_of(setup, sequence(setup, [shape_of(setup, OPERATIONS[place], rng) for place in TOUR], rng))


def chain(setup: MergeSetup, number: int, rng: Rng) -> list[Step]:
    """Tiles for the same state and accumulators, of so many words each, and their division, one behind the other.

    The first tiles have the same shift, the others each its own, which comes at the edge after the start before.
    """
    shift = any_shift(setup, rng)
    steps = []
    for tile in range(CHAIN):
        args = {"a": tile % 2, "dst": tile % setup.slots, "rows": number}
        own = any_shift(setup, rng) if tile >= CHAIN // 2 else None
        steps.append(Step(Instruction("SCALE_ADD", flags=FIRST if tile == 0 else frozenset(), args=args), shift=own))
    steps.append(Step(Instruction("DIVIDE", args={"rows": number})))
    steps[0] = replace(steps[0], pads=words(setup, shift, rng), shift=shift)
    return in_order(setup, steps)


def fullest(setup: MergeSetup) -> tuple[Job, ...]:
    """The longest row, its keys all alike, its values all the lowest: sums become as large as they can."""
    most, form = setup.rows * setup.formats.largest_p, setup.formats
    pads = tuple(
        (name, 0, [value] * setup.lanes) for name, value in (("m", 0), ("d", most), ("pv", most * form.v.lowest))
    )
    tiles = setup.length // setup.rows
    one = Step(Instruction("SCALE_ADD", flags=FIRST, args={"rows": 1}), pads=pads, shift=0)
    more = [Step(Instruction("SCALE_ADD", args={"rows": 1}))] * (tiles - 1)
    return jobs_of(setup, in_order(setup, [one, *more, Step(Instruction("DIVIDE", args={"rows": 1}))]))


@dataclass(frozen=True)
class MergeUnderTest(UnitUnderTest[MergeSetup, MergeWords]):
    """Jobs in a sequence, since each goes on from what those before it have left."""

    def jobs(self, params: MergeSetup, rng: Rng, number: int, *, equal: bool = False) -> tuple[Job, ...]:
        """So many instructions, of one shape or each of its own, behind an opening."""
        shapes = [self.shape(params, rng)] * number if equal else [self.shape(params, rng) for _ in range(number)]
        return jobs_of(params, sequence(params, shapes, rng))


BENCH = MergeUnderTest("merge", build, shape, alone, alone, edges, rigid=True)
