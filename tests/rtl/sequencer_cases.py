"""Runs of the sequencer that reach what random graphs seldom do: every semaphore, and every way to be refused."""

from __future__ import annotations

import numpy as np

from accelsim.hardware.sequencer import OPS as OP_OF
from accelsim.hardware.sequencer import UNIT, SequencerSetup, instructions
from accelsim.program.instruction import DMA_OPS, OPS, QUEUES, SEMAPHORES, Instruction, encode
from rtl.bench import Case, Job, pack
from rtl.layer.sequencer import ERRORS
from rtl.layer.stub import record_layout
from tests.rtl.blocks import SEED

MANY = 12  # semaphores
WIDE = (18, 391, 800, 823, 986, 1368)
"""Seeds of graphs with so many, which few have: to draw until some do would take longer than to run them."""


def wide_cases(setup: SequencerSetup, device: str) -> list[Case]:
    """Graphs that use many semaphores, a case each."""
    found = list[Case]()
    for seed in WIDE:
        rng = np.random.default_rng((SEED, seed))
        graph = UNIT.under_test.shape(setup, rng)
        assert len({s for each in instructions(graph) for s in each.wait}) >= MANY, seed
        found.append(Case(f"wide {seed}", device, (UNIT.under_test.job(setup, graph, rng),)))
    return found


def shared_cases(device: str) -> list[Case]:
    """For each semaphore two queues that wait for it, every pair of them at least twice."""
    pairs = [(one, other) for one in QUEUES for other in QUEUES if one != other]
    found = []
    for s in range(SEMAPHORES):
        words = [encode(Instruction(OP_OF[queue], frozenset({s}))) for queue in pairs[s % len(pairs)]]
        found.append(refused(f"shared {s}", device, words, "shared", 2))
    return found


def unknown_cases(device: str) -> list[Case]:
    """Operations that no queue takes, and NOPs for queues that are not there."""
    words = [*range(OPS.index("LOOP"), 16), *(imm << 116 for imm in (4, 8, 64, 2048))]
    return [refused(f"unknown {word:#x}", device, [word], "operation", 1) for word in words]


def overflow_cases(setup: SequencerSetup, device: str) -> list[Case]:
    """Each semaphore becomes too full, the others are one short of it; NOPs start when a queue is full."""
    found = []
    for s in range(SEMAPHORES):
        fill = [encode(Instruction("NOP", post=frozenset(range(SEMAPHORES))))] * 255
        words = [*fill, encode(Instruction("NOP", post=frozenset({s}))), encode(Instruction("HALT"))]
        found.append(refused(f"overflow {s}", device, words, "overflow", setup.depth + len(words)))
    return found


def counting_cases(setup: SequencerSetup, device: str) -> list[Case]:
    """Every port posts each semaphore once, three or four ports at an edge or nearly all; as many wait for it.

    Each queue has an instruction for every port, starting at ticks 0, 1, .., the last one completing where it starts.
    Those that wait stand behind them in the first queue; there are tokens enough for one at each edge from then on. At
    the same time the last queue posts all other semaphores, one every second edge, each of which the second queue waits
    for: a token that is there already lets it start too early.
    """
    return [
        Case(f"counting {s} {name}", device, (_counting(setup, s, together),))
        for s in range(SEMAPHORES)
        for name, together in (("apart", False), ("together", True))
    ]


def _counting(setup: SequencerSetup, s: int, together: bool) -> Job:
    first, number = setup.slots + 1, len(QUEUES) * (setup.slots + 1)
    others = [other for other in range(SEMAPHORES) if other != s]
    words = []
    for place in range(setup.slots):
        for queue in QUEUES:
            apart = 2 if queue == QUEUES[-1] else 1
            words.append(_timed(queue, 1, setup.slots + 1 - place if together else apart, place, post=s))
    words += [_timed(queue, 1, 0, setup.slots, post=s) for queue in QUEUES]
    words += [_timed(QUEUES[1], 1, 0, first + place, wait=other) for place, other in enumerate(others)]
    words += [_timed(QUEUES[3], 2, 0, first + place, post=other) for place, other in enumerate(others)]
    words += [_timed(QUEUES[0], 1, 0, first + place, wait=s) for place in range(number)]
    own, turns = np.arange(first), np.arange(len(others))
    ticks_of = {
        QUEUES[0]: np.arange(first + number),
        QUEUES[1]: np.concatenate([own, first + 2 + 2 * turns]),
        QUEUES[2]: own,
        QUEUES[3]: np.concatenate([own, first + 2 * turns]),
    }
    starts = {
        f"started_{queue}": pack(record_layout(), {"tag": np.arange(len(ticks)), "tick": ticks})
        for queue, ticks in ticks_of.items()
    }
    begins, end = len(words) + 1, first + max(number, 2 * len(others) + 1)
    program = (*words, encode(Instruction("HALT")))
    return Job({"program": program}, {**starts, "status": (0,)}, begins + 1, begins + end, begins + end + 1)


def _timed(queue: str, busy: int, latency: int, tag: int, *, wait: int | None = None, post: int | None = None) -> int:
    """An instruction that takes so many ticks on a stub engine."""
    op = OP_OF[queue]
    args = {"address": busy | latency << 16, "local": tag} if op in DMA_OPS else {"a": busy, "b": latency, "dst": tag}
    waits, posts = (frozenset(() if each is None else (each,)) for each in (wait, post))
    return encode(Instruction(op, waits, posts, args=args))


def refused(name: str, device: str, words: list[int], error: str, end: int) -> Case:
    """A program for which `status` names an error at edge `end`."""
    status = {"status": (ERRORS.index(error),)}
    return Case(name, device, (Job({"program": tuple(words)}, status, end, end, end + 1),))
