"""DRAM at the level of commands: standards as tables, a controller, address maps, streams and traces."""

from __future__ import annotations

from accelsim.memory.load import load_device
from accelsim.memory.model import Device, Outcome, Policy, Requests
from accelsim.memory.run import Channel, advance_to, offer, open_channel, serve, serve_all
from accelsim.memory.streams import make_stream
from accelsim.memory.trace import read_trace

__all__ = [
    "Channel",
    "Device",
    "Outcome",
    "Policy",
    "Requests",
    "advance_to",
    "load_device",
    "make_stream",
    "offer",
    "open_channel",
    "read_trace",
    "serve",
    "serve_all",
]
