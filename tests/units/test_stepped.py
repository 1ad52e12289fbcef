"""Vector, exp, DMA, buffer and link against machines of a few lines that are stepped edge by edge."""

from __future__ import annotations

from collections import deque
from itertools import count
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.units import buffer, dma, exp, link, vector
from accelsim.units.buffer import Accesses, BufferParams
from accelsim.units.dma import Block, DmaParams
from accelsim.units.exp import Elements, ExpParams
from accelsim.units.link import LinkParams, Message
from accelsim.units.pe_array import Delay, Token
from accelsim.units.timing import Timing
from accelsim.units.vector import Operator, Vector, VectorParams

SMALL = st.integers(0, 6)
SIZES = st.integers(1, 40)


def piped(beats: int, depth: int, interval: int) -> Timing:
    """Two jobs of so many beats through a chain of registers that takes one every `interval` edges."""
    chain, entered, left = Delay(depth), list[int](), list[int]()
    for edge in range(2 * beats * interval + depth + 1):
        ready = len(entered) < 2 * beats and (not entered or edge - entered[-1] >= interval)
        entered += [edge] if ready else []
        out = chain.shift(Token(0, len(entered) > beats, 0) if ready else None)
        left += [edge] if out and not out.job else []
    return Timing(left[0], left[-1], entered[beats])


@given(SIZES, st.integers(1, 9), SMALL, st.integers(1, 4))
def test_a_map_is_a_pipeline(elements: int, lanes: int, depth: int, interval: int) -> None:
    found = vector.timing(VectorParams(lanes, depth, interval), Vector(elements))
    assert found == piped(ceil(elements / lanes), depth, interval)


def levels(lanes: int, reduction: str) -> int:
    """Operators between a lane and the sum, by doing it."""
    values, done = [1] * lanes, 0
    while len(values) > 1:
        pairs = [values[i : i + 2] for i in range(0, len(values), 2)]
        values = [sum(pair) for pair in pairs] if reduction == "tree" else [values[0] + values[1], *values[2:]]
        done += 1
    assert values == [lanes]
    return done


def reduced(beats: int, tree: int, depth: int, interval: int) -> Timing:
    """Two jobs through a tree of so many levels into an accumulator that waits for its own result."""
    entered: list[int] = []
    done = [0, 0]
    for edge in count():
        number = len(entered)
        if number == 2 * beats:
            return Timing(done[0], done[0], entered[beats])
        arrives = edge + tree * depth
        waits = bool(number % beats) and arrives < done[number // beats]
        if not waits and (not entered or edge - entered[-1] >= interval):
            entered.append(edge)
            done[number // beats] = arrives + depth
    raise AssertionError


@given(SIZES, st.integers(1, 9), SMALL, st.integers(1, 4), st.sampled_from(["tree", "chain"]))
def test_a_reduction_waits_for_its_own_result(
    elements: int, lanes: int, depth: int, interval: int, reduction: vector.Reduction
) -> None:
    params = VectorParams(lanes, depth, interval, reduction=reduction)
    found = vector.timing(params, Vector(elements, task="reduce"))
    assert found == reduced(ceil(elements / lanes), levels(lanes, reduction), depth, interval)


def test_a_column_of_256_elements_is_reduced_in_256_cycles() -> None:
    """One value per element, each handed to its neighbour: the latency that FuseMax (MICRO 2024) states."""
    assert vector.timing(VectorParams(256, reduction="chain"), Vector(256, task="reduce")).last == 256


def test_an_operator_may_have_times_of_its_own() -> None:
    params = VectorParams(4, operators=(Operator("exp", 6, 3), Operator("add", 2)))
    assert vector.timing(params, Vector(8, "exp")) == Timing(6, 9, 6)
    assert vector.timing(params, Vector(8, "add")) == Timing(2, 3, 2)
    assert vector.timing(params, Vector(8)) == Timing(1, 2, 2)
    with pytest.raises(AccelsimError, match=r'^operator: "ex" is not in operators; did you mean "exp"\?$'):
        vector.timing(params, Vector(8, "ex"))


@given(SIZES, st.integers(1, 9), SMALL, SMALL, SMALL, SMALL, SMALL, st.booleans())
def test_exp_is_a_pipeline_or_one_beat_at_a_time(
    elements: int, lanes: int, degree: int, ranged: int, looked: int, step: int, shifted: int, shared: bool
) -> None:
    steps = [ranged, looked, *[step] * degree, shifted]
    params = ExpParams(lanes, degree, "shared" if shared else "pipelined", ranged, looked, step, shifted)
    found = exp.timing(params, Elements(elements))
    assert found == piped(ceil(elements / lanes), sum(steps), max(1, sum(steps)) if shared else 1)


def test_the_default_exp_takes_six_steps() -> None:
    """FuseMax (MICRO 2024): one exp occupies an element for six cycles."""
    assert exp.timing(ExpParams(1, datapath="shared"), Elements(1)) == Timing(6, 6, 6)


def transferred(params: DmaParams, size: int) -> Timing:
    """A queue of bursts, so many places, and a memory that answers in order."""
    beats = ceil(size / params.beat_bytes)
    bursts = deque(min(params.burst_beats, beats - b) for b in range(0, beats, params.burst_beats))
    pending: deque[list[int]] = deque()
    seen: list[int] = []
    for edge in count():
        if edge >= params.command_registers and bursts and len(pending) < params.outstanding:
            pending.append([edge + params.latency, bursts.popleft()])
        if pending and pending[0][0] <= edge:
            seen.append(edge + params.output_registers)
            pending[0][1] -= 1
            if pending[0][1] == 0:
                pending.popleft()
        if len(seen) == beats:
            return Timing(seen[0], seen[-1], edge + 1)
    raise AssertionError


@given(st.integers(0, 25), st.integers(1, 4), st.integers(1, 9), st.integers(1, 5), SMALL, SMALL, st.integers(1, 300))
def test_dma_is_a_queue_of_bursts(
    latency: int, width: int, burst: int, outstanding: int, before: int, after: int, size: int
) -> None:
    params = DmaParams(latency, width, burst, outstanding, before, after)
    assert dma.timing(params, Block(size)) == transferred(params, size)


def accessed(params: BufferParams, shape: Accesses) -> Timing:
    """Groups of accesses, every bank serving one of them per edge."""
    banks = [word * shape.stride % params.banks for word in range(shape.words)]
    edge, seen = 0, list[int]()
    for start in range(0, shape.words, params.ports):
        waiting = banks[start : start + params.ports]
        while waiting:
            for bank in set(waiting):
                waiting.remove(bank)
                seen.append(edge + params.latency)
            edge += 1
    return Timing(seen[0], seen[-1], edge)


@given(st.integers(1, 9), st.integers(1, 9), SMALL, st.integers(1, 60), st.integers(0, 20))
def test_banks_serve_one_access_each(ports: int, banks: int, latency: int, words: int, stride: int) -> None:
    params, shape = BufferParams(ports, banks, latency), Accesses(words, stride)
    assert buffer.timing(params, shape) == accessed(params, shape)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 60), st.integers(0, 20))
def test_stride_one_is_the_best_and_a_multiple_of_the_banks_the_worst(
    ports: int, banks: int, words: int, stride: int
) -> None:
    params = BufferParams(ports, banks)
    best, found, worst = (buffer.timing(params, Accesses(words, s)).busy for s in (1, stride, banks))
    assert best <= found <= worst == words
    assert ports > banks or best == ceil(words / ports)


@given(st.integers(1, 9), SMALL, SIZES)
def test_a_link_is_a_chain_of_registers(width: int, latency: int, size: int) -> None:
    found = link.timing(LinkParams(width, latency), Message(size))
    assert found == piped(ceil(size / width), latency, 1)
    assert found.cycles == latency + ceil(size / width)
