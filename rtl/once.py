"""Blocks that stand in a design many times and are described and emitted once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from amaranth.hdl import ClockSignal, Instance, ResetSignal

from rtl.block import Block
from rtl.ports import CLOCK, RESET, leaves

Parts = dict[str, Block]
_FOUND: ContextVar[tuple[str, Parts]] = ContextVar("parts of the design that is being emitted")


@contextmanager
def parts_of(top: str) -> Iterator[Parts]:
    """Collects the blocks that `once` names while the design `top` is elaborated."""
    parts: Parts = {}
    token = _FOUND.set((top, parts))
    try:
        yield parts
    finally:
        _FOUND.reset(token)


def once(kind: str, block: Block) -> Instance:
    """A block as a submodule, of which only the first of its `kind` is elaborated; its ports are wires to all.

    For grids of equal elements: to elaborate each of a thousand takes as many times as long as one.
    """
    top, parts = _FOUND.get()
    parts.setdefault(kind, block)
    ports = {f"{leaf.direction[0]}_{leaf.name}": leaf.value for leaf in leaves(block)}
    clock = {f"i_{CLOCK}": ClockSignal(), f"i_{RESET}": ResetSignal()}
    return Instance(part_name(top, kind), **clock, **ports)


def part_name(top: str, kind: str) -> str:
    """What the module of a kind is called before names are made plain."""
    return f"{top}.{kind}"
