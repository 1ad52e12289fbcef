"""Timing of DMA engines: a command is cut into bursts, of which so many may be outstanding at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.errors import AccelsimError
from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div

LONGEST = 2**20


@dataclass(frozen=True)
class DmaParams(Checked):
    """The engine and the memory behind it."""

    latency: Annotated[int, Size("edges from a burst's request to its first beat, memory idle", 0, LONGEST)]
    beat_bytes: Annotated[int, Size("bytes per beat")] = 8
    burst_beats: Annotated[int, Size("beats of a full burst")] = 64
    outstanding: Annotated[int, Size("bursts requested and not yet complete, at most", high=LONGEST)] = 4
    command_registers: Annotated[int, Size("registers between the command and the first request", 0, LONGEST)] = 0
    output_registers: Annotated[int, Size("registers between the memory and the output port", 0, LONGEST)] = 0


@dataclass(frozen=True)
class Block(Checked):
    """The job: one command for a block of consecutive bytes that begins where a burst may begin."""

    bytes: Annotated[int, Size("bytes of the block")]


def timing(params: DmaParams, shape: Block) -> Timing:
    """The block is ceil(bytes / beat) beats, cut into full bursts of b beats and a last one of 1 to b.

    With L the latency and o bursts outstanding: requests go out one per edge until o are outstanding, and a place is
    free on the edge after a burst's last beat. Beats come in order, one per edge, none earlier than L after its
    request. Within o bursts beats follow without a gap, the first of them L after the first request. The next o
    begin when the data path is free (o * b edges later) and when the first place of this round was free again and
    L has passed (L + b edges later): a round of o bursts takes the larger of the two. Burst n, counted from 0,
    begins at L + (n // o) * round + (n mod o) * b. One command at a time: the next is taken on the edge after the
    last beat has come.

    Assumes a memory that answers in order at a fixed latency and can give a beat per edge. Source: structure; the
    defaults (64-bit beats, 4 outstanding) are the memory port of this project's generated hardware, and 64 beats make
    a burst that never crosses 4 KiB when the block is aligned to it.
    """
    beats = ceil_div(shape.bytes, params.beat_bytes)
    whole = (beats - 1) // params.burst_beats
    turn = max(params.outstanding * params.burst_beats, params.latency + params.burst_beats)
    rounds, place = divmod(whole, params.outstanding)
    first = params.command_registers + params.latency
    taken = first + rounds * turn + place * params.burst_beats + (beats - whole * params.burst_beats) - 1
    return Timing(first + params.output_registers, taken + params.output_registers, taken + 1)


@dataclass(frozen=True)
class EngineParams(Checked):
    """The engines of the generated hardware, LOAD and STORE, and the memory behind their port."""

    latency: Annotated[int, Size("edges from a request to its first beat, from a last beat to its answer", 1, LONGEST)]
    beat_bytes: Annotated[int, Size("bytes per beat")] = 8
    longest_burst: Annotated[int, Size("beats of the longest burst")] = 256
    outstanding: Annotated[int, Size("bursts requested by LOAD and not yet complete, at most", high=LONGEST)] = 4
    command_registers: Annotated[int, Size("registers between the command and the first request", 0, LONGEST)] = 1
    pad_registers: Annotated[int, Size("edges from an address of the pad that STORE reads to its word", 1, LONGEST)] = 1


@dataclass(frozen=True)
class Rows(Checked):
    """The job: one command for rows of consecutive bytes, none of whose bursts crosses a bound of the memory port."""

    rows: Annotated[int, Size("rows")]
    beats: Annotated[int, Size("beats of each row")]
    stride: Annotated[int, Size("bytes from the begin of a row to that of the next", 0)]


def burst_beats(params: EngineParams, shape: Rows) -> int:
    """Beats of each burst: all rows are one where they follow one another and fit, otherwise each row is one.

    Raises:
        AccelsimError: a row that does not fit.

    >>> [burst_beats(EngineParams(20), Rows(4, 8, stride)) for stride in (64, 72)]
    [32, 8]
    """
    if shape.beats > params.longest_burst:
        raise AccelsimError(f'beats: a row must fit a burst, {params.longest_burst} beats, got "{shape.beats}"')
    together = shape.rows * shape.beats
    follows = shape.stride == shape.beats * params.beat_bytes
    return together if follows and together <= params.longest_burst else shape.beats


def load_timing(params: EngineParams, shape: Rows) -> Timing:
    """Edges of a LOAD: `first` and `last` write the pad, edge 0 starts the command.

    The command is in its registers before the first request goes out. Its bursts are those of `burst_beats`, all of
    one length, so that to `timing` it is a block of rows * beats beats whose full bursts are that long. A beat is
    written into the pad at the edge at which it comes, without a register between.

    Assumes what `timing` does. Source: structure.

    >>> load_timing(EngineParams(20), Rows(4, 8, 64))
    Timing(first=21, last=52, busy=53)
    """
    full = burst_beats(params, shape)
    engine = DmaParams(params.latency, params.beat_bytes, full, params.outstanding, params.command_registers)
    return timing(engine, Block(shape.rows * shape.beats * params.beat_bytes))


def store_timing(params: EngineParams, shape: Rows) -> Timing:
    """Edges of a STORE: `first` sends its first beat to the memory, `last` brings the answer to its last burst.

    The command is in its registers, and the pad's address with it, before the first word is read; from then on a beat
    leaves at every edge, since the next word is read while one leaves. Requests leave one per edge from the edge on at
    which the first word is read, so that burst n is asked for n edges later, and no earlier can its first beat leave,
    because each burst has at least one: no beat waits for its request. The answer to a burst comes L edges after its
    last beat, in order, that of the last burst at last. One command at a time: the next is taken on the edge after.

    Assumes a memory that takes a beat per edge and a request ahead of its beats. Source: structure.

    >>> store_timing(EngineParams(20), Rows(4, 8, 64))
    Timing(first=2, last=53, busy=54)
    """
    burst_beats(params, shape)
    first = params.command_registers + params.pad_registers
    last = first + shape.rows * shape.beats - 1 + params.latency
    return Timing(first, last, last + 1)
