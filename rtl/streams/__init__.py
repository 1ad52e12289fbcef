"""Blocks that move streams: each with valid, ready and payload, none with a path from ready to valid.

Streams are those of `amaranth.lib.stream`. A payload moves at an edge with both `valid` and `ready`; once `valid`, a
stream stays so, with the same payload, until that edge.
"""

from rtl.streams.address import AddressGenerator, command_layout, place_layout
from rtl.streams.arbiter import Arbiter, granted_layout
from rtl.streams.fifo import Fifo
from rtl.streams.fork import Fork
from rtl.streams.join import Join, joined_layout
from rtl.streams.packet import packet_layout, word_layout
from rtl.streams.skid import SkidBuffer
from rtl.streams.width import Narrow, Widen

__all__ = [
    "AddressGenerator",
    "Arbiter",
    "Fifo",
    "Fork",
    "Join",
    "Narrow",
    "SkidBuffer",
    "Widen",
    "command_layout",
    "granted_layout",
    "joined_layout",
    "packet_layout",
    "place_layout",
    "word_layout",
]
