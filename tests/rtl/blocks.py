"""The blocks of the stream library as units under test: what each must compute, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
from amaranth.hdl import signed

from rtl.bench import Case, Device, UnitUnderTest, device, devices_of, pack, sweep, unpack
from rtl.sim.case import Job, Streams
from rtl.streams import (
    AddressGenerator,
    Arbiter,
    Fifo,
    Fork,
    Join,
    Narrow,
    SkidBuffer,
    Widen,
    command_layout,
    granted_layout,
    joined_layout,
    packet_layout,
    place_layout,
    word_layout,
)

Rng = np.random.Generator
LONGEST = 20
SEED = 20


@dataclass(frozen=True)
class Edges:
    first: int
    last: int
    busy: int


def words(rng: Rng, width: int, number: int) -> list[int]:
    """Random integers of up to any number of bits."""
    return [int.from_bytes(rng.bytes(-(-width // 8)), "little") % (1 << width) for _ in range(number)]


def length(params: object, rng: Rng) -> int:
    return int(rng.integers(1, LONGEST))


# A queue: (bits, depth). A queue of depth 1 is empty or full, so that it takes a payload every second edge.


def fifo_inputs(params: tuple[int, int], number: int, rng: Rng) -> Streams:
    return {"i": tuple(words(rng, params[0], number))}


def same(params: object, number: int, streams: Streams) -> Streams:
    return {"o": streams["i"]}


def fifo_timing(params: tuple[int, int], number: int) -> Edges:
    return Edges(1, number, number) if params[1] > 1 else Edges(1, 2 * number - 1, 2 * number)


FIFO = UnitUnderTest("fifo", lambda p: Fifo(*p), length, fifo_inputs, same, fifo_timing)
SKID = UnitUnderTest[int, int](
    "skid",
    SkidBuffer,
    length,
    lambda bits, number, rng: {"i": tuple(words(rng, bits, number))},
    same,
    lambda bits, number: Edges(1, number, number),
)

# A fork: (bits, outputs).


def fork_golden(params: tuple[int, int], number: int, streams: Streams) -> Streams:
    return {f"o_{place}": streams["i"] for place in range(params[1])}


def through(params: object, number: int) -> Edges:
    """Without a register: a payload leaves at the edge at which it comes."""
    return Edges(0, number - 1, number)


FORK = UnitUnderTest("fork", lambda p: Fork(*p), length, fifo_inputs, fork_golden, through)

# A join: bits of each input.


def join_inputs(widths: Sequence[int], number: int, rng: Rng) -> Streams:
    return {f"i{place}": tuple(words(rng, bits, number)) for place, bits in enumerate(widths)}


def join_golden(widths: Sequence[int], number: int, streams: Streams) -> Streams:
    parts = {f"p{place}": list(streams[f"i{place}"]) for place in range(len(widths))}
    return {"o": pack(joined_layout(widths), parts)}


JOIN = UnitUnderTest[tuple[int, ...], int]("join", Join, length, join_inputs, join_golden, through, rigid=True)

# Width converters: (bits of a signed element, lanes). A job is one packet.


def packet(bits: int, number: int, rng: Rng) -> tuple[int, ...]:
    elements = rng.integers(-(1 << bits - 1), 1 << bits - 1, number)
    return pack(packet_layout(signed(bits)), {"data": elements, "last": np.arange(number) == number - 1})


def widened(params: tuple[int, int], beats: Sequence[int]) -> tuple[int, ...]:
    """The words of one packet."""
    bits, lanes = params
    elements = unpack(packet_layout(signed(bits)), beats)["data"]
    number = -(-len(elements) // lanes)
    filled = np.full(number, lanes - 1)
    filled[-1] = (len(elements) - 1) % lanes
    grid = np.zeros(number * lanes, np.int64)
    grid[: len(elements)] = elements
    columns = {"data": grid.reshape(number, lanes), "filled": filled, "last": np.arange(number) == number - 1}
    return pack(word_layout(signed(bits), lanes), columns)


WIDEN = UnitUnderTest[tuple[int, int], int](
    "widen",
    lambda p: Widen(signed(p[0]), p[1]),
    length,
    lambda p, number, rng: {"i": packet(p[0], number, rng)},
    lambda p, number, streams: {"o": widened(p, streams["i"])},
    lambda p, number: Edges(min(number, p[1]), number, number),
    rigid=True,
)


def narrowed(params: tuple[int, int], beats: Sequence[int]) -> tuple[int, ...]:
    """The elements of one packet's words."""
    bits, lanes = params
    found = unpack(word_layout(signed(bits), lanes), beats)
    used = np.arange(lanes) <= found["filled"][:, None]
    elements = found["data"][used]
    return pack(packet_layout(signed(bits)), {"data": elements, "last": np.arange(len(elements)) == len(elements) - 1})


NARROW = UnitUnderTest[tuple[int, int], int](
    "narrow",
    lambda p: Narrow(signed(p[0]), p[1]),
    length,
    lambda p, number, rng: {"i": widened(p, packet(p[0], number, rng))},
    lambda p, number, streams: {"o": narrowed(p, streams["i"])},
    lambda p, number: Edges(1, number, number),
    rigid=True,
)

# An address generator: (loops, bits of an address, bits of a count). A job is one nest, its shape the turns of each
# loop; the soak puts many nests into a job.

Nest = tuple[int, int, int]
Turns = tuple[tuple[int, ...], ...]


def turns(params: Nest, rng: Rng, nests: int = 1) -> Turns:
    most = min(4, 1 << params[2])
    return tuple(map(tuple, rng.integers(1, most + 1, (nests, params[0])).tolist()))


def commands(params: Nest, shape: Turns, rng: Rng) -> Streams:
    loops, bits, _ = params
    half = 1 << bits - 1
    fields: dict[str, Any] = {
        "base": words(rng, bits, len(shape)),
        "final": np.array(shape) - 1,
        "stride": rng.integers(-half, half, (len(shape), loops)),
    }
    return {"command": pack(command_layout(*params), fields)}


def walk(base: int, strides: Sequence[int], shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Address, not yet cut to its width, and bits of the loops that end, of each place of one nest."""
    for outermost_first in product(*(range(turn) for turn in reversed(shape))):
        index = outermost_first[::-1]
        ends = [all(index[k] == shape[k] - 1 for k in range(loop + 1)) for loop in range(len(shape))]
        address = base + sum(i * stride for i, stride in zip(index, strides, strict=True))
        yield address, sum(end << loop for loop, end in enumerate(ends))


def addresses(params: Nest, shape: Turns, streams: Streams) -> Streams:
    loops, bits, _ = params
    fields = unpack(command_layout(*params), streams["command"])
    nests = zip(fields["base"].tolist(), fields["stride"].tolist(), shape, strict=True)
    places = [place for nest in nests for place in walk(*nest)]
    columns = {"address": [address % (1 << bits) for address, _ in places], "ends": [ends for _, ends in places]}
    return {"o": pack(place_layout(loops, bits), columns)}


def nest_timing(params: Nest, shape: Turns) -> Edges:
    number = sum(prod(nest) for nest in shape)
    return Edges(1, number, number)


ADDRESS = UnitUnderTest[Nest, Turns](
    "address", lambda p: AddressGenerator(*p), turns, commands, addresses, nest_timing, rigid=True
)
ADDRESSES = replace(ADDRESS, shape=lambda params, rng: turns(params, rng, 100))

UNITS: tuple[tuple[UnitUnderTest[Any, Any], tuple[Any, ...]], ...] = (
    (FIFO, ((8, 5), (33, 16), (1, 1), (70, 2))),
    (SKID, (1, 40)),
    (FORK, ((8, 1), (16, 3))),
    (JOIN, ((8,), (3, 70, 12))),
    (WIDEN, ((8, 4), (5, 1), (16, 3))),
    (NARROW, ((8, 2), (5, 1), (16, 3))),
    (ADDRESS, ((1, 8, 3), (3, 32, 16), (2, 63, 5))),
)

# An arbiter: (inputs, packets). With gaps the order of its inputs is not known beforehand, so its cases stand apart.

ARBITERS = ((1, False), (2, False), (3, True), (5, True))
ARBITER_BITS = 12
ARBITER_SHAPE = packet_layout(ARBITER_BITS)


def arbiter_job(params: tuple[int, bool], packets: int, rng: Rng) -> Job:
    """So many packets at each input, of one payload where each is for itself; they leave in turn."""
    inputs, whole = params
    lengths = rng.integers(1, 4, (packets, inputs)) if whole else np.ones((packets, inputs), int)
    queues = [[packet(ARBITER_BITS, int(size), rng) for size in lengths[:, k]] for k in range(inputs)]
    order = [(k, beat) for turn in range(packets) for k in range(inputs) for beat in queues[k][turn]]
    columns = {"payload": unpack(ARBITER_SHAPE, [beat for _, beat in order]), "source": [k for k, _ in order]}
    streams = {f"i_{k}": tuple(beat for one in queues[k] for beat in one) for k in range(inputs)}
    out = pack(granted_layout(ARBITER_SHAPE, inputs), columns)
    return Job(streams, {"o": out}, 0, len(out) - 1, len(out))


def arbiter_cases(place: int, gaps: Sequence[tuple[float, float]], packets: int, jobs: int) -> list[Case]:
    rng = np.random.default_rng((SEED, place))
    name = f"arbiter_{place}"
    return [
        Case(f"{name} {gap}", name, tuple(arbiter_job(ARBITERS[place], packets, rng) for _ in range(jobs)), *gap, seed)
        for seed, gap in enumerate(gaps)
    ]


@cache
def all_devices() -> tuple[Device, ...]:
    """Every configuration of every block, for one model."""
    arbiters = [device(f"arbiter_{n}", Arbiter(ARBITER_SHAPE, k, packets=p)) for n, (k, p) in enumerate(ARBITERS)]
    return *(found for unit, params in UNITS for found in devices_of(unit, params)), *arbiters


def all_cases() -> list[Case]:
    return [case for unit, params in UNITS for case in sweep(unit, params, SEED)]
