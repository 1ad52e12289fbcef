"""Timing of a DMA engine: a command is cut into bursts, so many of which may be outstanding at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

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
