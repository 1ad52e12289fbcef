"""The memory port of the layer machine: requests, beats and answers, as AXI has them."""

from __future__ import annotations

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Member, Out

ADDRESS = 32  # bits, in bytes
WORD = 64  # bits of a beat
WORD_BYTES = WORD // 8
COUNT = 8  # bits of the number of beats of a burst
LONGEST_BURST = 1 << COUNT  # beats
MOST_READS = 4  # bursts requested and not yet complete
PAGE = 4096  # bytes; no burst has beats in two of them

Ports = dict[str, Member]


def request_layout() -> data.StructLayout:
    """A burst: the address of its first byte, a multiple of WORD_BYTES, and the number of its beats less one."""
    return data.StructLayout({"addr": ADDRESS, "beats": COUNT})


def beat_layout() -> data.StructLayout:
    """A beat: its word, the byte of the lowest address lowest, and whether it is the last of its burst."""
    return data.StructLayout({"data": WORD, "last": 1})


def read_ports() -> Ports:
    """Of a block that reads: it requests bursts through `ar`, and their beats come in that order through `r`."""
    return {"ar": Out(stream.Signature(request_layout())), "r": In(stream.Signature(beat_layout()))}


def write_ports() -> Ports:
    """Of a block that writes: bursts are requested through `aw`, their beats go through `w`, in the same order.

    `b` answers each burst, in that order, when all of it is written.
    """
    request, beat = stream.Signature(request_layout()), stream.Signature(beat_layout())
    return {"aw": Out(request), "w": Out(beat), "b": In(stream.Signature(0))}


def served(ports: Ports) -> Ports:
    """The same ports on the side of the memory."""
    return {name: member.flip() for name, member in ports.items()}
