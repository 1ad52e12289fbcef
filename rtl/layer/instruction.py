"""Instructions on wires: layouts made from the one description, and what an engine shows to the sequencer."""

from __future__ import annotations

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from accelsim.program.instruction import DMA_FIELDS, FIELDS, HEAD, SEMAPHORES


def instruction_layout() -> data.StructLayout:
    """128 bits: the head and the fields of computing instructions."""
    return data.StructLayout({**HEAD, **FIELDS})


def transfer_layout() -> data.StructLayout:
    """The same 128 bits: the head and the fields of LOAD and STORE."""
    return data.StructLayout({**HEAD, **DMA_FIELDS})


def completion_signature() -> Signature:
    """How an engine says, as an output, that an instruction has completed.

    `valid` is high before the edge at which its last result is written, once for each instruction; `post` is its mask.
    """
    return Signature({"valid": Out(1), "post": Out(SEMAPHORES)})


def engine_ports(completions: int = 1) -> dict[str, In | Out]:
    """What every engine has: `start`, an input stream of instructions, and so many ports for completions.

    `start` is ready when an instruction may start at this edge: the edge of the transfer is the start. Several
    instructions may be under way, begun one after the other; those that may complete at the same edge need ports of
    their own, `done0`, `done1`.
    """
    found: dict[str, In | Out] = {"start": In(stream.Signature(instruction_layout()))}
    return {**found, **{f"done{port}": Out(completion_signature()) for port in range(completions)}}
