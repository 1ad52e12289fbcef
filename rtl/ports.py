"""What a block shows to the outside: its streams and its other pins, with the flat names that they have in Verilog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Const, Value
from amaranth.lib import wiring

from accelsim.errors import AccelsimError

Direction = Literal["input", "output"]
CLOCK, RESET = "clk", "rst"
_STREAM = {"payload", "valid", "ready"}


@dataclass(frozen=True)
class Pin:
    """One port: `i_payload`, input, 8 bits wide."""

    name: str
    direction: Direction
    width: int


@dataclass(frozen=True)
class StreamPort:
    """Three ports that are a stream: `<name>_payload`, `_valid` and `_ready`; `direction` is where payloads go."""

    name: str
    direction: Direction
    width: int

    def pins(self) -> tuple[Pin, ...]:
        """Its ports; a payload of no bits has none."""
        back: Direction = "output" if self.direction == "input" else "input"
        payload = (Pin(f"{self.name}_payload", self.direction, self.width),) if self.width else ()
        return *payload, Pin(f"{self.name}_valid", self.direction, 1), Pin(f"{self.name}_ready", back, 1)


@dataclass(frozen=True)
class Interface:
    """All that a block shows, in the order of its signature; clock and reset, which all have, left out."""

    streams: tuple[StreamPort, ...]
    pins: tuple[Pin, ...]

    def all_pins(self) -> tuple[Pin, ...]:
        return *(pin for stream in self.streams for pin in stream.pins()), *self.pins

    def inputs(self) -> tuple[StreamPort, ...]:
        return tuple(stream for stream in self.streams if stream.direction == "input")

    def outputs(self) -> tuple[StreamPort, ...]:
        return tuple(stream for stream in self.streams if stream.direction == "output")


@dataclass(frozen=True)
class Leaf:
    """A member of the signature that is a signal: its path, where it goes and the value that stands for it."""

    path: tuple[str, ...]
    direction: Direction
    value: Value

    @property
    def name(self) -> str:
        return "_".join(self.path)


def leaves(component: wiring.Component) -> tuple[Leaf, ...]:
    """All signals of the signature, flat. AccelsimError where two would have the same name in Verilog."""
    found = []
    for path, member, value in component.signature.flatten(component):
        direction: Direction = "input" if member.flow == wiring.In else "output"
        found.append(Leaf(tuple(map(str, path)), direction, Value.cast(value)))
    _check_names([leaf.name for leaf in found])
    return tuple(found)


def interface_of(component: wiring.Component) -> Interface:
    """The streams and other pins of a component."""
    groups: dict[tuple[str, ...], dict[str, Leaf]] = {}
    for leaf in leaves(component):
        groups.setdefault(leaf.path[:-1], {})[leaf.path[-1]] = leaf
    streams: list[StreamPort] = []
    pins: list[Pin] = []
    for path, group in groups.items():
        if path and set(group) == _STREAM:
            streams.append(_stream("_".join(path), group))
        else:
            pins.extend(Pin(leaf.name, leaf.direction, len(leaf.value)) for leaf in group.values() if len(leaf.value))
    return Interface(tuple(streams), tuple(pins))


def _stream(name: str, group: dict[str, Leaf]) -> StreamPort:
    if any(isinstance(group[wire].value, Const) for wire in ("valid", "ready")):
        raise AccelsimError(f"stream {name}: must have both valid and ready, not always_valid or always_ready")
    return StreamPort(name, group["valid"].direction, len(group["payload"].value))


def _check_names(names: list[str]) -> None:
    taken = {CLOCK, RESET}
    for name in names:
        if name in taken:
            raise AccelsimError(f'port "{name}": the name is taken; clk, rst and paths joined by _ must all differ')
        taken.add(name)
