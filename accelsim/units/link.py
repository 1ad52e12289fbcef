"""Timing of a link: beats of a fixed width, each under way for a fixed latency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from accelsim.units.fields import Checked, Size
from accelsim.units.timing import Timing
from accelsim.units.vector import ceil_div


@dataclass(frozen=True)
class LinkParams(Checked):
    """The link."""

    width_bytes: Annotated[int, Size("bytes per beat")]
    latency: Annotated[int, Size("edges from the beat that enters to the beat that leaves", 0)]


@dataclass(frozen=True)
class Message(Checked):
    """The job: one message."""

    bytes: Annotated[int, Size("bytes of the message")]


def timing(params: LinkParams, shape: Message) -> Timing:
    """ceil(bytes / width) beats enter one per edge and leave `latency` edges later, in order: latency + beats cycles.

    Assumes a receiver that always takes a beat, and no header. Source: structure (a chain of registers).
    """
    beats = ceil_div(shape.bytes, params.width_bytes)
    return Timing(params.latency, params.latency + beats - 1, beats)
