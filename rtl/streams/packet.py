"""Payloads of streams that come in packets: an element, or some elements side by side, and whether it is the last."""

from __future__ import annotations

from amaranth.hdl import ShapeLike
from amaranth.lib import data


def packet_layout(element: ShapeLike) -> data.StructLayout:
    """`data`: one element; `last`: 1 at the end of a packet."""
    return data.StructLayout({"data": element, "last": 1})


def word_layout(element: ShapeLike, lanes: int) -> data.StructLayout:
    """`data`: elements side by side, the first in lane 0; `filled`: the last lane in use; `last`: ends the packet."""
    return data.StructLayout({"data": data.ArrayLayout(element, lanes), "filled": range(lanes), "last": 1})
