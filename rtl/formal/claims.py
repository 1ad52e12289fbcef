"""What is claimed of a block: assertions, assumptions and covers by name, and the wires that a solver may choose."""

from __future__ import annotations

import re
from collections.abc import Callable

from amaranth.hdl import Assert, Assume, Cover, Module, ShapeLike, Signal, Value
from amaranth.lib import wiring

from accelsim.errors import AccelsimError
from rtl.ports import Leaf

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Claims:
    """Collects claims in the module `m` that stands around a block; registers of `m` are reset with the block."""

    def __init__(self, m: Module) -> None:
        self.m = m
        self.asserted: list[str] = []
        self.assumed: list[str] = []
        self.covered: list[str] = []
        self.chosen: list[Leaf] = []

    def always(self, name: str, condition: Value) -> None:
        """It holds at every edge."""
        self.asserted.append(self._new(name))
        self.m.d.comb += Assert(condition, name)

    def given(self, name: str, condition: Value) -> None:
        """Only runs in which it holds at every edge count."""
        self.assumed.append(self._new(name))
        self.m.d.comb += Assume(condition, name)

    def reached(self, name: str, condition: Value) -> None:
        """It holds at some edge of some run that begins with reset values."""
        self.covered.append(self._new(name))
        self.m.d.comb += Cover(condition, name)

    def free(self, name: str, shape: ShapeLike) -> Value:
        """A wire that may have any value at every edge."""
        signal = Signal(shape, name=self._new(name))
        self.chosen.append(Leaf((name,), "input", Value.cast(signal)))
        return signal

    def constant(self, name: str, shape: ShapeLike) -> Value:
        """A value that may be any, the same at every edge."""
        first, kept, started = self.free(name, shape), Signal(shape), Signal()
        self.m.d.sync += [kept.eq(first), started.eq(1)]
        self.given(f"{name}_is_constant", ~started | (first == kept))
        return first

    def past(self, value: Value) -> Value:
        """The value at the edge before; 0 after a reset."""
        register = Signal(Value.cast(value).shape())
        self.m.d.sync += register.eq(value)
        return register

    def _new(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise AccelsimError(f'claim: must be lower-case letters, digits and _, got "{name[:80]}"')
        if name in (*self.asserted, *self.assumed, *self.covered, *(leaf.name for leaf in self.chosen)):
            raise AccelsimError(f'claim "{name}": is there twice')
        return name


Properties = Callable[[Claims, wiring.Component], None]
"""A function that makes the claims about a component."""


def together(*parts: Properties) -> Properties:
    """All claims of several functions."""

    def properties(claims: Claims, component: wiring.Component) -> None:
        for part in parts:
            part(claims, component)

    return properties
